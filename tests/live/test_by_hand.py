"""The same by hand: `locust -f locustfiles/burst.py --master`, workers, an agent, a target, and Locust's web UI."""

import json
import signal
import socket
import sys
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import ENDS_S, own_server, run_folder, started, wait_until
from validity import OF_SPEED, failed_checks

from floodmark_deploy.port import free_port

BURST = Path(__file__).parents[2] / "locustfiles" / "burst.py"
LOCUST = (sys.executable, "-m", "locust", "-f")


def fetch(url, form=None, timeout_s=60):
    data = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, data=data, timeout=timeout_s) as answer:  # noqa: S310 - our own loopback
        return answer.read().decode()


class ByHand:
    """A master with its web UI, workers, an agent and a target, each started as a user would."""

    def __init__(self, stack, cwd, *, workers, agent=True, agent_port=None, master=()):  # noqa: PLR0913 - all by name
        self._stack = stack
        self.cwd = cwd
        self.bus, self.web = free_port("127.0.0.1"), free_port("127.0.0.1")
        self.target = stack.enter_context(own_server("pool_server.py", "8", "1", cwd=self.folder("target")))
        bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(self.bus))
        host = ("--host", f"http://127.0.0.1:{self.target}")
        ui = () if "--headless" in master else ("--web-host", "127.0.0.1", "--web-port", str(self.web))
        self.master = self.start("master", *LOCUST, str(BURST), "--master", *bind, *host, *ui, *master)
        if agent:
            words = ("--master", f"127.0.0.1:{self.bus}", "--port", str(agent_port or self.target))
            self.agent = self.start("agent", sys.executable, "-m", "floodmark_agent", *words)
        if not ui:
            self.start_workers(workers)
            return
        wait_until(self.answers, "the web UI")
        # The agent is the first to speak: with no worker connected, the start page must still be the start page.
        if agent:
            wait_until(lambda: "has joined" in self.printed("master"), "the agent to join")
        assert self.stats()["state"] == "ready"
        self.start_workers(workers)
        wait_until(lambda: len(self.stats().get("workers", [])) == workers, "the workers")

    def start_workers(self, workers):
        where = ("--worker", "--master-host", "127.0.0.1", "--master-port", str(self.bus))
        self.workers = [self.start(f"worker-{number}", *LOCUST, "-", *where) for number in range(workers)]

    def folder(self, name):
        path = self.cwd / name
        path.mkdir()
        return path

    def start(self, name, *words):
        return self._stack.enter_context(started(*words, cwd=self.folder(name)))

    def printed(self, name):
        return (self.cwd / name / "printed.txt").read_text()

    def answers(self):
        try:
            return self.stats()
        except OSError:
            return None

    def stats(self):
        return json.loads(fetch(f"http://127.0.0.1:{self.web}/stats/requests"))

    def swarm(self, **form):
        return json.loads(fetch(f"http://127.0.0.1:{self.web}/swarm", form))


def assert_right(cwd, code):
    """The run was measured; how busy this machine was does not matter."""
    assert code in (0, 3)
    failed = failed_checks(json.loads((run_folder(cwd) / "verdict.json").read_text()))
    assert failed <= OF_SPEED
    assert bool(failed) == (code == 3)


@pytest.mark.live
def test_the_start_form_has_the_bursts_options_and_the_run_ends_in_the_same_folder_and_verdict(tmp_path):
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=2)
        page = fetch(f"http://127.0.0.1:{hand.web}/")
        for option in ("requests", "within", "hold", "timeout", "path"):
            assert f'"{option}": {{"default_value"' in page
        assert hand.swarm(requests=200, within=0, hold=1, path="/", timeout="")["success"]
        wait_until(lambda: "Report" in hand.printed("master"), "the verdict")
        wait_until(lambda: hand.stats()["state"] == "stopped", "Locust to stop the test", ENDS_S)
        folder = run_folder(tmp_path / "master")
        assert hand.stats()["stats"][0]["num_requests"] >= 16
    assert {path.name for path in folder.iterdir()} >= {"run.json", "hits.jsonl", "samples.jsonl", "report.html"}
    found = json.loads((folder / "verdict.json").read_text())
    assert sum(found["outcomes"].values()) == 200
    assert found["verdict"]["in_service"]["ceiling"] == 8
    assert found["verdict"]["waiting"]["unread"]["peak"] == 192
    assert failed_checks(found) <= OF_SPEED
    assert "handles 8 requests at once" in hand.printed("master")


@pytest.mark.live
def test_a_second_run_follows_the_first_without_a_restart_and_a_bad_plan_is_one_line(tmp_path):
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=1)
        for number in (1, 2):
            assert hand.swarm(requests=40, within=0, hold=1, path="/", timeout="")["success"]
            wait_until(lambda n=number: hand.printed("master").count("Report ") == n, "the verdict")
            wait_until(lambda: hand.stats()["state"] == "stopped", "Locust to stop the test", ENDS_S)
        assert not hand.swarm(requests=0, within=0, hold=1, path="/", timeout="")["success"]
        wait_until(lambda: "--requests 0: give a whole number" in hand.printed("master"), "the refusal")
    assert len(list((tmp_path / "master" / "runs").iterdir())) == 2


@pytest.mark.live
def test_a_run_stopped_in_the_web_ui_is_kept_as_interrupted(tmp_path):
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=1)
        assert hand.swarm(requests=100, within=0, hold=8, path="/", timeout="")["success"]
        wait_until(lambda: "Fire in" in hand.printed("master"), "the release")
        folder = run_folder(tmp_path / "master")
        wait_until((folder / "pulses.jsonl").exists, "the load")
        fetch(f"http://127.0.0.1:{hand.web}/stop", {})
        wait_until(lambda: '"interrupted"' in (folder / "run.json").read_text(), "the run to be closed")
        assert (folder / "hits.jsonl").read_text().count("\n") == 101


@pytest.mark.live
def test_a_load_is_released_when_connections_of_before_are_gone(tmp_path):
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=1)
        left = [socket.create_connection(("127.0.0.1", hand.target)) for _ in range(4)]
        assert hand.swarm(requests=8, within=0, hold=1, path="/", timeout="")["success"]
        wait_until(lambda: "The server still has 4 connections of before" in hand.printed("master"), "the wait")
        assert "Fire in" not in hand.printed("master")
        for connection in left:
            connection.close()
        wait_until(lambda: "Fire in" in hand.printed("master"), "the release")
        assert "the load goes on beside these" not in hand.printed("master")


@pytest.mark.live
def test_without_an_agent_the_run_says_what_to_start(tmp_path):
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=1, agent=False)
        assert hand.swarm(requests=40, within=0, hold=1, path="/", timeout="")["success"]
        wait_until(lambda: "floodmark-agent --port" in hand.printed("master"), "the hint")
        wait_until(lambda: hand.stats()["state"] == "stopped", "Locust to stop the test", ENDS_S)


@pytest.mark.live
def test_headless_the_master_prints_the_verdict_and_ends_with_its_exit_code(tmp_path):
    plan = ("--requests", "40", "--hold", "1", "--path", "/")
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=2, master=("--headless", "--expect-workers", "2", *plan))
        wait_until(lambda: "Report " in hand.printed("master"), "the verdict")
        assert_right(tmp_path / "master", hand.master.wait(timeout=ENDS_S))
        assert "handles 8 requests at once" in hand.printed("master")


@pytest.mark.live
def test_headless_without_an_agent_the_run_counts_less_and_claims_no_ceiling(tmp_path):
    plan = ("--requests", "40", "--hold", "1", "--path", "/", "--expect-agents", "0")
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=1, agent=False, master=("--headless", "--expect-workers", "1", *plan))
        wait_until(lambda: "Report " in hand.printed("master"), "the verdict")
        assert_right(tmp_path / "master", hand.master.wait(timeout=ENDS_S))
        printed = " ".join(hand.printed("master").split())
        assert "had at least 8 requests in service at once" in printed


@pytest.mark.live
def test_a_worker_that_is_ended_in_the_middle_makes_the_run_invalid_and_is_named(tmp_path):
    plan = ("--requests", "60", "--hold", "4", "--path", "/")
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=2, master=("--headless", "--expect-workers", "2", *plan))
        wait_until(lambda: list((tmp_path / "master").glob("runs/*/pulses.jsonl")), "the load")
        hand.workers[0].send_signal(signal.SIGTERM)
        wait_until(lambda: "Report " in hand.printed("master"), "the verdict")
        assert hand.master.wait(timeout=ENDS_S) == 3
        assert "ended before its time" in hand.printed("master") or "was lost" in hand.printed("master")
        assert json.loads((run_folder(tmp_path / "master") / "run.json").read_text())["status"] == "complete"


@pytest.mark.live
def test_an_agent_that_watches_another_port_is_refused_before_the_load(tmp_path):
    plan = ("--requests", "20", "--hold", "1", "--path", "/")
    with ExitStack() as stack:
        other = stack.enter_context(own_server("loop_server.py", "1", cwd=tmp_path))
        master = ("--headless", "--expect-workers", "1", *plan)
        hand = ByHand(stack, tmp_path, workers=1, agent_port=other, master=master)
        assert hand.master.wait(timeout=60) == 1
        assert f"watches port {other}, and the load goes to port {hand.target}" in hand.printed("master")
