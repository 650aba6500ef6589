"""When requests failed, counted by kind in even intervals. Which failures there were: `floodmark.analysis.failures`."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from floodmark.analysis.pictured import FailureTimes
from floodmark.core.outcomes import Outcome

INTERVALS = 80
"""A picture has no more: a column of it is ten pixels wide then."""

SHORTEST_S = 0.01
"""A hundredth of a second: what a kernel refuses at once, it refuses within a few of these."""


def failure_times(failed: Iterable[tuple[float, Outcome]], end_s: float) -> FailureTimes | None:
    """Of a load that ended at `end_s`, by when each failed; None where none did."""
    found = list(failed)
    if not found:
        return None
    width_s = interval_s(max(end_s, *(at_s for at_s, _ in found)))
    number = 1 + max(_index(at_s, width_s) for at_s, _ in found)
    intervals: list[Counter[Outcome]] = [Counter() for _ in range(number)]
    for at_s, kind in found:
        intervals[_index(at_s, width_s)][kind] += 1
    return _times(intervals, width_s)


def failure_times_by_second(seconds: Sequence[Mapping[Outcome, int]]) -> FailureTimes | None:
    """Of a load that was counted by the second; None where none failed."""
    return _times(seconds, 1.0) if any(sum(second.values()) for second in seconds) else None


def interval_s(span_s: float) -> float:
    """A round length, 1, 2 or 5 times a power of ten, of which `INTERVALS` at most cover the span."""
    least_s = max(span_s / INTERVALS, SHORTEST_S)
    power = 10.0 ** math.floor(math.log10(least_s) + 1e-9)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least_s * (1 - 1e-9))


def _index(at_s: float, width_s: float) -> int:
    return max(0, int(at_s / width_s))


def _times(intervals: Sequence[Mapping[Outcome, int]], width_s: float) -> FailureTimes:
    totals: Counter[Outcome] = Counter()
    for interval in intervals:
        totals.update(interval)
    kinds = [kind for kind, total in totals.most_common() if total]
    return FailureTimes(
        edges_s=tuple(round(index * width_s, 6) for index in range(len(intervals) + 1)),
        counts={kind: tuple(interval.get(kind, 0) for interval in intervals) for kind in kinds},
    )
