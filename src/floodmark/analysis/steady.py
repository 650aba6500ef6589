"""A recording of a steady load (closed, arrivals), judged: joins what the other files of analysis find. Pure."""

from dataclasses import dataclass, replace
from statistics import median

from floodmark.analysis.advice import advise_steady
from floodmark.analysis.axis import Axis
from floodmark.analysis.ceiling import BEHIND
from floodmark.analysis.document import (
    FORMAT,
    Check,
    Estimate,
    InService,
    Judged,
    Judgement,
    SecondPoint,
    ServiceTime,
    Throughput,
    Timeline,
    VerdictDocument,
)
from floodmark.analysis.estimates import LITTLES_LAW, agreement_words
from floodmark.analysis.files import files_peak
from floodmark.analysis.handler_time import handler_time
from floodmark.analysis.lines import lines_of, listen_overflows, settled_places, waiting_places
from floodmark.analysis.model import judge_sampled_model
from floodmark.analysis.percentiles import percentiles_in
from floodmark.analysis.release import release_of_arrivals
from floodmark.analysis.seconds import SteadySeconds, merge_seconds
from floodmark.analysis.steady_checks import SteadyFindings, check_steady, generator_fault
from floodmark.analysis.steady_outcomes import count_steady_outcomes, steady_failures
from floodmark.analysis.steady_sentence import Story, amount, seconds_words, steady_sentence
from floodmark.analysis.steady_timeline import SteadyTimelineMaker
from floodmark.analysis.steps import sampled_pieces, sustained
from floodmark.analysis.summary import summary_of
from floodmark.analysis.timeline import LEAD_S
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, SteadyProfile

SETTLED_S = 0.5
"""What stays in a place for so long is worth a sentence: while connections are made, every place fills for a moment."""

INSIDE_DWELL_S = 0.2
"""In process is what was read less what was in service, and that is a rate: a level of a beat or two is its noise."""

SETTLED_SHARE = 0.25
"""Of the load, where that is shorter than two seconds."""

WAITED_SHARE = 0.05
"""Of the requests in flight: fewer are being handed over, not in line."""

KEPT_SHARE = 0.02
"""Of the requests planned in a load's second half: the line may be longer by so many at its end. And of all requests:
so few may fail."""

KEPT_LEAST = 10
"""Requests: a line that is longer by fewer says nothing; answers come in small batches."""


_GAVE_UP = (Outcome.CONNECT_TIMEOUT, Outcome.RESPONSE_TIMEOUT, Outcome.UNSENT)


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


def judge_steady(axis: Axis, profile: SteadyProfile) -> Judged:
    """The verdict on a steady load. Raises `RunFolderError` where its seconds cannot be read."""
    load = _load(axis, profile)
    seconds = load.seconds
    late, latency = percentiles_in(seconds.late), percentiles_in(seconds.latency)
    validity = check_steady(
        SteadyFindings(
            axis=axis,
            profile=profile,
            seconds=seconds,
            outcomes=load.outcomes,
            latency=latency,
            late=late,
            throughput=load.throughput,
        )
    )
    found = _judgement(load)
    settled = settled_places(axis, load.timeline, _settled_s(profile))
    waited = _waited(load)
    story = Story(
        target=axis.recording.manifest.target,
        profile=profile,
        found=found,
        outcomes=load.outcomes,
        throughput=load.throughput,
        latency=latency,
        service=load.service,
        at_once=_at_once(load),
        settled=settled,
        most_in_flight=max((point.in_flight + point.unreleased for point in seconds.points), default=0),
        waited=waited,
        line_grew=isinstance(profile, ArrivalsProfile) and _line_grew(profile, load),
        many_failed=seconds.failed.total() > KEPT_SHARE * sum(load.outcomes.values()),
        fault=generator_fault(validity),
        lost=len(axis.recording.workers) < axis.recording.manifest.workers,
    )
    found = replace(
        found, sentence=steady_sentence(story), advice=_advice(axis, found, validity.checks, waited=waited is True)
    )
    document = VerdictDocument(
        format=FORMAT,
        target=axis.recording.manifest.target,
        status=axis.recording.manifest.status.value,
        profile=summary_of(profile),
        verdict=found,
        outcomes=load.outcomes,
        validity=validity,
        latency=latency,
        connect=percentiles_in(seconds.connect),
        throughput=load.throughput,
        release=release_of_arrivals(axis, late) if isinstance(profile, ArrivalsProfile) else None,
        service=load.service,
    )
    return Judged(document=document, timeline=load.timeline, seconds=seconds.points)


def _load(axis: Axis, profile: SteadyProfile) -> _Load:
    seconds = merge_seconds(axis.recording)
    service = handler_time(axis, seconds.latency)
    return _Load(
        axis=axis,
        profile=profile,
        seconds=seconds,
        outcomes=count_steady_outcomes(axis.recording),
        service=service,
        throughput=_throughput(axis, profile, seconds),
        timeline=SteadyTimelineMaker(axis, seconds, service).make(),
    )


def _throughput(axis: Axis, profile: SteadyProfile, seconds: SteadySeconds) -> Throughput:
    """Over the time that the load was kept up, of an open model in whole seconds: answers go on after its end."""
    end_s = max(0.0, min(profile.duration_s, axis.end_s))
    whole = int(end_s + 1e-3)
    if isinstance(profile, ArrivalsProfile) and whole:
        end_s = float(whole)
    points = [point for point in seconds.points if point.second < end_s]
    answered = sum(point.answered for point in points)
    rates = [point.answered for point in points if point.second < whole]
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
    """Little's law: what handlers ran for per second, times how long each took."""
    if load.service.mean_s is None or not load.throughput.duration_s:
        return None
    served = sum(load.seconds.served[: sum(p.second < load.throughput.duration_s for p in load.seconds.points)])
    return served / load.throughput.duration_s * load.service.mean_s


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
    series = load.timeline.places[Place.IN_SERVICE]
    pieces = sampled_pieces(load.timeline.times_s, series)
    peak = sustained(pieces, 0.9 * _settled_s(load.profile))
    estimate = _estimate(load, at_once)
    evidence = "A steady load proves no ceiling: how many were in service is a mean, not a count."
    return InService(peak=peak, ceiling=None, evidence=(evidence, agreement_words((estimate,))), estimates=(estimate,))


def _estimate(load: _Load, at_once: float | None) -> Estimate:
    service = load.service
    if at_once is None or service.mean_s is None:
        return Estimate(method=LITTLES_LAW, value=None, words=f"the service time is not known: {service.words}")
    rate = amount(at_once / service.mean_s) if service.mean_s else "0"
    words = f"{rate} requests/s, times {seconds_words(service.mean_s)} of service: {service.words}"
    return Estimate(method=LITTLES_LAW, value=round(at_once, 2), words=words)


def _settled_s(profile: SteadyProfile) -> float:
    return min(SETTLED_S, SETTLED_SHARE * profile.duration_s)


def _waited(load: _Load) -> bool | None:
    """Whether requests stood in line in the target during most of the load; None where that was not seen."""
    timeline = load.timeline
    behind: list[int] = []
    for at_s, *values in zip(timeline.times_s, *(timeline.places[place] for place in BEHIND), strict=True):
        if 0 <= at_s <= load.throughput.duration_s and all(value is not None for value in values):
            behind.append(sum(value or 0 for value in values))
    if not behind:
        return None
    in_flight = median([point.in_flight for point in load.seconds.points] or [0])
    return median(behind) > max(1.0, WAITED_SHARE * in_flight)


def _line_grew(profile: ArrivalsProfile, load: _Load) -> bool:
    """The line was longer at the plan's end than in its middle; or it would have been, had clients not given up."""
    points = [point for point in load.seconds.points if point.second + 1 <= profile.duration_s + 1e-3]
    planned = sum(point.planned for point in points)
    gave_up = sum(load.outcomes.get(kind.value, 0) for kind in _GAVE_UP)
    if not points or gave_up > KEPT_SHARE * planned:
        return bool(points)
    middle = (len(points) - 1) // 2
    second_half = sum(point.planned for point in points[middle + 1 :]) or planned
    before = _without_answer(points[middle]) if len(points) > 1 else 0
    return _without_answer(points[-1]) - before > max(KEPT_LEAST, KEPT_SHARE * second_half)


def _without_answer(point: SecondPoint) -> int:
    return point.in_flight + point.unreleased


def _advice(axis: Axis, found: Judgement, checks: tuple[Check, ...], *, waited: bool) -> tuple[str, ...]:
    return advise_steady(axis.recording.manifest, found, files_peak(axis), checks, waited=waited)
