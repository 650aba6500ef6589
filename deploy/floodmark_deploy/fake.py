"""A shell without a host, for tests of those who use one: programs are scripts of the test, no process is started."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.private_folder import PrivateFolder
from floodmark_deploy.processes import ProcessNote
from floodmark_deploy.shell import Command

FIRST_PID = 1_000
"""Fake process ids begin here, so that a test sees at once what they are."""

TERMINATED = -15
"""The exit code of a process that SIGTERM ended."""


def _nothing(_: Command) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeProgram:
    """What a program does: prints `prints`, and ends at once with `exit_code`, or runs until stopped where it is None.

    `on_start` and `on_stop` are called with the command, so that a test can listen on a port meanwhile.
    """

    prints: tuple[str, ...] = ()
    exit_code: int | None = None
    on_start: Callable[[Command], None] = _nothing
    on_stop: Callable[[Command], None] = _nothing


class FakeJob:
    """A started `FakeProgram`; `end` ends it as its own doing."""

    def __init__(self, pid: int, command: Command, program: FakeProgram) -> None:
        """Starts it."""
        self._pid = pid
        self.command = command
        self._program = program
        self._exit_code = program.exit_code
        with command.log.open("a", encoding="utf-8") as log:
            log.writelines(f"{line}\n" for line in program.prints)
        program.on_start(command)

    @property
    def pid(self) -> int:
        """See `Job.pid`."""
        return self._pid

    @property
    def note(self) -> ProcessNote:
        """As `leftovers` shows it."""
        return ProcessNote(pid=self.pid, session=self.pid, started_ticks=0, words=" ".join(self.command.argv))

    def poll(self) -> int | None:
        """See `Job.poll`."""
        return self._exit_code

    def end(self, exit_code: int) -> None:
        """The program ends by itself."""
        self._exit_code = exit_code

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - a fake ends at once
        """See `Job.stop`."""
        if self._exit_code is None:
            self._exit_code = TERMINATED
            self._program.on_stop(self.command)

    def tail(self, lines: int) -> tuple[str, ...]:
        """See `Job.tail`."""
        text = self.command.log.read_text(encoding="utf-8").splitlines()
        return tuple(text[len(text) - min(lines, len(text)) :])


class FakeShell:
    """A host whose programs are given by the test: the first word of a command names one of `programs`."""

    def __init__(self, programs: dict[str, FakeProgram]) -> None:
        """Nothing runs yet."""
        self._programs = programs
        self._pids = itertools.count(FIRST_PID)
        self.jobs: list[FakeJob] = []

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every command started, in order."""
        return tuple(job.command for job in self.jobs)

    def start(self, command: Command) -> FakeJob:
        """See `Shell.start`."""
        program = self._programs.get(command.argv[0])
        if program is None:
            raise FloodmarkError(f"{command.argv[0]!r} cannot be started: No such file or directory")
        job = FakeJob(next(self._pids), command, program)
        self.jobs.append(job)
        return job

    def leftovers(self, marker: str) -> tuple[ProcessNote, ...]:
        """See `Shell.leftovers`."""
        return tuple(job.note for job in self._running(marker))

    def sweep(self, marker: str, timeout_s: float) -> None:
        """See `Shell.sweep`."""
        for job in self._running(marker):
            job.stop(timeout_s)

    @staticmethod
    def private_folder(path: Path | None = None) -> AbstractContextManager[Path]:
        """See `Shell.private_folder`; there is no keeper here."""
        return PrivateFolder(path)

    def _running(self, marker: str) -> list[FakeJob]:
        return [job for job in self.jobs if job.command.marker == marker and job.poll() is None]
