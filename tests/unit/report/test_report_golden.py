"""The report's text against golden files; tests/golden/README.md says how to write them anew."""

import io

import pytest
from golden_files import check
from judged_builder import manifest_for
from judged_cases import CASES
from rich.console import Console

from floodmark.report.formats.verdict_json import to_json
from floodmark.report.terminal import print_verdict


@pytest.mark.parametrize("name", CASES)
def test_the_terminal_verdict_in_80_columns_is_the_golden_one(name: str) -> None:
    judged = CASES[name]()
    file = io.StringIO()
    console = Console(file=file, width=80)
    print_verdict(judged, manifest_for(judged), console, folder=f"runs/{name}")
    check(f"report/{name}.txt", file.getvalue())


@pytest.mark.parametrize("name", ["fastapi-uvicorn-sync", "failures", "no-agent", "closed", "arrivals", "search"])
def test_verdict_json_is_the_golden_one(name: str) -> None:
    check(f"report/{name}.json", to_json(CASES[name]().document))
