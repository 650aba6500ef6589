"""Runs one command of the lab to its end, within a time. Words only: nothing here is read by a shell."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from floodmark.core.errors import LabError

IP_TIMEOUT_S = 20.0
"""``ip`` and ``mount`` answer within milliseconds; a kernel that is busy taking namespaces apart can take seconds."""

MARK_VARIABLE = "FLOODMARK_LAB"
"""Environment of every process that is started for a lab, on this machine's side: the lab's name."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""sudo and cron leave out the folders with debootstrap and ip."""

TAIL_LINES = 8


def lab_environment(name: str) -> dict[str, str]:
    """What the lab's commands get, and nothing of the user's but the way to the mirror."""
    kept = {key: value for key, value in os.environ.items() if key.lower() in {"http_proxy", "https_proxy", "no_proxy"}}
    return {"PATH": PATH, "LC_ALL": "C.UTF-8", **kept, MARK_VARIABLE: name}


def run(words: Sequence[str | Path], *, timeout_s: float = IP_TIMEOUT_S, env: Mapping[str, str] | None = None) -> str:
    """What the command printed. Raises `LabError` with its words and its last lines where it fails or takes longer."""
    argv = [str(word) for word in words]
    try:
        done = subprocess.run(  # noqa: S603 - the words are the lab's own
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_s,
            env=dict(env) if env is not None else lab_environment(""),
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout_s:g} s") from None
    except OSError as error:
        raise LabError(f"`{argv[0]}` cannot be started: {error.strerror}") from None
    if done.returncode:
        said = "; ".join((done.stderr or done.stdout).strip().splitlines()[-TAIL_LINES:]) or "it printed nothing"
        raise LabError(f"`{' '.join(argv)}` ended with exit code {done.returncode}: {said}")
    return done.stdout
