"""The sheet that a picture is drawn on, and what comes off it: SVG, PNG or PDF. Drawing itself is done elsewhere."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any, overload

import matplotlib as mpl
from matplotlib.colors import get_named_colors_mapping
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from floodmark.report.pictures.colours import PAPER, ROLES
from floodmark.report.pictures.size import TEXT_PX

POINTS_PER_INCH = 72
"""The drawing library counts in inches: with so many dots to each, a point is a pixel."""

SQUARE_PX = 10
"""Of a colour in a legend."""

MARGIN_PX = 16
"""Of paper around a picture that is a file of its own."""

_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "floodmark", "hatch.linewidth": 1.1, "font.size": TEXT_PX}

Make = Callable[[], Figure | None]
"""Makes the picture, None where there is nothing to show; called where the settings are in force."""


def blank(width_px: float, height_px: float) -> Figure:
    """A sheet that the page's paper shines through."""
    figure = Figure(figsize=(width_px / POINTS_PER_INCH, height_px / POINTS_PER_INCH), dpi=POINTS_PER_INCH)
    figure.patch.set_alpha(0)
    return figure


def size_px(figure: Figure) -> tuple[float, float]:
    """How wide and how high a sheet is."""
    width, height = figure.get_size_inches() * POINTS_PER_INCH
    return float(width), float(height)


def write_at(figure: Figure, x_px: float, y_px: float, words: str, **style: Any) -> None:
    """Words on the sheet, from its lower left corner. A dollar sign in a name is a dollar sign."""
    width_px, height_px = size_px(figure)
    options: dict[str, Any] = {"fontsize": TEXT_PX, "va": "baseline", "parse_math": False, **style}
    figure.text(x_px / width_px, y_px / height_px, words, **options)


def colour_at(figure: Figure, x_px: float, y_px: float, colour: str) -> None:
    """A square of a colour beside words that stand at this height."""
    width_px, height_px = size_px(figure)
    corner, sides = (x_px / width_px, (y_px - 1) / height_px), (SQUARE_PX / width_px, SQUARE_PX / height_px)
    figure.add_artist(Rectangle(corner, *sides, facecolor=colour, linewidth=0))


@overload
def svg_of(make: Callable[[], Figure]) -> str: ...
@overload
def svg_of(make: Make) -> str | None: ...
def svg_of(make: Make) -> str | None:
    """The drawing as the library writes it, with the roles' marks: ``svg`` makes it fit for a page."""
    target = io.StringIO()
    with _drawing(marked=True):
        figure = make()
        if figure is None:
            return None
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return target.getvalue()


def png_of(make: Make, *, dots_per_px: float = 2.0, dark: bool = False) -> bytes | None:
    """The drawing on white paper, or dark, with a margin; the same bytes for the same run and library."""
    return _on_paper(make, "png", POINTS_PER_INCH * dots_per_px, {"Software": None}, dark=dark)


def pdf_of(make: Make, *, dark: bool = False) -> bytes | None:
    """The same as a page of a PDF, which has no date: the same bytes, too."""
    return _on_paper(make, "pdf", POINTS_PER_INCH, {"Creator": None, "Producer": None, "CreationDate": None}, dark=dark)


def _on_paper(make: Make, kind: str, dots: float, metadata: dict[str, None], *, dark: bool) -> bytes | None:
    target = io.BytesIO()
    with _drawing(marked=False, dark=dark):
        figure = make()
        if figure is None:
            return None
        figure.patch.set(facecolor=PAPER.dark if dark else PAPER.light, alpha=1)
        width, height = figure.get_size_inches()
        margin = MARGIN_PX / POINTS_PER_INCH
        paper = Bbox([[-margin, -margin], [width + margin, height + margin]])
        figure.savefig(target, format=kind, dpi=dots, bbox_inches=paper, metadata=metadata)
    return target.getvalue()


@contextlib.contextmanager
def _drawing(*, marked: bool, dark: bool = False) -> Iterator[None]:
    names = get_named_colors_mapping()
    with mpl.rc_context(), warnings.catch_warnings():
        # A name may hold characters that the measuring font lacks; the reader's browser has its own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        for role in ROLES:
            # One by one: the library forgets what it has looked up only then.
            names[role.drawn] = role.mark if marked else (role.dark if dark else role.light)
        yield
