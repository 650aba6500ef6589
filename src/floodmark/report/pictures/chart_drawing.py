"""Draws a chart's lines with their names in the right margin, on axes like the waterline's."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from floodmark.report.pictures import series
from floodmark.report.pictures.axes import entitle, make_axes, mark_times
from floodmark.report.pictures.charts import Chart
from floodmark.report.pictures.labels import spread
from floodmark.report.pictures.picture import Picture
from floodmark.report.pictures.size import LINE_PX, MARGIN_PX, TEXT_PX


def draw_chart(figure: Figure, picture: Picture, chart: Chart, bottom_px: float) -> Axes:
    """Draws the chart `bottom_px` above the figure's lower edge, `chart_px` of the picture's size high."""
    axes = make_axes(figure, picture, bottom_px, picture.size.chart_px, chart.top)
    _scale(axes, chart)
    end_s = min(chart.edges_s[-1], picture.end_s)
    for curve in chart.curves:
        xs, ys = series.staircase(chart.edges_s[:-1], curve.values, end_s)
        style = (0, curve.dashes) if curve.dashes else "-"
        axes.plot(xs, ys, color=curve.colour.drawn, linewidth=curve.width, linestyle=style, zorder=5)
    _name_curves(axes, picture, chart)
    entitle(axes, chart.title)
    return axes


def _scale(axes: Axes, chart: Chart) -> None:
    if chart.is_log:
        axes.set_yscale("log")
        axes.set_ylim(chart.bottom, chart.top)
    if chart.is_time:
        mark_times(axes.yaxis, 5 if chart.is_log else 4, is_log=chart.is_log)
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10], min_n_ticks=1))


def _name_curves(axes: Axes, picture: Picture, chart: Chart) -> None:
    """The name of each line beside its end; a line that ends in nothing is named beside its last value."""
    height_px = picture.size.chart_px
    ends = [next((value for value in reversed(curve.values) if value == value), 0.0) for curve in chart.curves]  # noqa: PLR0124  NaN alone is not itself
    places_px = spread([chart.height_share(end) * height_px for end in ends], LINE_PX * 0.9)
    over_px = max(0.0, max(places_px, default=0.0) - height_px)
    for curve, place_px in zip(chart.curves, places_px, strict=True):
        axes.annotate(
            curve.words,
            (1.0, (place_px - over_px) / height_px),
            xycoords="axes fraction",
            xytext=(MARGIN_PX, 0),
            textcoords="offset points",
            color=curve.colour.drawn,
            va="center",
            fontsize=TEXT_PX,
            annotation_clip=False,
        )
