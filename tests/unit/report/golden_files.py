"""Golden files: tests/golden/README.md says how to write them anew."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "golden"


def check(name: str, text: str) -> None:
    """Fails where the file of this name, with its folder, has another text."""
    path = GOLDEN / name
    if os.environ.get("FLOODMARK_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
