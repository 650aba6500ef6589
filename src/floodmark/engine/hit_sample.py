"""Some of a steady load's requests in full: as many of each second as a reader can look at. All are in the `tally`."""

from collections import deque
from math import exp, log1p
from random import Random

from floodmark.core.hit import Hit

HITS_PER_SECOND = 50
"""Of the answered, and as many of the others: a day of them is some gigabytes, a minute some megabytes."""

_BELOW_ONE = 1 - 2.0**-53


class Reservoir:
    """`HITS_PER_SECOND` of the requests that go by, or all where they are fewer; each has the same chance.

    `room` is how many more go by before the next one is taken: who lets one by counts it down, and no hit is made of
    that one. It is drawn in advance (K.-H. Li, Reservoir-Sampling Algorithms of Time Complexity O(n(1 + log(N/n))),
    1994, algorithm L), so that of 50,000 requests some 400 are looked at.
    """

    __slots__ = ("_kept", "_random", "_weight", "room")

    def __init__(self, random: Random) -> None:
        self.room = 0
        self._random = random
        self._weight = 1.0
        self._kept: list[Hit] = []

    def add(self, hit: Hit) -> None:
        """Takes the one whose turn it is, in the place of another where all are taken."""
        if self.room:
            raise ValueError(f"{self.room} more requests are to go by first")
        if len(self._kept) == HITS_PER_SECOND:
            del self._kept[self._random.randrange(HITS_PER_SECOND)]
        self._kept.append(hit)
        if len(self._kept) == HITS_PER_SECOND:
            self._draw()

    def empty(self) -> list[Hit]:
        """All that was taken, the oldest first; what comes is another second's."""
        kept, self._kept = self._kept, []
        self.room, self._weight = 0, 1.0
        return kept

    def _draw(self) -> None:
        # expovariate(1) is minus the logarithm of a number drawn evenly from 0 to 1.
        drawn = self._random.expovariate
        self._weight = min(self._weight * exp(-drawn(1.0) / HITS_PER_SECOND), _BELOW_ONE)
        self.room = int(drawn(1.0) / -log1p(-self._weight))


class HitSample:
    """Of each second a sample of the `answered` requests, and one of those that were not.

    That one is of the `failed` first: `unended` requests (waiting or unsent, of which an end may leave a million) have
    the places that these leave.
    """

    def __init__(self, seed: int) -> None:
        """The same `seed` takes the same ones: the first, the fifty-third, ..."""
        self.answered = Reservoir(Random(f"answered {seed}"))  # noqa: S311 - no secret
        self.failed = Reservoir(Random(f"failed {seed}"))  # noqa: S311 - the same
        self.unended = Reservoir(Random(f"unended {seed}"))  # noqa: S311 - the same
        self._random = Random(seed)  # noqa: S311 - the same
        self._hits: deque[Hit] = deque()

    def turn(self) -> None:
        """A second is over: what was taken of it stays."""
        failed, unended = self.failed.empty(), self.unended.empty()
        places = min(HITS_PER_SECOND - len(failed), len(unended))
        chosen = sorted(self._random.sample(range(len(unended)), places))
        self._hits += [*self.answered.empty(), *failed, *(unended[index] for index in chosen)]

    def take(self, limit: int | None) -> list[Hit]:
        """The oldest hits of seconds that are over, those that were not taken; at most `limit`."""
        count = len(self._hits) if limit is None else min(limit, len(self._hits))
        return [self._hits.popleft() for _ in range(count)]
