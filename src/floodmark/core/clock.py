"""Two clocks and how far they are apart: the four-timestamp exchange (RFC 5905, section 8). No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """How a node's monotonic clock stands to the master's: node time = master time + `offset_s`, within `bound_s`."""

    node: str
    offset_s: float
    bound_s: float

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
    best = min(((t4 - t1) - (t3 - t2), ((t2 - t1) + (t3 - t4)) / 2) for t1, t2, t3, t4 in exchanges)
    round_trip_s, offset_s = best
    return ClockReading(node=node, offset_s=offset_s, bound_s=max(round_trip_s, 0.0) / 2)
