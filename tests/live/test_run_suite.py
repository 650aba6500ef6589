"""Many targets as a user runs them: one dies, one cannot start, Ctrl-C in the middle, and on from there."""

import json
import signal
import sys
from pathlib import Path

import pytest
from command import floodmark, interrupt, living, started, wait_until

from floodmark_deploy.zoo import FOLDER_VARIABLE

pytestmark = [pytest.mark.live, pytest.mark.alone]

POOL = Path(__file__).parent / "servers" / "pool_server.py"

POOL_TARGET = f"""
[start]
command = ["{{python}}", "{POOL}", "{{port}}", "3", "0.3", "{{host}}"]
[request]
path = "/"
contains = "done"
[ready]
path = "/"
[expect]
ceiling = CEILING
[[suite.a]]
row = "F2"
ceiling = 3
"""

TARGETS = {
    "a-pool": POOL_TARGET.replace("CEILING", "3"),
    "b-dies": '[start]\ncommand = ["{python}", "-c", "raise SystemExit(7)"]\n',
    "c-missing": '[start]\ncommand = ["no-such-server"]\n[needs]\nexecutables = ["no-such-server"]\n'
    'install = "get one"\n',
    "d-pool": POOL_TARGET.replace("CEILING", "4"),
}


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    for name, text in TARGETS.items():
        (tmp_path / "zoo" / name).mkdir(parents=True)
        (tmp_path / "zoo" / name / "target.toml").write_text(text)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "zoo"))
    return tmp_path


def rows(folder):
    return {row["target"]: row for row in json.loads((folder / "suite.json").read_text())["rows"]}


def states(folder):
    return {name: row["state"] for name, row in rows(folder).items()}


def is_under_way(folder, run):
    """The load of this run is on."""
    pulses = folder / run / "pulses.jsonl"
    return pulses.exists() and pulses.stat().st_size > 0


def while_it_runs(folder, pid):
    """It may be looked at, and not meddled with."""
    refused = floodmark("suite", "--resume", str(folder), cwd=folder)
    assert refused.returncode == 1
    assert f"process {pid} is at work in it" in refused.stderr
    shown = floodmark("report", str(folder), cwd=folder)
    assert shown.returncode == 1
    assert shown.stdout.startswith("THE SUITE HAS NO END.")
    assert f"process {pid} is at work in it" in shown.stderr


def run_ids(folder):
    return [json.loads(path.read_text())["run_id"] for path in folder.glob("a-*/run.json")]


def test_a_suite_survives_a_row_that_fails_is_interrupted_and_killed_and_goes_on_where_it_was(zoo):
    folder = zoo / "suite"
    command = (sys.executable, "-m", "floodmark", "suite", "--table", "a", "--requests", "40", "--out", str(folder))
    with started(*command, cwd=zoo) as process:
        wait_until(lambda: is_under_way(folder, "a-a-pool"), "the first row's load")
        while_it_runs(folder, process.pid)
        wait_until(lambda: is_under_way(folder, "a-d-pool"), "the last row's load")
        assert interrupt(process, signal.SIGINT) == 130
    assert states(folder) == {"a-pool": "done", "b-dies": "failed", "c-missing": "not_run", "d-pool": "pending"}
    first = rows(folder)["a-pool"]
    printed = (zoo / "printed.txt").read_text()
    assert "Traceback" not in printed
    assert f"`floodmark suite --resume {folder}` goes on" in printed

    with started(sys.executable, "-m", "floodmark", "suite", "--resume", str(folder), cwd=zoo) as process:
        wait_until(lambda: is_under_way(folder, "a-d-pool-2"), "the last row's load once more")
        process.kill()
        process.wait()
    wait_until(lambda: not any(map(living, run_ids(folder))), "the end of all that was started")
    assert states(folder)["d-pool"] == "pending"

    done = floodmark("suite", "--resume", str(folder), "--markdown", str(zoo / "results.md"), cwd=zoo)
    assert done.returncode == 1, done.stderr
    assert states(folder) == {"a-pool": "done", "b-dies": "failed", "c-missing": "not_run", "d-pool": "done"}
    assert rows(folder)["a-pool"] == first
    assert sorted(path.name for path in folder.glob("a-*-pool*")) == [
        "a-a-pool",
        "a-d-pool",
        "a-d-pool-2",
        "a-d-pool-3",
    ]
    said = " ".join(done.stdout.split())
    assert "F2 a-pool 3 3 1.00 thread" in said
    assert "b-dies b-dies ended with exit code 7" in said
    assert "c-missing c-missing needs the executable 'no-such-server', which is not installed here: get one" in said
    assert "d-pool a ceiling of 4 was expected, and it is 3" in said
    assert "4 runs: 1 as expected, 1 unlike what the target's file expects, 1 failed, 1 not run." in said
    page = (zoo / "results.md").read_text()
    assert "| F2 | a-pool | 3 | 3 | 1.00 | reused thread |" in page
    assert "(results/d-pool.svg)" in page
    assert sorted(path.name for path in (zoo / "results").iterdir()) == ["a-pool.svg", "d-pool.svg"]
    assert (zoo / "results" / "d-pool.svg").read_text() == (folder / "a-d-pool-3" / "waterline.svg").read_text()
    assert not any(map(living, run_ids(folder)))

    again = floodmark("report", str(folder), cwd=zoo)
    assert (again.returncode, again.stdout) == (1, done.stdout)
