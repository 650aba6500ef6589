"""What the agent's live figures say of the target's lines so far. No thresholds here."""

from collections import defaultdict

from floodmark.core.sample import Sample
from floodmark.load.live.times import UNKNOWN, Bounds


class TargetStanding:
    """The deepest that its lines were seen, and their overflows since the first look; both only grow."""

    def __init__(self) -> None:
        self._deepest: dict[bool, int] = {}  # by whether the line is the outer one
        self._overflows: int | None = None
        self._overflows_before: int | None = None

    def note(self, sample: Sample) -> None:
        """One sample of the agent's."""
        depths: defaultdict[tuple[str, bool], int] = defaultdict(int)
        for listener in sample.listeners:
            depths[listener.address, listener.outer] += listener.depth
        for (_, outer), depth in depths.items():
            self._deepest[outer] = max(depth, self._deepest.get(outer, 0))
        if sample.counters is not None:
            if self._overflows_before is None:
                self._overflows_before = sample.counters.listen_overflows
            self._overflows = sample.counters.listen_overflows - self._overflows_before

    def bounds(self, metric: str) -> Bounds:
        """What the metric's value is at least; nothing is known of a metric that is not about lines."""
        if metric == "target.listen_overflows":
            return self._overflows, None
        outer = {"target.accept_queue.max": True, "target.inner_accept_queue.max": False}.get(metric)
        return UNKNOWN if outer is None else (self._deepest.get(outer), None)
