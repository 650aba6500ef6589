"""``/proc/<pid>/stat``, parsed: the fields that the agent uses, named. It reads nothing."""

import os
from dataclasses import dataclass

from floodmark.core.errors import WireError

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
ZOMBIE_STATES = frozenset("ZX")
# Places behind the name's closing bracket; proc(5) counts from 1 and calls these 3, 4, 14, 15, 20, 22.
_STATE, _PARENT, _UTIME, _STIME, _THREADS, _START = 0, 1, 11, 12, 17, 19


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStat:
    """One process at one instant. `start_ticks` (since boot) tells two processes with one id apart."""

    name: str
    state: str
    parent: int
    cpu_s: float
    threads: int
    start_ticks: int

    @property
    def is_zombie(self) -> bool:
        """It has ended, and its parent has not asked for it yet."""
        return self.state in ZOMBIE_STATES


def parse_stat(text: str) -> ProcessStat:
    """Reads the line. The name may hold spaces and brackets, so the last bracket ends it. Raises `WireError`."""
    head, closed, tail = text.rpartition(")")
    _, opened, name = head.partition("(")
    fields = tail.split()
    try:
        if not (opened and closed):
            raise ValueError("no name in brackets")  # noqa: TRY301  one place says what is wrong with the line
        return ProcessStat(
            name=name,
            state=fields[_STATE],
            parent=int(fields[_PARENT]),
            cpu_s=(int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_SECOND,
            threads=int(fields[_THREADS]),
            start_ticks=int(fields[_START]),
        )
    except (ValueError, IndexError) as error:
        raise WireError(f"/proc/<pid>/stat: {text[:60]!r} is not as proc(5) says: {error}") from None
