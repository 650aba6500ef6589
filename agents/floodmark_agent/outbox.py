"""Samples on their way to the bus: a bounded line that loses its oldest when the bus cannot take them. No socket."""

from collections import deque

from floodmark.core.messages import Samples
from floodmark.core.sample import Sample

BATCH_SAMPLES = 64
FLUSH_EVERY_S = 0.25
BACKLOG_SAMPLES = 4096
"""About a minute at 15 ms; 4,096 samples of five processes are about 10 MB."""


class Outbox:
    """The samples of one watch in the order they were taken. `dropped` counts those lost since it began."""

    def __init__(self, backlog: int = BACKLOG_SAMPLES) -> None:
        self._backlog = backlog
        self._waiting: deque[Sample] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sample: Sample) -> None:
        """Puts a sample in line."""
        self._waiting.append(sample)
        if len(self._waiting) > self._backlog:
            self._waiting.popleft()
            self.dropped += 1

    def batch(self) -> Samples:
        """The next message, which stays in line until `sent` says that the bus has it."""
        count = min(BATCH_SAMPLES, len(self._waiting))
        return Samples(samples=tuple(self._waiting[index] for index in range(count)), dropped=self.dropped)

    def sent(self, batch: Samples) -> None:
        """Takes a batch out of the line."""
        for _ in batch.samples:
            self._waiting.popleft()
