"""What the waterline shows, ready to be drawn: the thinned stack, its lines, the scale. Nothing is drawn here."""

from dataclasses import dataclass, replace

from floodmark.analysis.document import Judged, Timeline
from floodmark.core.places import Place
from floodmark.report.pictures import series
from floodmark.report.pictures.charts import Chart, charts_of
from floodmark.report.pictures.colours import FAILED, INK, Role
from floodmark.report.pictures.labels import Frame
from floodmark.report.pictures.series import Band
from floodmark.report.pictures.size import MARGIN_PX, Size, text_width_px
from floodmark.report.silences import load_end_s, with_silences
from floodmark.report.words import OR_ON_THE_WAY, at_once, is_with_the_server, on_way, place_name, waiting_place

HEADROOM = 1.04
"""How far the plot reaches above the highest value, so that a flat top is seen as one."""


BELOW_CHARTS = 0.6
"""Of the plot's height, where charts stand above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A line across the plot, named in the right margin: the ceiling (one value throughout) or a running total."""

    words: str
    colour: Role
    values: list[float]
    is_total: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is drawn, in the plot's values."""

    judged: Judged
    size: Size
    steps: list[int]
    times_s: list[float]
    end_s: float
    bands: list[Band]
    levels: list[Level]
    charts: list[Chart]
    frame: Frame

    @property
    def right_px(self) -> float:
        """The plot's right edge."""
        return self.size.left_px + self.frame.width_px

    @property
    def timeline(self) -> Timeline:
        """What was measured."""
        return self.judged.timeline


def prepare(judged: Judged, size: Size) -> Picture:
    """The picture of a judged run, `size` wide."""
    end_s = load_end_s(judged)
    timeline = with_silences(judged.timeline, end_s)
    judged = replace(judged, timeline=timeline)
    steps = series.thinned(timeline)
    times_s = [timeline.times_s[step] for step in steps]
    begin_s = min([0.0, *times_s[:1]])
    end_s = end_s if end_s > begin_s else begin_s + 1.0
    stack = series.bands(timeline, steps)
    charts = charts_of(judged)
    levels = [] if charts else _levels(judged, steps)
    names = [level.words for level in levels] + [curve.words for chart in charts for curve in chart.curves]
    margin_px = max((text_width_px(name) for name in names), default=0.0) + 2 * MARGIN_PX
    lines = [*(band.upper for band in stack), *(level.values for level in levels)]
    frame = Frame(
        width_px=size.width_px - size.left_px - margin_px,
        height_px=size.plot_px * (BELOW_CHARTS if charts else 1.0),
        begin_s=begin_s,
        end_s=end_s,
        top=max(1.0, *map(series.highest, lines)) * HEADROOM,
    )
    return Picture(
        judged=judged,
        size=size,
        steps=steps,
        times_s=times_s,
        end_s=end_s,
        bands=stack,
        levels=levels,
        charts=charts,
        frame=frame,
    )


def _levels(judged: Judged, steps: list[int]) -> list[Level]:
    levels = []
    ceiling = judged.document.verdict.in_service.ceiling
    if ceiling is not None:
        values = [float(ceiling)] * max(1, len(steps))
        levels.append(Level(words=f"ceiling {ceiling:,}", colour=INK, values=values, is_total=False))
    totals = ((judged.timeline.answered, "answered", INK), (judged.timeline.failed, "failed", FAILED))
    for total, word, colour in totals:
        values = [float(total[step]) for step in steps]
        if series.highest(values) > 0:
            levels.append(Level(words=f"{word} {values[-1]:,.0f}", colour=colour, values=values, is_total=True))
    return levels


def band_words(picture: Picture, place: Place) -> str:
    """A place's label: its name, the most requests seen in it, its limit."""
    document = picture.judged.document
    verdict = document.verdict
    if place is Place.IN_SERVICE:
        moving = on_way(document)
        name = place_name(document, place) + (OR_ON_THE_WAY if moving else "")
        if document.profile.is_steady and not is_with_the_server(document):
            return f"{name}: about {at_once(document) + moving:,}"
        return f"{name}: up to {verdict.in_service.peak + moving:,}"
    entry = waiting_place(verdict, place)
    words = place.words if entry.peak is None else f"{place.words}: up to {entry.peak:,}"
    return words if entry.limit is None else f"{words} (limit {entry.limit:,})"
