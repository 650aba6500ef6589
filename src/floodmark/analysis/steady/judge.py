"""A recording of a steady load (closed, arrivals), judged: joins what the other files of analysis find. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from floodmark.analysis.advice import advise_steady
from floodmark.analysis.agent_cost import agent_cost
from floodmark.analysis.axis import Axis
from floodmark.analysis.clocks import node_clocks
from floodmark.analysis.document import (
    FORMAT,
    Estimate,
    InService,
    Judged,
    Judgement,
    Percentiles,
    ServiceTime,
    Throughput,
    Timeline,
    Validity,
    VerdictDocument,
)
from floodmark.analysis.estimates import LITTLES_LAW, agreement_words
from floodmark.analysis.failure_times import failure_times_by_second
from floodmark.analysis.known_server import Measured, recognise
from floodmark.analysis.latency_curve import curve_in
from floodmark.analysis.limits_reached import limits_reached
from floodmark.analysis.lines import lines_of, listen_overflows, settled_places, waiting_places
from floodmark.analysis.model import judge_sampled_model
from floodmark.analysis.percentiles import percentiles_in
from floodmark.analysis.release import release_of_arrivals
from floodmark.analysis.steady.checks import SteadyFindings, check_steady, generator_fault
from floodmark.analysis.steady.handler_time import handler_time, hold_is_known
from floodmark.analysis.steady.line import KEPT_SHARE, Flow, Line, full_seconds, held_back, line_grew, line_in_target
from floodmark.analysis.steady.outcomes import count_steady_outcomes, steady_failures
from floodmark.analysis.steady.seconds import SteadySeconds, merge_seconds
from floodmark.analysis.steady.sentence import Story, amount, seconds_words, steady_sentence
from floodmark.analysis.steady.timeline import SteadyTimelineMaker
from floodmark.analysis.steps import sampled_pieces, sustained
from floodmark.analysis.summary import summary_of
from floodmark.analysis.timeline import LEAD_S
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile, SteadyProfile
from floodmark.core.run_folder import RunStatus
from floodmark.core.target import TargetSpec

SETTLED_S = 0.5
"""What stays in a place for so long is worth a sentence: while connections are made, every place fills for a moment."""

INSIDE_DWELL_S = 0.2
"""In process is what was read less what was in service, and that is a rate: a level of a beat or two is its noise."""

SETTLED_SHARE = 0.25
"""Of the load, where that is shorter than two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """A steady load, and what was found of it so far."""

    axis: Axis
    profile: SteadyProfile
    seconds: SteadySeconds
    outcomes: dict[str, int]
    service: ServiceTime
    throughput: Throughput
    timeline: Timeline
    with_handlers: list[int | None]
    flow: Flow
    line: Line
    full: list[int]
    held_back: bool


def judge_steady(
    axis: Axis, profile: SteadyProfile, known: Sequence[TargetSpec] = (), ranks: Sequence[float] = ()
) -> Judged:
    """The verdict on a steady load. `known` and `ranks` as in `judge`.

    Raises `RunFolderError` where its seconds cannot be read.
    """
    load = _load(axis, profile)
    seconds, recording = load.seconds, axis.recording
    late, latency = percentiles_in(seconds.late), percentiles_in(seconds.latency, ranks)
    validity = _validity(load, latency, late)
    document = VerdictDocument(
        format=FORMAT,
        target=recording.manifest.target,
        status=recording.manifest.status.value,
        profile=summary_of(profile if hold_is_known(axis) else replace(profile, hold_s=0.0)),
        verdict=_spoken(load, validity, latency, known),
        outcomes=load.outcomes,
        validity=validity,
        latency=latency,
        # Where every answer came in one piece, the first byte came with the last.
        first_byte=None if seconds.transfer.get_total_count() else latency,
        connect=percentiles_in(seconds.connect, ranks),
        throughput=load.throughput,
        release=release_of_arrivals(axis, late) if isinstance(profile, ArrivalsProfile) else None,
        service=load.service,
        agent=agent_cost(recording),
        clock=node_clocks(recording),
    )
    curves = (curve_in("latency", seconds.latency), curve_in("connect", seconds.connect))
    return Judged(
        document=document,
        timeline=load.timeline,
        seconds=seconds.points,
        curves=tuple(curve for curve in curves if curve is not None),
        failed=failure_times_by_second(seconds.failed_in),
    )


def _validity(load: _Load, latency: Percentiles | None, late: Percentiles | None) -> Validity:
    return check_steady(
        SteadyFindings(
            axis=load.axis,
            profile=load.profile,
            seconds=load.seconds,
            outcomes=load.outcomes,
            latency=latency,
            late=late,
            throughput=load.throughput,
            full=load.full,
            held_back=load.held_back,
        )
    )


def _spoken(load: _Load, validity: Validity, latency: Percentiles | None, known: Sequence[TargetSpec]) -> Judgement:
    """With the limits that were reached, what is advised, the server that was recognised, and the sentence."""
    found, manifest = _judgement(load), load.axis.recording.manifest
    story = _story(load, found, validity, latency)
    recognised = recognise(manifest, Measured(at_once=None, unit=found.model.unit, is_count=False), known)
    found = replace(found, limits=limits_reached(load.axis, found, steady=True))
    waited = load.line.waited is True
    return replace(
        found,
        sentence=steady_sentence(story),
        advice=advise_steady(manifest, found, validity.checks, waited=waited, known=recognised),
        known=recognised.server if recognised else None,
    )


def _story(load: _Load, found: Judgement, validity: Validity, latency: Percentiles | None) -> Story:
    profile, seconds, recording = load.profile, load.seconds, load.axis.recording
    return Story(
        target=recording.manifest.target,
        profile=profile,
        found=found,
        outcomes=load.outcomes,
        throughput=load.throughput,
        latency=latency,
        service=load.service,
        at_once=_at_once(load),
        settled=settled_places(load.axis, load.timeline, _settled_s(profile)),
        most_in_flight=max((point.in_flight + point.unreleased for point in seconds.points), default=0),
        on_way=load.flow.on_way,
        line=load.line,
        full_from=load.full[0] if load.held_back else None,
        line_grew=isinstance(profile, ArrivalsProfile) and line_grew(profile, seconds, load.outcomes),
        many_failed=_without(load) > KEPT_SHARE * sum(load.outcomes.values()),
        fault=generator_fault(validity),
        lost=len(recording.workers) < recording.manifest.workers,
        ended_early=recording.manifest.status is not RunStatus.COMPLETE,
    )


def _load(axis: Axis, profile: SteadyProfile) -> _Load:
    seconds = merge_seconds(axis.recording)
    service, way = handler_time(axis, seconds)
    maker = SteadyTimelineMaker(axis, seconds, service)
    timeline, throughput = maker.make(), _throughput(axis, profile, seconds)
    flow = Flow(duration_s=throughput.duration_s, per_s=_per_s(seconds, throughput), service_s=service.mean_s, way=way)
    line = line_in_target(timeline, seconds.points, flow)
    full = full_seconds(seconds.points, profile.most_connections) if isinstance(profile, ArrivalsProfile) else []
    return _Load(
        axis=axis,
        profile=profile,
        seconds=seconds,
        outcomes=count_steady_outcomes(axis.recording),
        service=service,
        throughput=throughput,
        timeline=timeline,
        with_handlers=maker.in_service(timeline),
        flow=flow,
        line=line,
        full=full,
        held_back=held_back(line, seconds.points, full, flow.taken),
    )


def _throughput(axis: Axis, profile: SteadyProfile, seconds: SteadySeconds) -> Throughput:
    """Over the planned duration, or until the load was ended before: a quick last answer does not make it shorter.

    Answers of an open model go on after its plan's end: a part of a second that has such answers, too, is left out.
    """
    is_complete = axis.recording.manifest.status is RunStatus.COMPLETE
    end_s = profile.duration_s if is_complete else max(0.0, min(profile.duration_s, axis.end_s))
    whole = int(end_s + 1e-3)
    if isinstance(profile, ArrivalsProfile) and whole and axis.end_s > end_s:
        end_s = float(whole)
    points = [point for point in seconds.points if point.second < end_s]
    answered = sum(point.answered for point in points)
    rates = [point.answered for point in points if point.second < whole]
    rates += [0] * (whole - len(rates))  # seconds after the last outcome have no record
    per_s = 1 / end_s if end_s else 0.0
    return Throughput(
        duration_s=round(end_s, 3),
        answered=answered,
        answered_per_s=round(answered * per_s, 3),
        received_bytes_per_s=round(sum(seconds.received_bytes[: len(points)]) * per_s, 1),
        least_per_s=min(rates, default=None),
        most_per_s=max(rates, default=None),
    )


def _at_once(load: _Load) -> float | None:
    """Little's law: what handlers ran for per second, times how long each took; never more than there can be."""
    if load.service.mean_s is None or not load.throughput.duration_s:
        return None
    return min(load.flow.per_s * load.service.mean_s, float(load.profile.most_connections))


def _per_s(seconds: SteadySeconds, throughput: Throughput) -> float:
    """What handlers ran for, per second of the load."""
    if not throughput.duration_s:
        return 0.0
    return sum(seconds.served[: sum(p.second < throughput.duration_s for p in seconds.points)]) / throughput.duration_s


def _without(load: _Load) -> int:
    """Requests that got no answer, or were never sent."""
    return load.seconds.failed.total() + load.outcomes.get(Outcome.UNSENT.value, 0)


def _judgement(load: _Load) -> Judgement:
    axis, timeline = load.axis, load.timeline
    lines, at_once = lines_of(axis), _at_once(load)
    in_service = _in_service(load, at_once)
    answered = load.outcomes.get(Outcome.ANSWERED.value, 0)
    return Judgement(
        sentence="",
        in_service=in_service,
        waiting=waiting_places(axis, timeline, lines, -LEAD_S, inside_dwell_s=INSIDE_DWELL_S),
        lines=lines,
        model=judge_sampled_model(axis, at_once or 0.0, answered, load.service.mean_s),
        failures=steady_failures(axis, load.seconds),
        advice=(),
        listen_overflows=listen_overflows(axis),
    )


def _in_service(load: _Load, at_once: float | None) -> InService:
    """No ceiling: that takes a proof which a steady load does not give."""
    pieces = sampled_pieces(load.timeline.times_s, load.with_handlers)
    peak = sustained(pieces, 0.9 * _settled_s(load.profile))
    estimate = _estimate(load, at_once)
    evidence = "A steady load proves no ceiling: how many were in service is a mean, not a count."
    return InService(peak=peak, ceiling=None, evidence=(evidence, agreement_words((estimate,))), estimates=(estimate,))


def _estimate(load: _Load, at_once: float | None) -> Estimate:
    service = load.service
    if at_once is None or service.mean_s is None:
        return Estimate(method=LITTLES_LAW, value=None, words=f"the service time is not known: {service.words}")
    rate = amount(load.flow.per_s)
    words = f"{rate} requests/s, times {seconds_words(service.mean_s)} of service: {service.words}"
    return Estimate(method=LITTLES_LAW, value=round(at_once, 2), words=words)


def _settled_s(profile: SteadyProfile) -> float:
    return min(SETTLED_S, SETTLED_SHARE * profile.duration_s)
