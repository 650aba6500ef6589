"""One request of a kept-alive line and what became of it. No socket: sending and receiving is ``line``'s."""

from collections.abc import Callable
from dataclasses import dataclass

from floodmark.core.outcomes import Outcome

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields: names and values in order, as they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What came before an answer's body. `names` are its fields' names in lower case."""

    status: int
    reason: str
    fields: Fields
    names: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds from the start of a request to each of its stages; None for a stage that it did not reach.

    `connect_s` is None, too, where the connection was there already.
    """

    connect_s: float | None
    sent_s: float | None
    first_byte_s: float | None
    last_byte_s: float | None


class Exchange:
    """A request on its way, and its answer. It has ended once `outcome` is set; times are on the client's clock.

    `outcome` is ANSWERED for every complete answer, whatever its status. `head` is None without one; `body` is whole,
    its content not decoded, but of one that comes in pieces a board may keep less (`Switchboard.keep_bytes`);
    `body_bytes` counts all of it. `ended_s` is `first_byte_s` where the answer came in one piece. `wake` is called
    once, with no argument, when the exchange ended, except where it ended within `Line.start`.
    """

    # Defaults of the class: not to set what most exchanges have in common saves a tenth of their making.
    started_s = 0.0
    connected_s: float | None = None
    sent_s: float | None = None
    first_byte_s: float | None = None
    ended_s: float | None = None
    outcome: Outcome | None = None
    error: str | None = None
    head: Head | None = None
    body = b""
    body_bytes = 0

    def __init__(
        self,
        request: bytes,
        wake: Callable[[], object],
        is_head: bool,  # noqa: FBT001 - one is made per request, and keywords cost
    ) -> None:
        """`request` is all its bytes; `is_head` says that its answer has no body."""
        self.request = request
        self.wake = wake
        self.is_head = is_head

    @property
    def took_s(self) -> float:
        """From its start to its end; 0 where it has not ended."""
        return 0.0 if self.ended_s is None else self.ended_s - self.started_s

    @property
    def timings(self) -> Timings:
        """The stages, from the start."""
        return Timings(
            connect_s=self._since_start(self.connected_s),
            sent_s=self._since_start(self.sent_s),
            first_byte_s=self._since_start(self.first_byte_s),
            last_byte_s=self._since_start(self.ended_s) if self.outcome is Outcome.ANSWERED else None,
        )

    def _since_start(self, at_s: float | None) -> float | None:
        return None if at_s is None else at_s - self.started_s
