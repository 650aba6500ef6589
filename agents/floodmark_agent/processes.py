"""The target's processes at one instant: threads, open files, memory, CPU. ``target.py`` knows which these are."""

import os
from collections.abc import Iterable

from floodmark.core.sample import ProcessSample
from floodmark_agent.proc import ROOT, list_numbers, read_text
from floodmark_agent.process_stat import ProcessStat, parse_stat

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_Threads = frozenset[int]


class ProcessReader:
    """Reads processes one after the other, and remembers each one's thread ids from one sample to the next."""

    def __init__(self, proc: str = ROOT) -> None:
        self._proc = proc
        self._threads: dict[tuple[int, int], _Threads] = {}
        self._counts_open_files = counts_open_files(proc)

    def read(self, pids: Iterable[int]) -> tuple[ProcessSample, ...]:
        """Those of `pids` that are alive, in order of id. Zombies run nothing and hold nothing: they are left out."""
        before, self._threads = self._threads, {}
        return tuple(sample for pid in sorted(pids) if (sample := self._read_one(pid, before)) is not None)

    def _read_one(self, pid: int, before: dict[tuple[int, int], _Threads]) -> ProcessSample | None:
        text = read_text(f"{self._proc}/{pid}/stat")
        if text is None or (stat := parse_stat(text)).is_zombie:
            return None
        started, ended = self._count_threads(pid, stat, before)
        return ProcessSample(
            pid=pid,
            parent=stat.parent,
            name=stat.name,
            threads=stat.threads,
            threads_started=started,
            threads_ended=ended,
            open_files=self._open_files(pid),
            rss_bytes=parse_resident_bytes(read_text(f"{self._proc}/{pid}/statm")),
            cpu_s=stat.cpu_s,
        )

    def _count_threads(self, pid: int, stat: ProcessStat, before: dict[tuple[int, int], _Threads]) -> tuple[int, int]:
        key = (pid, stat.start_ticks)
        known = before.get(key, frozenset())
        if stat.threads == 1 and known == {pid}:
            # One thread now and the same one before. One that came and went in between is never seen, listed or not.
            self._threads[key] = known
            return 0, 0
        listed = list_numbers(f"{self._proc}/{pid}/task")
        now = known if listed is None else frozenset(listed)
        self._threads[key] = now
        return len(now - known), len(known - now)

    def _open_files(self, pid: int) -> int | None:
        path = f"{self._proc}/{pid}/fd"
        if not self._counts_open_files:
            descriptors = list_numbers(path)
            return None if descriptors is None else len(descriptors)
        try:
            return os.stat(path).st_size  # noqa: PTH116  Path costs more than the call, and this is per beat
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None


def counts_open_files(proc: str = ROOT) -> bool:
    """Whether this kernel says the number of descriptors as the folder's size: Linux 6.2 and later, zero before."""
    try:
        return os.stat(f"{proc}/self/fd").st_size > 0  # noqa: PTH116  as above
    except OSError:
        return False


def parse_resident_bytes(statm: str | None) -> int | None:
    """The second field of ``/proc/<pid>/statm``, pages in memory, as bytes."""
    fields = (statm or "").split()
    return int(fields[1]) * _PAGE_BYTES if len(fields) > 1 and fields[1].isdecimal() else None
