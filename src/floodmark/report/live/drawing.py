"""A live view's parts, as text for a terminal: bars, sparklines, and phrases that are never broken. No states."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

BLOCKS = "\N{LOWER ONE EIGHTH BLOCK}▂▃▄▅▆▇\N{FULL BLOCK}"

APART = "   "


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the bar: so many requests in one place."""

    words: str
    colour: str
    requests: int


def joined(parts: Sequence[Text], cells: int) -> Text:
    """The parts beside each other; the next line begins with a whole one. One that is longer than a line is cut."""
    drawn, used = Text(), 0
    for part in parts:
        if used and used + len(APART) + part.cell_len > cells:
            drawn.append("\n")
            used = 0
        if used:
            drawn.append(APART)
            used += len(APART)
        fitted = part.copy()
        fitted.truncate(max(1, cells), overflow="ellipsis" if cells > 1 else "crop")
        drawn.append_text(fitted)
        used += fitted.cell_len
    return drawn


def key(parts: Sequence[Segment], cells: int, *, ascii_only: bool = False) -> Text:
    """What the bar's colours mean, with the counts; no entry is broken over two lines."""
    sign = "#" if ascii_only else "\N{BLACK SQUARE}"
    shown = [
        Text.assemble((f"{sign} ", part.colour), f"{part.requests:,} {part.words}") for part in parts if part.requests
    ]
    return joined(shown, cells)


def bar(parts: Sequence[Segment], cells: int, *, ascii_only: bool = False) -> Text:
    """One row of `cells` blocks, each part's share of it in its colour; a part above 0 has one block at least."""
    drawn = Text()
    for part, width in zip(parts, _widths([part.requests for part in parts], cells), strict=True):
        drawn.append(("#" if ascii_only else "\N{FULL BLOCK}") * width, style=part.colour)
    return drawn


def progress(share: float, cells: int, *, ascii_only: bool = False) -> Text:
    """A thin line, as much of it bright as the share says."""
    done = round(min(max(share, 0.0), 1.0) * cells)
    full, rest = (
        ("=", "-") if ascii_only else ("\N{BOX DRAWINGS HEAVY HORIZONTAL}", "\N{BOX DRAWINGS LIGHT HORIZONTAL}")
    )
    return Text.assemble((full * done, "bold"), (rest * (cells - done), "dim"))


def sparkline(values: Sequence[float]) -> str:
    """A character for each value, from an eighth of the line's height to all of it; blanks for zeros."""
    top = max(values, default=0.0)
    if top <= 0:
        return " " * len(values)
    return "".join(" " if value <= 0 else BLOCKS[min(7, int(value / top * 8 - 1e-9))] for value in values)


def _widths(requests: list[int], cells: int) -> list[int]:
    """One cell for each part above 0, as far as there are cells; the others by share, largest remainders first."""
    widths = [0] * len(requests)
    shown = [index for index, number in enumerate(requests) if number > 0][:cells]
    total, free = sum(requests[index] for index in shown), cells - len(shown)
    exact = {index: requests[index] * free / total for index in shown}
    for index in shown:
        widths[index] = 1 + int(exact[index])
    left = cells - sum(widths) if shown else 0
    for index in sorted(shown, key=lambda index: exact[index] % 1, reverse=True)[:left]:
        widths[index] += 1
    return widths
