"""The command line as a user runs it: a process of its own, in a folder of its own, with nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from validity import OF_SPEED, failed_checks

from floodmark_deploy.port import free_port

SERVERS = Path(__file__).parent / "servers"
TIMEOUT_S = 150

ENDS_S = 45
"""For an end, once it is asked for or due: less than the minute after which Locust would give its workers up."""


def floodmark(*words: str, cwd: Path, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Runs `floodmark` to its end."""
    command = [sys.executable, "-m", "floodmark", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)


def measured(*words: str, cwd: Path) -> dict[str, Any]:
    """The verdict of a run that may have come late, and is right in everything else."""
    found = verdict(*words, cwd=cwd, codes=(0, 3))
    assert failed_checks(found) <= OF_SPEED
    return found


def verdict(*words: str, cwd: Path, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Runs `floodmark run ... --json -`; the verdict must be all that is on stdout."""
    done = floodmark("run", *words, "--json", "-", cwd=cwd)
    assert done.returncode in codes, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def started(*words: str, cwd: Path, temporary: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Starts a command and ends it with SIGKILL at the latest; what it prints goes to a file in `cwd`.

    Its temporary files, too, where no folder is given for them: Locust puts a locustfile that its master gave it there
    by its name, and of two workers at once the one would read what the other has half written.
    """
    with (cwd / "printed.txt").open("w") as printed:
        env = {**os.environ, "TMPDIR": str(temporary or cwd)}
        process = subprocess.Popen(words, cwd=cwd, env=env, stdout=printed, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def own_server(script: str, *words: str, host: str = "127.0.0.1", cwd: Path) -> Iterator[int]:
    """A server of a user's own, running already; yields its port."""
    port = free_port(host)
    with started(sys.executable, str(SERVERS / script), str(port), *words, host, cwd=cwd):
        wait_until(lambda: listens(host, port), f"a server on port {port}")
        yield port


def listens(host: str, port: int) -> bool:
    """True where a connection is taken."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 90) -> None:
    """Returns when the condition holds; fails the test at the deadline."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)


def run_folder(cwd: Path) -> Path:
    """The one run folder below ``runs/``."""
    (folder,) = (cwd / "runs").iterdir()
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    """The run's manifest."""
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def living(marker: str) -> list[str]:
    """Command lines of processes that carry a run's marker, whoever started them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if f"FLOODMARK_RUN={marker}".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> int:
    """Sends what Ctrl-C sends, and returns the exit code: a few seconds later, or more where the machine is busy."""
    process.send_signal(number)
    return process.wait(timeout=ENDS_S)
