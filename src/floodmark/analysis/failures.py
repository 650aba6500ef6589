"""Outcomes counted, and failures with the side that caused each. Every planned request is counted exactly once."""

from collections import Counter

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Failure
from floodmark.core.outcomes import Outcome


def count_outcomes(axis: Axis) -> dict[str, int]:
    """Outcome to number, in the order of `Outcome`; those that no worker reported count as unsent."""
    counts = Counter(request.hit.outcome for request in axis.requests)
    missing = axis.burst.requests - len({request.hit.id for request in axis.requests})
    counts[Outcome.UNSENT] += max(0, missing)
    return {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome] or outcome is Outcome.ANSWERED}


def failures_of(axis: Axis) -> tuple[Failure, ...]:
    """The failures by kind, most frequent first, each with one error's text."""
    failed = [request.hit for request in axis.requests if request.hit.outcome.failed]
    counts = Counter(hit.outcome for hit in failed)
    examples = {hit.outcome: hit.error or hit.outcome.value.replace("_", " ") for hit in reversed(failed)}
    return tuple(
        Failure(kind=kind.value, side=str(kind.side), count=count, example=examples[kind])
        for kind, count in counts.most_common()
    )
