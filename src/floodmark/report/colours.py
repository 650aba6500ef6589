"""The colours of the six places, the same in every picture of a run. No drawing here.

Chosen so that any two differ for readers with and without the common colour-blindnesses (a test simulates them), and so
that a label in `ink_on` is readable on its band.
"""

from dataclasses import dataclass

from floodmark.core.places import Place

WHITE = "#ffffff"
DARK = "#1c2430"

FILL = {
    Place.IN_SERVICE: "#0f7d66",
    Place.IN_PROCESS: "#f4cf5d",
    Place.UNREAD: "#ec8532",
    Place.ACCEPT_QUEUE: "#b5264a",
    Place.HALF_OPEN: "#6743a5",
    Place.CONNECTING: "#c9cbdc",
}
"""Each place's band, from the server's core (green) outwards."""

INK_ON = {
    Place.IN_SERVICE: WHITE,
    Place.IN_PROCESS: DARK,
    Place.UNREAD: DARK,
    Place.ACCEPT_QUEUE: WHITE,
    Place.HALF_OPEN: WHITE,
    Place.CONNECTING: DARK,
}
"""The text colour that is readable on each band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A colour that follows the page's scheme.

    `drawn` is what the drawing library is told: a colour that occurs nowhere else, so that it can be found again in the
    drawing and replaced with the CSS variable `variable`; `light` is the value where no page sets the variable.
    """

    drawn: str
    variable: str
    light: str

    @property
    def css(self) -> str:
        """What stands in the finished drawing."""
        return f"var({self.variable}, {self.light})"


INK = Role(drawn="#010203", variable="--ink", light="#1c2430")
MUTED = Role(drawn="#010204", variable="--muted", light="#5b6675")
GRID = Role(drawn="#010205", variable="--grid", light="#e3e7ec")
PAPER = Role(drawn="#010206", variable="--paper", light="#ffffff")
FAILED = Role(drawn="#010207", variable="--bad", light="#c0202f")
ESTIMATE = Role(drawn="#010208", variable="--estimate", light="#9ccfc2")
GAP = Role(drawn="#010209", variable="--gap", light="#f0f2f5")

ROLES = (INK, MUTED, GRID, PAPER, FAILED, ESTIMATE, GAP)
