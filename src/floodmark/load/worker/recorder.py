"""From the engine's slices to one record per second. No hits, no messages, nothing of Locust's.

Work is done in small portions, one per call: while a second is written down the next one's releases go on.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from floodmark.core.outcomes import Outcome
from floodmark.core.second import Second
from floodmark.engine.counts import Counts
from floodmark.engine.slice import Slice
from floodmark.load.worker.histogram import TimesOfSecond, count_micros


@dataclass(slots=True, kw_only=True)
class _Page:
    """A second that is being filled, and after `end` written down."""

    second: int
    planned: int = 0
    released: int = 0
    opened: int = 0
    answered: int = 0
    received_bytes: int = 0
    failed: Counter[Outcome] = field(default_factory=Counter)
    lag_s: float = 0.0
    latency: TimesOfSecond = field(default_factory=TimesOfSecond)
    transfer: TimesOfSecond = field(default_factory=TimesOfSecond)
    late: TimesOfSecond = field(default_factory=TimesOfSecond)
    connect: TimesOfSecond = field(default_factory=TimesOfSecond)
    in_flight: int = 0
    open_connections: int = 0
    cpu_share: float = 0.0
    time_wait: int | None = None

    def add(self, piece: Slice, latencies: Counter[int]) -> None:
        self.planned += piece.planned
        self.released += piece.released
        self.opened += len(piece.connects_s)
        self.answered += piece.answered
        self.received_bytes += piece.received_bytes
        self.failed += piece.failed
        self.lag_s = max(self.lag_s, piece.lag_s)
        self.latency.add(latencies)
        self.transfer.add(count_micros(piece.transfers_s))
        self.late.add(count_micros(piece.lates_s))
        self.connect.add(count_micros(piece.connects_s))

    @property
    def has_any(self) -> bool:
        """Something was booked."""
        return any((self.planned, self.released, self.opened, self.answered, self.failed))

    def press(self) -> bool:
        """Does a portion of the writing; True where there is more."""
        return self.latency.press() or self.transfer.press() or self.late.press() or self.connect.press()

    def record(self, worker: str) -> Second:
        return Second(
            worker=worker,
            second=self.second,
            planned=self.planned,
            released=self.released,
            opened=self.opened,
            answered=self.answered,
            failed={outcome.value: count for outcome, count in self.failed.items()},
            in_flight=self.in_flight,
            open_connections=self.open_connections,
            received_bytes=self.received_bytes,
            latency=self.latency.encoded(),
            transfer=self.transfer.encoded(),
            late=self.late.encoded(),
            connect=self.connect.encoded(),
            loop_lag_max_s=self.lag_s,
            cpu_share=self.cpu_share,
            time_wait=self.time_wait,
        )


class Recorder:
    """One worker's record of one steady load. `time_wait_max` is the most TIME_WAIT sockets seen at a second's end."""

    def __init__(
        self,
        worker: str,
        starts_s: float,
        *,
        time_wait: Callable[[], int | None],
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        """Second 0 begins at `starts_s` on the clock."""
        self.time_wait_max: int | None = None
        self._worker = worker
        self._starts_s = starts_s
        self._time_wait = time_wait
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._page = _Page(second=0)
        self._full: deque[_Page] = deque()
        self._began_s, self._began_cpu_s = starts_s, cpu_clock()

    def begin(self) -> None:
        """CPU time is counted from now on: up to second 0 this process only waits."""
        self._began_cpu_s = self._cpu_clock()

    def add(self, piece: Slice, latencies: Counter[int], counts: Counts) -> None:
        """Books a slice; `latencies` are its own in microseconds. A later second than before ends the ones between."""
        self._turn_to(piece.second, counts)
        self._page.add(piece, latencies)

    def tick(self, counts: Counts) -> None:
        """To be called when all slices up to now are booked: ends the seconds that are over, does a bit of writing."""
        self._turn_to(int(self._clock() - self._starts_s), counts)
        if self._full:
            self._full[0].press()

    def take(self) -> list[Second]:
        """The seconds that are written down; each is there once."""
        found = []
        while self._full and not self._full[0].press():
            found.append(self._full.popleft().record(self._worker))
        return found

    def end(self, counts: Counts) -> list[Second]:
        """The load is over: the rest, with the second that was not full; one that has hardly begun is left out."""
        if self._page.has_any or not self._page.second:
            self._end_page(counts, self._cpu_share())
        found = [page.record(self._worker) for page in self._full]
        self._full.clear()
        return found

    def _turn_to(self, second: int, counts: Counts) -> None:
        if self._page.second >= second:
            return
        # Where the loop was away several seconds end at once: what was used in all of them is all that is known.
        cpu_share = self._cpu_share()
        while self._page.second < second:
            number = self._page.second + 1
            self._end_page(counts, cpu_share)
            self._page = _Page(second=number)

    def _cpu_share(self) -> float:
        """Of one core, since this was asked last."""
        now_s, cpu_s = self._clock(), self._cpu_clock()
        share = (cpu_s - self._began_cpu_s) / max(now_s - self._began_s, 1e-9)
        self._began_s, self._began_cpu_s = now_s, cpu_s
        return share

    def _end_page(self, counts: Counts, cpu_share: float) -> None:
        page = self._page
        page.in_flight = max(counts.released - counts.answered - counts.failed, 0)
        page.open_connections = counts.open_connections
        page.cpu_share = cpu_share
        page.time_wait = self._time_wait()
        if page.time_wait is not None:
            self.time_wait_max = max(self.time_wait_max or 0, page.time_wait)
        self._full.append(page)
