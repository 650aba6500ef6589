"""What it takes to run a process on a host and take it away again. A seam only: `LocalShell` and `FakeShell` fill it.

A process that was started here can be found in two ways: by its session (each command leads one of its own) and by the
environment that its descendants inherit. Both are needed: a daemon leaves the session, and some servers write their
title over their environment. What a run needs on disk for its time only is in folders that go with it.
"""

import dataclasses
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from floodmark_deploy.processes import ProcessNote

RUN_VARIABLE = "FLOODMARK_RUN"
"""Environment of every started process and its descendants: the marker of the run that they belong to."""

JOB_VARIABLE = "FLOODMARK_JOB"
"""Environment likewise: which one command of the run they come from. Made up by the shell, unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to start in the foreground.

    `env` is added to the host's environment. stdout and stderr are appended to `log`. `nofile` is RLIMIT_NOFILE, soft
    and hard; `nproc` is how many processes and threads there may be of it at once. `marker` names the run.
    """

    argv: tuple[str, ...]
    log: Path
    marker: str
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    cwd: str | None = None
    nofile: int | None = None
    nproc: int | None = None


class Job(Protocol):
    """One started command and everything that came of it."""

    @property
    def pid(self) -> int:
        """The first process; stays taken until `stop`, even when that process has ended."""

    def poll(self) -> int | None:
        """The first process' exit code, minus the signal's number where a signal ended it; None while it runs."""

    def stop(self, timeout_s: float) -> None:
        """Ends the process and all its descendants: SIGTERM, and SIGKILL for those left after `timeout_s`.

        Harmless when repeated. Raises `FloodmarkError` naming processes that even SIGKILL does not end.
        """

    def tail(self, lines: int) -> tuple[str, ...]:
        """The last lines of its log, without line ends."""


class Shell(Protocol):
    """A host to run commands on."""

    def start(self, command: Command) -> Job:
        """Starts a command. Raises `FloodmarkError` where it cannot be started."""

    def leftovers(self, marker: str) -> tuple[ProcessNote, ...]:
        """Every living process of the run `marker`."""

    def sweep(self, marker: str, timeout_s: float) -> None:
        """Ends every process of the run `marker`, as `Job.stop` does."""

    def private_folder(self, path: Path | None = None) -> AbstractContextManager[Path]:
        """A new folder of mode 0700; gone at the end with all that is in it, also when Floodmark is killed.

        `path` None: anywhere, and not where runs are kept. Raises `FloodmarkError` where it cannot be made.
        """
