"""How the load is released: five plans. Plans only: releasing is ``floodmark.engine``'s, joining workers ``load``'s.

Held profiles (burst, ramp) say what becomes of a number of requests; steady ones (closed, arrivals) what rate a server
keeps up; a search is a row of bursts, each larger than the one before.
"""

from dataclasses import dataclass
from typing import ClassVar

from floodmark.core.errors import UsageError

MAX_REQUESTS = 1_000_000
"""More in one burst cannot be meant: a client address has 64,511 ports at most, a host some thousands of addresses."""

MAX_RATE = 1_000_000.0
"""Requests per second over all workers: wrk makes 150,000 on one core."""

MAX_ARRIVALS = 1_000_000_000
"""Planned requests of one open model: a million a second for a quarter of an hour."""

MAX_HOLD_S = 3_600.0
"""The published studies held 800 s. An hour is where a typing error begins."""

MAX_DURATION_S = 86_400.0
"""A day."""

HOLDS_PER_RUN = 3.0
"""A run ends three holds after the last release: two full batches prove a ceiling, the third confirms it."""

SHORTEST_WAIT_S = 2.0
"""Three holds of nothing would end a run before the kernel's first SYN retry (1 s): wait at least this long."""

SEARCH_GROWTH = 4
"""From 16 to 10,000 in six steps; a ceiling is proven with anything from a few more requests than it upwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstProfile:
    """`requests` requests released evenly over `within_s` seconds (0: at one instant), each held for `hold_s`.

    A ramp is the same, and must have a `within_s`. `timeout_s` bounds one request from its planned release; None: none
    but the end of the run.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("burst", "ramp")

    requests: int
    within_s: float
    hold_s: float
    timeout_s: float | None = None
    kind: str = "burst"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant; the message names the option, the value and the remedy."""
        _prove_kind(self.kind, self.KINDS)
        _prove_count("--requests", self.requests, MAX_REQUESTS)
        if not 0 <= self.within_s <= MAX_HOLD_S:
            raise UsageError(f"--within {self.within_s:g}: give seconds from 0 to {MAX_HOLD_S:,.0f}; 0 is one instant")
        if self.kind == "ramp" and not self.within_s:
            raise UsageError("--within 0: a ramp takes some time; give seconds above 0, or take the burst profile")
        _prove_held(self.hold_s, self.timeout_s)

    @property
    def wait_s(self) -> float:
        """How long after the last release the run goes on for requests that have no outcome yet."""
        return self.timeout_s or max(HOLDS_PER_RUN * self.hold_s, SHORTEST_WAIT_S)

    @property
    def longest_s(self) -> float:
        """The longest the load can last, from the first planned release."""
        return self.within_s + self.wait_s

    @property
    def most_connections(self) -> int:
        """The most connections there can be at once."""
        return self.requests

    def share(self, first_id: int, step: int, at_s: float) -> tuple[tuple[int, float], ...]:
        """One worker's ids (`first_id`, `first_id` + `step`, ...) and when each is planned, on the clock of `at_s`."""
        ids = range(first_id, self.requests + 1, step)
        return tuple((request_id, at_s + self.planned_offset_s(request_id)) for request_id in ids)

    def planned_offset_s(self, request_id: int) -> float:
        """When request `request_id` (1 to `requests`) is to be released, in seconds after the first."""
        return (request_id - 1) * self.within_s / self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedProfile:
    """`connections` kept-alive connections for `duration_s`; each sends its next request when the last is answered.

    The closed model: the server sets the pace. What has no outcome at the end is waiting. `timeout_s` bounds one
    request from its release. `hold_s` is what the server is asked to take, where it can be asked.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("closed",)

    connections: int
    duration_s: float
    timeout_s: float
    hold_s: float = 0.0
    kind: str = "closed"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        _prove_kind(self.kind, self.KINDS)
        _prove_count("--connections", self.connections, MAX_REQUESTS)
        _prove_steady(self.duration_s, self.timeout_s, self.hold_s)

    @property
    def longest_s(self) -> float:
        """The longest the load can last, from the planned release."""
        return self.duration_s

    @property
    def most_connections(self) -> int:
        """The most connections there can be at once."""
        return self.connections


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalsProfile:
    """`rate` requests per second for `duration_s`, whatever the answers do: the open model.

    Each takes an idle kept-alive connection, or opens one; where `connections` are busy it waits for one, and its
    latency still counts from when it was planned, as does `timeout_s`.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("arrivals",)

    rate: float
    duration_s: float
    timeout_s: float
    connections: int
    hold_s: float = 0.0
    kind: str = "arrivals"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        _prove_kind(self.kind, self.KINDS)
        if not 0 < self.rate <= MAX_RATE:
            raise UsageError(f"--rate {self.rate:g}: give requests per second above 0, up to {MAX_RATE:,.0f}")
        _prove_count("--connections", self.connections, MAX_REQUESTS)
        _prove_steady(self.duration_s, self.timeout_s, self.hold_s)
        if not 1 <= self.requests <= MAX_ARRIVALS:
            raise UsageError(
                f"--rate {self.rate:g} for --duration {self.duration_s:g}: that is {self.requests:,} requests"
            )

    @property
    def requests(self) -> int:
        """How many requests are planned."""
        return round(self.rate * self.duration_s)

    @property
    def longest_s(self) -> float:
        """The longest the load can last, from the first planned release: the last requests have their time, too."""
        return self.duration_s + self.timeout_s

    @property
    def most_connections(self) -> int:
        """The most connections there can be at once."""
        return min(self.connections, self.requests)

    def planned_offset_s(self, request_id: int) -> float:
        """When request `request_id` (1 to `requests`) is to be released, in seconds after the first."""
        return (request_id - 1) / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProfile:
    """Bursts at one instant, each `SEARCH_GROWTH` times the one before, until a ceiling is proven.

    From `first` requests up to `most` at the most.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("search",)

    first: int
    most: int
    hold_s: float
    timeout_s: float | None = None
    kind: str = "search"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        _prove_kind(self.kind, self.KINDS)
        _prove_count("--first", self.first, MAX_REQUESTS)
        _prove_count("--requests", self.most, MAX_REQUESTS)
        if self.first > self.most:
            raise UsageError(
                f"--first {self.first} is more than --requests {self.most}, the largest burst of the search"
            )
        _prove_held(self.hold_s, self.timeout_s)

    @property
    def bursts(self) -> tuple[BurstProfile, ...]:
        """The bursts to go through, the smallest first."""
        sizes = [self.first]
        while sizes[-1] < self.most:
            sizes.append(min(sizes[-1] * SEARCH_GROWTH, self.most))
        return tuple(
            BurstProfile(requests=size, within_s=0.0, hold_s=self.hold_s, timeout_s=self.timeout_s) for size in sizes
        )

    @property
    def longest_s(self) -> float:
        """The longest that all bursts' loads can last together."""
        return sum(burst.longest_s for burst in self.bursts)

    @property
    def most_connections(self) -> int:
        """The most connections there can be at once."""
        return self.most


SteadyProfile = ClosedProfile | ArrivalsProfile
LoadProfile = BurstProfile | ClosedProfile | ArrivalsProfile
"""What one order to the workers can be."""

Profile = BurstProfile | ClosedProfile | ArrivalsProfile | SearchProfile
"""What a user can ask for."""

PROFILE_KINDS = tuple(
    kind for profile in (BurstProfile, ClosedProfile, ArrivalsProfile, SearchProfile) for kind in profile.KINDS
)


def prove_workers(profile: Profile, workers: int) -> None:
    """Raises `UsageError` where a worker would have requests to send, and no connection to send them on."""
    if not isinstance(profile, ArrivalsProfile):
        return
    needed = min(workers, profile.requests)
    if profile.connections < needed:
        raise UsageError(
            f"--connections {profile.connections}: {workers} workers send, and each needs one of its own at least;"
            f" give {needed} or more, or take fewer workers"
        )


def _prove_kind(kind: str, kinds: tuple[str, ...]) -> None:
    if kind not in kinds:
        raise UsageError(f"a profile of the kind {kind!r}: there are {', '.join(kinds)}")


def _prove_count(flag: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise UsageError(f"{flag} {count}: give a whole number from 1 to {most:,}")


def _prove_held(hold_s: float, timeout_s: float | None) -> None:
    if not 0 < hold_s <= MAX_HOLD_S:
        raise UsageError(f"--hold {hold_s:g}: give seconds above 0, up to {MAX_HOLD_S:,.0f}")
    if timeout_s is not None:
        _prove_timeout(timeout_s, hold_s)


def _prove_timeout(timeout_s: float, hold_s: float) -> None:
    if not 0 < timeout_s <= MAX_HOLD_S:
        raise UsageError(f"--timeout {timeout_s:g}: give seconds above 0, up to {MAX_HOLD_S:,.0f}")
    if hold_s >= timeout_s:
        raise UsageError(
            f"--hold {hold_s:g} is not shorter than --timeout {timeout_s:g}: every request would"
            " time out; raise --timeout or lower --hold"
        )


def _prove_steady(duration_s: float, timeout_s: float, hold_s: float) -> None:
    if not 1 <= duration_s <= MAX_DURATION_S:
        raise UsageError(f"--duration {duration_s:g}: give seconds from 1 to {MAX_DURATION_S:,.0f}")
    if not 0 <= hold_s <= MAX_HOLD_S:
        raise UsageError(f"--hold {hold_s:g}: give seconds from 0 to {MAX_HOLD_S:,.0f}")
    _prove_timeout(timeout_s, hold_s)
