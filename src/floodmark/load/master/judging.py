"""Verdicts from the master, each made by `floodmark report` in a process of its own: this one is gevent-patched."""

import json
import os
import signal
import sys
from dataclasses import dataclass

from gevent import subprocess

from floodmark.core.errors import ClusterError, InterruptedRunError, InvalidRunError
from floodmark.core.outcomes import Outcome
from floodmark.core.outputs import STEP_SUMMARY, ExportFormat, Outputs, asked_by_environment

_JUDGED_CODES = (0, InvalidRunError.exit_code, InterruptedRunError.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search needs of one burst's verdict: `peak` and `ceiling` in service, requests answered."""

    valid: bool
    peak: int
    ceiling: int | None
    answered: int


def judge_by_command(folder: str, outputs: Outputs) -> int:
    """Prints a run folder's verdict, has it handed over as was asked for, and returns the exit code for it.

    Raises `ClusterError` where a signal ended the judging: it could say nothing itself.
    """
    code = int(subprocess.run([*_report(folder), *outputs.words], check=False).returncode)
    if code < 0:
        name = signal.Signals(-code).name
        raise ClusterError(f"{name} ended the judging: `floodmark report {folder}` judges the run again")
    return code


def tell_no_verdict(target: str, words: str, outputs: Outputs, *, is_wanted: bool) -> None:
    """Has JUnit files and CI's summary say that there is no verdict, and why: else CI would find one of a run before.

    `is_wanted`: this master was to make one; else CI's summary is its caller's to write.
    """
    exports = [export.words for export in outputs.exports if export.format is ExportFormat.JUNIT]
    environ = dict(os.environ) if is_wanted else _unasked()
    if exports or environ.get(STEP_SUMMARY):
        command = [sys.executable, "-m", "floodmark.report.formats.no_verdict", target, words, *exports]
        subprocess.run(command, check=False, env=environ)


def found_by_command(folder: str) -> Found:
    """Judges a run folder without printing. Raises `ClusterError` where that fails."""
    # CI's summary and OpenTelemetry's receiver get the run's verdict, and not each burst's of a search.
    words = [*_report(folder), "--json", "-"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=_unasked())
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


def _unasked() -> dict[str, str]:
    """The environment without the variables by which it asks for results."""
    asked = asked_by_environment(os.environ)
    return {name: value for name, value in os.environ.items() if name not in asked}
