"""What an answer's time was made of: connecting, first byte, last byte, each from its median to its longest."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from floodmark.analysis.document import Judged, Percentiles
from floodmark.analysis.steady.sentence import seconds_words
from floodmark.core.places import Place
from floodmark.report.measures import latency_rows
from floodmark.report.pictures.axes import AXIS_PX, mark_times, name_below, plain_axes, write
from floodmark.report.pictures.canvas import blank
from floodmark.report.pictures.caption import Key, caption, draw_caption
from floodmark.report.pictures.charts import HEADROOM, LOG_FROM
from floodmark.report.pictures.colours import FILL, GRID, INK, MUTED, PAPER
from floodmark.report.pictures.size import Size, text_width_px
from floodmark.report.words import printable

ROW_PX = 54.0
BAR_PX = 12.0
SIDE_PX = 18.0
"""Half of the number at either end of the axis."""

TIME_COLOUR = FILL[Place.IN_SERVICE]
"""A band of most of the answers; the slower ones are a line."""


def make_split(judged: Judged, size: Size) -> Figure | None:
    """The picture on a sheet; None where nothing was answered."""
    rows = list(reversed(latency_rows(judged.document)))
    if not rows:
        return None
    head = caption(
        size.width_px,
        "What its time was made of",
        f"{printable(judged.document.target)}: each part, from median to longest",
        [
            Key(words="50 % to 99 %", colour=TIME_COLOUR),
            Key(words="the slowest 1 %", colour=INK.drawn, dashes=()),
        ],
    )
    height_px = ROW_PX * len(rows)
    figure = blank(size.width_px, head.height_px + height_px + AXIS_PX)
    draw_caption(figure, head)
    axes = plain_axes(figure, SIDE_PX, AXIS_PX, size.width_px - 2 * SIDE_PX, height_px)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_yticks([])
    _scale(axes, [times for _, times in rows], size.width_px)
    for number, (name, times) in enumerate(reversed(rows)):
        _draw_row(axes, number, name, times, (size.width_px - 2 * SIDE_PX, height_px))
    name_below(axes, "time")
    return figure


def _scale(axes: Axes, rows: list[Percentiles], width_px: float) -> None:
    top, least = max(times.max_s for times in rows), max(min(times.p50_s for times in rows), 1e-6)
    is_log = top > LOG_FROM * least
    if is_log:
        axes.set_xscale("log")
        axes.set_xlim(least / 2, top * 1.6)
    else:
        axes.set_xlim(0, max(top, least) * HEADROOM)
    mark_times(axes.xaxis, max(3, int(width_px / (70 if is_log else 90))), is_log=is_log)


def _draw_row(axes: Axes, number: int, name: str, times: Percentiles, size_px: tuple[float, float]) -> None:
    """The name with its figures above the bar; the median is the bar's begin."""
    row = size_px[1] / (axes.get_ylim()[1] - axes.get_ylim()[0])
    y, bar = number - 10 / row, BAR_PX / row
    begin_s, late_s, end_s = (max(time_s, 1e-6) for time_s in (times.p50_s, times.p99_s, times.max_s))
    axes.plot([begin_s, end_s], [y, y], color=INK.drawn, linewidth=1.4, solid_capstyle="butt", zorder=4)
    axes.plot([end_s, end_s], [y - bar / 2, y + bar / 2], color=INK.drawn, linewidth=1.4, zorder=4)
    axes.barh(y, late_s - begin_s, left=begin_s, height=bar, color=TIME_COLOUR, linewidth=0, zorder=5)
    axes.plot([begin_s], [y], "o", color=INK.drawn, markeredgecolor=PAPER.drawn, markersize=8, zorder=6)
    words = _figures(times, size_px[0] - 1.15 * text_width_px(name))
    at = {"transform": axes.get_yaxis_transform(), "va": "bottom"}
    write(axes, 0.0, y + (BAR_PX / 2 + 4) / row, name, color=INK.drawn, fontweight="bold", **at)
    write(axes, 1.0, y + (BAR_PX / 2 + 4) / row, words, color=MUTED.drawn, ha="right", **at)
    axes.axhline(number - 0.5, color=GRID.drawn, linewidth=0.8, zorder=1)


def _figures(times: Percentiles, room_px: float) -> str:
    """As many of the figures as there is room for; all of them are in the table."""
    figures = [("half", times.p50_s), ("99 %", times.p99_s), ("max", times.max_s)]
    parts = [f"{name} {seconds_words(time_s)}" for name, time_s in figures]
    while len(parts) > 1 and text_width_px(", ".join(parts)) > room_px:
        parts.pop()
    return ", ".join(parts)
