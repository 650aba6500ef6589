"""A recording, judged: the one function that joins the rooms of analysis. Pure: same recording, same verdict."""

from dataclasses import replace

from floodmark.analysis.advice import advise
from floodmark.analysis.axis import Axis, put_on_axis
from floodmark.analysis.ceiling import find_ceiling, first_reached, proof_words
from floodmark.analysis.checks import check_run
from floodmark.analysis.document import FORMAT, InService, Judged, Judgement, ProfileSummary, Timeline, VerdictDocument
from floodmark.analysis.estimates import agreement_words, make_estimates
from floodmark.analysis.failures import count_outcomes, failures_of
from floodmark.analysis.lines import lines_of, listen_overflows, settled_places, waiting_places
from floodmark.analysis.model import judge_model
from floodmark.analysis.sentence import verdict_sentence
from floodmark.analysis.service import Service, service_of
from floodmark.analysis.timeline import LEAD_S, TimelineMaker
from floodmark.core.run_folder import Recording


def judge(recording: Recording) -> Judged:
    """The verdict on a recording. Raises `RunFolderError` where the load was never released."""
    axis = put_on_axis(recording)
    service = service_of(axis)
    in_service, timeline = _in_service(axis, service)
    outcomes = count_outcomes(axis)
    document = VerdictDocument(
        format=FORMAT,
        target=recording.manifest.target,
        status=recording.manifest.status.value,
        profile=_profile(axis),
        verdict=_judgement(axis, service, in_service, timeline, outcomes),
        outcomes=outcomes,
        validity=check_run(axis, timeline, in_service, outcomes),
    )
    return Judged(document=document, timeline=timeline)


def _in_service(axis: Axis, service: Service) -> tuple[InService, Timeline]:
    """Peak and ceiling from the certain part; then the timeline again, whose uncertain end goes on at the ceiling."""
    peak = service.peak(axis.end_s)
    timeline = TimelineMaker(axis, service, level_after=peak).make()
    proof, estimates = find_ceiling(axis, service, timeline), make_estimates(axis, timeline)
    ceiling = proof.level if proof.holds else None
    found = InService(
        peak=proof.level,
        ceiling=ceiling,
        evidence=(proof_words(axis, proof, timeline), agreement_words(estimates)),
        estimates=estimates,
    )
    return found, TimelineMaker(axis, service, level_after=ceiling).make()


def _judgement(
    axis: Axis, service: Service, in_service: InService, timeline: Timeline, outcomes: dict[str, int]
) -> Judgement:
    manifest = axis.recording.manifest
    lines = lines_of(axis)
    ceiling = in_service.ceiling
    full_from_s = -LEAD_S if ceiling is None else first_reached(service.count, ceiling, axis.end_s)
    waiting = waiting_places(axis, timeline, lines, full_from_s)
    found = Judgement(
        sentence="",
        in_service=in_service,
        waiting=waiting,
        lines=lines,
        model=judge_model(axis, in_service.peak, in_service.ceiling),
        failures=failures_of(axis),
        advice=(),
        listen_overflows=listen_overflows(axis),
    )
    settled = settled_places(axis, timeline)
    return replace(
        found,
        sentence=verdict_sentence(manifest, found, settled, outcomes),
        advice=advise(manifest, found, _files_peak(axis)),
    )


def _files_peak(axis: Axis) -> int | None:
    """The most files that any process of the target had open at once."""
    trees = [beat.sample.processes for beat in axis.beats if beat.sample.processes is not None]
    known = [process.open_files for tree in trees for process in tree if process.open_files is not None]
    return max(known, default=None)


def _profile(axis: Axis) -> ProfileSummary:
    profile = axis.recording.manifest.profile
    return ProfileSummary(
        kind=profile.kind, requests=profile.requests, within_s=profile.within_s, hold_s=profile.hold_s
    )
