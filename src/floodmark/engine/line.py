"""A kept-alive connection: one exchange at a time, opened when one needs it. It never waits, retries or reconnects.

A line whose connection is known to be closed between two exchanges opens a new one for the next. Where the peer closed
and nobody here knew yet, the exchange fails: it was sent, and what the server did with it is not known.
"""

import errno
import os
from _socket import socket  # the kernel's own: gevent's patched one would wait behind our back
from collections.abc import Callable
from math import inf
from ssl import SSLError
from typing import Protocol

from floodmark.core.outcomes import Outcome
from floodmark.engine.connection import ANY_EVENT, READ_BYTES, READS_PER_TURN
from floodmark.engine.epoll_events import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLRDHUP
from floodmark.engine.exchange import Exchange
from floodmark.engine.failure import AFTER_ESTABLISHED, outcome_of
from floodmark.engine.known_heads import END, END_BYTES, KnownHeads, head_of
from floodmark.engine.response import MalformedResponseError, ResponseParser
from floodmark.engine.route import Route
from floodmark.engine.tls import TlsSocket, connected_at, words_of

_HUNG_UP = EPOLLRDHUP | EPOLLHUP | EPOLLERR
_READABLE = EPOLLIN | _HUNG_UP
_UNDER_WAY = (0, errno.EINPROGRESS)
_ANSWERED = Outcome.ANSWERED  # an enum's member takes as long to look up as to make a small object


class Switchboard(Protocol):
    """What a line needs of the client it belongs to."""

    clock: Callable[[], float]
    heads: KnownHeads
    keep_bytes: int
    """How much of a body is kept where it comes in pieces."""

    def watch(self, line: "Line") -> None:
        """Begins to tell the line of its socket's events. Raises `OSError`."""

    def watch_again(self, line: "Line") -> None:
        """Tells the line of its socket's state once more, though nothing changed."""

    def forget(self, line: "Line") -> None:
        """The line's socket is about to be closed."""

    def remind(self, line: "Line") -> None:
        """Calls the line's `expire` at its `deadline_s`."""


class Line:
    """One user's way to one server. Not thread-safe."""

    __slots__ = (
        "_board",
        "_clock",
        "_connect_timeout_s",
        "_exchange",
        "_failed_code",
        "_find_head",
        "_is_connected",
        "_number",
        "_parser",
        "_read_head",
        "_received_bytes",
        "_response_timeout_s",
        "_route",
        "_socket",
        "_unsent",
        "_was_kept",
        "deadline_s",
        "fd",
        "reminder_s",
    )

    def __init__(self, board: Switchboard, route: Route, number: int = 0) -> None:
        """`number` chooses among the route's source addresses."""
        self.fd = -1
        self._number = number
        self.deadline_s = inf
        self.reminder_s = inf  # when the board will call `expire`
        self._board = board
        self._clock = board.clock
        self._find_head = board.heads.find
        self._read_head = board.heads.read
        self._route = route
        self._response_timeout_s = route.response_timeout_s
        self._connect_timeout_s = min(route.connect_timeout_s, route.response_timeout_s)
        self._socket: socket | TlsSocket | None = None
        self._exchange: Exchange | None = None
        self._unsent = b""
        self._parser: ResponseParser | None = None
        self._received_bytes = 0
        self._is_connected = False
        self._was_kept = False  # the connection has served an exchange before
        self._failed_code = 0  # errno of a send that failed: judged when what had arrived is read

    @property
    def is_open(self) -> bool:
        """There is a connection, or one is under way."""
        return self._socket is not None

    def start(self, exchange: Exchange) -> bool:
        """Sends a request; True where it has its outcome already, and `wake` is not called."""
        if self._exchange is not None:
            raise ValueError("a line carries one exchange at a time")
        exchange.started_s = now_s = self._clock()
        self._exchange = exchange
        self._unsent = exchange.request
        self._received_bytes = 0
        if self._socket is None:
            self._open(exchange, self._route)
        else:
            self._was_kept = True
            self._send(exchange, self._socket)
            if self._failed_code:
                self._advance(ANY_EVENT)
        if exchange.outcome is not None:
            return True
        self.deadline_s = now_s + (self._response_timeout_s if self._is_connected else self._connect_timeout_s)
        if self.deadline_s < self.reminder_s:
            self._board.remind(self)
        return False

    def advance(self, events: int) -> None:
        """Does what the socket allows now, and wakes who waits for the exchange where that ended it."""
        exchange = self._exchange
        if exchange is None:
            self._look_while_idle(events)
            return
        if self._unsent or self._failed_code:
            self._advance(events)
        elif self._socket is not None and (events & _READABLE or type(self._socket) is TlsSocket):
            # Of what a TLS socket has taken from the kernel already no event tells.
            self._receive(exchange, self._socket, events)
        if exchange.outcome is not None:
            exchange.wake()  # which may start the next exchange on this line

    def expire(self) -> None:
        """Ends an exchange whose time is over. What is there already still counts: this call may be late."""
        exchange = self._exchange
        if exchange is None:
            return
        now_s = self._clock()
        if now_s >= self.deadline_s:
            self._advance(ANY_EVENT)
            if exchange.outcome is None and not self._has_new_deadline(exchange, now_s):
                self._time_out(now_s)
        if exchange.outcome is not None:
            exchange.wake()
        else:
            self._board.remind(self)

    def close(self) -> None:
        """Gives the connection back. An exchange under way is dropped: nobody is woken."""
        self._exchange = None
        self._hang_up()

    def _open(self, exchange: Exchange, route: Route) -> None:
        self._is_connected = self._was_kept = False
        self._failed_code = 0
        try:
            self._socket, code = route.dial.open(self._number, self._clock)
        except OSError as error:
            self._finish(outcome_of(error.errno or 0, connected=False), error.strerror or str(error))
            return
        self.fd = self._socket.fileno()
        if code not in _UNDER_WAY:
            self._fail(code)
            return
        self._send(exchange, self._socket)
        if self._exchange is not exchange:
            return
        if self._failed_code and self._failed_code not in AFTER_ESTABLISHED:
            self._fail(self._failed_code)
            return
        try:
            self._board.watch(self)
        except OSError as error:
            self._fail(error.errno or 0)

    def _send(self, exchange: Exchange, opened: socket | TlsSocket) -> None:
        """Sends what goes. A send that is taken is also the proof that the connection is established."""
        try:
            count = opened.send(self._unsent)
        except BlockingIOError:
            self._note_connected(exchange, opened)
            return
        except SSLError as error:
            self._note_connected(exchange, opened)
            self._finish(Outcome.TLS_FAILED, words_of(error))
            return
        except OSError as error:
            self._failed_code = error.errno or errno.EPIPE
            if self._failed_code in AFTER_ESTABLISHED and not self._is_connected:
                self._is_connected = True
                exchange.connected_s = connected_at(opened, self._clock())
            return
        now_s = self._clock()
        if not self._is_connected:
            self._is_connected = True
            exchange.connected_s = connected_at(opened, now_s)
        if count == len(self._unsent):
            self._unsent = b""
            exchange.sent_s = now_s
        else:
            self._unsent = self._unsent[count:]

    def _note_connected(self, exchange: Exchange, opened: socket | TlsSocket) -> None:
        """Nothing was sent; of TLS the handshake may still have got somewhere, and then TCP is connected."""
        if not self._is_connected and isinstance(opened, TlsSocket) and opened.connected_s is not None:
            self._is_connected = True
            exchange.connected_s = opened.connected_s

    def _advance(self, events: int) -> None:
        exchange, opened = self._exchange, self._socket
        if opened is None or exchange is None:
            return
        if self._unsent and not self._failed_code:
            self._send(exchange, opened)
            if exchange.outcome is not None:
                return
        if self._failed_code and self._failed_code not in AFTER_ESTABLISHED:
            self._fail(self._failed_code)
        elif self._failed_code or (self._is_connected and (events & _READABLE or type(opened) is TlsSocket)):
            self._receive(exchange, opened, events)

    def _receive(self, exchange: Exchange, opened: socket | TlsSocket, events: int) -> None:
        """Reads until nothing is left, the answer is complete, or this turn is over."""
        for _ in range(READS_PER_TURN):
            try:
                data = opened.recv(READ_BYTES)
            except BlockingIOError:
                if self._failed_code:
                    self._fail(self._failed_code)
                return
            except SSLError as error:
                self._fail_tls(error)
                return
            except OSError as error:
                self._fail(error.errno or errno.ECONNRESET)
                return
            if not data:
                self._take_end(exchange)
                return
            if self._parser is None:
                self._take_first(exchange, data, events)
            else:
                self._take(exchange, data, self._parser, events)
            if exchange.outcome is not None:
                return
            # A short read emptied the socket (epoll(7)); what comes later is a new event. A TLS record is always short.
            if len(data) < READ_BYTES and not events & _HUNG_UP and not self._failed_code and type(opened) is socket:
                return
        self._board.watch_again(self)

    def _take_first(self, exchange: Exchange, data: bytes, events: int) -> None:
        """Takes the first bytes of an answer: all of it, where its head is a plain one and the body is here too."""
        exchange.first_byte_s = self._clock()
        size_bytes = data.find(END) + END_BYTES
        head = data[:size_bytes]
        known = self._find_head(head) or self._read_head(head)
        if known is not None and len(data) - size_bytes == known.body_bytes and not exchange.is_head:
            self._received_bytes = len(data)
            exchange.head = known.head
            exchange.body = data[size_bytes:]
            exchange.body_bytes = known.body_bytes
            exchange.ended_s = exchange.first_byte_s
            self._answer(exchange, known.keeps_alive, events)
            return
        parser = self._parser = ResponseParser(
            keep_bytes=self._board.keep_bytes, keeps_fields=True, ends_with_head=exchange.is_head
        )
        self._take(exchange, data, parser, events)
        if exchange.outcome is _ANSWERED:
            exchange.ended_s = exchange.first_byte_s  # it came in one piece

    def _take(self, exchange: Exchange, data: bytes, parser: ResponseParser, events: int) -> None:
        self._received_bytes += len(data)
        try:
            is_complete = parser.feed(data)
        except MalformedResponseError as error:
            self._finish(Outcome.MALFORMED, str(error))
            return
        if is_complete:
            self._take_all(exchange, parser, events)

    def _take_end(self, exchange: Exchange) -> None:
        """The peer sends no more: the end of an answer that has no other, or the end of hope."""
        if self._failed_code:
            self._fail(self._failed_code)
        elif self._parser is not None and self._parser.eof():
            self._take_all(exchange, self._parser, _HUNG_UP)
        else:
            self._finish(Outcome.CLOSED, f"closed after {self._received_bytes} bytes of the answer{self._which()}")

    def _take_all(self, exchange: Exchange, parser: ResponseParser, events: int) -> None:
        exchange.head = head_of(parser)
        exchange.body = bytes(parser.body)
        exchange.body_bytes = parser.body_bytes
        exchange.ended_s = self._clock()
        self._parser = None
        self._answer(exchange, parser.keeps_alive, events)

    def _answer(self, exchange: Exchange, keeps_alive: bool, events: int) -> None:  # noqa: FBT001 - the hottest call
        """Ends the exchange with an answer; the connection is kept where the peer keeps it, too."""
        exchange.outcome = _ANSWERED
        self._exchange = None
        if not keeps_alive or self._unsent or events & _HUNG_UP or self._failed_code:
            self._hang_up()

    def _fail(self, code: int) -> None:
        """Ends the exchange with the outcome of errno `code`."""
        outcome = outcome_of(code, connected=self._is_connected)
        if outcome is Outcome.RESET:
            self._finish(outcome, f"reset after {self._received_bytes} bytes of the answer{self._which()}")
        else:
            self._finish(outcome, os.strerror(code))

    def _fail_tls(self, error: SSLError) -> None:
        """Where a send failed before, that is what went wrong."""
        if self._failed_code:
            self._fail(self._failed_code)
        else:
            self._finish(Outcome.TLS_FAILED, words_of(error))

    def _which(self) -> str:
        return ", on a connection that was kept alive" if self._was_kept else ""

    def _has_new_deadline(self, exchange: Exchange, now_s: float) -> bool:
        """The deadline that passed was the connection's, and the connection is there."""
        if self._is_connected:
            self.deadline_s = exchange.started_s + self._response_timeout_s
        return now_s < self.deadline_s

    def _time_out(self, now_s: float) -> None:
        if self._is_connected:
            words = f"no answer within {self._response_timeout_s:g} s, {self._received_bytes} bytes of it"
            self._finish(Outcome.RESPONSE_TIMEOUT, words, now_s)
        else:
            self._finish(Outcome.CONNECT_TIMEOUT, f"not connected within {self._connect_timeout_s:g} s", now_s)

    def _finish(self, outcome: Outcome, error: str, now_s: float | None = None) -> None:
        """Ends the exchange without an answer; its connection is of no further use."""
        exchange = self._exchange
        if exchange is not None:
            exchange.outcome = outcome
            exchange.error = error
            exchange.ended_s = self._clock() if now_s is None else now_s
        self._exchange = None
        self._hang_up()

    def _hang_up(self) -> None:
        self._unsent = b""
        self._parser = None
        if self._socket is not None:
            self._board.forget(self)
            self._socket.close()
            self._socket = None
            self.fd = -1

    def _look_while_idle(self, events: int) -> None:
        """Between two exchanges nothing is to come: whatever does, an end or bytes of nobody's, ends the connection."""
        if self._socket is None or not events & _READABLE:
            return
        try:
            self._socket.recv(1)
        except BlockingIOError:
            return
        except OSError:
            pass
        self._hang_up()
