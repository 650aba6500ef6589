"""A steady load's outcomes, from its workers' totals: every planned request is counted exactly once."""

from collections import Counter

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Failure
from floodmark.analysis.steady.seconds import SteadySeconds
from floodmark.core.errors import RunFolderError
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile
from floodmark.core.run_folder import WORKERS, Recording
from floodmark.core.second import Second


def count_steady_outcomes(recording: Recording) -> dict[str, int]:
    """Outcome to number, in the order of `Outcome`: each worker's own totals, else what its seconds say.

    A worker that was lost told no totals: what it had in flight last is waiting. What nobody told of is unsent.
    """
    counts: Counter[Outcome] = Counter()
    reported = set()
    for report in recording.workers:
        if report.outcomes:
            reported.add(report.worker)
            counts.update(_outcomes(recording, report.outcomes))
    for worker in {second.worker for second in recording.seconds} - reported:
        counts.update(_of_lost(recording, [second for second in recording.seconds if second.worker == worker]))
    profile = recording.manifest.profile
    if isinstance(profile, ArrivalsProfile):
        counts[Outcome.UNSENT] += max(0, profile.requests - counts.total())
    return {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome] or outcome is Outcome.ANSWERED}


def steady_failures(axis: Axis, seconds: SteadySeconds) -> tuple[Failure, ...]:
    """The failures by kind, most frequent first, each with the text of one of the sampled ones."""
    sampled = [request.hit for request in axis.requests if request.hit.outcome.failed]
    examples = {hit.outcome: hit.error for hit in reversed(sampled) if hit.error}
    return tuple(
        Failure(
            kind=kind.value,
            side=str(kind.side),
            count=count,
            example=examples.get(kind) or kind.value.replace("_", " "),
        )
        for kind, count in seconds.failed.most_common()
        if count
    )


def _outcomes(recording: Recording, told: dict[str, int]) -> Counter[Outcome]:
    try:
        return Counter({Outcome(kind): number for kind, number in told.items()})
    except ValueError as error:
        raise RunFolderError(f"{recording.path}/{WORKERS}: {error}") from None


def _of_lost(recording: Recording, seconds: list[Second]) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()
    for second in seconds:
        counts[Outcome.ANSWERED] += second.answered
        counts.update(_outcomes(recording, second.failed))
    counts[Outcome.WAITING] += max(seconds, key=lambda second: second.second).in_flight
    return counts
