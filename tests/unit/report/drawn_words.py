"""The words of a drawing, as a reader sees them."""

from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


def words_in(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314  our own
