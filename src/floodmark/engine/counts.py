"""How far a load is, in six numbers. A record only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Running totals of requests: `connected` at some time; `failed` in the sense of `Outcome.failed`.

    planned = answered + failed + those with no outcome yet; after the load the rest are waiting and unsent. In a closed
    loop each request is planned when it is released. `open_connections` is no total: those there are now.
    """

    planned: int
    released: int
    connected: int
    answered: int
    failed: int
    open_connections: int = 0
