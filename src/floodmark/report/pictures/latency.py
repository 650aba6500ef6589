"""How long answers took, as a percentile curve: its axis gives the rare slow ones as much room as the many."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from floodmark.analysis.document import Judged, Percentiles
from floodmark.analysis.pictured import LatencyCurve
from floodmark.analysis.steady.sentence import seconds_words
from floodmark.report.measures import TIMES, latency_rows
from floodmark.report.pictures.axes import AXIS_PX, mark_times, name_below, plain_axes
from floodmark.report.pictures.canvas import blank
from floodmark.report.pictures.caption import Key, caption, draw_caption
from floodmark.report.pictures.charts import HEADROOM, LOG_FROM
from floodmark.report.pictures.colours import INK, MUTED
from floodmark.report.pictures.labels import spread
from floodmark.report.pictures.size import LINE_PX, MARGIN_PX, Size, text_width_px
from floodmark.report.words import plural, printable

TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
"""Shares that are named along the axis, as far as so many answers tell them."""

APART_PX = 44.0
"""Between two names along the axis, or two values on the curve."""

HEIGHT_SHARE = 0.8
"""Of the waterline's plot."""

DASHES: dict[str, tuple[float, ...]] = {"latency": (), "first_byte": (4.0, 2.0), "connect": (1.2, 1.6)}


def make_latency_curve(judged: Judged, size: Size) -> Figure | None:
    """The picture on a sheet; None where nothing was answered."""
    rows = dict(latency_rows(judged.document))
    curves = [curve for curve in judged.curves if TIMES[curve.name].row(rows) is not None]
    if not curves or judged.document.latency is None:
        return None
    words = f"{printable(judged.document.target)}: {plural(judged.document.latency.count, 'request')} answered"
    keys = [
        Key(words=TIMES[curve.name].row(rows) or "", colour=_colour(curve), dashes=DASHES[curve.name])
        for curve in curves
    ]
    head = caption(size.width_px, "How long an answer took, by percentile", words, keys)
    height_px = size.plot_px * HEIGHT_SHARE
    right_px = max(text_width_px(seconds_words(curve.times_s[-1])) for curve in curves) + 2 * MARGIN_PX
    figure = blank(size.width_px, head.height_px + height_px + AXIS_PX)
    draw_caption(figure, head)
    width_px = size.width_px - size.left_px - right_px
    axes = plain_axes(figure, size.left_px, AXIS_PX, width_px, height_px)
    scale_latency(axes, curves, width_px)
    for curve in curves:
        style = (0, DASHES[curve.name]) if DASHES[curve.name] else "-"
        xs = [place_of(share) for share in curve.shares]
        axes.plot(xs, curve.times_s, color=_colour(curve), linewidth=1.8, linestyle=style, zorder=5)
    _name_ends(axes, curves, height_px)
    _mark(axes, judged.document.latency, curves[0], width_px)
    name_below(axes, "share of the answers that took no longer")
    return figure


def place_of(share: float) -> float:
    """Where a share stands on the axis: 90 % at 1, 99 % at 2, 99.9 % at 3."""
    return -math.log10(1 - share)


def share_words(share: float) -> str:
    """``99.9 %``."""
    return f"{100 * share:.10g} %"


def _colour(curve: LatencyCurve) -> str:
    return MUTED.drawn if curve.name == "connect" else INK.drawn


def scale_latency(axes: Axes, curves: Sequence[LatencyCurve], width_px: float) -> None:
    """Both scales for some curves, on axes so wide: shares as far as the curves go, times logarithmic if far apart."""
    end = place_of(max(curve.shares[-1] for curve in curves))
    axes.set_xlim(0, end)
    # From the right: where two are too near to each other, it is the half that is talked of, and not the begin.
    shares: list[float] = []
    for share in reversed([share for share in TICKS if place_of(share) <= end]):
        if not shares or place_of(shares[0]) - place_of(share) >= APART_PX / width_px * end:
            shares.insert(0, share)
    axes.set_xticks([place_of(share) for share in shares], [share_words(share) for share in shares])
    known = [time_s for curve in curves for time_s in curve.times_s]
    top, least = max(known), max(min(known), 1e-6)
    # The whole decides: connections are made in no time, and would make a flat line of it.
    quickest = min([curve.times_s[0] for curve in curves if curve.name == "latency"], default=least)
    is_log = top > LOG_FROM * quickest
    if is_log:
        axes.set_yscale("log")
        axes.set_ylim(least / 1.5, top * 2)
    else:
        axes.set_ylim(0, max(top, least) * HEADROOM)
    mark_times(axes.yaxis, 7 if is_log else 5, is_log=is_log)


def _name_ends(axes: Axes, curves: Sequence[LatencyCurve], height_px: float) -> None:
    """The longest times, beside the curves' ends, apart where these are near to each other."""
    ends = [(place_of(curve.shares[-1]), max(curve.times_s[-1], 1e-6)) for curve in curves]
    shares = [axes.transLimits.transform(axes.transScale.transform(end))[1] for end in ends]
    places_px = spread([share * height_px for share in shares], LINE_PX * 0.9)
    for curve, place_px in zip(curves, places_px, strict=True):
        axes.annotate(
            seconds_words(curve.times_s[-1]),
            (1.0, place_px / height_px),
            xycoords="axes fraction",
            xytext=(MARGIN_PX, 0),
            textcoords="offset points",
            color=_colour(curve),
            va="center",
            annotation_clip=False,
        )


def _mark(axes: Axes, times: Percentiles, curve: LatencyCurve, width_px: float) -> None:
    """The percentiles that are talked of, with the table's own figures."""
    begin, end = axes.get_xlim()
    free_px = width_px
    named = ((0.999, times.p99_9_s), (0.99, times.p99_s), (0.9, times.p90_s), (0.5, times.p50_s))
    for share, time_s in named:
        x_px = (place_of(share) - begin) / (end - begin) * width_px
        if share > curve.shares[-1]:
            continue
        axes.plot([place_of(share)], [max(time_s, 1e-6)], "o", color=INK.drawn, markersize=5, zorder=6)
        words = seconds_words(time_s)
        room_px = text_width_px(words) + MARGIN_PX
        begins = x_px < room_px
        if x_px + (room_px if begins else 0) > free_px:
            continue
        free_px = x_px - (0 if begins else room_px)
        axes.annotate(
            words,
            (place_of(share), max(time_s, 1e-6)),
            # The curve rises: above it is room to the left, below it to the right.
            xytext=(6, -4) if begins else (-5, 5),
            textcoords="offset points",
            color=INK.drawn,
            ha="left" if begins else "right",
            va="top" if begins else "bottom",
        )
