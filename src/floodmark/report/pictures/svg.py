"""What a drawing library's SVG needs before a page may hold it: own ids, the page's fonts and colours, a name.

Text in, text out: nothing is drawn here.
"""

import re
from xml.sax.saxutils import escape

from floodmark.report.pictures.colours import PAPER, ROLES

_ROOT = re.compile(r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>", re.DOTALL)
_VIEW_BOX = re.compile(r'viewBox="([^"]*)"')
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_FONT = re.compile(r"font: (?:(\d+) )?([\d.]+)px [^;\"]*")
_FAMILY = re.compile(r"font-family: [^;\"]*(?:; )?")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_PATH = re.compile(r'\bd="[^"]*"')
_LONG_NUMBER = re.compile(r"\d+\.\d{2,}")
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)


FONTS = "'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
"""Fonts that the reader's own machine has; none is loaded."""


def for_page(drawing: str, *, prefix: str, title: str, description: str) -> str:
    """The drawing as one element for a page, or for a file of its own.

    `prefix` makes every id its own, so that several drawings fit one page. Fonts and text colours come from the page
    through CSS. `title` and `description` are for readers who do not see it; they must be printable.
    """
    root = _ROOT.search(drawing)
    if root is None:
        raise ValueError("not a drawing: no <svg> with a viewBox")
    body = _COMMENT.sub("", _METADATA.sub("", drawing[root.end() :]))
    body = body.replace("*{stroke-linejoin", f"#{prefix} *{{stroke-linejoin")
    body = _ID.sub(rf"\g<1>{prefix}-", body)
    body = _FAMILY.sub("", _FONT.sub(_font, body))
    body = _PATH.sub(lambda path: _LONG_NUMBER.sub(_rounded, path.group()), body)
    for role in ROLES:
        body = body.replace(role.mark, role.css)
    return _head(prefix, root.group(1), title, description) + body.strip() + "\n"


def as_file(element: str, *, margin_px: int = 16, dark: bool = False) -> str:
    """A drawing made `for_page` as a file of its own: on white paper, or dark, with a margin."""
    left, top, width, height = (float(number) for number in _VIEW_BOX.findall(element)[0].split())
    paper = f"{left - margin_px:g} {top - margin_px:g} {width + 2 * margin_px:g} {height + 2 * margin_px:g}"
    colour = PAPER.dark if dark else PAPER.light
    drawing = _VIEW_BOX.sub(f'viewBox="{paper}" style="background: {colour}"', element, count=1)
    for role in ROLES if dark else ():
        drawing = drawing.replace(role.css, role.dark)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}'


def _head(prefix: str, view_box: str, title: str, description: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" id="{prefix}"'
        f' viewBox="{view_box}" role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
        f' font-family="{FONTS}">\n'
        f'<title id="{prefix}-title">{escape(title)}</title>\n'
        f'<desc id="{prefix}-desc">{escape(description)}</desc>\n'
    )


def _rounded(number: re.Match[str]) -> str:
    """A tenth of a pixel is finer than any screen shows."""
    return f"{float(number.group()):.1f}".removesuffix(".0")


def _font(match: re.Match[str]) -> str:
    weight, size_px = match.groups()
    return f"font-size: {size_px}px" + (f"; font-weight: {weight}" if weight else "")
