"""How large a picture and its text are, and how wide words are in it. Nothing is drawn here."""

from dataclasses import dataclass, replace

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

TEXT_PX = 11.5
LINE_PX = 17.0
MARGIN_PX = 6.0


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
NARROW = Size(prefix="waterline-narrow", width_px=400, left_px=50, plot_px=270, panel_px=40, chart_px=100)


def text_width_px(words: str) -> float:
    """How wide the words are in the measuring font, which is wider than the fonts of a page."""
    width, _, _ = TextToPath().get_text_width_height_descent(words, FontProperties(size=TEXT_PX), ismath=False)
    return float(width)
