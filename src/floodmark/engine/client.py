"""Many kept-alive lines on one epoll, for callers that are woken one by one. No event loop, no threads, no gevent.

It never waits: whoever drives it calls `step` while `Client.fileno` is readable and `expire` at the time that it was
told by `on_due`.
"""

import heapq
import select
from collections.abc import Callable
from itertools import count
from math import inf
from sys import maxsize
from time import monotonic
from typing import Protocol

from floodmark.engine.burst import EVENTS_PER_STEP, Epoll
from floodmark.engine.connection import ANY_EVENT
from floodmark.engine.epoll_events import EPOLLET
from floodmark.engine.known_heads import KnownHeads
from floodmark.engine.line import Line
from floodmark.engine.route import Route


class ClientEpoll(Epoll, Protocol):
    """What a client needs of ``select.epoll``."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Sets the events of a descriptor again, which also tells of those that are there."""


class Client:
    """All lines of a process. Not thread-safe."""

    def __init__(
        self,
        *,
        on_due: Callable[[float], None],
        clock: Callable[[], float] = monotonic,
        new_epoll: Callable[[], ClientEpoll] | None = None,
    ) -> None:
        """`on_due` is told when `expire` must be called next, whenever that becomes sooner than was said before.

        `new_epoll` makes the epoll; by default ``select.epoll``, which gevent takes away in a patched process.
        """
        self.clock = clock
        self.heads = KnownHeads()
        self.keep_bytes = maxsize
        self._on_due = on_due
        self._epoll = (new_epoll or select.epoll)()
        self._lines: dict[int, Line] = {}
        self._reminders: list[tuple[float, int, Line]] = []
        self._sequence = count()
        self._numbers = count()

    @property
    def open_lines(self) -> int:
        """How many connections there are."""
        return len(self._lines)

    def fileno(self) -> int:
        """The descriptor that is readable while an event is ready."""
        return self._epoll.fileno()

    def line(self, route: Route) -> Line:
        """A new line; it opens nothing until its first exchange."""
        return Line(self, route, next(self._numbers))

    def step(self) -> None:
        """Handles what is ready, a bounded part of it; wakes callers, who may start exchanges meanwhile."""
        find = self._lines.get
        for fd, events in self._epoll.poll(0, EVENTS_PER_STEP):
            line = find(fd)
            if line is not None:
                line.advance(events)

    def expire(self) -> None:
        """Ends what has had its time."""
        now_s = self.clock()
        while self._reminders and self._reminders[0][0] <= now_s:
            due_s, _, line = heapq.heappop(self._reminders)
            if due_s == line.reminder_s:  # else a sooner one was set meanwhile
                line.reminder_s = inf
                line.expire()
        if self._reminders:
            self._on_due(self._reminders[0][0])

    def close(self) -> None:
        """Drops every exchange and closes every line and the epoll."""
        for line in tuple(self._lines.values()):
            line.close()
        self._reminders.clear()
        self._epoll.close()

    # For lines.

    def watch(self, line: Line) -> None:
        """Registers once, edge-triggered."""
        self._epoll.register(line.fd, ANY_EVENT | EPOLLET)
        self._lines[line.fd] = line

    def watch_again(self, line: Line) -> None:
        """Modifying a descriptor tells of what is ready there once more (epoll_ctl(2))."""
        self._epoll.modify(line.fd, ANY_EVENT | EPOLLET)

    def forget(self, line: Line) -> None:
        """The kernel forgets a descriptor that is closed by itself."""
        self._lines.pop(line.fd, None)

    def remind(self, line: Line) -> None:
        """One reminder per line is enough for any number of exchanges: it moves on when it is early."""
        line.reminder_s = line.deadline_s
        heapq.heappush(self._reminders, (line.deadline_s, next(self._sequence), line))
        if self._reminders[0][2] is line:
            self._on_due(line.deadline_s)
