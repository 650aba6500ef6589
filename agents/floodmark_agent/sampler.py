"""Readings on a fixed grid of beats. It does not wait: whoever runs it does, until `next_due_s`."""

import logging
import math
from collections.abc import Callable
from typing import Protocol

from floodmark.core.errors import WireError
from floodmark.core.sample import Sample
from floodmark_agent.collector import Reading

_LOG = logging.getLogger(__name__)


class Reader(Protocol):
    """What a sampler samples."""

    def read(self) -> Reading:
        """One reading; raises `OSError` or `WireError` where it fails."""


class Sampler:
    """Beat n is due at the start + n * `beat_s`, whatever came before.

    A late beat does not push the next one. Where several have become due, the last is taken and the others are missed;
    a reading that failed is missed as well. The first sample is due at once.
    """

    def __init__(self, reader: Reader, *, beat_s: float, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._beat_s = beat_s
        self._clock = clock
        self._start_s = clock()
        self._next_beat = 0
        self._sequence = 0
        self._missed = 0
        self._complained = ""

    @property
    def next_due_s(self) -> float:
        """When the next sample is due, on the clock given."""
        return self._start_s + self._next_beat * self._beat_s

    def take_due(self) -> Sample | None:
        """The sample that is due now; None where none is, or its reading failed."""
        now_s = self._clock()
        if now_s < self.next_due_s:
            return None
        # Rounding could put `now_s` a hair below the beat that it has just reached.
        beat = max(self._next_beat, math.floor((now_s - self._start_s) / self._beat_s))
        self._missed += beat - self._next_beat
        self._next_beat = beat + 1
        return self._take(self._start_s + beat * self._beat_s)

    def take_last(self) -> Sample | None:
        """One more sample at once, off the grid."""
        return self._take(self._clock())

    def _take(self, due_s: float) -> Sample | None:
        taken_s = self._clock()
        try:
            reading = self._reader.read()
        except (OSError, WireError) as error:
            self._complain(str(error))
            self._missed += 1
            return None
        sample = self._sample(reading, due_s, taken_s)
        self._sequence += 1
        self._missed = 0
        return sample

    def _sample(self, reading: Reading, due_s: float, taken_s: float) -> Sample:
        return Sample(
            sequence=self._sequence,
            due_s=due_s,
            taken_s=taken_s,
            socket_s=reading.socket_s,
            cost_s=self._clock() - taken_s,
            missed=self._missed,
            listeners=reading.listeners,
            connections=reading.connections,
            processes=reading.processes,
            counters=reading.counters,
        )

    def _complain(self, text: str) -> None:
        """Says each failure once, not on every beat."""
        if text != self._complained:
            _LOG.warning("a sample failed: %s", text)
            self._complained = text
