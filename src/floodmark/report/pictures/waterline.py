"""The waterline: how many requests were in each place over time. It judges nothing."""

import dataclasses
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from floodmark.analysis.document import Judged
from floodmark.core.places import Place
from floodmark.report.pictures import series
from floodmark.report.pictures.axes import AXIS_PX, entitle, make_axes, name_time, write
from floodmark.report.pictures.canvas import blank
from floodmark.report.pictures.chart_drawing import draw_chart
from floodmark.report.pictures.colours import ESTIMATE, FILL, GAP, GRID, INK, INK_ON, MUTED, PAPER
from floodmark.report.pictures.heading import draw_heading, heading
from floodmark.report.pictures.labels import Spot, place_label, spread
from floodmark.report.pictures.picture import Picture, band_words, prepare
from floodmark.report.pictures.series import Band
from floodmark.report.pictures.size import LINE_PX, MARGIN_PX, TEXT_PX, Size, text_width_px
from floodmark.report.words import waiting_place

LABEL_PAD_PX = 8.0
PANEL_GAP_PX = 6.0
MAIN_GAP_PX = 14.0
SEPARATOR_FROM_PX = 3.0
"""Bands lower than this keep all their height: a line between them would hide them."""


def make_waterline(judged: Judged, size: Size) -> Figure:
    """The picture on a sheet: every run has something to show in it."""
    picture = prepare(judged, size)
    panels = _panels(picture)
    spots = _spots(picture)
    named = [band.place for band in picture.bands if band.occurs and band.place not in spots]
    head = heading(picture, unlabelled=[place for place in named if _peak(picture, place)])
    panel_px = size.panel_px + LINE_PX + PANEL_GAP_PX
    chart_px = size.chart_px + LINE_PX + MAIN_GAP_PX
    title_px = LINE_PX if picture.charts else 0.0
    above_px = head.height_px + len(picture.charts) * chart_px + title_px
    height_px = above_px + picture.frame.height_px + MAIN_GAP_PX + len(panels) * panel_px + AXIS_PX
    figure = blank(size.width_px, height_px)
    draw_heading(figure, picture, head, height_px)
    for number, chart in enumerate(picture.charts, start=1):
        draw_chart(figure, picture, chart, height_px - head.height_px - number * chart_px + MAIN_GAP_PX)
    plot_bottom_px = height_px - above_px - picture.frame.height_px
    main = make_axes(figure, picture, plot_bottom_px, picture.frame.height_px, picture.frame.top)
    if picture.charts:
        entitle(main, "requests in flight, by place")
    _draw_bands(main, picture)
    _draw_levels(main, picture)
    for place, (label, spot) in spots.items():
        write(main, spot.time_s, spot.value, label, color=INK_ON[place], ha="center", va="center", zorder=9)
    last = main
    for number, (name, values) in enumerate(panels.items(), start=1):
        last = _draw_panel(figure, picture, plot_bottom_px - MAIN_GAP_PX - number * panel_px, name, values)
    name_time(last)
    return figure


def _peak(picture: Picture, place: Place) -> int | None:
    """What the verdict says was most; a place that requests only passed through has none."""
    verdict = picture.judged.document.verdict
    return verdict.in_service.peak if place is Place.IN_SERVICE else waiting_place(verdict, place).peak


def _draw_bands(axes: Axes, picture: Picture) -> None:
    for begin_s, until_s in series.gaps(picture.times_s, picture.bands[-1].upper, picture.end_s):
        _draw_gap(axes, picture, begin_s, until_s)
    for band in reversed(picture.bands):
        if band.occurs:
            xs, ys = series.staircase(picture.times_s, band.upper, picture.end_s)
            axes.fill_between(xs, 0, ys, facecolor=FILL[band.place], linewidth=0, zorder=2)
    for below, above in zip(picture.bands, picture.bands[1:], strict=False):
        _draw_separator(axes, picture, below, above)
    _draw_estimate(axes, picture)
    _draw_queue_limit(axes, picture)


def _draw_gap(axes: Axes, picture: Picture, begin_s: float, until_s: float) -> None:
    """A stretch that the agent did not see: pale over the whole height, named where the words fit."""
    axes.axvspan(begin_s, until_s, facecolor=GAP.drawn, edgecolor=GRID.drawn, hatch="///", linewidth=0, zorder=1)
    room_px = picture.frame.x_px(until_s) - picture.frame.x_px(begin_s)
    if room_px < LINE_PX:
        return
    upright = room_px < text_width_px("not seen") + LABEL_PAD_PX
    write(
        axes,
        (begin_s + until_s) / 2,
        picture.frame.top / 2,
        "not seen",
        color=MUTED.drawn,
        ha="center",
        va="center",
        rotation=90 if upright else 0,
        zorder=3,
    )


def _draw_separator(axes: Axes, picture: Picture, below: Band, above: Band) -> None:
    enough = SEPARATOR_FROM_PX / picture.frame.height_px * picture.frame.top
    edge = [
        high if high - low >= enough and top - high >= enough else math.nan
        for low, high, top in zip(below.lower, below.upper, above.upper, strict=True)
    ]
    if any(not math.isnan(value) for value in edge):
        xs, ys = series.staircase(picture.times_s, edge, picture.end_s)
        axes.plot(xs, ys, color=PAPER.drawn, linewidth=0.9, zorder=4)


def _draw_estimate(axes: Axes, picture: Picture) -> None:
    certain_s, band = picture.timeline.certain_until_s, picture.bands[0]
    if certain_s is None or not band.occurs:
        return
    xs, ys = series.staircase(picture.times_s, band.upper, picture.end_s, begin_s=certain_s)
    axes.fill_between(
        xs, 0, ys, facecolor=ESTIMATE.drawn, edgecolor=FILL[Place.IN_SERVICE], hatch="////", linewidth=0, zorder=3
    )


def _draw_queue_limit(axes: Axes, picture: Picture) -> None:
    """A line at the accept queue's limit while it is full; elsewhere it would cross the bands of other places."""
    limit = waiting_place(picture.judged.document.verdict, Place.ACCEPT_QUEUE).limit
    band = picture.bands[list(Place).index(Place.ACCEPT_QUEUE)]
    if limit is None:
        return
    level = [
        low + limit if high - low >= limit > 0 else math.nan for low, high in zip(band.lower, band.upper, strict=True)
    ]
    if any(not math.isnan(value) for value in level):
        xs, ys = series.staircase(picture.times_s, level, picture.end_s)
        axes.plot(xs, ys, color=INK_ON[Place.ACCEPT_QUEUE], linewidth=0.9, dashes=(5, 3), zorder=5)


def _draw_levels(axes: Axes, picture: Picture) -> None:
    """The ceiling and the running totals, each named in the right margin."""
    for level in picture.levels:
        if level.is_total:
            xs, ys = series.staircase(picture.times_s, level.values, picture.end_s)
            axes.plot(xs, ys, color=PAPER.drawn, linewidth=3, zorder=6, alpha=0.55)
            axes.plot(xs, ys, color=level.colour.drawn, linewidth=1.6, linestyle=(0, (1.2, 1.6)), zorder=7)
        else:
            axes.axhline(level.values[-1], color=level.colour.drawn, linewidth=0.9, zorder=6)
    heights_px = spread([picture.frame.y_px(level.values[-1]) for level in picture.levels], LINE_PX * 0.9)
    for level, height_px in zip(picture.levels, heights_px, strict=True):
        axes.annotate(
            level.words,
            (picture.end_s, height_px / picture.frame.height_px * picture.frame.top),
            xytext=(MARGIN_PX, 0),
            textcoords="offset points",
            color=level.colour.drawn,
            va="center",
            fontsize=TEXT_PX,
            annotation_clip=False,
        )


def _label_room(picture: Picture) -> list[Band]:
    """The bands as far as labels may use them: no label stands on the hatching of the estimate."""
    certain_s, (in_service, *others) = picture.timeline.certain_until_s, picture.bands
    if certain_s is None:
        return picture.bands
    upper = [
        math.nan if time_s >= certain_s else high
        for time_s, high in zip(picture.times_s, in_service.upper, strict=True)
    ]
    return [dataclasses.replace(in_service, upper=tuple(upper)), *others]


def _spots(picture: Picture) -> dict[Place, tuple[str, Spot]]:
    """The direct labels: for each band the longest wording that fits, and where."""
    found = {}
    totals = [level.values for level in picture.levels if level.is_total]
    for band in _label_room(picture):
        if not band.occurs:
            continue
        for words in (band_words(picture, band.place), band.place.words):
            size_px = (text_width_px(words) + LABEL_PAD_PX, TEXT_PX + 3)
            spot = place_label(picture.frame, picture.times_s, band, totals, size_px)
            if spot is not None:
                found[band.place] = (words, spot)
                break
    return found


def _panels(picture: Picture) -> dict[str, list[float]]:
    """The small panels' values; a series that was never seen has no panel."""
    timeline = picture.timeline
    named = {"threads": timeline.threads, "processes": timeline.processes, "open files": timeline.open_files}
    return {
        name: series.floats(values, picture.steps)
        for name, values in named.items()
        if any(value is not None for value in values)
    }


def _draw_panel(figure: Figure, picture: Picture, bottom_px: float, name: str, values: list[float]) -> Axes:
    peak = series.highest(values)
    axes = make_axes(figure, picture, bottom_px, picture.size.panel_px, max(peak, 1.0) * 1.12)
    axes.set_yticks([0, max(peak, 1.0)])
    xs, ys = series.staircase(picture.times_s, values, picture.end_s)
    axes.plot(xs, ys, color=INK.drawn, linewidth=1.4, solid_joinstyle="miter", zorder=5)
    entitle(axes, name)
    return axes
