"""Running totals over time, joined: what a worker had answered between two of its pulses. Pure; no I/O."""

from bisect import bisect_left, bisect_right
from collections import deque


class Track:
    """A total that rises; it is asked for the newest stretch of time only, and keeps no more than that.

    Between two points it is on the line between them; before the first it is 0, after the last what that has.
    """

    def __init__(self, keeps_s: float) -> None:
        """Points older than `keeps_s` seconds before the newest one are forgotten."""
        self._keeps_s = keeps_s
        self._times_s: deque[float] = deque()
        self._values: deque[float] = deque()

    @property
    def newest_s(self) -> float:
        """Up to when it is known; minus infinity where nothing was added."""
        return self._times_s[-1] if self._times_s else float("-inf")

    def add(self, time_s: float, value: float) -> None:
        """Adds a point; one that is older than the newest is left out."""
        if time_s < self.newest_s:
            return
        self._times_s.append(time_s)
        self._values.append(value)
        while len(self._times_s) > 2 and self._times_s[1] < time_s - self._keeps_s:  # noqa: PLR2004 - a line needs two
            self._times_s.popleft()
            self._values.popleft()

    def at(self, time_s: float) -> float:
        """The total at a moment."""
        index = bisect_right(self._times_s, time_s)
        if index == 0:
            return 0.0
        if index == len(self._times_s):
            return self._values[-1]
        begin_s, end_s = self._times_s[index - 1], self._times_s[index]
        share = (time_s - begin_s) / (end_s - begin_s)
        return self._values[index - 1] + share * (self._values[index] - self._values[index - 1])

    def reached(self, time_s: float) -> float:
        """The most that it can have been then: what the next point has."""
        index = bisect_left(self._times_s, time_s)
        return self._values[min(index, len(self._values) - 1)] if self._values else 0.0
