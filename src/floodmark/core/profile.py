"""How the load is released. A plan only: releasing is ``floodmark.engine``, joining workers is ``floodmark.load``."""

from dataclasses import dataclass

from floodmark.core.errors import UsageError

MAX_REQUESTS = 1_000_000
"""More in one burst cannot be meant: a client address has 64,511 ports at most, a host some thousands of addresses."""

MAX_HOLD_S = 3_600.0
"""The published studies held 800 s. An hour is where a typing error begins."""

HOLDS_PER_RUN = 3.0
"""A run ends three holds after the last release: two full batches prove a ceiling, the third confirms it."""

SHORTEST_WAIT_S = 2.0
"""Three holds of nothing would end a run before the kernel's first SYN retry (1 s): wait at least this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstProfile:
    """`requests` requests released evenly over `within_s` seconds (0: at one instant), each held for `hold_s`.

    `timeout_s` bounds one request from its planned release; None: none but the end of the run.
    """

    requests: int
    within_s: float
    hold_s: float
    timeout_s: float | None = None
    kind: str = "burst"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant; the message names the option, the value and the remedy."""
        if not 1 <= self.requests <= MAX_REQUESTS:
            raise UsageError(f"--requests {self.requests}: give a whole number from 1 to {MAX_REQUESTS:,}")
        if not 0 <= self.within_s <= MAX_HOLD_S:
            raise UsageError(f"--within {self.within_s:g}: give seconds from 0 to {MAX_HOLD_S:,.0f}; 0 is one instant")
        if not 0 < self.hold_s <= MAX_HOLD_S:
            raise UsageError(f"--hold {self.hold_s:g}: give seconds above 0, up to {MAX_HOLD_S:,.0f}")
        if self.timeout_s is None:
            return
        if not 0 < self.timeout_s <= MAX_HOLD_S:
            raise UsageError(f"--timeout {self.timeout_s:g}: give seconds above 0, up to {MAX_HOLD_S:,.0f}")
        if self.hold_s >= self.timeout_s:
            raise UsageError(
                f"--hold {self.hold_s:g} is not shorter than --timeout {self.timeout_s:g}: every request would"
                " time out; raise --timeout or lower --hold"
            )

    @property
    def wait_s(self) -> float:
        """How long after the last release the run goes on for requests that have no outcome yet."""
        return self.timeout_s or max(HOLDS_PER_RUN * self.hold_s, SHORTEST_WAIT_S)

    @property
    def longest_s(self) -> float:
        """The longest the load can last, from the first planned release."""
        return self.within_s + self.wait_s

    def share(self, first_id: int, step: int, at_s: float) -> tuple[tuple[int, float], ...]:
        """One worker's ids (`first_id`, `first_id` + `step`, ...) and when each is planned, on the clock of `at_s`."""
        ids = range(first_id, self.requests + 1, step)
        return tuple((request_id, at_s + self.planned_offset_s(request_id)) for request_id in ids)

    def planned_offset_s(self, request_id: int) -> float:
        """When request `request_id` (1 to `requests`) is to be released, in seconds after the first."""
        return (request_id - 1) * self.within_s / self.requests
