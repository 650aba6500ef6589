"""Times as a curve: how many of them took how long at most, finest where they are rarest. Never of percentiles."""

import math
from collections.abc import Iterable
from typing import Any

from floodmark.analysis.percentiles import US_PER_S
from floodmark.analysis.pictured import LatencyCurve

PER_DECADE = 80
"""Points from 90 % to 99 %, from 99 % to 99.9 %, and so on: finer than a picture 1,000 pixels wide shows."""


def curve_of(name: str, times_s: Iterable[float]) -> LatencyCurve | None:
    """The curve of raw times, by nearest rank; None where there are none."""
    rising = sorted(times_s)
    if not rising:
        return None
    shares = _shares(len(rising))
    ranked_s = [rising[min(len(rising) - 1, int(share * len(rising)))] for share in shares]
    return _curve(name, len(rising), shares, ranked_s)


def curve_in(name: str, histogram: Any) -> LatencyCurve | None:
    """The curve of a histogram of microseconds; None where it is empty."""
    count = histogram.get_total_count()
    if not count:
        return None
    shares = _shares(count)
    found = histogram.get_percentile_to_value_dict([100 * share for share in shares])
    return _curve(name, count, shares, [found[100 * share] / US_PER_S for share in shares])


def _shares(count: int) -> list[float]:
    """From 0 to what lies half a request below all."""
    decades = math.log10(2 * count)
    steps = math.ceil(decades * PER_DECADE)
    return [1 - 10 ** (-decades * step / steps) for step in range(steps + 1)]


def _curve(name: str, count: int, shares: list[float], times_s: list[float]) -> LatencyCurve:
    return LatencyCurve(
        name=name,
        count=count,
        shares=tuple(round(share, 9) for share in shares),
        times_s=tuple(round(time_s, 6) for time_s in times_s),
    )
