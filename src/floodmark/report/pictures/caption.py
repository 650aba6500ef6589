"""What stands above a small picture: what it shows, of which run, and what its lines or colours mean."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from floodmark.report.pictures.canvas import SQUARE_PX, colour_at, size_px, write_at
from floodmark.report.pictures.colours import INK, MUTED
from floodmark.report.pictures.size import LINE_PX, TEXT_PX, text_width_px

TITLE_PX = 13.5
KEY_PX = 18.0
"""A sample of a line; a colour's square stands at its end."""

APART_PX = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One entry of a legend. `dashes` on and off, () is solid; None: the colour of an area."""

    words: str
    colour: str
    dashes: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """Title, lines of words, and rows of keys with each one's place from the left edge."""

    title: str
    lines: tuple[str, ...]
    rows: tuple[tuple[tuple[float, Key], ...], ...]

    @property
    def height_px(self) -> float:
        """The room that all of it takes."""
        return TITLE_PX + 8 + (len(self.lines) + len(self.rows)) * LINE_PX + 12


def caption(width_px: float, title: str, words: str, keys: Sequence[Key] = ()) -> Caption:
    """The caption of a picture so wide; what does not fit one line goes on in the next."""
    rows: list[list[tuple[float, Key]]] = []
    at_px = width_px
    for key in keys:
        room_px = KEY_PX + 6 + text_width_px(key.words)
        if at_px + room_px > width_px:
            rows.append([])
            at_px = 0.0
        rows[-1].append((at_px, key))
        at_px += room_px + APART_PX
    lines = textwrap.wrap(words, int(width_px / (TEXT_PX * 0.56)))
    return Caption(title=title, lines=tuple(lines), rows=tuple(tuple(row) for row in rows))


def draw_caption(figure: Figure, shown: Caption) -> None:
    """Draws it along the figure's upper edge."""
    _, height_px = size_px(figure)
    y_px = height_px - TITLE_PX
    write_at(figure, 0, y_px, shown.title, color=INK.drawn, fontsize=TITLE_PX, fontweight="bold")
    y_px -= 3
    for line in shown.lines:
        y_px -= LINE_PX
        write_at(figure, 0, y_px, line, color=MUTED.drawn)
    y_px -= 3
    for row in shown.rows:
        y_px -= LINE_PX
        for x_px, key in row:
            _draw_key(figure, x_px, y_px, key)
            write_at(figure, x_px + KEY_PX + 6, y_px, key.words, color=INK.drawn)


def _draw_key(figure: Figure, x_px: float, y_px: float, key: Key) -> None:
    if key.dashes is None:
        colour_at(figure, x_px + KEY_PX - SQUARE_PX, y_px, key.colour)
        return
    width_px, height_px = size_px(figure)
    xs, y = (x_px / width_px, (x_px + KEY_PX) / width_px), (y_px + 4) / height_px
    style: Any = (0, key.dashes) if key.dashes else "-"
    figure.add_artist(Line2D(xs, (y, y), color=key.colour, linewidth=1.8, linestyle=style))
