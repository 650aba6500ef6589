"""One user's connections to one server. A greenlet that sends a request sleeps until its answer is there."""

from collections import deque

from gevent import getcurrent
from gevent.event import AsyncResult

from floodmark.engine.exchange import Exchange
from floodmark.engine.line import Line
from floodmark.engine.route import Route
from floodmark.load.user.hub_client import HubClient


class LinePool:
    """At most `limit` lines; a user with one greenlet needs one."""

    __slots__ = ("_client", "_idle", "_limit", "_lines", "_route", "_sleep", "_waiting")

    def __init__(self, client: HubClient, route: Route, limit: int) -> None:
        self._client = client
        self._sleep = client.sleep
        self._route = route
        self._limit = limit
        self._lines: list[Line] = []
        self._idle: list[Line] = []
        self._waiting: deque[AsyncResult] | None = None  # most users have one greenlet, and nobody who waits

    def exchange(self, request: bytes, is_head: bool) -> Exchange:  # noqa: FBT001 - one call per request
        """Sends a request and returns when it has its outcome; waits for a line first where all are in use.

        A greenlet that is killed meanwhile closes the connection: an answer that still comes is nobody's.
        """
        line = self._idle.pop() if self._idle else self._take()
        exchange = Exchange(request, getcurrent().switch, is_head)
        try:
            if not line.start(exchange):
                while exchange.outcome is None:
                    self._sleep()
        except BaseException:
            line.close()
            raise
        finally:
            self._give(line)
        return exchange

    def close(self) -> None:
        """Closes every line; what is under way on one is dropped."""
        for line in self._lines:
            line.close()

    def _take(self) -> Line:
        if len(self._lines) >= self._limit:
            return self._wait()
        line = self._client.line(self._route)
        self._lines.append(line)
        return line

    def _give(self, line: Line) -> None:
        if self._waiting:
            self._waiting.popleft().set(line)
        else:
            self._idle.append(line)

    def _wait(self) -> Line:
        place, waiting = AsyncResult(), self._waiting
        if waiting is None:
            waiting = self._waiting = deque()
        waiting.append(place)
        try:
            line: Line = place.get()
        except BaseException:
            if place.ready():  # given in the same turn of the hub in which this greenlet was killed
                self._give(place.get())
            else:
                waiting.remove(place)
            raise
        return line
