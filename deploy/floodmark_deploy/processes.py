"""Finding and ending processes by session or by environment, from /proc (proc(5)). Starts nothing, knows no target.

Standard library only, and nothing of floodmark: the keeper runs it without site-packages.
"""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

SCAN_PAUSE_S = 0.02
"""Between two looks at /proc while waiting for processes to end; one look costs some 30 us per process."""

CLEAR_UP_S = 0.5
"""How much longer than the others those live that ignore SIGTERM; Python's resource tracker needs 10 ms."""

_ENDED_STATES = frozenset("ZXx")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessNote:
    """One living process. `started_ticks` (field 22 of stat) tells it from a later one with the same id."""

    pid: int
    session: int
    started_ticks: int
    words: str

    def __str__(self) -> str:
        """``123 (python app.py)``, as errors name a process."""
        return f"{self.pid} ({self.words})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which processes to look for: in one of the `sessions`, or one of the `marks` (NAME=value) in the environment.

    A process that exits loses its environment before its files and sockets, and keeps its session to the end.
    `skip` are process ids that are never meant.
    """

    sessions: frozenset[int] = frozenset()
    marks: frozenset[str] = frozenset()
    skip: frozenset[int] = frozenset()

    def find(self) -> tuple[ProcessNote, ...]:
        """All that live now. Zombies do not: they hold nothing but their id."""
        marks = frozenset(mark.encode() for mark in self.marks)
        pids = (pid for pid in _pids() if pid not in self.skip)
        notes = (note for note in map(read_process, pids) if note is not None)
        return tuple(
            note for note in notes if note.session in self.sessions or not marks.isdisjoint(_environ(note.pid))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What is used of /proc/<pid>/stat."""

    name: str
    state: str
    session: int
    threads: int
    started_ticks: int

    @property
    def ended(self) -> bool:
        """True for a zombie. One whose first thread alone has ended is none: the others run on and hold its files."""
        return self.state in _ENDED_STATES and self.threads <= 1


def parse_stat(text: str) -> Stat:
    """The fields out of the one line; the name in brackets may itself contain spaces and brackets."""
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    return Stat(
        name=head.partition("(")[2],
        state=fields[0],
        session=int(fields[3]),
        threads=int(fields[17]),
        started_ticks=int(fields[19]),
    )


def read_process(pid: int) -> ProcessNote | None:
    """The process, or None where it has ended, be it between two lines of this function."""
    try:
        stat = parse_stat((PROC / str(pid) / "stat").read_text(errors="replace"))
        words = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    if stat.ended:
        return None
    line = words.replace(b"\0", b" ").decode(errors="replace").strip()
    return ProcessNote(pid=pid, session=stat.session, started_ticks=stat.started_ticks, words=line or f"[{stat.name}]")


def send_signal(note: ProcessNote, number: int) -> None:
    """Signals exactly this process: never a later one that was given the same id."""
    try:
        handle = os.pidfd_open(note.pid)
    except ProcessLookupError:
        return
    try:
        now = read_process(note.pid)
        if now is not None and now.started_ticks == note.started_ticks:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def wait_gone(
    wanted: Wanted, *, timeout_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[ProcessNote, ...]:
    """Waits until none of the wanted lives, and returns those that still do after `timeout_s`."""
    deadline_s = clock() + timeout_s
    while left := wanted.find():
        if clock() >= deadline_s:
            return left
        sleep(SCAN_PAUSE_S)
    return ()


def kill_all(
    wanted: Wanted, *, timeout_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[ProcessNote, ...]:
    """Likewise, with SIGKILL at each look, so that children forked meanwhile are met too.

    Those that ignore SIGTERM come last: one may be there to clear up after the others, as Python's resource tracker is,
    which removes their semaphores from /dev/shm when they have ended (multiprocessing.resource_tracker).
    """
    deadline_s = clock() + timeout_s
    patient_s = clock() + CLEAR_UP_S
    while left := wanted.find():
        hearing = [note for note in left if not _ignores_sigterm(note.pid)]
        if hearing:
            patient_s = min(clock() + CLEAR_UP_S, deadline_s - CLEAR_UP_S)
        for note in left if clock() >= patient_s else hearing:
            send_signal(note, signal.SIGKILL)
        if clock() >= deadline_s:
            return left
        sleep(SCAN_PAUSE_S)
    return ()


def _pids() -> Iterator[int]:
    return (int(path.name) for path in PROC.iterdir() if path.name.isdecimal())


def _environ(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def _ignores_sigterm(pid: int) -> bool:
    """From the mask of ignored signals, SigIgn; bit 0 is signal 1."""
    try:
        text = (PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:  # it has ended
        return False
    masks = (line.split()[1] for line in text.splitlines() if line.startswith("SigIgn:"))
    return bool(int(next(masks, "0"), 16) >> (signal.SIGTERM - 1) & 1)
