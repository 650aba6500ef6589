"""How far a burst is, in five numbers. A record only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Running totals of requests: `connected` at some time; `failed` in the sense of `Outcome.failed`.

    planned = answered + failed + those with no outcome yet; after the burst the rest are waiting and unsent.
    """

    planned: int
    released: int
    connected: int
    answered: int
    failed: int
