"""Two clocks and how far they are apart: the four-timestamp exchange (RFC 5905, section 8). No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

AGENT_NODE = "agent"
"""The agent's name among the readings: one agent watches one target."""

DRIFT_PER_S = 1e-3
"""The most that two clocks drift apart: each is turned by 500 ppm at most while it is kept right (adjtimex(2))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """How a node's monotonic clock stands to the master's: node time = master time + `offset_s`, within `bound_s`.

    `at_s` is when that was so, on the master's clock; None: not kept.
    """

    node: str
    offset_s: float
    bound_s: float
    at_s: float | None = None

    def to_master_s(self, node_time_s: float) -> float:
        """A node's time on the master's clock."""
        return node_time_s - self.offset_s

    def to_node_s(self, master_time_s: float) -> float:
        """A master's time on the node's clock."""
        return master_time_s + self.offset_s


def read_clock(node: str, exchanges: Iterable[tuple[float, float, float, float]]) -> ClockReading:
    """The reading of the exchange with the shortest round trip.

    An exchange is (master sent, node received, node sent, master received), each on its own clock. The true offset lies
    within half the round trip of the estimate, whatever the two ways' delays.
    """
    best = min(((t4 - t1) - (t3 - t2), ((t2 - t1) + (t3 - t4)) / 2, (t1 + t4) / 2) for t1, t2, t3, t4 in exchanges)
    round_trip_s, offset_s, at_s = best
    return ClockReading(node=node, offset_s=offset_s, bound_s=max(round_trip_s, 0.0) / 2, at_s=at_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCourse:
    """A node's clock over a run, from its readings: one before the load, one after it, sometimes only one of these."""

    best: ClockReading
    first: ClockReading
    last: ClockReading

    @property
    def drift_s(self) -> float | None:
        """By how much the offset has changed between the two readings; None where there is one, or no times."""
        return None if self.over_s is None else self.last.offset_s - self.first.offset_s

    @property
    def over_s(self) -> float | None:
        """The time between them."""
        if self.first is self.last or self.first.at_s is None or self.last.at_s is None:
            return None
        return self.last.at_s - self.first.at_s

    @property
    def moved_s(self) -> float:
        """The part of the drift that is proven: what the two bounds cannot explain."""
        return max(0.0, abs(self.drift_s or 0.0) - self.first.bound_s - self.last.bound_s)

    @property
    def jumped_s(self) -> float:
        """The part of it that is too much for clocks that are kept right: one was set, or has stood still."""
        return max(0.0, self.moved_s - DRIFT_PER_S * (self.over_s or 0.0))

    @property
    def bound_s(self) -> float:
        """Within this a time of the node's is right on the master's clock, at any time between the readings.

        One offset is taken for all of that time where no drift is proven, and where the clock jumped: then it is wrong
        by what may have come to it since the best reading, up to all that the readings differ by.
        """
        worse_s = max(self.first.bound_s, self.last.bound_s)
        if self.drift_s is None or self.over_s is None:
            return self.best.bound_s
        if self._is_line:
            return worse_s / min(1.0, 1.0 + self.drift_s / self.over_s)  # a time is looked up on a wrong line
        reach_s = abs(self.drift_s) + worse_s
        return reach_s if self.jumped_s else min(self.best.bound_s + DRIFT_PER_S * self.over_s, reach_s)

    @property
    def _is_line(self) -> bool:
        """Whether the clock drifted evenly; it cannot have run backwards, whatever two poor readings say."""
        return bool(self.moved_s and not self.jumped_s and (self.over_s or 0.0) + (self.drift_s or 0.0) > 0)

    def offset_at(self, node_time_s: float) -> float:
        """The offset at a time of the node's: on the line between the readings where it drifted, else the best one.

        When a clock jumped is not known: the best reading is as good as any.
        """
        if not self._is_line or not self.over_s or self.drift_s is None or self.first.at_s is None:
            return self.best.offset_s
        gone_s = node_time_s - self.first.offset_s - self.first.at_s
        return self.first.offset_s + self.drift_s * gone_s / (self.over_s + self.drift_s)  # both in the node's seconds


def clock_courses(readings: Iterable[ClockReading]) -> dict[str, ClockCourse]:
    """Node to the course of its clock, from the readings in the order in which they were made."""
    by_node: dict[str, list[ClockReading]] = {}
    for reading in readings:
        by_node.setdefault(reading.node, []).append(reading)
    return {
        node: ClockCourse(best=min(known, key=lambda one: one.bound_s), first=known[0], last=known[-1])
        for node, known in by_node.items()
    }
