"""How many intervals contain a moment: the arithmetic under every "at once". No meaning, no clock."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise


class StepCount:
    """The number of half-open intervals [begin, end) that contain t, as a function of t."""

    def __init__(self, intervals: Iterable[tuple[float, float]]) -> None:
        """An interval that ends before it begins counts as empty."""
        known = [(begin, max(begin, end)) for begin, end in intervals]
        self._begins = sorted(begin for begin, _ in known)
        self._ends = sorted(end for _, end in known)

    def __len__(self) -> int:
        return len(self._begins)

    def at(self, time_s: float) -> int:
        """The count at `time_s`."""
        return bisect_right(self._begins, time_s) - bisect_right(self._ends, time_s)

    def pieces(self, start_s: float, end_s: float) -> list[tuple[float, float, int]]:
        """(from, to, count) for every piece of [start, end] on which the count is constant, in order."""
        inside = {time_s for time_s in (*self._begins, *self._ends) if start_s < time_s < end_s}
        edges = [start_s, *sorted(inside), end_s] if end_s > start_s else []
        return [(begin_s, stop_s, self.at(begin_s)) for begin_s, stop_s in pairwise(edges)]


def sustained(pieces: Iterable[tuple[float, float, int]], dwell_s: float) -> int:
    """The highest level that the pieces are at or above for at least `dwell_s` in all; 0 where there is none.

    A peak that lasts for an instant only is an artefact of two clocks or of a late event, not a place's occupation.
    """
    held_s: dict[int, float] = {}
    for begin_s, end_s, level in pieces:
        held_s[level] = held_s.get(level, 0.0) + (end_s - begin_s)
    total_s = 0.0
    for level in sorted(held_s, reverse=True):
        total_s += held_s[level]
        if total_s >= dwell_s:
            return level
    return 0


def sampled_pieces(times_s: Sequence[float], values: Sequence[int | None]) -> list[tuple[float, float, int]]:
    """A sampled series as pieces, each value standing until the next sample; None values are left out."""
    paired = zip(pairwise(times_s), values, strict=False)
    return [(begin_s, end_s, value) for (begin_s, end_s), value in paired if value is not None]
