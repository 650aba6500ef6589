"""Percentiles: of raw times, and of histograms that were merged first. Never of other percentiles."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

from floodmark.analysis.document import Percentiles
from floodmark.core.second import HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS

US_PER_S = 1e6
RANKS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


def percentiles_of(times_s: Iterable[float]) -> Percentiles | None:
    """The percentiles of raw times, by nearest rank; None where there are none."""
    rising = sorted(times_s)
    if not rising:
        return None
    return _record(len(rising), math.fsum(rising) / len(rising), [_ranked(rising, rank) for rank in RANKS], rising[-1])


def percentiles_in(histogram: Any) -> Percentiles | None:
    """The percentiles of a histogram of microseconds; None where it is empty. Right within `SIGNIFICANT_DIGITS`."""
    count = histogram.get_total_count()
    if not count:
        return None
    found = histogram.get_percentile_to_value_dict(list(RANKS))
    ranked_s = [found[rank] / US_PER_S for rank in RANKS]
    return _record(count, histogram.get_mean_value() / US_PER_S, ranked_s, histogram.get_max_value() / US_PER_S)


def empty_histogram() -> Any:
    """A histogram as the workers make them, with nothing in it."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)


def _ranked(rising: Sequence[float], rank: float) -> float:
    return rising[max(0, math.ceil(rank / 100 * len(rising)) - 1)]


def _record(count: int, mean_s: float, ranked_s: Sequence[float], max_s: float) -> Percentiles:
    p50_s, p75_s, p90_s, p95_s, p99_s, p99_9_s = (round(time_s, 6) for time_s in ranked_s)
    return Percentiles(
        count=count,
        mean_s=round(mean_s, 6),
        p50_s=p50_s,
        p75_s=p75_s,
        p90_s=p90_s,
        p95_s=p95_s,
        p99_s=p99_s,
        p99_9_s=p99_9_s,
        max_s=round(max_s, 6),
    )
