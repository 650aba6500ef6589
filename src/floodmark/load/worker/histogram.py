"""Times of one second on their way into an HdrHistogram, a few at a time so that no release waits. One kind of time."""

from collections import Counter
from functools import lru_cache

from hdrh.histogram import HdrHistogram

from floodmark.core.second import HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS

RECORDED_AT_ONCE = 250
"""Different times per call of `press`: half a millisecond of Python."""

EXACT_BITS = 11
"""Of three significant digits: times below 2^11 µs are told apart by the microsecond (HdrHistogram's sub-buckets)."""


def count_micros(times_s: list[float]) -> Counter[int]:
    """Seconds to microseconds, equal ones counted: that is done in C, a histogram's own recording is Python."""
    return Counter([int(time_s * 1e6 + 0.5) for time_s in times_s])


class TimesOfSecond:
    """Counts first (`add`), then records (`press`), then writes down (`encoded`)."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._histogram: HdrHistogram | None = None

    def add(self, micros: Counter[int]) -> None:
        """Counts microseconds, to the histogram's own precision: so there are a few thousand different ones at most."""
        counts = self._counts
        for micro, count in micros.items():
            spare_bits = micro.bit_length() - EXACT_BITS
            counts[micro >> spare_bits << spare_bits if spare_bits > 0 else micro] += count

    def press(self) -> bool:
        """Records some of what was counted; True where there is more."""
        counts = self._counts
        if not counts:
            return False
        if self._histogram is None:
            self._histogram = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)
        for _ in range(min(RECORDED_AT_ONCE, len(counts))):
            micro, count = counts.popitem()
            self._histogram.record_value(min(max(micro, LOWEST_US), HIGHEST_US), count)
        return bool(counts)

    def encoded(self) -> str:
        """The histogram as text (`Second`); what is not recorded yet is recorded first."""
        while self.press():
            pass
        return _empty() if self._histogram is None else str(self._histogram.encode().decode("ascii"))


@lru_cache(maxsize=1)
def _empty() -> str:
    return str(HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).encode().decode("ascii"))
