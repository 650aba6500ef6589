"""What a run's pictures show beside the timeline: how its times are spread, and when it failed. Records only."""

from dataclasses import dataclass

from floodmark.core.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyCurve:
    """How `count` times are spread: a share `shares[k]` of them, rising from 0 to below 1, took `times_s[k]` at most.

    `name` is the field of `VerdictDocument` with the percentiles of the same times. The last point is the longest time;
    its share is that of half a request less than all.
    """

    name: str
    count: int
    shares: tuple[float, ...]
    times_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureTimes:
    """When requests failed: of each kind, the most frequent first, so many between `edges_s[k]` and `edges_s[k + 1]`.

    The edges are evenly apart, in seconds since the first planned release.
    """

    edges_s: tuple[float, ...]
    counts: dict[Outcome, tuple[int, ...]]
