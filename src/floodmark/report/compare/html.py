"""A comparison as one page that needs nothing else, in the report's look. What changed is `floodmark.analysis`'s."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from floodmark.analysis.compare.document import Change, CompareDocument
from floodmark.analysis.document import Judged
from floodmark.report.compare.words import how_words, sections_of, side_title
from floodmark.report.page.template import lead, page_environment

if TYPE_CHECKING:
    from jinja2 import Template

CLASSES = {Change.CHANGED: "changed", Change.NONE_SHOWN: "same", Change.UNTOLD: "untold"}


def render_compare(document: CompareDocument, runs: Sequence[Sequence[Judged]]) -> str:
    """The whole page; `runs` are those of each side, in the document's order. What comes from outside is escaped."""
    # Here, not above: the drawing library takes a second to load, and most commands draw nothing.
    from floodmark.report.pictures.overlay import Group, draw_both, side_colour  # noqa: PLC0415  the reason is above

    groups = [Group(name=side_title(side), runs=tuple(own)) for side, own in zip(document.sides, runs, strict=True)]
    pictures = [drawn for name in ("at-once", "latency") if (drawn := draw_both(name, groups)) is not None]
    first, rest = lead(document.sentence)
    return _template().render(
        document=document,
        title=_title(document),
        lead=first,
        rest=rest,
        sides=[(side_title(side), side_colour(index), side) for index, side in enumerate(document.sides)],
        comparisons=[(one, sections_of(one)) for one in document.comparisons],
        how=how_words(document),
        # Drawn by us from escaped text: see floodmark.report.pictures.svg.
        pictures=[(Markup(wide), Markup(narrow)) for wide, narrow in pictures],  # noqa: S704  the reason is above
    )


def _title(document: CompareDocument) -> str:
    """What was compared: the targets, and how many runs."""
    targets = dict.fromkeys(run.target for side in document.sides for run in side.runs)
    return f"{', '.join(targets)}: {sum(len(side.runs) for side in document.sides)} runs compared"


@cache
def _template() -> "Template":
    environment = page_environment()
    environment.filters["css_class"] = CLASSES.__getitem__
    return environment.get_template("compare.html.j2")
