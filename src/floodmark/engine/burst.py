"""A held burst over one epoll: releases requests when due, holds them open, gathers what became of each. No event loop.

It never waits: whoever drives it (`run_burst`, or a watcher of an event loop) waits for `Burst.fileno` to be readable
or for `Burst.next_due_s`, then calls `Burst.step`. One socket per request, one request per socket, no retry.
"""

import select
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, pairwise
from math import ceil
from time import monotonic
from typing import Protocol

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.check import AnswerCheck
from floodmark.engine.connection import ANY_EVENT, Connection
from floodmark.engine.counts import Counts
from floodmark.engine.dial import Dial
from floodmark.engine.epoll_events import EPOLLET, EPOLLIN, EPOLLRDHUP

RELEASES_PER_STEP = 64
"""About 3 ms of opening connections, then events get their turn."""

EVENTS_PER_STEP = 256
"""About as long with answers, then releases get theirs."""

MILLISECONDS_PER_S = 1_000

BEAT_S = 0.1
"""While connections are held a step is due this often: a process that gets no CPU shows even while nothing happens."""


class Epoll(Protocol):
    """What a burst needs of ``select.epoll``."""

    def fileno(self) -> int:
        """Its own descriptor: readable while events are ready."""

    def register(self, fd: int, eventmask: int = ..., /) -> None:
        """Begins to watch a descriptor."""

    def poll(self, timeout: float | None = ..., maxevents: int = ...) -> list[tuple[int, int]]:
        """The events that are ready."""

    def close(self) -> None:
        """Gives its descriptor back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstWork:
    """One worker's share of a burst.

    `requests` are (id, planned release on the burst's clock), in the order of release. `timeout_s` counts from the
    planned release: a request that is not connected by then is a connect timeout, else a response timeout.
    """

    worker: str
    dial: Dial
    requests: tuple[tuple[int, float], ...]
    render: Callable[[int], bytes]
    check: AnswerCheck
    timeout_s: float | None

    def __post_init__(self) -> None:
        """Refuses planned times that fall: release and timeout both go by their order."""
        if any(later[1] < earlier[1] for earlier, later in pairwise(self.requests)):
            raise ValueError("a burst's requests must be in the order of their planned release")


class Burst:
    """The burst of one worker. Not thread-safe.

    `ended_s` is when it was cut, on its clock, before its sockets were closed one by one; None where it was not.
    `loop_lag_max_s` is the longest that a step came after it was due. A step is due when the next release or timeout
    is, at once where the step before left work, and every `BEAT_S` while a connection is open. A step that is called
    early, because something was ready, is never late. So it says how long this process was kept from the engine, to the
    nearest beat; the engine's own work within one step is not lag.
    `late_max_s` is the largest released minus planned.
    """

    def __init__(
        self,
        work: BurstWork,
        *,
        clock: Callable[[], float] = monotonic,
        new_epoll: Callable[[], Epoll] | None = None,
    ) -> None:
        """`new_epoll` makes the epoll; by default ``select.epoll``, which gevent takes away in a patched process."""
        self.ended_s: float | None = None
        self.loop_lag_max_s = 0.0
        self.late_max_s = 0.0
        self._work = work
        self._clock = clock
        self._epoll = (new_epoll or select.epoll)()
        self._next = 0  # the first request that is not released
        self._released = 0
        self._connected = 0
        self._answered = 0
        self._failed = 0
        self._ended = 0
        self._open: dict[int, Connection] = {}
        self._unfinished_reads: dict[int, Connection] = {}
        self._by_deadline: deque[Connection] = deque()
        self._finished: deque[Connection] = deque()
        self._due_s = max(clock(), work.requests[0][1]) if work.requests else None

    @property
    def done(self) -> bool:
        """Every request has its outcome."""
        return self._ended == len(self._work.requests)

    @property
    def counts(self) -> Counts:
        """How far the burst is."""
        return Counts(
            planned=len(self._work.requests),
            released=self._released,
            connected=self._connected,
            answered=self._answered,
            failed=self._failed,
            open_connections=len(self._open),
        )

    def fileno(self) -> int:
        """The descriptor that is readable while an event is ready."""
        return self._epoll.fileno()

    def next_due_s(self) -> float | None:
        """When `step` has something to do even where no event is ready; None once the burst is done."""
        return self._due_s

    def step(self) -> None:
        """Releases what is due, handles what is ready, ends what timed out: a bounded part of each. Never waits."""
        if self._due_s is None:
            return
        self.loop_lag_max_s = max(self.loop_lag_max_s, self._clock() - self._due_s)
        self._release()
        events = self._epoll.poll(0, EVENTS_PER_STEP)
        self._continue_reads()
        for fd, event in events:
            self._advance(self._open.get(fd), event)
        is_behind = self._expire() or len(events) == EVENTS_PER_STEP or bool(self._unfinished_reads)
        self._set_due(is_behind=is_behind)

    def take_hits(self, limit: int | None = None) -> list[Hit]:
        """The requests that ended since the last call, the oldest first; at most `limit`, the rest next time.

        A hit takes about 10 µs to make: right after thousands of answers a limit keeps the next `step` from being late.
        """
        count = len(self._finished) if limit is None else min(limit, len(self._finished))
        return [self._finished.popleft().hit(self._work.worker) for _ in range(count)]

    def cut(self) -> None:
        """Ends the burst now: what was not released is unsent, what has no outcome is waiting. Closes every socket."""
        if not self.done:
            self.ended_s = self._clock()
        for connection in tuple(self._open.values()):
            connection.finish(Outcome.WAITING, None, None)
            self._settle(connection)
        for request_id, planned_s in islice(self._work.requests, self._next, None):
            connection = Connection(request_id, planned_s)
            connection.finish(Outcome.UNSENT, None, None)
            self._settle(connection)
        self._next = len(self._work.requests)
        self._unfinished_reads.clear()
        self._by_deadline.clear()
        self._due_s = None

    def close(self) -> None:
        """Cuts what is not done and closes the epoll. `fileno` is of no use afterwards, `take_hits` still is."""
        self.cut()
        self._epoll.close()

    def _release(self) -> None:
        requests = self._work.requests
        for request_id, planned_s in requests[self._next : self._next + RELEASES_PER_STEP]:
            if planned_s > self._clock():
                return
            self._open_one(Connection(request_id, planned_s))

    def _open_one(self, connection: Connection) -> None:
        work = self._work
        connection.open(work.dial, self._next, work.render(connection.id), self._clock)
        self._next += 1
        self._released += 1
        if connection.released_s is not None:
            self.late_max_s = max(self.late_max_s, connection.released_s - connection.planned_s)
        if connection.connected_s is not None:
            self._connected += 1
        if connection.outcome is None:
            self._watch(connection)
        if connection.outcome is not None:
            self._settle(connection)

    def _watch(self, connection: Connection) -> None:
        """Registers once, edge-triggered; where the request is sent already there is no writing left to be told of."""
        events = EPOLLIN | EPOLLRDHUP if connection.is_sent else ANY_EVENT
        try:
            self._epoll.register(connection.fd, events | EPOLLET)
        except OSError as error:
            connection.fail(error.errno or 0, self._clock())
            return
        self._open[connection.fd] = connection
        if self._work.timeout_s is not None:
            self._by_deadline.append(connection)

    def _advance(self, connection: Connection | None, events: int) -> None:
        """Lets a connection do what it can; one that ended earlier in this step has nothing more to do."""
        if connection is None or connection.outcome is not None:
            return
        was_connected = connection.connected_s is not None
        is_over = connection.advance(events, self._work.check, self._clock)
        if not was_connected and connection.connected_s is not None:
            self._connected += 1
        if is_over:
            self._settle(connection)
        elif connection.has_more:
            self._unfinished_reads[connection.fd] = connection

    def _continue_reads(self) -> None:
        unfinished, self._unfinished_reads = self._unfinished_reads, {}
        for connection in unfinished.values():
            self._advance(connection, ANY_EVENT)

    def _expire(self) -> bool:
        """Ends what has had its time, at most as many as events in a step; True where there are more."""
        timeout_s = self._work.timeout_s
        if timeout_s is None:
            return False
        queue = self._by_deadline
        now_s = self._clock()
        for _ in range(EVENTS_PER_STEP):
            while queue and queue[0].outcome is not None:
                queue.popleft()
            if not queue or queue[0].planned_s + timeout_s > now_s:
                return False
            self._expire_one(queue.popleft(), timeout_s)
        return True

    def _expire_one(self, connection: Connection, timeout_s: float) -> None:
        """What is there already still counts: this step may be late, the answer was not."""
        self._advance(connection, ANY_EVENT)
        if connection.outcome is None:
            connection.time_out(timeout_s, self._clock())
            self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """Books an outcome."""
        self._open.pop(connection.fd, None)
        self._finished.append(connection)
        self._ended += 1
        if connection.outcome is Outcome.ANSWERED:
            self._answered += 1
        elif connection.outcome is not None and connection.outcome.failed:
            self._failed += 1

    def _set_due(self, *, is_behind: bool) -> None:
        now_s = self._clock()
        due_s = [now_s + BEAT_S] if self._open else []
        if is_behind:
            due_s = [now_s]
        if self._next < len(self._work.requests):
            due_s.append(max(self._work.requests[self._next][1], now_s))
        if self._by_deadline and self._work.timeout_s is not None:
            due_s.append(max(self._by_deadline[0].planned_s + self._work.timeout_s, now_s))
        self._due_s = None if self.done else min(due_s)


def run_burst(burst: Burst, *, timeout_s: float, clock: Callable[[], float] = monotonic) -> list[Hit]:
    """Drives a burst to its end, or cuts it after `timeout_s`; closes it. All hits, in the order in which they ended.

    `clock` is the burst's. For one request at a time and for tests: nothing else runs in this thread meanwhile.
    """
    ends_s = clock() + timeout_s
    waiter = select.poll()
    waiter.register(burst.fileno(), select.POLLIN)
    try:
        while (due_s := burst.next_due_s()) is not None and (now_s := clock()) < ends_s:
            waiter.poll(max(ceil((min(due_s, ends_s) - now_s) * MILLISECONDS_PER_S), 0))
            burst.step()
    finally:
        burst.close()
    return burst.take_hits()
