"""Runs of several sides in one picture: a line per run, a colour per side. What changed is said elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from floodmark.analysis.document import Judged
from floodmark.analysis.pictured import LatencyCurve
from floodmark.core.places import Place
from floodmark.report.pictures import series
from floodmark.report.pictures.axes import AXIS_PX, count_seconds, count_up, name_below, name_time, plain_axes
from floodmark.report.pictures.canvas import blank, svg_of
from floodmark.report.pictures.caption import Key, caption, draw_caption
from floodmark.report.pictures.latency import place_of, scale_latency
from floodmark.report.pictures.size import MARGIN_PX, NARROW, WIDE, Size
from floodmark.report.pictures.svg import for_page
from floodmark.report.words import plural, printable

COLOURS = ("#2384c6", "#d97706", "#8e5bd0", "#0f8a8a", "#bd4f8f", "#7d7466")
"""Of the sides, the first two for readers with any of the common colour-blindnesses; readable on light and dark."""

DASHES: tuple[tuple[float, ...], ...] = ((), (5.0, 2.0), (1.2, 1.6), (6.0, 2.0, 1.2, 2.0))
"""The second thing that tells sides apart."""

HEIGHT_SHARE = 0.75
"""Of the waterline's plot."""

HEADROOM = 1.08

MOST_RUNS = 40
"""Of one side in a picture: more lines are a carpet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The runs of one side, and what the side is called."""

    name: str
    runs: tuple[Judged, ...]


TITLES = {"latency": "How long an answer took, by percentile", "at-once": "In service over time"}
"""By the name that a command line has for a picture."""


def side_colour(index: int) -> str:
    """A side's colour, by its place."""
    return COLOURS[index % len(COLOURS)]


def side_dashes(index: int) -> tuple[float, ...]:
    """A side's dashes: on and off; () is a solid line."""
    return DASHES[index % len(DASHES)]


def make_latencies(groups: Sequence[Group], size: Size) -> Figure | None:
    """The percentile curves of all runs; None where none has any."""
    found = [
        (index, curve)
        for index, group in enumerate(groups)
        for run in group.runs[:MOST_RUNS]
        if (curve := _latency(run)) is not None
    ]
    if not found:
        return None
    head = caption(size.width_px, TITLES["latency"], _words(groups), _keys(groups))
    figure, axes, width_px = _sheet(head.height_px, size)
    draw_caption(figure, head)
    scale_latency(axes, [curve for _, curve in found], width_px)
    for index, curve in found:
        _line(axes, [place_of(share) for share in curve.shares], curve.times_s, index)
    name_below(axes, "share of the answers that took no longer")
    return figure


def make_at_once(groups: Sequence[Group], size: Size) -> Figure | None:
    """How many were in service over time, in all runs; None where none has a timeline."""
    runs = [run for group in groups for run in group.runs]
    if not any(run.timeline.times_s for run in runs):
        return None
    head = caption(size.width_px, TITLES["at-once"], _words(groups), _keys(groups))
    figure, axes, width_px = _sheet(head.height_px, size)
    draw_caption(figure, head)
    top = max(series.highest(_in_service(run)) for run in runs)
    axes.set_xlim(0, max(max(run.timeline.times_s, default=0.0) for run in runs) or 1.0)
    axes.set_ylim(0, max(1.0, top) * HEADROOM)
    count_up(axes)
    count_seconds(axes, width_px)
    for index, group in enumerate(groups):
        for run in group.runs[:MOST_RUNS]:
            steps = series.thinned(run.timeline) if run.timeline.times_s else []
            times_s = [run.timeline.times_s[step] for step in steps]
            values = series.floats(run.timeline.places[Place.IN_SERVICE], steps)
            _line(axes, *series.staircase(times_s, values, times_s[-1] if times_s else 0.0), index)
    name_time(axes)
    return figure


OVERLAYS: dict[str, Callable[[Sequence[Group], Size], Figure | None]] = {
    "latency": make_latencies,
    "at-once": make_at_once,
}
"""The pictures of several runs, by the names of `TITLES`."""


def draw_overlay(name: str, groups: Sequence[Group], *, size: Size = WIDE) -> str | None:
    """One of `OVERLAYS` as an SVG element for a page; None where there is nothing to show."""
    named = size.named(f"compare-{name}")
    drawing = svg_of(lambda: OVERLAYS[name](groups, named))
    if drawing is None:
        return None
    return for_page(drawing, prefix=named.prefix, title=TITLES[name], description=printable(_words(groups)))


def draw_both(name: str, groups: Sequence[Group]) -> tuple[str, str] | None:
    """The wide picture and the narrow one; None where there is nothing to show."""
    wide, narrow = draw_overlay(name, groups), draw_overlay(name, groups, size=NARROW)
    return (wide, narrow) if wide is not None and narrow is not None else None


def _sheet(head_px: float, size: Size) -> tuple[Figure, Axes, float]:
    """The figure, its axes, and how wide these are."""
    height_px = size.plot_px * HEIGHT_SHARE
    width_px = size.width_px - size.left_px - 4 * MARGIN_PX
    figure = blank(size.width_px, head_px + height_px + AXIS_PX)
    return figure, plain_axes(figure, size.left_px, AXIS_PX, width_px, height_px), width_px


def _line(axes: Axes, xs: Sequence[float], ys: Sequence[float], index: int) -> None:
    dashes = side_dashes(index)
    style = (0, dashes) if dashes else "-"
    axes.plot(xs, ys, color=side_colour(index), linewidth=1.6, alpha=0.85, linestyle=style, zorder=5 + index)


def _latency(run: Judged) -> LatencyCurve | None:
    return next((curve for curve in run.curves if curve.name == "latency"), None)


def _in_service(run: Judged) -> list[float]:
    return series.floats(run.timeline.places[Place.IN_SERVICE], range(len(run.timeline.times_s)))


def _keys(groups: Sequence[Group]) -> list[Key]:
    return [
        Key(words=printable(group.name), colour=side_colour(index), dashes=side_dashes(index))
        for index, group in enumerate(groups)
    ]


def _words(groups: Sequence[Group]) -> str:
    if all(len(group.runs) == 1 for group in groups):
        return "A line is a run."
    counts = (f"{printable(group.name.partition(':')[0])} {plural(len(group.runs), 'run')}" for group in groups)
    return f"A line is a run: {', '.join(counts)}"
