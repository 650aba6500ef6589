"""A latency distribution in HdrHistogram's percentile file (``.hgrm``), as its plotter reads it. Text only."""

import math
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

US_PER_MS = 1e3
TICKS = 5
"""Lines per half of the distance that is left to 100 %: what HdrHistogram's own tools write."""

DECIMALS = 3


def to_hgrm(histogram: Any) -> str:
    """The distribution of a histogram of microseconds, in milliseconds; of an empty one the headings only."""
    head = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}"
    return "\n".join([head, "", *_rows(histogram), *_summary(histogram)]) + "\n"


def _rows(histogram: Any) -> Iterator[str]:
    """The value at each level, up to the first that has all behind it, and at 100 %.

    It is the highest that counts as the same, as all of HdrHistogram's tools have it.
    """
    # Taken out one by one: the library's iterator is its own item, and changes.
    steps = [(step.value_iterated_to, step.count_added_in_this_iter_step) for step in histogram.get_recorded_iterator()]
    values_ms = [_ms(histogram.get_highest_equivalent_value(value)) for value, _ in steps]
    totals = list(accumulate(count for _, count in steps))
    index = 0
    for level in _levels() if steps else ():
        while totals[index] < math.ceil(level * totals[-1]):
            index += 1
        row = f"{values_ms[index]:12.{DECIMALS}f} {level:14.12f} {totals[index]:10d}"
        yield f"{row} {1 / (1 - level):14.2f}"
        if totals[index] == totals[-1]:
            # The plotter takes the last column for its axis; here it would be infinite, and is left out.
            yield f"{values_ms[-1]:12.{DECIMALS}f} {1:14.12f} {totals[-1]:10d}"
            return


def _levels() -> Iterator[float]:
    """0, 0.1 and so on to 0.5, then half as far apart to 0.75, and so on: never 1.

    The library's own steps are others: it leaves out to round down to a whole half.
    """
    half = 1.0
    while True:
        yield from (1 - half + half / 2 / TICKS * tick for tick in range(TICKS))
        half /= 2


def _summary(histogram: Any) -> list[str]:
    count = histogram.get_total_count()
    values = (histogram.get_mean_value(), histogram.get_stddev(), histogram.get_max_value()) if count else (0, 0, 0)
    mean, deviation, most = (_ms(value) for value in values)
    return [
        f"#[Mean    = {mean:12.{DECIMALS}f}, StdDeviation   = {deviation:12.{DECIMALS}f}]",
        f"#[Max     = {most:12.{DECIMALS}f}, Total count    = {count:12d}]",
        f"#[Buckets = {histogram.bucket_count:12d}, SubBuckets     = {histogram.sub_bucket_count:12d}]",
    ]


def _ms(micros: float) -> float:
    return micros / US_PER_MS
