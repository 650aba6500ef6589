"""Times of answers as they come in, and what can be said of their statistics meanwhile. No thresholds here."""

import binascii
import math
import zlib
from bisect import insort
from typing import Any, Protocol

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

from floodmark.core.errors import WireError
from floodmark.core.second import HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS

US_PER_S = 1e6

NO_HISTOGRAM = (HdrCookieException, HdrLengthException, zlib.error, binascii.Error, TypeError, ValueError)
"""What the library raises for text that is none."""

Bounds = tuple[float | None, float | None]
"""What a value will be at least, and at most, when the load is over; None: nothing is known."""

UNKNOWN: Bounds = (None, None)


class LiveTimes(Protocol):
    """The times of one kind so far."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def total_s(self) -> float:
        """Their sum."""

    def ranked_s(self, number: int) -> float:
        """The time that is number `number`, from 1 to `count`, in rising order."""


class RawTimes:
    """Every time by itself: a burst's."""

    def __init__(self) -> None:
        self._rising_s: list[float] = []
        self.total_s = 0.0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._rising_s)

    def add(self, time_s: float) -> None:
        """One more."""
        insort(self._rising_s, time_s)
        self.total_s += time_s

    def ranked_s(self, number: int) -> float:
        """As in `LiveTimes`."""
        return self._rising_s[number - 1]


class HistogramTimes:
    """Times as the workers' histograms have them: a steady load's. Right within the histogram's own precision."""

    def __init__(self) -> None:
        self._whole: Any = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._whole.get_total_count())

    @property
    def total_s(self) -> float:
        """Their sum."""
        return float(self._whole.get_mean_value()) * self.count / US_PER_S

    def add(self, encoded: str) -> None:
        """A worker's histogram of one second, as `Second` has it. Raises `WireError` for text that is none."""
        if not encoded:
            return
        self._whole.add(_decoded(encoded))

    def ranked_s(self, number: int) -> float:
        """As in `LiveTimes`."""
        return float(self._whole.get_value_at_percentile(100.0 * number / self.count)) / US_PER_S


def times_of(encoded: str) -> dict[float, int]:
    """Seconds to how many, of a worker's histogram; text that is none has no times."""
    try:
        histogram = _decoded(encoded)
    except WireError:
        return {}
    counts = histogram.counts[: histogram.counts_len]  # one copy in C: the library's own walk is Python
    return {histogram.get_value_from_index(index) / US_PER_S: count for index, count in enumerate(counts) if count}


def _decoded(encoded: str) -> Any:
    try:
        return HdrHistogram.decode(encoded.encode("ascii"))
    except NO_HISTOGRAM as error:
        raise WireError(f"seconds: not a histogram: {error}") from None


def bounds_of(times: LiveTimes, statistic: str, most: int | None) -> Bounds:
    """What is known of a statistic by its metric's name: ``avg``, ``p99_9``.

    `most` is how many times there can be at the end. Where that is known, the bounds hold whatever comes; None: nobody
    knows, and mean and percentiles are as they stand.
    """
    count = times.count
    if statistic == "count":
        return count, most
    if not count:
        return UNKNOWN
    if statistic == "max":
        return times.ranked_s(count), None
    if statistic == "min":
        return None, times.ranked_s(1)
    if statistic == "avg":
        mean_s = times.total_s / max(count, most or 0)
        return (mean_s, mean_s) if most is None else (mean_s, None)
    return _percentile(times, _rank(statistic), most)


def _percentile(times: LiveTimes, rank: float, most: int | None) -> Bounds:
    if most is None:
        time_s = times.ranked_s(max(1, math.ceil(rank / 100 * times.count)))
        return time_s, time_s
    # If all that is still to come is quicker than what came: this many of what came are below the percentile.
    number = math.ceil(rank / 100 * most) - (most - times.count)
    return (times.ranked_s(min(number, times.count)), None) if number >= 1 else UNKNOWN


def _rank(statistic: str) -> float:
    return 50.0 if statistic == "med" else float(statistic.removeprefix("p").replace("_", "."))
