"""How a page's template is read: what comes from outside is escaped, and what does not print is shown as such.

No page is made here.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from floodmark.report import words
from floodmark.report.pictures.colours import PRINTED, ROLES
from floodmark.report.pictures.svg import FONTS

if TYPE_CHECKING:
    from jinja2 import Environment


NO_BREAK = "\N{NO-BREAK SPACE}"

_UNIT = re.compile(r"(?<=\d) (?=%|(?:s|ms|us|kB|MB|requests/s)\b)")
"""Between a number and its unit."""


@cache
def page_environment() -> "Environment":
    """Where the pages' templates are, with the look that all of them have."""
    # Here, not above: the command line is there sooner without the library, and most commands make no page.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  the reason is above

    environment = Environment(
        loader=PackageLoader("floodmark.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "fonts": Markup(FONTS),  # noqa: S704  a constant of ours, inside the page's style
        "roles": ROLES,
        "printed": PRINTED,
    }
    return environment


def lead(sentence: str) -> tuple[Markup, str]:
    """The first sentence, escaped, in which no number is parted from its unit by a line's end; and the rest."""
    first, stop, rest = sentence.partition(". ")
    whole = _UNIT.sub(NO_BREAK, first) + ("." if stop else "")
    # What does not print is shown as such, but for this one blank.
    parts = (escape(words.printable(part)) for part in whole.split(NO_BREAK))
    return Markup(NO_BREAK).join(parts), rest  # noqa: S704  a constant, and what was escaped


def _finalized(value: Any) -> Any:
    return words.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
