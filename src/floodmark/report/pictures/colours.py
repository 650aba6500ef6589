"""The colours of the six places, the same in every picture of a run. No drawing here.

Chosen so that any two differ for readers with and without the common colour-blindnesses (a test simulates them), and so
that a label in `ink_on` is readable on its band. Those of failures are readable on light paper and on dark.
"""

from dataclasses import dataclass

from floodmark.core.outcomes import Outcome
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

FAILURE = {
    Outcome.SERVER_ERROR: "#c8453b",
    Outcome.REFUSED: "#d97706",
    Outcome.RESET: "#8e5bd0",
    Outcome.CONNECT_TIMEOUT: "#9a7b12",
    Outcome.RESPONSE_TIMEOUT: "#bd4f8f",
    Outcome.CLOSED: "#0f8a8a",
    Outcome.WRONG_ANSWER: "#5d8a1f",
    Outcome.MALFORMED: "#a8683a",
    Outcome.TLS_FAILED: "#5878d6",
    Outcome.UNREACHABLE: "#2384c6",
    Outcome.OUT_OF_PORTS: "#6b7785",
    Outcome.OUT_OF_FILES: "#7d7466",
    Outcome.OUT_OF_MEMORY: "#677a6e",
}
"""Each kind of failure: the target's in colours, the network's blue, the generator's grey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A colour that follows the page's scheme.

    `drawn` is what the drawing library is told: a name that ``canvas`` gives a value. In an SVG that is
    `mark`, a colour that occurs nowhere else, so that it can be found again in the drawing and replaced with the CSS
    variable `variable`; in a PNG `light` or `dark`. `light` also holds where no page sets the variable.
    """

    name: str
    mark: str
    light: str
    dark: str

    @property
    def drawn(self) -> str:
        """What the drawing library is told."""
        return f"floodmark:{self.name}"

    @property
    def variable(self) -> str:
        """The page's own property."""
        return f"--{self.name}"

    @property
    def css(self) -> str:
        """What stands in the finished drawing."""
        return f"var({self.variable}, {self.light})"


INK = Role(name="ink", mark="#010203", light="#1c2430", dark="#e8ebef")
MUTED = Role(name="muted", mark="#010204", light="#5b6675", dark="#9aa5b3")
GRID = Role(name="grid", mark="#010205", light="#e3e7ec", dark="#2a313a")
PAPER = Role(name="paper", mark="#010206", light="#ffffff", dark="#14181d")
FAILED = Role(name="bad", mark="#010207", light="#c0202f", dark="#ff7b72")
ESTIMATE = Role(name="estimate", mark="#010208", light="#9ccfc2", dark="#1d4f45")
GAP = Role(name="gap", mark="#010209", light="#f0f2f5", dark="#1d232b")

GOOD = Role(name="good", mark="#01020a", light="#0b6b57", dark="#5cc9ae")
SOFT = Role(name="soft", mark="#01020b", light="#f6f8fa", dark="#1b2128")
BAD_PAPER = Role(name="bad-paper", mark="#01020c", light="#fdf1f1", dark="#2b1a1c")

ROLES = (INK, MUTED, GRID, PAPER, FAILED, ESTIMATE, GAP, GOOD, SOFT, BAD_PAPER)
"""All that a page has; its style sheet is written from them."""

PRINTED = {role.name: role.light for role in ROLES} | {
    INK.name: "#000000",
    MUTED.name: "#444c56",
    GRID.name: "#d5dae0",
    SOFT.name: "#ffffff",
    FAILED.name: "#a81626",
    BAD_PAPER.name: "#ffffff",
}
"""On paper, by name: black on white, whatever the reader's scheme."""
