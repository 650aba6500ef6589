"""What a run leaves in its folder: enough to be judged again, also where it was ended in the middle."""

import json
import signal
import sys

import pytest
from command import floodmark, interrupt, living, manifest, run_folder, started, verdict, wait_until

pytestmark = pytest.mark.live

JUDGED = (0, 3)
"""On a busy machine a run may fail a check: what is asked here does not depend on that."""


def test_a_report_is_made_again_from_the_run_folder_and_says_the_same(tmp_path):
    found = verdict("fastapi-uvicorn-sync", "--requests", "100", "--hold", "0.5", cwd=tmp_path, codes=JUDGED)
    folder = run_folder(tmp_path)
    assert manifest(folder)["status"] == "complete"
    before = (folder / "verdict.json").read_text()
    (folder / "verdict.json").unlink()
    (folder / "report.html").unlink()
    again = floodmark("report", str(folder), cwd=tmp_path)
    assert again.returncode == (0 if found["validity"]["ok"] else 3), again.stderr
    assert " ".join(again.stdout.split()).startswith(found["verdict"]["sentence"])
    assert (folder / "verdict.json").read_text() == before
    assert "<svg" in (folder / "report.html").read_text()


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
