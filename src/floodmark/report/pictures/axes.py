"""The axes that every picture of a run has: one look, one time scale. What is drawn on them is drawn elsewhere."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from floodmark.report.pictures.canvas import size_px
from floodmark.report.pictures.colours import GRID, INK, MUTED
from floodmark.report.pictures.picture import Picture
from floodmark.report.pictures.size import TEXT_PX

AXIS_PX = 44.0
"""The room below the last axes for the numbers of the axis and its name."""

PX_PER_TICK = 90.0


def plain_axes(figure: Figure, left_px: float, bottom_px: float, width_px: float, height_px: float) -> Axes:
    """Axes at a place of the figure, from its lower left corner, with a pale grid and one line below."""
    figure_width_px, figure_height_px = size_px(figure)
    place = (
        left_px / figure_width_px,
        bottom_px / figure_height_px,
        width_px / figure_width_px,
        height_px / figure_height_px,
    )
    axes = figure.add_axes(place)
    axes.patch.set_alpha(0)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED.drawn)
    axes.spines["bottom"].set_linewidth(0.8)
    axes.spines["bottom"].set_zorder(8)
    axes.tick_params(length=0, pad=6, labelcolor=MUTED.drawn, labelsize=TEXT_PX)
    axes.grid(visible=True, color=GRID.drawn, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def make_axes(figure: Figure, picture: Picture, bottom_px: float, height_px: float, top: float) -> Axes:
    """Axes over the picture's whole time, `bottom_px` above the figure's lower edge, from 0 to `top`."""
    axes = plain_axes(figure, picture.size.left_px, bottom_px, picture.frame.width_px, height_px)
    axes.set_xlim(picture.frame.begin_s, picture.frame.end_s)
    axes.set_ylim(0, top)
    axes.tick_params(labelbottom=False)
    count_up(axes)
    count_seconds(axes, picture.frame.width_px)
    return axes


def count_up(axes: Axes, *, marks: int = 5) -> None:
    """Marks the scale on the left in whole numbers, as requests are counted."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=marks, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))


def count_seconds(axes: Axes, width_px: float) -> None:
    """Marks the seconds along the bottom of axes so wide."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(4, int(width_px / PX_PER_TICK)), steps=[1, 2, 5, 10]))


def mark_times(axis: Axis, marks: int, *, is_log: bool) -> None:
    """Marks a scale of times, each with its unit as the figures beside it have theirs; the scale itself is set."""
    if is_log:
        axis.set_major_locator(LogLocator(numticks=marks))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(nbins=marks, steps=[1, 2, 5, 10]))
    # Behind the scale: setting that sets a formatter, too.
    axis.set_major_formatter(FuncFormatter(lambda time_s, _: mark_words(time_s)))


def mark_words(time_s: float) -> str:
    """``10 us``, ``250 ms``, ``1.5 s``: whole, where `seconds_words` would round."""
    if not time_s:
        return "0"
    for unit, per_s in (("s", 1.0), ("ms", 1e3)):
        if round(time_s * per_s, 6) >= 1:
            return f"{time_s * per_s:,.6g} {unit}"
    return f"{time_s * 1e6:,.6g} us"


def name_time(axes: Axes) -> None:
    """What the numbers below the last axes are."""
    axes.tick_params(labelbottom=True)
    name_below(axes, "seconds since release")


def name_below(axes: Axes, words: str) -> None:
    """The name of the axis along the bottom."""
    axes.set_xlabel(words, color=MUTED.drawn, fontsize=TEXT_PX, labelpad=6)


def entitle(axes: Axes, words: str) -> None:
    """The name of what the axes show, above their left end."""
    axes.set_title(words, loc="left", fontsize=TEXT_PX, color=INK.drawn, pad=5, fontweight="bold")


def write(axes: Axes, x: float, y: float, words: str, **style: Any) -> None:
    """Words at a point of the axes. A dollar sign in a name is a dollar sign."""
    axes.text(x, y, words, parse_math=False, **{"fontsize": TEXT_PX, **style})
