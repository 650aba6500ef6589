"""The agent's end of Locust's bus: a ZeroMQ DEALER to the master's ROUTER. The only file that owns that socket.

A message is one msgpack 3-tuple (type, data, node id), as in Locust's ``rpc/protocol.py``. Nothing here blocks longer
than it is told to, and reconnecting is ZeroMQ's own.
"""

import contextlib
import logging
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import zmq

from floodmark.core.bus_keys import NodeKeys
from floodmark.core.codec import to_table
from floodmark.core.errors import UsageError, WireError

_LOG = logging.getLogger(__name__)

MESSAGE_BYTES = 1 << 20
"""The longest message taken in; the master's to an agent have a few hundred bytes."""
# Few, so that what cannot be sent waits in the outbox, where it is counted.
_SEND_QUEUE_MESSAGES = 64
# For what was handed over at the end, on a slow link; without a connection nothing waits to leave.
_LINGER_MS = 2000
# The same as Locust gives its own sockets (locust/rpc/zmqrpc.py).
_KEEPALIVE_IDLE_S = 30
# After some refusals ZeroMQ gives a connection up: this often another is begun.
_REFUSED_RETRY_S = 5.0
_REFUSALS = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "it does not know this agent's key",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "one of master and agent has no key, or that is no master",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "it hung up: it has other keys, or one of both has none",
}
# Of a monitor's message the first frame: event, value (zmq_socket_monitor(3)). pyzmq's own reader of these brings in
# asyncio, which an agent has no other use for and would pay for in memory.
_EVENT = struct.Struct("=Hi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message from the master, stamped as soon as it was there."""

    kind: str
    data: Any
    received_s: float


class Bus:
    """A connection to one master. `identity` is fresh for each process: the master ignores a second live one."""

    def __init__(self, host: str, port: int, *, clock: Callable[[], float], keys: NodeKeys | None = None) -> None:
        """Begins to connect; without `keys` the bus is plain. Raises `UsageError` where the address cannot be one."""
        self.identity = f"floodmark-agent_{os.urandom(16).hex()}"
        self._clock = clock
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._configure(keys)
        self._incoming = zmq.Poller()  # kept: to make one for each wait takes as long as the wait's own system calls
        self._incoming.register(self._socket, zmq.POLLIN)
        self._monitor: zmq.Socket[bytes] = self._socket.get_monitor_socket(
            sum(_REFUSALS) | zmq.EVENT_HANDSHAKE_SUCCEEDED
        )
        self._refused_s: float | None = None
        self._said: set[zmq.Event] = set()
        self._endpoint = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
        try:
            self._socket.connect(self._endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise UsageError(f"--master {host}:{port} is no address to connect to: {error}") from None

    def receive(self, timeout_s: float) -> Incoming | None:
        """The next message; None where none came in time, or one came that is not as the bus' messages are."""
        # Rounded up: a wait that ends just before its time would be done again with no time left, many times over.
        if not self._incoming.poll(int(max(timeout_s, 0.0) * 1000 + 0.999)):
            return None
        frames = self._socket.recv_multipart(zmq.NOBLOCK)
        received_s = self._clock()
        try:
            kind, data = unpack(frames)
        except WireError as error:
            _LOG.warning("a message is dropped: %s", error)
            return None
        return Incoming(kind=kind, data=data, received_s=received_s)

    def send(self, kind: str, record: Any) -> bool:
        """Sends, or says that the bus cannot take it now: no master is connected, or it reads too slowly."""
        if not self._socket.poll(0, zmq.POLLOUT):
            self._mind_refusals()
            return False
        try:
            self._socket.send(pack(kind, record, self.identity), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self, *, at_once: bool = False) -> None:
        """Closes; what has been handed over has two seconds to leave, or none."""
        self._context.destroy(linger=0 if at_once else _LINGER_MS)

    def _mind_refusals(self) -> None:
        """Says once why the master does not let this agent in, and knocks again after a while."""
        while self._monitor.poll(0):
            kind = zmq.Event(_EVENT.unpack(self._monitor.recv_multipart(zmq.NOBLOCK)[0])[0])
            if kind not in _REFUSALS:
                self._refused_s = None  # let in since: ZeroMQ knocks by itself, too
                continue
            if self._refused_s is None:
                self._refused_s = self._clock()
            if kind not in self._said:
                self._said.add(kind)
                _LOG.warning("the master does not let this agent in: %s; trying on, see --keys", _REFUSALS[kind])
        if self._refused_s is not None and self._clock() - self._refused_s >= _REFUSED_RETRY_S:
            self._refused_s = None
            with contextlib.suppress(zmq.ZMQError):  # it has given up by itself
                self._socket.disconnect(self._endpoint)
            self._socket.connect(self._endpoint)

    def _configure(self, keys: NodeKeys | None) -> None:
        options = {
            zmq.SNDHWM: _SEND_QUEUE_MESSAGES,
            zmq.LINGER: _LINGER_MS,
            zmq.MAXMSGSIZE: MESSAGE_BYTES,
            # Hand messages to a connection that stands, never to one that is still being tried: no stale heartbeats.
            zmq.IMMEDIATE: 1,
            zmq.IPV6: 1,
            zmq.TCP_KEEPALIVE: 1,
            zmq.TCP_KEEPALIVE_IDLE: _KEEPALIVE_IDLE_S,
        }
        self._socket.setsockopt(zmq.IDENTITY, self.identity.encode())
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        if keys:
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, keys.master.encode())
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())


def pack(kind: str, record: Any, identity: str) -> bytes:
    """A message with a record of ``floodmark.core`` as its data."""
    packed: bytes = msgpack.packb((kind, record, identity), default=to_table)
    return packed


def unpack(frames: list[bytes]) -> tuple[str, Any]:
    """Type and data of a message. Raises `WireError` where it is not one frame with a 3-tuple of Locust's."""
    if len(frames) != 1:
        raise WireError(f"a message from the master has 1 frame, this has {len(frames)}")
    try:
        message = msgpack.unpackb(frames[0], raw=False, strict_map_key=False)
    except (ValueError, TypeError) as error:
        raise WireError(f"a message from the master is not msgpack: {error!r:.100}") from None
    if not isinstance(message, list) or len(message) != 3 or not isinstance(message[0], str):  # noqa: PLR2004  type, data, node id
        raise WireError(f"a message from the master is no tuple of type, data and node id: {message!r:.60}")
    return message[0], message[1]
