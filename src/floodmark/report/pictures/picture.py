"""What the waterline shows, ready to be drawn: its size, the thinned stack, the scale. Nothing is drawn here."""

from dataclasses import dataclass, replace

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from floodmark.analysis.document import Judged, Timeline
from floodmark.core.places import Place
from floodmark.report.pictures import series
from floodmark.report.pictures.charts import Chart, charts_of
from floodmark.report.pictures.colours import FAILED, INK, Role
from floodmark.report.pictures.labels import Frame
from floodmark.report.pictures.series import Band
from floodmark.report.words import OR_ON_THE_WAY, at_once, is_with_the_server, on_way, place_name, waiting_place

TEXT_PX = 11.5
LINE_PX = 17.0
MARGIN_PX = 6.0

HEADROOM = 1.04
"""How far the plot reaches above the highest value, so that a flat top is seen as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How wide the picture is and how it divides. `prefix` begins every id in it."""

    prefix: str
    width_px: float
    left_px: float
    plot_px: float
    panel_px: float
    chart_px: float

    def named(self, name: str) -> "Size":
        """The same for another picture on the same page: with ids of its own."""
        return replace(self, prefix=self.prefix.replace(WIDE.prefix, name))


WIDE = Size(prefix="waterline", width_px=960, left_px=56, plot_px=330, panel_px=46, chart_px=120)
NARROW = Size(prefix="waterline-narrow", width_px=400, left_px=44, plot_px=270, panel_px=40, chart_px=100)

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
    timeline = judged.timeline
    steps = series.thinned(timeline)
    times_s = [timeline.times_s[step] for step in steps]
    begin_s = min([0.0, *times_s[:1]])
    end_s = max(times_s[-1] if times_s else 0.0, begin_s)
    end_s = end_s if end_s > begin_s else begin_s + 1.0
    stack = series.bands(timeline, steps)
    charts = charts_of(judged)
    levels = [] if charts else _levels(judged, steps)
    highest = max([1.0, *(series.highest(band.upper) for band in stack), *(series.highest(it.values) for it in levels)])
    names = [level.words for level in levels] + [curve.words for chart in charts for curve in chart.curves]
    margin_px = max((text_width_px(name) for name in names), default=0.0) + 2 * MARGIN_PX
    frame = Frame(
        width_px=size.width_px - size.left_px - margin_px,
        height_px=size.plot_px * (BELOW_CHARTS if charts else 1.0),
        begin_s=begin_s,
        end_s=end_s,
        top=highest * HEADROOM,
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


def text_width_px(words: str) -> float:
    """How wide the words are in the measuring font, which is wider than the fonts of a page."""
    width, _, _ = TextToPath().get_text_width_height_descent(words, FontProperties(size=TEXT_PX), ismath=False)
    return float(width)
