"""A line that a steady load sends one request after the other on. What comes next, and what counts, the load knows.

Most answers of a steady load are known byte by byte (`known_answers`). The load reads those itself, from `plain`, and
the line learns nothing of it: its exchange stays under way, as if the answer were still to come.
"""

from _socket import socket
from errno import ECONNRESET
from math import inf

from floodmark.core.evidence import HandlerEvidence, parse_server_timing
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.connection import ANY_EVENT, READ_BYTES
from floodmark.engine.exchange import Exchange
from floodmark.engine.line import Line, Switchboard
from floodmark.engine.route import Route


def _nobody() -> None:
    """A load looks at a lane after each of its calls, and needs not be woken."""


class Lane(Line):
    """One connection's place in a load. `id` is the request's, or the connection's where they all have the same.

    `planned_s` is the planned release of the request under way, infinite while there is none; `exchange` is None then.
    `connected_s` and `local_port` are the connection's. `plain` is its socket while its next bytes may be read by
    others than the line: a request was sent whole, nothing of its answer was read, and it is not the connection's first
    (what fails later is to say so). A connection over TLS is never plain.
    """

    __slots__ = (
        "connected_s",
        "exchange",
        "id",
        "local_port",
        "plain",
        "planned_s",
        "released_s",
        "request",
        "request_bytes",
    )

    def __init__(self, board: Switchboard, route: Route, number: int) -> None:
        super().__init__(board, route, number)
        self.id = 0
        self.request = b""
        self.request_bytes = 0
        self.planned_s = inf
        self.released_s = -inf
        self.connected_s: float | None = None
        self.local_port: int | None = None
        self.exchange: Exchange | None = None
        self.plain: socket | None = None

    @property
    def received_bytes(self) -> int:
        """How much of the answer the line has read."""
        return self._received_bytes

    def carry(self, request_id: int, request: bytes) -> None:
        """Takes the request that the next `send` sends."""
        self.id = request_id
        self.request = request
        self.request_bytes = len(request)

    def send(self, planned_s: float) -> None:
        """Sends the request, on a new connection where there is none; `exchange` may have its outcome already."""
        is_new = not self.is_open
        exchange = self.exchange = Exchange(self.request, _nobody, False)  # noqa: FBT003 - one is made per request
        self.planned_s = planned_s
        if is_new:
            self.connected_s = self.local_port = None
        self.start(exchange)
        self.released_s = exchange.started_s
        if is_new and self._socket is not None:
            self.local_port = int(self._socket.getsockname()[1]) or None

    def find_plain(self) -> None:
        """Sets `plain`, which may be another after each call of the line."""
        opened = self._socket
        is_plain = self._was_kept and self._parser is None and not self._unsent and not self._failed_code
        self.plain = opened if is_plain and type(opened) is socket and self.exchange is not None else None

    def take(self, data: bytes, events: int) -> None:
        """As `advance`, where the first bytes of the answer were read from `plain` already."""
        exchange, opened = self._exchange, self._socket
        if exchange is None or opened is None:
            return
        if not data:
            self._take_end(exchange)
            return
        self._take_first(exchange, data, events)
        if exchange.outcome is None and len(data) == READ_BYTES:
            self._receive(exchange, opened, events)

    def fail(self, error: OSError) -> None:
        """As `advance`, where reading from `plain` raised."""
        self._fail(error.errno or ECONNRESET)

    def owe(self, unsent: bytes) -> None:
        """The request was sent again through `plain`, but for these bytes; where that failed the line finds out why."""
        self._unsent = unsent
        if self.exchange is not None:
            self.exchange.sent_s = None
        self._advance(ANY_EVENT)

    def give_up(self) -> None:
        """Ends the exchange, whose time is over, and its connection.

        An answer that is there already still counts: this call may be late.
        """
        self._advance(ANY_EVENT)
        if self._exchange is not None:
            self._time_out(self._clock())

    def rest(self) -> None:
        """Nothing is under way: the answer was taken, by the line or from `plain`."""
        self._exchange = self.exchange = self.plain = None
        self.planned_s = inf

    def hit(self, worker: str, hit_id: int, outcome: Outcome, error: str | None) -> Hit:
        """The record of the request under way. Where its connection was there before, that was at its release.

        A request that was sent again through `plain` left no time but its planned release, at which it was sent.
        """
        exchange = self.exchange
        if exchange is None:
            raise ValueError("there is no request under way")
        released_s = max(self.released_s, self.planned_s)
        evidence = _evidence_of(exchange)
        return Hit(
            id=hit_id,
            worker=worker,
            planned_s=self.planned_s,
            released_s=released_s,
            connected_s=_not_before(released_s, self.connected_s),
            sent_s=_not_before(released_s, exchange.sent_s),
            first_byte_s=exchange.first_byte_s,
            ended_s=exchange.ended_s,
            outcome=outcome,
            status=exchange.head.status if exchange.head else None,
            body_bytes=exchange.body_bytes,
            local_port=self.local_port,
            error=error,
            handler_begin_s=evidence.begin_s if evidence else None,
            handler_end_s=evidence.end_s if evidence else None,
            pid=evidence.pid if evidence else None,
            tid=evidence.tid if evidence else None,
            thread=evidence.thread if evidence else None,
        )


def _not_before(released_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else max(at_s, released_s)


def _evidence_of(exchange: Exchange) -> HandlerEvidence | None:
    if exchange.head is None or b"server-timing" not in exchange.head.names:
        return None
    values = [value for name, value in exchange.head.fields if name.lower() == b"server-timing"]
    return parse_server_timing(b", ".join(values).decode("latin-1"))
