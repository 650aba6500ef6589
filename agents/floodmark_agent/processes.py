"""The target's processes at one instant: threads, open files, memory, CPU. ``target.py`` knows which these are."""

import os
from collections.abc import Iterable

from floodmark.core.sample import ProcessSample
from floodmark_agent.proc import ROOT, KeptFile, ProcessIds, list_numbers
from floodmark_agent.process_stat import ProcessStat, parse_stat

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Two descriptors each: together fewer than any usual limit on open files.
_KEPT_PROCESSES = 200


class ProcessReader:
    """Reads processes one after the other, and remembers each one's thread ids from one sample to the next."""

    def __init__(self, proc: str = ROOT) -> None:
        self._proc = proc
        self._known: dict[int, _Process] = {}
        self._ids = ProcessIds(proc)
        self._counts_open_files = counts_open_files(proc)

    def read(self, pids: Iterable[int]) -> tuple[ProcessSample, ...]:
        """Those of `pids` that are alive, in order of id. Zombies run nothing and hold nothing: they are left out."""
        nothing_started = not self._ids.some_started()
        wanted = set(pids)
        for pid in self._known.keys() - wanted:
            self._known.pop(pid).close()
        found = [self._read_one(pid, nothing_started=nothing_started) for pid in sorted(wanted)]
        return tuple(sample for sample in found if sample is not None)

    def close(self) -> None:
        """Gives the files back."""
        self.read(())
        self._ids.close()

    def _read_one(self, pid: int, *, nothing_started: bool) -> ProcessSample | None:
        process = self._known.get(pid)
        if process is None or (content := process.stat.read()) is None:
            # Not known yet, or ended; another may have its id by now.
            process = self._begin(pid, process)
            content = process.stat.read()
        if content is None or (stat := parse_stat(content.decode("utf-8", "backslashreplace"))).is_zombie:
            return None
        started, ended = process.count_threads(stat, nothing_started=nothing_started)
        sample = ProcessSample(
            pid=pid,
            parent=stat.parent,
            name=stat.name,
            threads=stat.threads,
            threads_started=started,
            threads_ended=ended,
            open_files=self._open_files(pid),
            rss_bytes=parse_resident_bytes(process.statm.read()),
            cpu_s=stat.cpu_s,
        )
        if len(self._known) > _KEPT_PROCESSES:
            process.close()
        return sample

    def _begin(self, pid: int, ended: "_Process | None") -> "_Process":
        if ended is not None:
            ended.close()
        begun = self._known[pid] = _Process(f"{self._proc}/{pid}", pid)
        return begun

    def _open_files(self, pid: int) -> int | None:
        path = f"{self._proc}/{pid}/fd"
        if not self._counts_open_files:
            descriptors = list_numbers(path)
            return None if descriptors is None else len(descriptors)
        try:
            return os.stat(path).st_size  # noqa: PTH116  Path costs more than the call, and this is per beat
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None


class _Process:
    """What is kept of one process between two samples."""

    def __init__(self, folder: str, pid: int) -> None:
        self.stat = KeptFile(f"{folder}/stat")
        self.statm = KeptFile(f"{folder}/statm")
        self._folder = folder
        self._alone = frozenset({pid})
        self._threads: frozenset[int] = frozenset()
        self._start_ticks: int | None = None

    def count_threads(self, stat: ProcessStat, *, nothing_started: bool) -> tuple[int, int]:
        """How many threads have appeared and disappeared since the call before."""
        if stat.start_ticks != self._start_ticks:
            self._start_ticks, self._threads = stat.start_ticks, frozenset()
        known = self._threads
        if len(known) == stat.threads and (nothing_started or known == self._alone):
            # As many as before and none started: the same ones. Or the first one alone, before and now: one that came
            # and went in between is never seen, listed or not.
            return 0, 0
        listed = list_numbers(f"{self._folder}/task")
        now = known if listed is None else frozenset(listed)
        self._threads = now
        return len(now - known), len(known - now)

    def close(self) -> None:
        """Gives the files back; the next read opens them again."""
        self.stat.close()
        self.statm.close()


def counts_open_files(proc: str = ROOT) -> bool:
    """Whether this kernel says the number of descriptors as the folder's size: Linux 6.2 and later, zero before."""
    try:
        return os.stat(f"{proc}/self/fd").st_size > 0  # noqa: PTH116  as above
    except OSError:
        return False


def parse_resident_bytes(statm: bytes | None) -> int | None:
    """The second field of ``/proc/<pid>/statm``, pages in memory, as bytes.

    ``stat`` has the number too, but adds it up less exactly on hosts with many processors.
    """
    fields = (statm or b"").split()
    return int(fields[1]) * _PAGE_BYTES if len(fields) > 1 and fields[1].isdigit() else None
