"""What a run is to meet, as CI sees it: exit codes of `floodmark run`, of `floodmark report`, and of Locust itself."""

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import floodmark, manifest, own_server, run_folder, started, wait_until
from junit_file import cases

from floodmark_deploy.port import free_port

pytestmark = pytest.mark.live

BURST = Path(__file__).parents[2] / "locustfiles" / "burst.py"
MET = "http_req_duration: p(95)<1h && p(97)<1h"
MISSED = "target.accept_queue.limit < 1"
ENDS = "http_reqs: count<40"
ALL_ANSWERED = "requests.waiting == 0"


def document(folder):
    return json.loads((folder / "verdict.json").read_text())


def expected(folder, code):
    """The code of a run that counts; on a machine too busy to measure it does not, and that goes first."""
    return code if document(folder)["validity"]["ok"] else 3


def results(folder):
    return [(result["threshold"], result["ok"]) for result in document(folder)["thresholds"]]


def test_a_plans_threshold_that_is_missed_ends_the_load_at_once_and_a_report_judges_all_again(tmp_path):
    (tmp_path / "load.toml").write_text(
        f"""
        profile = "closed"
        connections = 4
        duration = 600
        thresholds = ["{MET}", "{ENDS}"]
        abort-on-fail = true
        """
    )
    with own_server("keep_server.py", "0.05", "-", cwd=tmp_path) as port:
        done = floodmark("run", "--plan", "load.toml", "--url", f"http://127.0.0.1:{port}/", cwd=tmp_path)
    folder = run_folder(tmp_path)
    assert done.returncode == 99, done.stdout + done.stderr
    assert done.stdout.startswith("THRESHOLD MISSED. NOT VALID.")
    assert "What the run was to meet: 2 of 3 met" in done.stdout
    assert f"MISSED  {ENDS}" in done.stdout
    asked = [("http_req_duration: p(95)<1h", True), ("http_req_duration: p(97)<1h", True), (ENDS, False)]
    assert results(folder) == asked
    assert [result["ended_load"] for result in document(folder)["thresholds"]] == [False, False, True]
    assert document(folder)["latency"]["others_s"].keys() == {"97"}
    found = manifest(folder)
    assert (found["status"], found["missed_live"]) == ("interrupted", [ENDS])
    assert found["problems"] == [f"the load was ended by what it missed: {ENDS}"]
    assert found["plan"] == (tmp_path / "load.toml").read_text()

    again = floodmark("report", str(folder), "--threshold", ALL_ANSWERED, cwd=tmp_path)
    assert again.returncode == 99
    assert [text for text, _ in results(folder)] == [*(text for text, _ in asked), ALL_ANSWERED]
    assert len(manifest(folder)["thresholds"]) == 3


def locust(*words, cwd):
    """The command of Locust's master, which has GitHub's summary in its folder."""
    file = ("env", f"GITHUB_STEP_SUMMARY={cwd / 'summary'}", sys.executable, "-m", "locust", "-f")
    master = ("--headless", "--master", "--master-bind-host", "127.0.0.1", "--expect-workers", "1", "--only-summary")
    return (*file, str(BURST), *master, *words)


def worker_of(bus):
    return (sys.executable, "-m", "locust", "-f", "-", "--worker", "--master-host", "127.0.0.1", "--master-port", bus)


LOADS = {
    "met": ("--requests", "8", "--hold", "0.2", "--threshold", f"{MET} && {ALL_ANSWERED}"),
    "missed": ("--requests", "8", "--hold", "0.2", "--threshold", MISSED),
}


def left_alone(cwd, stack):
    """A master that waits for a worker which never comes."""
    cwd.mkdir()
    (cwd / "junit.xml").write_text("of a run before")
    words = locust("--master-bind-port", "0", "--host", "http://127.0.0.1:1", cwd=cwd)
    return stack.enter_context(started(*words, "--export", "junit.xml", cwd=cwd))


@pytest.fixture(scope="module")
def by_locust(tmp_path_factory):
    """A folder and an exit code for each of `LOADS`: masters and workers by Locust's own command line, side by side.

    And for one that is sent SIGTERM while it waits for its worker.
    """
    top, masters = tmp_path_factory.mktemp("by-locust"), {}
    with ExitStack() as stack:
        masters["alone"] = left_alone(top / "alone", stack)
        for name, load in LOADS.items():
            (cwd := top / name).mkdir()
            (beside := cwd / "server").mkdir()
            target = stack.enter_context(own_server("pool_server.py", "4", "0.2", cwd=beside))
            bus = str(free_port("127.0.0.1"))
            to = ("--host", f"http://127.0.0.1:{target}", "--path", "/?id={id}", "--expect-agents", "0")
            files = ("--export", "junit.xml", "--export", "metrics.csv", "--exit-code-on-error", "7")
            words = locust("--master-bind-port", bus, *to, *load, *files, cwd=cwd)
            masters[name] = stack.enter_context(started(*words, cwd=cwd))
            (beside := cwd / "worker").mkdir()
            stack.enter_context(started(*worker_of(bus), cwd=beside))
        printed = top / "alone" / "printed.txt"
        wait_until(lambda: "Waiting for workers" in printed.read_text(), "Locust to wait", timeout_s=90)
        masters["alone"].send_signal(signal.SIGTERM)
        return {name: (top / name, master.wait(timeout=120)) for name, master in masters.items()}


@pytest.mark.parametrize(("name", "code"), [("met", 0), ("missed", 99)])
def test_locust_itself_ends_with_99_where_a_threshold_is_missed_and_with_0_where_all_are_met(by_locust, name, code):
    cwd, found = by_locust[name]
    folder = run_folder(cwd)
    assert found == expected(folder, code), (cwd / "printed.txt").read_text()
    assert all(ok == (name == "met") for _, ok in results(folder))


@pytest.mark.parametrize("name", ["met", "missed"])
def test_locust_writes_the_same_files_and_the_summary(by_locust, name):
    cwd, _ = by_locust[name]
    told = cases(cwd / "junit.xml")
    ended = [] if name == "met" else ["failure"]
    assert [told[text] for text, _ in results(run_folder(cwd))] == [ended] * (3 if name == "met" else 1)
    assert "\nrequests.answered,8," in (cwd / "metrics.csv").read_text()
    summary = (cwd / "summary").read_text()
    assert (summary.startswith("## 127"), summary.count("\n## ")) == (True, 0)
    assert ("3 thresholds, all met" if name == "met" else "1 threshold, 1 missed") in summary


def test_locust_that_is_ended_before_its_load_says_so_in_its_exit_code_in_junit_and_in_the_summary(by_locust):
    cwd, found = by_locust["alone"]
    printed = (cwd / "printed.txt").read_text()
    assert found == 130, printed
    assert "Interrupted before the load began" in printed
    assert cases(cwd / "junit.xml") == {"the run was made": ["error"]}
    assert (cwd / "summary").read_text().endswith(": no verdict\n\nLocust ended before the load began\n\n")


def test_locust_refuses_at_its_start_what_could_not_be_written_at_the_end(tmp_path):
    words = locust("--master-bind-port", "0", "--host", "http://127.0.0.1:1", cwd=tmp_path)
    with started(*words, "--export", "nowhere/junit.xml", cwd=tmp_path) as master:
        assert master.wait(timeout=60) == 2
    assert "--export nowhere/junit.xml: nowhere is no folder" in (tmp_path / "printed.txt").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["printed.txt"]


def test_parts_of_a_loads_goals_keep_their_word(tmp_path):
    """Locust patches a whole process, so what needs no server is looked at in one of its own."""
    parts = Path(__file__).parent / "load_goals_parts.py"
    done = subprocess.run([sys.executable, str(parts)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all kept" in done.stdout
