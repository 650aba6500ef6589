"""A steady load's counts: totals, and what happened in each second. No connection, no histogram, no hit."""

from collections import Counter

from floodmark.core.outcomes import Outcome
from floodmark.engine.slice import Slice


class Tally:
    """Counts as they come. Which second it is, is looked up by `turn`: once per step of a load, not per request."""

    def __init__(self, starts_s: float) -> None:
        """`starts_s` is the first planned release, on the load's clock: second 0 begins there."""
        self.answered = 0
        self.released = 0
        self.unconnected = 0
        """Of the released: those whose connection is not established, or never was."""
        self.failed: Counter[Outcome] = Counter()
        self.now = Slice(second=0)
        """What happened in this second, as far as it was not taken."""
        self._starts_s = starts_s
        self._slices = {0: self.now}

    @property
    def all_failed(self) -> int:
        """All failures."""
        return self.failed.total()

    def second_of(self, at_s: float) -> int:
        """The second that a time on the load's clock is in; 0 for all that is before the start."""
        return max(int(at_s - self._starts_s), 0)

    def turn(self, now_s: float, lag_s: float) -> bool:
        """Goes on to the second of `now_s`; True where it is another. `lag_s` is how late the load's step is."""
        second = self.second_of(now_s)
        is_new = second != self.now.second
        self.now = self._at(second)
        self.now.lag_s = max(self.now.lag_s, lag_s)
        return is_new

    def plan(self, second: int, count: int) -> None:
        """Requests were planned for a second, which may be over."""
        self._at(second).planned += count

    def release(self, count: int = 1) -> None:
        """Requests were released."""
        self.released += count
        self.now.released += count

    def answer(self, count: int, received_bytes: int, body_bytes: int) -> None:
        """Requests were answered; their latencies go to `now.latencies_s`."""
        self.answered += count
        self.now.answered += count
        self.now.received_bytes += received_bytes
        self.now.body_bytes += body_bytes

    def fail(self, outcome: Outcome, received_bytes: int, body_bytes: int) -> None:
        """A request failed, after this much of an answer."""
        self.failed[outcome] += 1
        self.now.failed[outcome] += 1
        self.now.received_bytes += received_bytes
        self.now.body_bytes += body_bytes

    def take(self) -> list[Slice]:
        """What happened since the last call: at most one slice per second, in order; none of which nothing is known."""
        taken = [self._slices[second] for second in sorted(self._slices)]
        self.now = Slice(second=self.now.second)
        self._slices = {self.now.second: self.now}
        return [piece for piece in taken if piece != Slice(second=piece.second)]

    def _at(self, second: int) -> Slice:
        found = self._slices.get(second)
        if found is None:
            found = self._slices[second] = Slice(second=second)
        return found
