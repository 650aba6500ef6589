"""A recording, judged: the one function that joins the rooms of analysis. Pure: same recording, same verdict."""

from collections.abc import Sequence
from dataclasses import replace

from floodmark.analysis.advice import advise
from floodmark.analysis.agent_cost import agent_cost
from floodmark.analysis.axis import Axis, put_on_axis
from floodmark.analysis.ceiling import find_ceiling, first_reached, proof_words
from floodmark.analysis.checks import check_run
from floodmark.analysis.clocks import node_clocks
from floodmark.analysis.document import FORMAT, InService, Judged, Judgement, Timeline, VerdictDocument
from floodmark.analysis.estimates import agreement_words, least, make_estimates, outvoted
from floodmark.analysis.failure_times import failure_times
from floodmark.analysis.failures import count_outcomes, failures_of
from floodmark.analysis.known_server import Measured, recognise
from floodmark.analysis.latency_curve import curve_of
from floodmark.analysis.limits_reached import limits_reached
from floodmark.analysis.lines import SETTLED_SHARE, lines_of, listen_overflows, settled_places, waiting_places
from floodmark.analysis.memory import memory_of
from floodmark.analysis.model import judge_model
from floodmark.analysis.percentiles import percentiles_of
from floodmark.analysis.pictured import LatencyCurve
from floodmark.analysis.release import release_of_burst
from floodmark.analysis.sentence import verdict_sentence
from floodmark.analysis.service import Service, service_of
from floodmark.analysis.steady.judge import judge_steady
from floodmark.analysis.summary import summary_of
from floodmark.analysis.timeline import LEAD_S, TimelineMaker
from floodmark.core.errors import RunFolderError
from floodmark.core.profile import BurstProfile, SearchProfile
from floodmark.core.run_folder import STEPS, Recording
from floodmark.core.target import TargetSpec


def judge(recording: Recording, known: Sequence[TargetSpec] = (), ranks: Sequence[float] = ()) -> Judged:
    """The verdict on a recording of one load. `known` are targets that a server of no target may be recognised as.

    `ranks` are percentiles, 0 to 100, that are wanted besides those of `Percentiles`. Raises `RunFolderError` where the
    load was never released; or where it is a search, which has several.
    """
    profile = recording.manifest.profile
    if isinstance(profile, SearchProfile):
        raise RunFolderError(f"{recording.path}: a search is judged burst by burst; its bursts are below {STEPS}/")
    axis = put_on_axis(recording)
    if isinstance(profile, BurstProfile):
        return _judge_burst(axis, known, ranks)
    return judge_steady(axis, profile, known, ranks)


def _judge_burst(axis: Axis, known: Sequence[TargetSpec], ranks: Sequence[float]) -> Judged:
    recording = axis.recording
    service = service_of(axis)
    in_service, timeline = _in_service(axis, service)
    outcomes = count_outcomes(axis)
    document = VerdictDocument(
        format=FORMAT,
        target=recording.manifest.target,
        status=recording.manifest.status.value,
        profile=summary_of(axis.burst),
        verdict=_spoken(axis, _judgement(axis, service, in_service, timeline), outcomes, timeline, known),
        outcomes=outcomes,
        validity=check_run(axis, timeline, in_service, outcomes),
        latency=percentiles_of(_since_plan(axis, "ended_s"), ranks),
        first_byte=percentiles_of(_since_plan(axis, "first_byte_s"), ranks),
        connect=percentiles_of(_connecting(axis), ranks),
        release=release_of_burst(axis),
        agent=agent_cost(recording),
        clock=node_clocks(recording),
        memory=memory_of(axis, timeline),
    )
    return Judged(
        document=document,
        timeline=timeline,
        curves=_curves(axis),
        failed=failure_times(
            (
                (request.ended_s, request.hit.outcome)
                for request in axis.requests
                if request.hit.outcome.failed and request.ended_s is not None
            ),
            axis.end_s,
        ),
    )


def _curves(axis: Axis) -> tuple[LatencyCurve, ...]:
    times_s = {
        "latency": _since_plan(axis, "ended_s"),
        "first_byte": _since_plan(axis, "first_byte_s"),
        "connect": _connecting(axis),
    }
    curves = (curve_of(name, found_s) for name, found_s in times_s.items())
    return tuple(curve for curve in curves if curve is not None)


def _in_service(axis: Axis, service: Service) -> tuple[InService, Timeline]:
    """Peak and ceiling from the certain part; then the timeline again, whose uncertain end goes on at the ceiling."""
    peak = service.peak(axis.end_s)
    timeline = TimelineMaker(axis, service, level_after=peak).make()
    proof, estimates = find_ceiling(axis, service, timeline), make_estimates(axis, timeline)
    doubt = outvoted(axis, estimates)
    ceiling = proof.level if proof.holds and not doubt else None
    found = InService(
        peak=least(estimates) if doubt else proof.level,
        ceiling=ceiling,
        evidence=(doubt or proof_words(axis, proof, timeline), agreement_words(estimates)),
        estimates=estimates,
    )
    return found, TimelineMaker(axis, service, level_after=ceiling).make()


def _judgement(axis: Axis, service: Service, in_service: InService, timeline: Timeline) -> Judgement:
    """What was found, without its words."""
    lines = lines_of(axis)
    ceiling = in_service.ceiling
    full_from_s = -LEAD_S if ceiling is None else first_reached(service.count, ceiling, axis.end_s)
    waiting = waiting_places(axis, timeline, lines, full_from_s)
    return Judgement(
        sentence="",
        in_service=in_service,
        waiting=waiting,
        lines=lines,
        model=judge_model(axis, in_service.peak, in_service.ceiling),
        failures=failures_of(axis),
        advice=(),
        listen_overflows=listen_overflows(axis),
    )


def _spoken(
    axis: Axis, found: Judgement, outcomes: dict[str, int], timeline: Timeline, known: Sequence[TargetSpec]
) -> Judgement:
    """What was found, in words; with what is known of the server where it is recognised."""
    manifest, ceiling = axis.recording.manifest, found.in_service.ceiling
    found = replace(found, limits=limits_reached(axis, found))
    measured = Measured(at_once=ceiling, unit=found.model.unit, peak=found.in_service.peak)
    recognised = recognise(manifest, measured, known)
    moved_by = manifest.expect
    if recognised is not None and recognised.server.agrees:
        moved_by = replace(recognised.tells, ceiling=ceiling)
    settled = settled_places(axis, timeline, SETTLED_SHARE * axis.hold_s)
    return replace(
        found,
        sentence=verdict_sentence(replace(manifest, expect=moved_by), axis.burst, found, settled, outcomes),
        advice=advise(manifest, found, outcomes, recognised),
        known=recognised.server if recognised else None,
    )


def _since_plan(axis: Axis, name: str) -> list[float]:
    """How long after its planned release each answered request got to a step, in seconds."""
    return [at_s - request.planned_s for request in axis.answered() if (at_s := getattr(request, name)) is not None]


def _connecting(axis: Axis) -> list[float]:
    """How long each answered request's connection took to be made, in seconds."""
    return [
        request.connected_s - request.released_s
        for request in axis.answered()
        if request.connected_s is not None and request.released_s is not None
    ]
