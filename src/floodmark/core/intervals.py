"""What ended in each interval of a load, and how long it took: never more intervals than so many. No I/O.

When there is no room the intervals become twice as wide. Times are counted in classes of 5 %, so that an interval takes
the same room for ten requests and for a million.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from floodmark.core.curves import MOST_INTERVALS, RateCurves

CLASS_WIDTH = 1.05
"""A percentile is right within half of this."""
_CLASSES_PER_E = 1 / math.log(CLASS_WIDTH)
_LEAST_S = 1e-6


@dataclass(slots=True)
class _Interval:
    answered: int = 0
    failed: int = 0
    longest_s: float = 0.0
    classes: Counter[int] = field(default_factory=Counter)

    def take(self, other: "_Interval") -> None:
        self.answered += other.answered
        self.failed += other.failed
        self.longest_s = max(self.longest_s, other.longest_s)
        self.classes.update(other.classes)

    def percentile_s(self, share: float) -> float | None:
        wanted, seen = share * self.classes.total(), 0
        for number in sorted(self.classes):
            seen += self.classes[number]
            if seen >= wanted:
                return min(float(CLASS_WIDTH ** (number + 0.5)) * _LEAST_S, self.longest_s)
        return None


class Intervals:
    """From the release on, `width_s` seconds each to begin with."""

    def __init__(self, width_s: float = 1.0, *, limit: int = MOST_INTERVALS) -> None:
        """`limit` is the number of intervals that there may be."""
        self.width_s = width_s
        self._limit = limit
        self._intervals: dict[int, _Interval] = {}

    def count(self, at_s: float, *, answered: int = 0, failed: int = 0) -> None:
        """Counts requests that ended then."""
        if answered or failed:
            interval = self._at(at_s)
            interval.answered += answered
            interval.failed += failed

    def time(self, at_s: float, took_s: Iterable[float]) -> None:
        """Notes how long requests took that were answered then; they are counted by `count`."""
        for one_s in took_s:
            self.time_many(at_s, {one_s: 1})

    def time_many(self, at_s: float, took: Mapping[float, int]) -> None:
        """The same for equal times: seconds to how many."""
        if not took:
            return
        interval = self._at(at_s)
        for took_s, number in took.items():
            interval.classes[_class_of(took_s)] += number
            interval.longest_s = max(interval.longest_s, took_s)

    def curves(self, until_s: float) -> RateCurves:
        """All intervals up to a moment, those in which nothing ended as well; the last one may not be over yet."""
        while self._last(until_s) >= self._limit:
            self._widen()
        last = max([*self._intervals, self._last(until_s)])
        found = [self._intervals.get(number, _Interval()) for number in range(last + 1)]
        widths_s = [self.width_s] * last + [_part(until_s - last * self.width_s, self.width_s)]
        return RateCurves(
            width_s=self.width_s,
            times_s=tuple(round(number * self.width_s, 3) for number in range(last + 1)),
            answered_per_s=tuple(_per_s(one.answered, width_s) for one, width_s in zip(found, widths_s, strict=True)),
            failed_per_s=tuple(_per_s(one.failed, width_s) for one, width_s in zip(found, widths_s, strict=True)),
            p50_s=tuple(_rounded(one.percentile_s(0.5)) for one in found),
            p99_s=tuple(_rounded(one.percentile_s(0.99)) for one in found),
            max_s=tuple(_rounded(one.longest_s or None) for one in found),
        )

    def _at(self, at_s: float) -> _Interval:
        while self._number(at_s) >= self._limit:
            self._widen()
        return self._intervals.setdefault(self._number(at_s), _Interval())

    def _last(self, until_s: float) -> int:
        """The one that a moment ends, not one that would begin with it."""
        return max(0, math.ceil(until_s / self.width_s) - 1)

    def _number(self, at_s: float) -> int:
        return max(0, int(at_s / self.width_s))

    def _widen(self) -> None:
        self.width_s *= 2
        before, self._intervals = self._intervals, {}
        for number, interval in before.items():
            self._intervals.setdefault(number // 2, _Interval()).take(interval)


def _class_of(took_s: float) -> int:
    return int(math.log(max(took_s, _LEAST_S) / _LEAST_S) * _CLASSES_PER_E)


def _part(gone_s: float, width_s: float) -> float:
    """How much of the last interval is over: a rate over a tenth of one would jump."""
    return width_s if gone_s <= 0 else min(max(gone_s, width_s / 2), width_s)


def _per_s(number: int, width_s: float) -> float:
    return round(number / width_s, 2)


def _rounded(value_s: float | None) -> float | None:
    return None if value_s is None else float(f"{value_s:.4g}")
