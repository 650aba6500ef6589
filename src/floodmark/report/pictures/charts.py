"""What a steady load's picture shows above the waterline: requests per second, and latency. Data only, not drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from floodmark.analysis.document import Judged, Percentiles, SecondPoint
from floodmark.analysis.steady.sentence import amount, seconds_words
from floodmark.report.pictures.colours import FAILED, INK, MUTED, Role
from floodmark.report.pictures.series import COLUMNS, highest
from floodmark.report.silences import load_end_s

PARTIAL_S = 0.5
"""A last second that was shorter says little of a rate, and is left out."""

LOG_FROM = 20.0
"""Times that differ by more than this are drawn on a logarithmic scale: the small ones would lie on the axis."""

HEADROOM = 1.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a chart: a value for each interval; NaN where there is none. `dashes`: on and off, () is solid."""

    words: str
    colour: Role
    values: tuple[float, ...]
    dashes: tuple[float, ...] = ()
    width: float = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over time on one scale; `is_time`: of times, too.

    `edges_s` has the intervals' begins, and the last one's end.
    """

    title: str
    edges_s: tuple[float, ...]
    curves: tuple[Curve, ...]
    bottom: float
    top: float
    is_log: bool = False
    is_time: bool = False

    def height_share(self, value: float) -> float:
        """Where a value lies between the lower edge (0) and the upper one (1)."""
        if self.is_log:
            return math.log(max(value, self.bottom) / self.bottom) / math.log(self.top / self.bottom)
        return value / self.top


def charts_of(judged: Judged) -> list[Chart]:
    """The charts of a steady load; none of another, and none where no second was recorded."""
    end_s = load_end_s(judged)
    points = [point for point in judged.seconds if end_s - point.second >= PARTIAL_S or not point.second]
    if not points:
        return []
    width = math.ceil(len(points) / COLUMNS)
    columns = [points[first : first + width] for first in range(0, len(points), width)]
    edges_s = (*(float(column[0].second) for column in columns), min(points[-1].second + 1.0, max(end_s, 1.0)))
    charts = [_rates(judged, columns, edges_s)]
    latency = judged.document.latency
    return [*charts, _latencies(latency, columns, edges_s)] if latency is not None else charts


def _rates(judged: Judged, columns: Sequence[list[SecondPoint]], edges_s: tuple[float, ...]) -> Chart:
    lengths_s = [end_s - begin_s for begin_s, end_s in pairwise(edges_s)]

    def rates(name: str) -> tuple[float, ...]:
        totals = [sum(getattr(point, name) for point in column) for column in columns]
        return tuple(total / length_s for total, length_s in zip(totals, lengths_s, strict=True))

    document, answered, failed = judged.document, rates("answered"), rates("failed")
    throughput = document.throughput
    mean = f" {amount(throughput.answered_per_s)}/s" if throughput else ""
    curves = [Curve(words=f"answered{mean}", colour=INK, values=answered)]
    if document.profile.rate is not None:
        words = f"planned {amount(document.profile.rate)}/s"
        planned = tuple(rate or math.nan for rate in rates("planned"))
        curves.insert(0, Curve(words=words, colour=MUTED, values=planned, dashes=(4, 3), width=1.1))
    if any(failed):
        curves.append(Curve(words=f"failed {sum(p.failed for p in judged.seconds):,}", colour=FAILED, values=failed))
    return chart_of_rates(edges_s, curves)


def chart_of_rates(edges_s: tuple[float, ...], curves: Sequence[Curve]) -> Chart:
    """Requests per second, from 0 to a little above the highest."""
    top = max(1.0, *(highest(curve.values) for curve in curves)) * HEADROOM
    return Chart(title="requests per second", edges_s=edges_s, curves=tuple(curves), bottom=0.0, top=top)


def _latencies(overall: Percentiles, columns: Sequence[list[SecondPoint]], edges_s: tuple[float, ...]) -> Chart:
    """Of a column of several seconds the worst one: percentiles are not averaged."""

    def worst(name: str) -> tuple[float, ...]:
        known = [[value for point in column if (value := getattr(point, name)) is not None] for column in columns]
        return tuple(max(values, default=math.nan) for values in known)

    curves = (
        Curve(words=f"half {seconds_words(overall.p50_s)}", colour=INK, values=worst("p50_s")),
        Curve(words=f"99 % {seconds_words(overall.p99_s)}", colour=INK, values=worst("p99_s"), dashes=(4, 2)),
        Curve(words=f"max {seconds_words(overall.max_s)}", colour=MUTED, values=worst("max_s"), dashes=(1.2, 1.6)),
    )
    known = [value for curve in curves for value in curve.values if not math.isnan(value)]
    top, least = max(known, default=1.0), min(known, default=1.0)
    is_log = top > LOG_FROM * least
    return Chart(
        title=f"latency{', logarithmic' if is_log else ''}",
        edges_s=edges_s,
        curves=curves,
        bottom=least / 1.5 if is_log else 0.0,
        top=top * (1.5 if is_log else HEADROOM),
        is_log=is_log,
        is_time=True,
    )
