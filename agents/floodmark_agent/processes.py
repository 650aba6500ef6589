"""The target's processes at one instant: threads, open files, memory, CPU. ``target.py`` knows which these are.

The kernel walks all threads of a process for its CPU time (1 ms for 10,000: thread_group_cputime in
kernel/sched/cputime.c), and makes an entry for each to list them (11 ms, and 21 ms the first time). Their number, and
everything else, costs the same for any number of threads: that is read on every beat.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from floodmark.core.sample import ProcessSample
from floodmark_agent.proc import ROOT, KeptFile, ProcessIds, list_numbers
from floodmark_agent.process_stat import ProcessStat, parse_stat
from floodmark_agent.seldom import Seldom
from floodmark_agent.threads import ThreadChange, ThreadTally

FEW_THREADS = 64
"""Of so many, both are read on every beat: together some 50 us."""
CPU_SHARE = LIST_SHARE = 0.002
"""Of a core, each, over all processes with more: the CPU time of 10,000 threads is then read twice a second, their ids
every five to ten seconds."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Three descriptors each at most: together fewer than any usual limit on open files.
_KEPT_PROCESSES = 200


class ProcessReader:
    """Reads processes one after the other, and remembers each one's thread ids from one listing to the next."""

    def __init__(
        self,
        proc: str = ROOT,
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        """`cpu_clock` is what reading costs: the CPU time of the thread that calls `read`."""
        self._proc = proc
        self._clocks = clock, cpu_clock
        self._known: dict[int, _Process] = {}
        self._ids = ProcessIds(proc)
        self._counts_open_files = counts_open_files(proc)

    def read(self, pids: Iterable[int]) -> tuple[ProcessSample, ...]:
        """Those of `pids` that are alive, in order of id. Zombies run nothing and hold nothing: they are left out."""
        nothing_started = not self._ids.some_started()
        wanted = set(pids)
        for pid in self._known.keys() - wanted:
            self._known.pop(pid).close()
        dear = max(sum(process.is_dear for process in self._known.values()), 1)
        found = [self._read_one(pid, 1 / dear, nothing_started=nothing_started) for pid in sorted(wanted)]
        return tuple(sample for sample in found if sample is not None)

    def close(self) -> None:
        """Gives the files back."""
        self.read(())
        self._ids.close()

    def _read_one(self, pid: int, part: float, *, nothing_started: bool) -> ProcessSample | None:
        process = self._known.get(pid)
        if process is None or (stat := process.read_stat(part)) is None:
            # Not known yet, or ended; another may have its id by now.
            process = self._begin(pid, process)
            stat = process.read_stat(part)
        if stat is None or stat.is_zombie:
            return None
        change = process.count_threads(stat, part, nothing_started=nothing_started)
        sample = ProcessSample(
            pid=pid,
            parent=stat.parent,
            name=stat.name,
            threads=stat.threads,
            threads_started=change.started,
            threads_ended=change.ended,
            threads_listed=change.listed,
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
        begun = self._known[pid] = _Process(f"{self._proc}/{pid}", pid, *self._clocks)
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

    def __init__(self, folder: str, pid: int, clock: Callable[[], float], cpu_clock: Callable[[], float]) -> None:
        self.statm = KeptFile(f"{folder}/statm")
        self._stat = KeptFile(f"{folder}/stat")
        # The same line of the first thread alone, without the sum over all.
        self._first = KeptFile(f"{folder}/task/{pid}/stat")
        self._folder, self._pid = folder, pid
        self._clocks = clock, cpu_clock
        self._last: ProcessStat | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._cpu_time, self._listing = (Seldom(clock=self._clocks[0], cpu_clock=self._clocks[1]) for _ in range(2))
        self._tally = ThreadTally(self._pid)

    @property
    def is_dear(self) -> bool:
        """It has many threads, as last seen."""
        return self._last is not None and self._last.threads > FEW_THREADS

    def read_stat(self, part: float) -> ProcessStat | None:
        """How it is now; the CPU time of many threads is that of some beats before. None where it has ended.

        `part` is this process' own of what may be spent on dear ones.
        """
        last = self._last
        if last is not None and self.is_dear and not self._cpu_time.is_due(part * CPU_SHARE):
            stat = _parsed(self._first.read())
            if stat is not None and stat.start_ticks == last.start_ticks:
                self._last = replace(stat, cpu_s=last.cpu_s)
                return self._last
        stat = _parsed(self._cpu_time.read(self._stat.read))
        if last is not None and stat is not None and stat.start_ticks != last.start_ticks:
            self._begin_anew()
        self._last = stat
        return stat

    def count_threads(self, stat: ProcessStat, part: float, *, nothing_started: bool) -> ThreadChange:
        """How many threads have appeared and disappeared since the call before; `part` as with `read_stat`."""
        may_list = not self.is_dear or self._listing.is_due(part * LIST_SHARE)
        return self._tally.change(stat.threads, self._list if may_list else None, nothing_started=nothing_started)

    def _list(self) -> list[int] | None:
        return self._listing.read(lambda: list_numbers(f"{self._folder}/task"))

    def close(self) -> None:
        """Gives the files back; the next read opens them again."""
        for file in (self.statm, self._stat, self._first):
            file.close()


def _parsed(line: bytes | None) -> ProcessStat | None:
    return None if line is None else parse_stat(line.decode("utf-8", "backslashreplace"))


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
