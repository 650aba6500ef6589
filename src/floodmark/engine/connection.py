"""One request on one socket: connect, send, receive, close. It never waits or retries, and knows no other request."""

import errno
import os
from _socket import socket  # the kernel's own: gevent's patched one would wait behind our back
from collections.abc import Callable
from ssl import SSLError

from floodmark.core.evidence import HandlerEvidence, parse_server_timing
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import Dial
from floodmark.engine.epoll_events import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from floodmark.engine.failure import AFTER_ESTABLISHED, outcome_of
from floodmark.engine.response import MalformedResponseError, ResponseParser
from floodmark.engine.tls import TlsSocket, connected_at, words_of

ANY_EVENT = EPOLLIN | EPOLLOUT | EPOLLRDHUP
"""What a connection can be told without being asked again; EPOLLERR and EPOLLHUP come unasked (epoll_ctl(2))."""

READ_BYTES = 65_536
"""One read. An answer of the kinds that are held is a few hundred bytes; a larger one takes several reads."""

READS_PER_TURN = 16
"""A server that sends without end gets 1 MiB per turn: the other connections wait no longer than that takes."""

_HUNG_UP = EPOLLRDHUP | EPOLLHUP | EPOLLERR
_READABLE = EPOLLIN | _HUNG_UP
_UNDER_WAY = (0, errno.EINPROGRESS)


class Connection:
    """One request from its release to its outcome; times as in `Hit`. Over TLS, connected is TCP's word.

    Closing comes at once with the outcome. Who closes first keeps the port in TIME_WAIT for a minute: this side where
    the answer's last byte arrives before the server's FIN. So a burst uses up to one port per request for a minute.
    """

    __slots__ = (
        "_failed_code",
        "_parser",
        "_received_bytes",
        "_socket",
        "_unsent",
        "connected_s",
        "ended_s",
        "error",
        "fd",
        "first_byte_s",
        "has_more",
        "id",
        "local_port",
        "outcome",
        "planned_s",
        "released_s",
        "sent_s",
    )

    def __init__(self, request_id: int, planned_s: float) -> None:
        self.id = request_id
        self.planned_s = planned_s
        self.released_s: float | None = None
        self.connected_s: float | None = None
        self.sent_s: float | None = None
        self.first_byte_s: float | None = None
        self.ended_s: float | None = None
        self.outcome: Outcome | None = None
        self.error: str | None = None
        self.local_port: int | None = None
        self.fd = -1
        self.has_more = False  # stopped reading with bytes left: no new event will say so
        self._socket: socket | TlsSocket | None = None
        self._unsent = b""
        self._parser: ResponseParser | None = None
        self._received_bytes = 0
        self._failed_code = 0  # errno of a send that failed: judged when what had arrived is read

    def open(self, dial: Dial, number: int, request: bytes, clock: Callable[[], float]) -> None:
        """Begins to connect, and sends what already goes: over loopback the connection is there at once.

        `number` chooses among the source addresses.
        """
        self.released_s = clock()
        try:
            opened, code = dial.open(number, clock)
        except OSError as error:
            self.finish(outcome_of(error.errno or 0, connected=False), error.strerror or str(error), clock())
            return
        self._socket = opened
        self.fd = opened.fileno()
        self._unsent = request
        if code in _UNDER_WAY:
            self._send(opened, clock)
            if self._failed_code in AFTER_ESTABLISHED:
                return  # something may have arrived before: the first event reads it
            code = self._failed_code
        if code:
            self.fail(code, clock())

    @property
    def is_sent(self) -> bool:
        """The last byte of the request is with the kernel."""
        return self.sent_s is not None

    def advance(self, events: int, check: AnswerCheck, clock: Callable[[], float]) -> bool:
        """Does what the socket allows now. True where the request now has its outcome."""
        opened = self._socket
        if opened is None:
            return True
        self.has_more = False
        if self._unsent and not self._failed_code:
            self._send(opened, clock)
            if self.outcome is not None:
                return True
        if self._failed_code and self._failed_code not in AFTER_ESTABLISHED:
            self.fail(self._failed_code, clock())
        elif self._failed_code or (events & _READABLE and self.connected_s is not None):
            self._receive(opened, events, check, clock)
        return self.outcome is not None

    def fail(self, code: int, now_s: float) -> None:
        """Ends the request with the outcome of errno `code`."""
        outcome = outcome_of(code, connected=self.connected_s is not None)
        if outcome is Outcome.RESET:
            self.finish(outcome, f"reset after {self._received_bytes} bytes of the answer", now_s)
        else:
            self.finish(outcome, os.strerror(code), now_s)

    def time_out(self, timeout_s: float, now_s: float) -> None:
        """Ends the request because its time is over."""
        if self.connected_s is None:
            self.finish(Outcome.CONNECT_TIMEOUT, f"not connected within {timeout_s:g} s", now_s)
        else:
            words = f"no answer within {timeout_s:g} s, {self._received_bytes} bytes of it"
            self.finish(Outcome.RESPONSE_TIMEOUT, words, now_s)

    def finish(self, outcome: Outcome, error: str | None, now_s: float | None) -> None:
        """Sets the outcome and closes the socket; `now_s` None where nothing ended but the run."""
        self.outcome = outcome
        self.error = error
        self.ended_s = now_s
        self._unsent = b""
        self.has_more = False
        if self._parser is not None:
            self._parser.body.clear()
        if self._socket is not None:
            self.local_port = _port_of(self._socket)
            self._socket.close()
            self._socket = None

    def hit(self, worker: str) -> Hit:
        """The record of this request, which must have its outcome. The handler's evidence is read here, not before."""
        if self.outcome is None:
            raise ValueError(f"request {self.id} has no outcome yet")
        evidence = self._evidence()
        return Hit(
            id=self.id,
            worker=worker,
            planned_s=self.planned_s,
            released_s=self.released_s,
            connected_s=self.connected_s,
            sent_s=self.sent_s,
            first_byte_s=self.first_byte_s,
            ended_s=self.ended_s,
            outcome=self.outcome,
            status=self._parser.status if self._parser else None,
            body_bytes=self._parser.body_bytes if self._parser else 0,
            local_port=self.local_port,
            error=self.error,
            handler_begin_s=evidence.begin_s if evidence else None,
            handler_end_s=evidence.end_s if evidence else None,
            pid=evidence.pid if evidence else None,
            tid=evidence.tid if evidence else None,
            thread=evidence.thread if evidence else None,
        )

    def _evidence(self) -> HandlerEvidence | None:
        timing = self._parser.server_timing if self._parser else ""
        return parse_server_timing(timing) if timing else None

    def _send(self, opened: socket | TlsSocket, clock: Callable[[], float]) -> None:
        """Sends what goes. A send that is taken is also the proof that the connection is established."""
        try:
            count = opened.send(self._unsent)
        except BlockingIOError:
            # Of TLS the handshake may still have got somewhere.
            self._note_connected(opened)
            return
        except SSLError as error:
            self._note_connected(opened)
            self.finish(Outcome.TLS_FAILED, words_of(error), clock())
            return
        except OSError as error:
            self._failed_code = error.errno or errno.EPIPE
            if self.connected_s is None and self._failed_code in AFTER_ESTABLISHED:
                self.connected_s = connected_at(opened, clock())
            return
        now_s = clock()
        if self.connected_s is None:
            self.connected_s = connected_at(opened, now_s)
        self._unsent = self._unsent[count:]
        if not self._unsent:
            self.sent_s = now_s

    def _receive(self, opened: socket | TlsSocket, events: int, check: AnswerCheck, clock: Callable[[], float]) -> None:
        """Reads until nothing is left, the answer is complete, or this turn is over."""
        for _ in range(READS_PER_TURN):
            try:
                data = opened.recv(READ_BYTES)
            except BlockingIOError:
                if self._failed_code:
                    self.fail(self._failed_code, clock())
                return
            except SSLError as error:
                self._fail_tls(error, clock())
                return
            except OSError as error:
                self.fail(error.errno or errno.ECONNRESET, clock())
                return
            if not data:
                self._take_end(check, clock())
                return
            self._take(data, check, clock())
            if self.outcome is not None:
                return
            # A short read emptied the socket (epoll(7)); what comes later is a new event. A TLS record is always short.
            is_short = len(data) < READ_BYTES and type(opened) is not TlsSocket
            if is_short and not events & _HUNG_UP and not self._failed_code:
                return
        self.has_more = True

    def _take(self, data: bytes, check: AnswerCheck, now_s: float) -> None:
        parser = self._parser
        if parser is None:
            parser = self._parser = ResponseParser(keep_bytes=check.kept_body_bytes)
            self.first_byte_s = now_s
        self._received_bytes += len(data)
        try:
            is_complete = parser.feed(data)
        except MalformedResponseError as error:
            self.finish(Outcome.MALFORMED, str(error), now_s)
            return
        if is_complete:
            self._judge(parser, check, now_s)

    def _note_connected(self, opened: socket | TlsSocket) -> None:
        """Nothing was sent; of TLS the handshake may still have got somewhere, and then TCP is connected."""
        if self.connected_s is None and isinstance(opened, TlsSocket):
            self.connected_s = opened.connected_s

    def _fail_tls(self, error: SSLError, now_s: float) -> None:
        """Where a send failed before, that is what went wrong."""
        if self._failed_code:
            self.fail(self._failed_code, now_s)
        else:
            self.finish(Outcome.TLS_FAILED, words_of(error), now_s)

    def _take_end(self, check: AnswerCheck, now_s: float) -> None:
        """The peer sends no more: the end of an answer that has no other, or the end of hope."""
        if self._failed_code:
            self.fail(self._failed_code, now_s)
        elif self._parser is not None and self._parser.eof():
            self._judge(self._parser, check, now_s)
        else:
            self.finish(Outcome.CLOSED, f"closed after {self._received_bytes} bytes of the answer", now_s)

    def _judge(self, parser: ResponseParser, check: AnswerCheck, now_s: float) -> None:
        outcome, error = check.judge(parser.status or 0, parser.reason, parser.body)
        self.finish(outcome, error, now_s)


def _port_of(opened: socket | TlsSocket) -> int | None:
    """The local port; None where there is none, or no longer one."""
    try:
        return int(opened.getsockname()[1]) or None
    except OSError:
        return None
