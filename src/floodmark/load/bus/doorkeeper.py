"""Who may come in at the master's socket, and who has left it; a thread of its own. It reads no message.

Two of ZeroMQ's sockets are answered here: ZAP's, which asks whether a key may join (https://rfc.zeromq.org/spec/27),
and the monitor's, which tells what becomes of connections. A plain thread and not a greenlet: a refused stranger's
descriptor lives for less than a millisecond, and only while it does has the stranger an address; and nobody who knocks
is kept waiting by a busy hub. No lock, no logging and no gevent in it, since those belong to the hub.
"""

import _socket
import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple

import zmq
from gevent.monkey import get_original
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from floodmark.core.bus_keys import MasterKeys

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_VERSION = b"1.0"
ZAP_FRAMES = 7
"""Version, request id, domain, address, identity, mechanism, and CURVE's one credential: the public key."""

KEY_SHOWN = 8

PAUSE_S = 0.1
"""After trouble, before the next try: what fails at once must not fill the log."""
_OVER = (zmq.ETERM, errno.ENOTSOCK)
"""The process, or the socket, is over."""
# gevent's own of these would make a hub in the thread, which nobody runs.
_sleep, _close = get_original("time", "sleep"), get_original("os", "close")

NO_KEY = "has no key, or speaks another language than ZeroMQ's"
NO_KEY_NEEDED = "has a key, and this bus has none, or it speaks another language than ZeroMQ's"
OTHER_MASTER = "holds the key of another master"
WRONG_KEY = "has a key that is none of this cluster's"

_EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class Peer(NamedTuple):
    """The other end of a connection; no port where the connection was gone before it could be asked."""

    host: str
    port: str


UNKNOWN = Peer("an unknown address", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One connection: a `descriptor` is soon another's, a `number` never is."""

    number: int
    descriptor: int
    peer: Peer


class Doorkeeper:
    """One for each bound socket, from before it is bound until it is closed."""

    def __init__(self, socket: Any, keys: MasterKeys | None, tell: Callable[[Caller | None, str | None], None]) -> None:
        """`socket` is the server's, not bound yet.

        `tell` is told of each connection that is over, with why it was not let in; None for one that was. Without a
        connection it is told of trouble in the thread, and with None twice that the thread is over, once `close` was
        called. It is called in the thread: it may only hand over and return.
        """
        self._socket = socket
        self._keys = keys
        self._tell = tell
        self._callers: dict[int, Caller] = {}
        self._numbers = count(1)
        self._failure: str | None = None
        self._denied, self._denied_peer = WRONG_KEY, UNKNOWN
        endpoint = f"inproc://floodmark-door-{id(self)}"
        socket.monitor(endpoint, _EVENTS)
        self._monitor = socket.context.socket(zmq.PAIR, socket_class=zmq.Socket)
        self._monitor.connect(endpoint)
        self._zap = socket.context.socket(zmq.REP, socket_class=zmq.Socket)
        self._zap.bind(ZAP_ENDPOINT)
        get_original("_thread", "start_new_thread")(self._keep, ())

    def caller(self, descriptor: int) -> Caller | None:
        """The connection that stands; None where the hub has heard of it before this thread has."""
        return self._callers.get(descriptor)

    def close(self) -> None:
        """Ends the watch; the thread follows."""
        self._socket.monitor(None, 0)

    def _keep(self) -> None:
        poller = zmq.Poller()
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._zap, zmq.POLLIN)
        watching = True
        while watching:
            try:
                watching = self._serve(dict(poller.poll()))
            except Exception as error:  # noqa: BLE001 - without this thread nobody can join
                if isinstance(error, zmq.ZMQError) and error.errno in _OVER:
                    break
                self._tell(None, f"{error!r:.200}")
                _sleep(PAUSE_S)
        self._monitor.close(linger=0)
        self._zap.close(linger=0)
        if not watching:
            self._tell(None, None)

    def _serve(self, ready: dict[Any, int]) -> bool:
        """Sees to what has come; False at the end. A question is answered first: without that no other is heard."""
        if self._zap in ready:
            self._zap.send_multipart(self._reply(self._zap.recv_multipart()))
        if self._monitor in ready:
            return self._see(parse_monitor_message(self._monitor.recv_multipart()))
        return True

    def _reply(self, question: list[bytes]) -> list[bytes]:
        """The answer, be it that there is none."""
        try:
            return self._answer(question)
        except Exception as error:  # noqa: BLE001 - likewise
            self._tell(None, f"{error!r:.200}")
            request = question[1] if len(question) > 1 else b""
            return [ZAP_VERSION, request, b"500", b"the master cannot say", b"", b""]

    def _see(self, event: Any) -> bool:
        """Takes one event in; False at the last."""
        kind, value = event["event"], event["value"]
        if kind == zmq.EVENT_MONITOR_STOPPED:
            return False
        if kind == zmq.EVENT_ACCEPTED:
            self._callers[value] = self._new_caller(value, peer_at(value))
        elif kind == zmq.EVENT_DISCONNECTED:
            caller = self._callers.pop(value, None) or self._new_caller(value, UNKNOWN)
            if self._failure == self._denied and not caller.peer.port:
                caller = replace(caller, peer=self._denied_peer)
            self._tell(caller, self._failure)
            self._failure = None
        else:
            # ZeroMQ says no descriptor here, but its next event is that this very connection is over.
            self._failure = self._why(kind, value)
        return True

    def _new_caller(self, descriptor: int, peer: Peer) -> Caller:
        return Caller(number=next(self._numbers), descriptor=descriptor, peer=peer)

    def _why(self, kind: int, value: int) -> str:
        if kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return self._denied
        if kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return NO_KEY if self._keys else NO_KEY_NEEDED
        if value == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
            return OTHER_MASTER
        return f"failed in the handshake (ZeroMQ's error {value:#x})"

    def _answer(self, question: list[bytes]) -> list[bytes]:
        """ZAP's reply: the role of the key becomes the user id that each message of the connection then has."""
        request = question[1] if len(question) > 1 else b""
        role = None
        if self._keys and len(question) == ZAP_FRAMES and question[5] == b"CURVE":
            public = z85.encode(question[6]).decode()
            role = self._keys.role_of(public)
            self._denied = f"{WRONG_KEY} ({public[:KEY_SHOWN]}...)"
            self._denied_peer = Peer(question[3].decode(errors="replace"), "")
        if role is None:
            return [ZAP_VERSION, request, b"400", b"no key of this cluster", b"", b""]
        return [ZAP_VERSION, request, b"200", b"", role.encode(), b""]


def hang_up(caller: Caller) -> None:
    """Ends a connection that ZeroMQ owns, if it still is that one: ZeroMQ then takes it for ended by its peer."""
    with contextlib.suppress(OSError), _copy_of(caller.descriptor) as connection:
        if caller.peer.port and _far_end(connection) == caller.peer:
            connection.shutdown(_socket.SHUT_RDWR)


def peer_at(descriptor: int) -> Peer:
    """Address and port at the other end of a connection that ZeroMQ owns.

    It may be over, and its descriptor another's: of what is no TCP connection nothing is said.
    """
    with contextlib.suppress(OSError), _copy_of(descriptor) as connection:
        return _far_end(connection)
    return UNKNOWN


@contextlib.contextmanager
def _copy_of(descriptor: int) -> Iterator[Any]:
    """A socket of the unpatched kind on a copy of the descriptor, which is closed in any case."""
    copy = os.dup(descriptor)
    try:
        connection = _socket.socket(fileno=copy)
        try:
            yield connection
        finally:
            connection.detach()
    finally:
        _close(copy)


def _far_end(connection: Any) -> Peer:
    if connection.family not in (_socket.AF_INET, _socket.AF_INET6):
        return UNKNOWN
    host, port = connection.getpeername()[:2]
    host = host.removeprefix("::ffff:")
    return Peer(f"[{host}]" if ":" in host else host, str(port))
