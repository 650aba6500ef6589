"""What a run that was ended in the middle leaves in its folder: what was measured, and judged."""

import json
import signal
import sys

import pytest
from command import interrupt, living, manifest, run_folder, started, wait_until

pytestmark = pytest.mark.live

INTERRUPTED = {
    "closed": (signal.SIGINT, "load is on", "fastapi-uvicorn-async", "--duration", "60"),
    "search": (
        signal.SIGTERM,
        "burst 2 of up to 3, 8 requests: load is on",
        "flask-gunicorn-sync-4",
        "--first",
        "2",
        "--requests",
        "32",
    ),
}


@pytest.mark.parametrize("kind", INTERRUPTED)
def test_a_run_that_is_ended_keeps_what_was_measured_and_judges_it(tmp_path, kind):
    number, phase, target, *words = INTERRUPTED[kind]
    command = (sys.executable, "-m", "floodmark", "run", target, "--profile", kind, *words)
    with started(*command, cwd=tmp_path) as process:
        wait_until(lambda: phase in (tmp_path / "printed.txt").read_text(), phase)
        assert interrupt(process, number) == 130
    folder = run_folder(tmp_path)
    assert living(folder.name) == []
    assert manifest(folder)["status"] == "interrupted"
    assert "Traceback" not in (tmp_path / "printed.txt").read_text()
    found = json.loads((folder / "verdict.json").read_text())
    assert found["profile"]["kind"] == kind
    if kind == "search":
        assert manifest(folder)["steps"][0]["judged"]
    else:
        assert found["outcomes"]["answered"] + found["outcomes"].get("waiting", 0) > 0
