"""The shell of this very host: processes started, found and ended here. It knows nothing of what they do."""

import logging
import os
import secrets
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.confine import confined
from floodmark_deploy.keeper import Keeper
from floodmark_deploy.private_folder import PrivateFolder
from floodmark_deploy.processes import ProcessNote, Wanted, kill_all, send_signal, wait_gone
from floodmark_deploy.shell import JOB_VARIABLE, RUN_VARIABLE, Command

_LOG = logging.getLogger(__name__)

KILL_TIMEOUT_S = 5.0
"""SIGKILL works at once, except on a process in an uninterruptible wait (a dead network disk)."""

CLOSE_TIMEOUT_S = 2.0
"""What `LocalShell.close` allows those that nobody stopped."""

TAIL_BYTES = 65_536
"""How much of a log's end is read for its last lines."""


class LocalJob:
    """A process started by `LocalShell`.

    The ended first process is left a zombie until `stop`: as long as it is there, the kernel gives its id to no other
    process or session, so that what is found by session is ours.
    """

    def __init__(self, command: Command, mark: str, shell: "LocalShell") -> None:
        """Starts the command."""
        self.command = command
        self._mark = mark
        self._shell = shell
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - starting what a target file says is this class' purpose
                confined(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=command.cwd,
                env={**os.environ, **command.env, RUN_VARIABLE: command.marker, JOB_VARIABLE: mark},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The first process, which leads the session."""
        return self._process.pid

    @property
    def stopped(self) -> bool:
        """True once `stop` has gone through."""
        return self._process.returncode is not None

    def poll(self) -> int | None:
        """See `Job.poll`."""
        if self.stopped:
            return self._process.returncode
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def stop(self, timeout_s: float) -> None:
        """See `Job.stop`."""
        if self.stopped:
            return
        wanted = Wanted(sessions=frozenset({self.pid}), marks=frozenset({f"{JOB_VARIABLE}={self._mark}"}))
        self._shell.end(wanted, timeout_s)
        self._process.wait(KILL_TIMEOUT_S)
        self._shell.keeper.tell(f"forget {self.pid}")
        _LOG.debug("process %d and what it started are ended", self.pid)

    def tail(self, lines: int) -> tuple[str, ...]:
        """See `Job.tail`."""
        with self.command.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = log.read().decode(errors="replace")
        return tuple(deque(text.splitlines(), maxlen=lines))


class LocalShell:
    """This host. Close it, or use it in a ``with``: what still runs is ended then.

    If this process is killed before, its keeper ends what still runs and removes the folders.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Starts the keeper."""
        self._clock = clock
        self._sleep = sleep
        self._jobs: list[LocalJob] = []
        self._markers: set[str] = set()
        self.keeper = Keeper()

    def __enter__(self) -> Self:
        """For a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def start(self, command: Command) -> LocalJob:
        """See `Shell.start`."""
        if command.marker not in self._markers:
            self.keeper.tell(f"mark {RUN_VARIABLE}={command.marker}")
            self._markers.add(command.marker)
        try:
            job = LocalJob(command, f"{command.marker}.{secrets.token_hex(4)}", self)
        except OSError as error:
            place = f" in {command.cwd}" if command.cwd else ""
            raise FloodmarkError(
                f"{command.argv[0]!r} cannot be started{place}: {error.filename or ''} {error.strerror}"
            ) from None
        self.keeper.tell(f"session {job.pid}")
        self._jobs.append(job)
        _LOG.info("started process %d, which logs to %s: %s", job.pid, command.log, tuple(command.argv))
        return job

    def leftovers(self, marker: str) -> tuple[ProcessNote, ...]:
        """See `Shell.leftovers`."""
        return self._wanted(marker).find()

    def sweep(self, marker: str, timeout_s: float) -> None:
        """See `Shell.sweep`."""
        self.end(self._wanted(marker), timeout_s)
        for job in self._running(marker):
            job.stop(timeout_s)

    def private_folder(self, path: Path | None = None) -> AbstractContextManager[Path]:
        """See `Shell.private_folder`."""
        return PrivateFolder(path, self.keeper.tell)

    def close(self) -> None:
        """Ends what still runs and sends the keeper away. Harmless when repeated."""
        for marker in self._markers:
            self.sweep(marker, CLOSE_TIMEOUT_S)
        self.keeper.leave()

    def end(self, wanted: Wanted, timeout_s: float) -> None:
        """SIGTERM once, `timeout_s` to follow it, then SIGKILL. Raises `FloodmarkError` for those that still live."""
        for note in wanted.find():
            send_signal(note, signal.SIGTERM)
        wait_gone(wanted, timeout_s=timeout_s, clock=self._clock, sleep=self._sleep)
        left = kill_all(wanted, timeout_s=KILL_TIMEOUT_S, clock=self._clock, sleep=self._sleep)
        if left:
            raise FloodmarkError(
                f"not even SIGKILL ends {', '.join(map(str, left))}; the kernel holds it (see its stack)"
            )

    def _running(self, marker: str) -> list[LocalJob]:
        return [job for job in self._jobs if job.command.marker == marker and not job.stopped]

    def _wanted(self, marker: str) -> Wanted:
        return Wanted(
            sessions=frozenset(job.pid for job in self._running(marker)),
            marks=frozenset({f"{RUN_VARIABLE}={marker}"}),
            skip=frozenset({os.getpid()}),
        )
