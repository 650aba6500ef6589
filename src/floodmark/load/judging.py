"""Verdicts from the master, each made by `floodmark report` in a process of its own: this one is gevent-patched."""

import json
import sys
from dataclasses import dataclass

from gevent import subprocess

from floodmark.core.errors import ClusterError, InterruptedRunError, InvalidRunError
from floodmark.core.outcomes import Outcome

_JUDGED_CODES = (0, InvalidRunError.exit_code, InterruptedRunError.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search needs of one burst's verdict: `peak` and `ceiling` in service, requests answered."""

    valid: bool
    peak: int
    ceiling: int | None
    answered: int


def judge_by_command(folder: str) -> int:
    """Prints a run folder's verdict and returns the exit code for it."""
    return int(subprocess.run(_report(folder), check=False).returncode)


def found_by_command(folder: str) -> Found:
    """Judges a run folder without printing. Raises `ClusterError` where that fails."""
    done = subprocess.run([*_report(folder), "--json", "-"], check=False, capture_output=True, text=True)
    if done.returncode not in _JUDGED_CODES:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ClusterError(f"{folder} could not be judged: {last}")
    document = json.loads(done.stdout)
    outcomes = document["outcomes"]
    return Found(
        valid=document["validity"]["ok"],
        peak=document["verdict"]["in_service"]["peak"],
        ceiling=document["verdict"]["in_service"]["ceiling"],
        answered=outcomes.get(Outcome.ANSWERED, 0),
    )


def _report(folder: str) -> list[str]:
    return [sys.executable, "-m", "floodmark", "report", folder]
