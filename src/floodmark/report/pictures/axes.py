"""The axes that every picture of a run has: one look, one time scale. What is drawn on them is drawn elsewhere."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from floodmark.report.pictures.colours import GRID, INK, MUTED
from floodmark.report.pictures.picture import TEXT_PX, Picture

AXIS_PX = 44.0
"""The room below the last axes for the numbers of the axis and its name."""

PX_PER_TICK = 90.0


def plain_axes(figure: Figure, left_px: float, bottom_px: float, width_px: float, height_px: float) -> Axes:
    """Axes at a place of the figure, from its lower left corner, with a pale grid and one line below."""
    figure_width_px, figure_height_px = figure.get_size_inches() * 72
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
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ticks = max(4, int(picture.frame.width_px / PX_PER_TICK))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 5, 10]))
    return axes


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
