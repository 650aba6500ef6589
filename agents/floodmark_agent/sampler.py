"""Readings on a fixed grid of beats. It does not wait: whoever runs it does, until `next_due_s`."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts, ListenerSample, NetCounters, ProcessSample, Sample
from floodmark_agent.budget import DumpPace

_LOG = logging.getLogger(__name__)
# Different troubles worth a line each.
_COMPLAINTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What is cheap to read, on every beat; `looked_s` is the middle of reading the listeners, on the agent's clock."""

    looked_s: float
    listeners: tuple[ListenerSample, ...]
    processes: tuple[ProcessSample, ...] | None
    counters: NetCounters | None

    @property
    def signature(self) -> object:
        """What is another when the target has done something."""
        depths = [(one.inode, one.depth) for one in self.listeners]
        work = [(one.pid, one.cpu_s, one.threads, one.open_files) for one in self.processes or ()]
        return depths, work, self.counters


class Reader(Protocol):
    """What a sampler samples."""

    def glance(self) -> Glance:
        """The cheap figures; raises `OSError` or `WireError` where reading fails."""

    def count(self) -> tuple[ConnectionCounts, ...]:
        """All connections, counted; raises likewise."""


class Sampler:
    """Beat n is due at the start + n * `beat_s`, whatever came before.

    A late beat does not push the next one. Where several have become due, the last is taken and the others are missed;
    a reading that failed is missed as well. The first sample is due at once. The connections are counted when `pace`
    has it; the first and the last sample always have them.
    """

    def __init__(self, reader: Reader, *, beat_s: float, pace: DumpPace, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._beat_s = beat_s
        self._pace = pace
        self._clock = clock
        self._start_s = clock()
        self._next_beat = 0
        self._sequence = 0
        self._missed = self._saved = 0
        self._complaints: set[str] = set()

    @property
    def next_due_s(self) -> float:
        """When the next sample is due, on the clock given."""
        return self._start_s + self._next_beat * self._beat_s

    def take_due(self) -> Sample | None:
        """The sample that is due now; None where none is, its reading failed, or the budget does not do for it."""
        now_s = self._clock()
        if now_s < self.next_due_s:
            return None
        # Rounding could put `now_s` a hair below the beat that it has just reached.
        beat = max(self._next_beat, math.floor((now_s - self._start_s) / self._beat_s))
        self._missed += beat - self._next_beat
        self._next_beat = beat + 1
        if not self._pace.beat_is_due():
            self._missed += 1
            self._saved += 1
            self._complain("the CPU budget does not do for every beat: some are skipped; --cpu-budget sets it")
            return None
        return self._take(self._start_s + beat * self._beat_s, counts=False)

    def take_last(self) -> Sample | None:
        """One more sample at once, off the grid."""
        return self._take(self._clock(), counts=True)

    def mark(self) -> None:
        """Something begins now: the next sample counts the connections."""
        self._pace.mark()

    def _take(self, due_s: float, *, counts: bool) -> Sample | None:
        taken_s = self._clock()
        used_s = self._pace.cpu_s()
        try:
            glance = self._reader.glance()
        except (OSError, WireError) as error:
            self._complain(f"a sample failed: {error}")
            self._missed += 1
            return None
        finally:
            self._pace.note_beat(self._pace.cpu_s() - used_s)
        socket_s = glance.looked_s
        connections: tuple[ConnectionCounts, ...] = ()
        if self._pace.is_due(glance.signature) or counts:
            socket_s, connections = self._count()
        sample = Sample(
            sequence=self._sequence,
            due_s=due_s,
            taken_s=taken_s,
            socket_s=socket_s,
            cost_s=self._clock() - taken_s,
            missed=self._missed,
            listeners=glance.listeners,
            connections=connections,
            processes=glance.processes,
            counters=glance.counters,
            agent_cpu_s=self._pace.cpu_s(),
            saved=self._saved,
        )
        self._sequence += 1
        self._missed = self._saved = 0
        return sample

    def _count(self) -> tuple[float, tuple[ConnectionCounts, ...]]:
        """The counts and the middle of their dump; none where it failed: the cheap figures are worth having alone."""
        began_s, used_s = self._clock(), self._pace.cpu_s()
        try:
            connections = self._reader.count()
        except (OSError, WireError) as error:
            self._complain(f"the connections could not be counted: {error}")
            connections = ()
        self._pace.note(self._pace.cpu_s() - used_s)
        return (began_s + self._clock()) / 2, connections

    def _complain(self, text: str) -> None:
        """Says each trouble once, not on every beat."""
        if text not in self._complaints and len(self._complaints) < _COMPLAINTS:
            self._complaints.add(text)
            _LOG.warning("%s", text)
