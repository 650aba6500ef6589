"""Some of a steady load's requests in full: as many of each second as a reader can look at. All are in the `tally`."""

from collections import deque

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome

HITS_PER_SECOND = 50
"""Of the answered, and as many of the others: a day of them is some gigabytes, a minute some megabytes."""


class HitSample:
    """The first `HITS_PER_SECOND` answered requests of each second, and as many of those that were not answered."""

    def __init__(self) -> None:
        self._hits: deque[Hit] = deque()
        self._answered = self._others = 0

    @property
    def wants_answered(self) -> bool:
        """There is room for answered requests in this second."""
        return self._answered < HITS_PER_SECOND

    @property
    def wants_others(self) -> bool:
        """There is room for requests that were not answered."""
        return self._others < HITS_PER_SECOND

    def turn(self) -> None:
        """Another second has begun."""
        self._answered = self._others = 0

    def add(self, hit: Hit) -> None:
        """Takes one more; what it wants is asked before the hit is made."""
        if hit.outcome is Outcome.ANSWERED:
            self._answered += 1
        else:
            self._others += 1
        self._hits.append(hit)

    def take(self, limit: int | None) -> list[Hit]:
        """The oldest hits that were not taken, at most `limit`."""
        count = len(self._hits) if limit is None else min(limit, len(self._hits))
        return [self._hits.popleft() for _ in range(count)]
