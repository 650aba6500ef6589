"""A load that is not begun: Locust is stopped, the reason is kept, and the run that is still ending is left alone."""

import json
import os
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from command import ENDS_S, run_folder, wait_until
from test_by_hand import ByHand, fetch

REFUSALS = ("-f", str(Path(__file__).parent / "refusal_locustfile.py"))
TOO_SOON = "the run before has not ended yet: start again when its verdict is there"


def refusal(hand):
    return fetch(f"http://127.0.0.1:{hand.web}/refusal")


def is_judging(master):
    return any("report" in child.cmdline() for child in psutil.Process(master.pid).children())


def frozen(process):
    os.kill(process.pid, signal.SIGSTOP)
    return lambda: os.kill(process.pid, signal.SIGCONT)


@contextmanager
def at_the_end_too(undo):
    """Calls it at the end, whatever happened; the test calls it before."""
    try:
        yield undo
    finally:
        undo()


@pytest.mark.live
def test_a_start_while_a_run_is_ending_is_refused_stops_locust_and_cuts_nothing(tmp_path):
    with ExitStack() as stack:
        hand = ByHand(stack, tmp_path, workers=1, master=REFUSALS)
        assert refusal(hand) == "none"
        assert hand.swarm(requests=40, within=0, hold=1, path="/", timeout="")["success"]
        wait_until(lambda: is_judging(hand.master), "the verdict to be made")
        # Locust has stopped a test when the last worker says that its users are gone: this one says it late.
        thaw = stack.enter_context(at_the_end_too(frozen(hand.workers[0])))
        wait_until(lambda: hand.printed("master").count("Report ") == 1, "the verdict")
        wait_until(lambda: hand.stats()["state"] == "stopping", "Locust to stop the test", ENDS_S)
        assert hand.swarm(requests=40, within=0, hold=1, path="/", timeout="")["success"]
        thaw()
        wait_until(lambda: refusal(hand) == TOO_SOON, "the refusal")
        wait_until(lambda: hand.stats()["state"] == "stopped", "Locust to be at rest", ENDS_S)
        assert "The run before has not ended yet" in hand.printed("master")
        first = json.loads((run_folder(tmp_path / "master") / "run.json").read_text())
        assert (first["status"], first["problems"]) == ("complete", [])
        assert not hand.swarm(requests=0, within=0, hold=1, path="/", timeout="")["success"]
        wait_until(lambda: refusal(hand).startswith("--requests 0: give a whole number"), "why the plan will not do")
        wait_until(lambda: hand.stats()["state"] == "stopped", "Locust to stop the test", ENDS_S)
        assert hand.swarm(requests=20, within=0, hold=0.1, path="/", timeout="")["success"]
        wait_until(lambda: hand.printed("master").count("Report ") == 2, "the next verdict")
        assert refusal(hand) == "none"
