"""One watch, from the master's order until the next: samples, the live figures, the series. It sends nothing."""

from collections.abc import Callable
from typing import Protocol

from floodmark.core.command_line import CommandLine
from floodmark.core.messages import Chunk, Fetch, Samples
from floodmark.core.sample import Sample, TargetLimits
from floodmark_agent.budget import DumpPace
from floodmark_agent.outbox import REPORT_EVERY_S, Outbox
from floodmark_agent.sampler import Reader, Sampler
from floodmark_agent.series import Series

EVERY_BLOCK = 1 << 30
"""As many blocks as fit."""


class Watched(Reader, Protocol):
    """A target that has been found."""

    def limits(self) -> TargetLimits | None:
        """The limits in force on it."""

    def command_lines(self) -> tuple[CommandLine, ...]:
        """How its processes were started, without secrets."""

    def ports(self) -> tuple[int, ...]:
        """The ports that its connections are counted of, the one that clients connect to first."""

    def notes(self) -> tuple[str, ...]:
        """What cannot be seen of it."""

    def close(self) -> None:
        """Ends the watch."""


class Vigil:
    """Samples a target until it rests; then what it has is still there to be fetched."""

    def __init__(  # noqa: PLR0913 - what it joins, all by name
        self,
        target: Watched,
        *,
        number: int,
        beat_s: float,
        pace: DumpPace,
        clock: Callable[[], float],
        on_sample: Callable[[Sample], None] | None = None,
    ) -> None:
        """`number` is the watch's; `on_sample` is shown every sample that is taken."""
        self.number = number
        self.series = Series()
        self._target = target
        self._sampler = Sampler(target, beat_s=beat_s, pace=pace, clock=clock)
        self._clock = clock
        self._on_sample = on_sample
        self._outbox = Outbox()
        self._report_due_s = clock()
        self.is_resting = False

    @property
    def due_s(self) -> float | None:
        """When there is something to do next; None at rest."""
        if self.is_resting:
            return None
        due_s = self._sampler.next_due_s
        return min(due_s, self._report_due_s) if len(self._outbox) else due_s

    def take_due(self) -> None:
        """Takes the sample that is due, if one is."""
        if not self.is_resting:
            self._keep(self._sampler.take_due())

    def mark(self) -> None:
        """Something begins now: the next sample counts the connections."""
        self._sampler.mark()

    def rest(self) -> None:
        """Takes a last sample and ends the watch; what it has is kept."""
        if self.is_resting:
            return
        self._keep(self._sampler.take_last())
        self._target.close()
        self.is_resting = True

    def report(self, *, is_last: bool = False) -> Samples | None:
        """The live figures, where a report is due; they stay until `reported`."""
        if not len(self._outbox) or not (is_last or self._clock() >= self._report_due_s):
            return None
        self._report_due_s = self._clock() + REPORT_EVERY_S
        series = self.series
        return Samples(
            number=self.number,
            samples=self._outbox.samples(),
            taken=series.taken,
            dropped=series.dropped,
            full=series.full,
        )

    def reported(self) -> None:
        """The report has gone."""
        self._outbox.sent()

    def chunk(self, fetch: Fetch) -> Chunk:
        """What the master asks for; what it has is forgotten."""
        self.series.forget(fetch.first)
        blocks, left = self.series.chunk(fetch.blocks)
        return Chunk(number=self.number, blocks=blocks, left=left, dropped=self.series.dropped, resting=self.is_resting)

    def _keep(self, sample: Sample | None) -> None:
        if sample is None:
            return
        self.series.add(sample)
        self._outbox.note(sample)
        if self._on_sample is not None:
            self._on_sample(sample)
