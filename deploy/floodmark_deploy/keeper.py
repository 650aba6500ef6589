"""The process that outlives Floodmark by a moment: when Floodmark is gone, even by kill -9, it ends what was left.

It reads orders from a pipe whose only writer is Floodmark, so the end of the file is Floodmark's end. It starts no
process itself, and makes no folder. Orders, one a line: ``mark NAME=value``, ``session 123``, ``forget 123``,
``folder 2f746d702f61 8:123`` and ``removed 2f746d702f61`` (`KnownFolder`), ``leave``.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from floodmark_deploy.known_folder import KnownFolder
from floodmark_deploy.processes import Wanted, kill_all

QUIET_LOOKS = 5
"""Looks that must find nothing: a command that was being started when Floodmark died shows its mark only after exec."""

QUIET_PAUSE_S = 0.1

SWEEP_TIMEOUT_S = 10.0
"""A process in an uninterruptible wait does not die of SIGKILL; the keeper does not wait for it for ever."""

LEAVE_TIMEOUT_S = 5.0

_log = logging.getLogger(__name__)


class Keeper:
    """Floodmark's end of the pipe. Let it leave, or use it in a ``with``."""

    def __init__(self) -> None:
        """Starts the keeper process, in a session of its own, so that Ctrl-C does not reach it."""
        package = Path(__file__).resolve().parent
        code = (
            f"import sys; sys.path.insert(0, {str(package.parent)!r}); from {package.name}.keeper import main; main()"
        )
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-I", "-S", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={},  # a keeper must not carry an outer run's mark: its sweep would end this one too
        )

    def __enter__(self) -> Self:
        """For a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Sends it away."""
        self.leave()

    @property
    def pid(self) -> int:
        """The keeper's process id."""
        return self._process.pid

    def tell(self, order: str) -> None:
        """Sends one order. A keeper that was killed is missed with a warning: the run itself needs it not."""
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            return
        try:
            pipe.write(f"{order}\n".encode())
            pipe.flush()
        except BrokenPipeError:
            _log.warning("the keeper process %d is gone: what a kill -9 of Floodmark leaves will stay", self.pid)

    def leave(self) -> None:
        """Sends the keeper away: no process is left that it should end."""
        self.tell("leave")
        try:
            self._process.communicate(timeout=LEAVE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


class Orders:
    """What the keeper was told so far."""

    def __init__(self) -> None:
        """Knows of nothing yet."""
        self._marks: set[str] = set()
        self._sessions: set[int] = set()
        self._folders: dict[str, KnownFolder] = {}

    def read(self, lines: Iterable[str]) -> bool:
        """Reads orders until the pipe ends; True where the last word was not ``leave``, so that a sweep is due."""
        for line in lines:
            verb, _, what = line.strip().partition(" ")
            if verb == "leave":
                return False
            self._obey(verb, what)
        return True

    def _obey(self, verb: str, what: str) -> None:
        if verb == "mark":
            self._marks.add(what)
        elif verb == "session":
            self._sessions.add(int(what))
        elif verb == "forget":
            self._sessions.discard(int(what))
        elif verb == "folder":
            folder = KnownFolder.parse(what)
            self._folders[folder.path] = folder
        elif verb == "removed":
            self._folders.pop(KnownFolder.parse(what).path, None)

    @property
    def folders(self) -> tuple[KnownFolder, ...]:
        """Those to remove."""
        return tuple(self._folders.values())

    @property
    def wanted(self) -> Wanted:
        """The processes to end."""
        me = frozenset({os.getpid()})
        return Wanted(sessions=frozenset(self._sessions), marks=frozenset(self._marks), skip=me)


def main() -> None:
    """The keeper process: obeys until the pipe ends, then ends what is left.

    Folders go after the processes that write into them, and also when it is sent away: a second Ctrl-C may have cut
    short their removal by Floodmark.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # these end Floodmark; for the keeper the end of the pipe is what counts
    orders = Orders()
    if orders.read(sys.stdin):
        sweep(orders.wanted)
    for folder in orders.folders:
        with contextlib.suppress(OSError):  # nobody is there to be told
            folder.remove()


def sweep(wanted: Wanted) -> None:
    """SIGKILL for all that is found, until several looks in a row find nothing."""
    for _ in range(QUIET_LOOKS):
        kill_all(wanted, timeout_s=SWEEP_TIMEOUT_S, clock=time.monotonic, sleep=time.sleep)
        time.sleep(QUIET_PAUSE_S)
