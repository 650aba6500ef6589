"""The report's text against golden files; tests/golden/README.md says how to write them anew."""

import io
import os
from pathlib import Path

import pytest
from judged_builder import manifest_for
from judged_cases import CASES
from rich.console import Console

from floodmark.report.terminal import print_verdict
from floodmark.report.verdict_json import to_json

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


def check(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("FLOODMARK_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_the_terminal_verdict_in_80_columns_is_the_golden_one(name: str) -> None:
    judged = CASES[name]()
    file = io.StringIO()
    console = Console(file=file, width=80)
    print_verdict(judged, manifest_for(judged), console, folder=f"runs/{name}")
    check(f"{name}.txt", file.getvalue())


@pytest.mark.parametrize("name", ["fastapi-uvicorn-sync", "failures", "no-agent", "closed", "arrivals", "search"])
def test_verdict_json_is_the_golden_one(name: str) -> None:
    check(f"{name}.json", to_json(CASES[name]().document))
