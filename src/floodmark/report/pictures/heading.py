"""What stands above the waterline: title, caption, legend of bands too thin for a label, the note on the estimate."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from floodmark.core.places import Place
from floodmark.report.pictures import series
from floodmark.report.pictures.canvas import colour_at, write_at
from floodmark.report.pictures.colours import FILL, INK, MUTED
from floodmark.report.pictures.picture import Picture, band_words
from floodmark.report.pictures.size import LINE_PX, TEXT_PX, text_width_px
from floodmark.report.words import printable, short_words

ESTIMATE_NOTE = "estimate: the run ended before these were answered"
TITLE_PX = 17.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands above the plot, as rows of text."""

    subtitle: list[str]
    legend: list[list[tuple[float, Place, str]]]
    note: list[str]

    @property
    def height_px(self) -> float:
        """The room that all of it takes."""
        rows = len(self.subtitle) + len(self.legend) + len(self.note)
        return TITLE_PX + 14 + rows * LINE_PX + (4 if self.legend else 0) + 8


def heading(picture: Picture, unlabelled: Sequence[Place]) -> Heading:
    """The heading of a picture; `unlabelled` are the places whose bands have no label of their own."""
    characters = int(picture.size.width_px / (TEXT_PX * 0.56))
    subtitle = textwrap.wrap(short_words(picture.judged.document), characters)
    unseen = series.never_seen(picture.timeline) if picture.steps else []
    if unseen:
        subtitle += textwrap.wrap(f"not seen in this run: {', '.join(place.words for place in unseen)}", characters)
    certain_s = picture.timeline.certain_until_s
    has_note = certain_s is not None and certain_s < picture.end_s and picture.bands[0].occurs
    entries = [(place, band_words(picture, place)) for place in unlabelled]
    return Heading(
        subtitle=subtitle,
        legend=_legend_rows(entries, picture.size.width_px),
        note=textwrap.wrap(ESTIMATE_NOTE, characters) if has_note else [],
    )


def _legend_rows(entries: Sequence[tuple[Place, str]], width_px: float) -> list[list[tuple[float, Place, str]]]:
    rows: list[list[tuple[float, Place, str]]] = []
    x_px = math.inf
    for place, words in entries:
        needed_px = 16 + text_width_px(words)
        if x_px + needed_px > width_px:
            rows.append([])
            x_px = 0.0
        rows[-1].append((x_px, place, words))
        x_px += needed_px + 18
    return rows


def draw_heading(figure: Figure, picture: Picture, head: Heading, height_px: float) -> None:
    """Draws the heading at the top of a figure that is `height_px` high."""
    y_px = height_px - TITLE_PX
    write_at(figure, 0, y_px, _title(picture), color=INK.drawn, fontsize=TITLE_PX, fontweight="bold")
    y_px -= 6
    for line in head.subtitle:
        y_px -= LINE_PX
        write_at(figure, 0, y_px, line, color=MUTED.drawn, fontsize=TEXT_PX + 1)
    y_px -= 4 if head.legend else 0
    for row in head.legend:
        y_px -= LINE_PX
        for x_px, place, words in row:
            colour_at(figure, x_px, y_px, FILL[place])
            write_at(figure, x_px + 16, y_px, words, color=INK.drawn)
    for line in head.note:
        y_px -= LINE_PX
        write_at(figure, picture.right_px, y_px, line, color=MUTED.drawn, ha="right")
    if head.note and picture.timeline.certain_until_s is not None:
        begin_px = picture.size.left_px + picture.frame.x_px(max(picture.timeline.certain_until_s, 0.0))
        _draw_bracket(figure, picture, begin_px, y_px - 5, height_px)


def _title(picture: Picture) -> str:
    name, room = printable(picture.judged.document.target), int(picture.size.width_px / (TITLE_PX * 0.65))
    return name if len(name) <= room else f"{name[: room - 3]}..."


def _draw_bracket(figure: Figure, picture: Picture, begin_px: float, y_px: float, height_px: float) -> None:
    """A line over the estimated stretch with a tick down at its begin: it says what the note above it is about."""
    size = picture.size
    xs = [begin_px / size.width_px] * 2 + [picture.right_px / size.width_px]
    ys = [(y_px - 4) / height_px, y_px / height_px, y_px / height_px]
    figure.add_artist(Line2D(xs, ys, color=MUTED.drawn, linewidth=0.9))
