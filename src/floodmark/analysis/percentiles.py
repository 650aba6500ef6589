"""Percentiles: of raw times, and of histograms that were merged first. Never of other percentiles."""

import binascii
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from floodmark.analysis.document import Percentiles
from floodmark.core.second import HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS

US_PER_S = 1e6
RANKS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


def percentiles_of(times_s: Iterable[float], others: Sequence[float] = ()) -> Percentiles | None:
    """The percentiles of raw times, by nearest rank; None where there are none. `others`: more ranks, 0 to 100."""
    rising = sorted(times_s)
    if not rising:
        return None
    return _record(
        len(rising),
        math.fsum(rising) / len(rising),
        {rank: _ranked(rising, rank) for rank in (*RANKS, *others)},
        least_s=rising[0],
        most_s=rising[-1],
    )


def percentiles_in(histogram: Any, others: Sequence[float] = ()) -> Percentiles | None:
    """The percentiles of a histogram of microseconds; None where it is empty. Right within `SIGNIFICANT_DIGITS`."""
    count = histogram.get_total_count()
    if not count:
        return None
    found = histogram.get_percentile_to_value_dict([*RANKS, *others])
    return _record(
        count,
        histogram.get_mean_value() / US_PER_S,
        {rank: value / US_PER_S for rank, value in found.items()},
        least_s=histogram.get_min_value() / US_PER_S,
        most_s=histogram.get_max_value() / US_PER_S,
    )


def empty_histogram() -> Any:
    """A histogram as the workers make them, with nothing in it."""
    # Here, not above: the command line is there sooner without the library, and most commands need none of it.
    from hdrh.histogram import HdrHistogram  # noqa: PLC0415  the reason is above

    return HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)


def decoded_histogram(encoded: str) -> Any:
    """A histogram as a worker wrote it. Raises `ValueError` for text that is none."""
    from hdrh.codec import HdrCookieException, HdrLengthException  # noqa: PLC0415  as above
    from hdrh.histogram import HdrHistogram  # noqa: PLC0415  as above

    try:
        return HdrHistogram.decode(encoded.encode("ascii"))
    except (HdrCookieException, HdrLengthException, zlib.error, binascii.Error, TypeError, ValueError) as error:
        raise ValueError(f"not a histogram: {error}") from None


def _ranked(rising: Sequence[float], rank: float) -> float:
    return rising[max(0, math.ceil(rank / 100 * len(rising)) - 1)]


def _record(count: int, mean_s: float, ranked_s: dict[float, float], *, least_s: float, most_s: float) -> Percentiles:
    p50_s, p75_s, p90_s, p95_s, p99_s, p99_9_s = (round(ranked_s[rank], 6) for rank in RANKS)
    return Percentiles(
        count=count,
        mean_s=round(mean_s, 6),
        p50_s=p50_s,
        p75_s=p75_s,
        p90_s=p90_s,
        p95_s=p95_s,
        p99_s=p99_s,
        p99_9_s=p99_9_s,
        max_s=round(most_s, 6),
        min_s=round(least_s, 6),
        others_s={f"{rank:.12g}": round(ranked_s[rank], 6) for rank in sorted(ranked_s) if rank not in RANKS},
    )
