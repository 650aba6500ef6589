"""A picture of one run or of several as the bytes of a file: SVG, PNG or PDF, as its name ends."""

from collections.abc import Sequence
from pathlib import Path

from floodmark.analysis.document import Judged
from floodmark.core.errors import UsageError
from floodmark.report.pictures.canvas import Make, pdf_of, png_of
from floodmark.report.pictures.catalogue import PICTURES, draw_picture
from floodmark.report.pictures.overlay import OVERLAYS, Group, draw_overlay
from floodmark.report.pictures.size import WIDE
from floodmark.report.pictures.svg import as_file

ENDINGS = (".svg", ".png", ".pdf")
DEFAULT = "waterline"
OVERLAY_DEFAULT = "latency"


def prove_picture(what: str, runs: int) -> None:
    """Raises `UsageError` for a picture that so many runs do not have."""
    there = tuple(PICTURES) if runs == 1 else tuple(OVERLAYS)
    if what not in there:
        whose = "one run" if runs == 1 else "several runs"
        raise UsageError(f"--what {what!r}: of {whose} there are {', '.join(there)}")


def prove_ending(path: Path) -> None:
    """Raises `UsageError` for a file whose name does not say what it is to be."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"--out {path}: the name ends in none of {', '.join(ENDINGS)}")


def picture_of_run(what: str, run: Judged, ending: str, *, dark: bool = False) -> bytes | None:
    """One of `PICTURES`; None where the run has nothing to show in it."""
    if ending == ".svg":
        return _svg(draw_picture(what, run), dark=dark)
    return _drawn(lambda: PICTURES[what].make(run, WIDE), ending, dark=dark)


def picture_of_runs(what: str, groups: Sequence[Group], ending: str, *, dark: bool = False) -> bytes | None:
    """One of `OVERLAYS`; None where the runs have nothing to show in it."""
    if ending == ".svg":
        return _svg(draw_overlay(what, groups), dark=dark)
    return _drawn(lambda: OVERLAYS[what](groups, WIDE), ending, dark=dark)


def _svg(element: str | None, *, dark: bool) -> bytes | None:
    return None if element is None else as_file(element, dark=dark).encode()


def _drawn(make: Make, ending: str, *, dark: bool) -> bytes | None:
    return pdf_of(make, dark=dark) if ending == ".pdf" else png_of(make, dark=dark)
