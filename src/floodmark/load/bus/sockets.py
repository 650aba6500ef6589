"""Locust's two sockets, guarded: encrypted where there are keys, deaf to what is no message. The bus stays Locust's.

With `guard` the only file that changes Locust's own classes; `tests/live/bus_parts.py` holds it to what they are today.

* ``zmqrpc.Server`` and ``Client`` make their socket in ``BaseSocket.__init__`` and bind or connect it in their own:
  keys go on between the two, when ``self.socket`` is set.
* A tuple of another length ends Locust's listener for good, as does any error while a message is handled.
* ZeroMQ's green sockets give nobody else a turn while there are messages: the listener must.
"""

import logging
import sys
import time
from collections import deque
from typing import Any

import gevent
import zmq
from locust import events
from locust.exception import RPCError
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from locust.runners import MasterRunner, WorkerRunner
from zmq.utils.monitor import parse_monitor_message

from floodmark.core.errors import FloodmarkError, WireError
from floodmark.core.open_files import raise_open_files_limit
from floodmark.load.bus.doorkeeper import UNKNOWN, Caller, Doorkeeper, Peer, hang_up, peer_at
from floodmark.load.bus.gate import TOO_MANY, Gate
from floodmark.load.bus.guard import PEER, THE_MASTER, Workers, guard_master, guard_worker
from floodmark.load.bus.settings import EVERYWHERE, LOOPBACK, SETTINGS, add_bus_options
from floodmark.load.bus.strangers import STRANGERS
from floodmark.load.bus.words import OF_WORKERS, only, property_of, read

logger = logging.getLogger(__name__)

MESSAGE_BYTES = OF_WORKERS.size_bytes
"""ZeroMQ ends the connection of a longer one before it reads it."""
WAITING_MESSAGES = 64
"""Of one connection, in ZeroMQ's queue: more wait with their sender. Each may be as long as the longest."""
HANDSHAKE_MS = 5000
"""A connection that says nothing is ended after this; ZeroMQ's own default is 30 s."""

SAYS_NOTHING = "left without a message that can be read: a port scan, or a message above 64 MiB, which is cut off"

RECONNECT_S = 5.0
"""As often as Locust's worker asks its master to take it (locust.runners.CONNECT_TIMEOUT)."""
MOVING_S = 0.2
"""A message that came before its connection ended is on its way through the hub for less."""
LATE_S = 5.0
"""The thread at the door may be later than the hub to see connections come and go, by less."""

NODE_REFUSALS = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the master does not know this node's key",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "one of master and this node has no key, or the other is no master",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the master hung up: it has other keys, or one of both has none",
}


def secure_bus() -> None:
    """Puts the guarded sockets in the place of Locust's. Call it in a locustfile; a profile does by itself."""
    if zmqrpc.Server is GuardedServer:
        return
    for owner, name, guarded in (
        (zmqrpc, "Server", GuardedServer),
        (zmqrpc, "Client", GuardedClient),
        (MasterRunner, "handle_message", guard_master(MasterRunner.handle_message)),
        (WorkerRunner, "handle_message", guard_worker(WorkerRunner.handle_message)),
    ):
        setattr(owner, name, guarded)
    events.init_command_line_parser.add_listener(_add_options)  # type: ignore[no-untyped-call] # Locust's


class GuardedServer(zmqrpc.Server):
    """The master's socket."""

    def __init__(self, host: str, port: int) -> None:
        """Binds. A bus that may not be plain, or keys that cannot be read, end the process with one line."""
        try:
            self._keys = SETTINGS.master_keys()
            bound = SETTINGS.host_to_bind(host, has_keys=self._keys is not None)
        except FloodmarkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            sys.exit(error.exit_code)
        self._heard: set[int] = set()  # the numbers of connections that have said something
        # By descriptor: from whom messages came, and when. The door may be late, and still see another there.
        self._heard_from: dict[int, dict[Peer | bytes, float]] = {}
        self._gone: deque[tuple[Caller | None, str | None]] = deque()
        self._gate = Gate()
        self.workers = Workers()
        raise_open_files_limit()  # strangers' connections take their part of it
        self._bell = gevent.get_hub().loop.async_()
        self._bell.start(lambda: gevent.spawn(self._see_off_all))
        try:
            super().__init__(bound, port)  # type: ignore[no-untyped-call] # Locust's
        except RPCError:
            self.close(linger=0)  # Locust tries again with another
            raise
        if host == EVERYWHERE and bound == LOOPBACK:
            self._bind_loopback_of_ipv6()

    @property
    def socket(self) -> Any:
        """ZeroMQ's socket, a green one."""
        return self._socket

    @socket.setter
    def socket(self, made: Any) -> None:
        self._socket = made
        made.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        made.setsockopt(zmq.RCVHWM, WAITING_MESSAGES)
        made.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        # Before it is bound: from its first moment somebody is at the door.
        self._door = Doorkeeper(made, self._keys, self._ring)
        if self._keys:
            made.setsockopt(zmq.CURVE_SERVER, 1)
            made.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret.encode())
            made.setsockopt(zmq.ZAP_DOMAIN, b"floodmark")
            made.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody at the door: nobody comes in

    def recv_from_client(self) -> tuple[str, Message]:
        """The next message and the identity of its sender. Raises `RPCError` where the socket is broken."""
        while True:
            if self._gate.is_over():  # whoever sends without end keeps nobody else from being served
                gevent.sleep(0)
                self._gate.begin()
            try:
                frames = self.socket.recv_multipart(copy=False)
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            peer, is_too_many = self._hear(frames)
            if is_too_many:
                STRANGERS.note(peer.host, TOO_MANY, port=peer.port)
                continue
            try:
                message = read(frames, self.workers)
            except WireError as error:
                what, _, detail = str(error).partition(": ")
                name = frames[0].bytes.decode(errors="backslashreplace")
                STRANGERS.note(peer.host, what, name=name, port=peer.port, detail=detail)
                continue
            vars(message)[PEER] = peer
            return str(message.node_id), message

    def close(self, linger: int | None = None) -> None:
        """Closes the socket and leaves the door; the bell goes with the thread that rings it."""
        self._door.close()
        super().close(linger=linger)  # type: ignore[no-untyped-call] # Locust's

    def _hear(self, frames: list[Any]) -> tuple[Peer, bool]:
        """Notes that a connection says something, whose that is, and whether it says too much."""
        descriptor = _descriptor(frames[-1])
        caller = self._door.caller(descriptor)
        is_worker = frames[0].bytes.decode(errors="replace") in self.workers
        if descriptor >= 0 and not (caller and is_worker):
            now = peer_at(descriptor)
            whose = frames[0].bytes if now == UNKNOWN else now
            self._heard_from.setdefault(descriptor, {})[whose] = time.monotonic()
        if caller is None:
            peer, number = Peer(property_of(frames[-1], "Peer-Address") or UNKNOWN.host, ""), _early(descriptor)
        else:
            self._heard.add(caller.number)
            peer, number = caller.peer, caller.number
        if is_worker or self._gate.lets_in(number):
            return peer, False
        if caller is not None:
            hang_up(caller)
        return peer, True

    def _bind_loopback_of_ipv6(self) -> None:
        """``localhost`` is ::1 for some clients."""
        self.socket.setsockopt(zmq.IPV6, 1)
        try:
            self.socket.bind(f"tcp://[::1]:{self.port}")
        except zmq.ZMQError as error:
            logger.debug("no bus on ::1: %s", error)

    def _ring(self, caller: Caller | None, words: str | None) -> None:
        """Called in the door's thread."""
        self._gone.append((caller, words))
        self._bell.send()

    def _see_off_all(self) -> None:
        while self._gone:
            caller, words = self._gone.popleft()
            if caller is None:
                self._mind_the_door(words)
            elif words:
                STRANGERS.note(caller.peer.host, words, port=caller.peer.port)
            else:
                gevent.spawn_later(MOVING_S, self._see_off, caller)

    def _mind_the_door(self, trouble: str | None) -> None:
        """The thread has trouble, or is over: nobody rings any more."""
        if trouble is None:
            self._bell.stop()
            self._bell.close()
        else:
            logger.error("At the door of the bus: %s", trouble)

    def _see_off(self, caller: Caller) -> None:
        if not self._take_word(caller):
            STRANGERS.note(caller.peer.host, SAYS_NOTHING, port=caller.peer.port)
        self._heard.discard(caller.number)
        self._gate.forget(caller.number)
        self._gate.forget(_early(caller.descriptor))

    def _take_word(self, caller: Caller) -> bool:
        """Whether a connection that is over has said something; one note of its descriptor is taken away.

        Where the door was late, the word may have been noted as another's: whoever spoke has left one note, and the
        oldest goes first, but never that of the one who stands there now.
        """
        since_s = time.monotonic() - LATE_S
        standing = self._door.caller(caller.descriptor)
        notes = self._heard_from.pop(caller.descriptor, {})
        spared = {whose: at_s for whose, at_s in notes.items() if standing is not None and whose == standing.peer}
        free = [
            (whose, at_s)
            for whose, at_s in notes.items()
            if whose not in spared and (at_s > since_s or whose == caller.peer)
        ]
        if left := dict(free[1:]) | spared:
            self._heard_from[caller.descriptor] = left
        return bool(free) or caller.number in self._heard


class GuardedClient(zmqrpc.Client):
    """A worker's socket."""

    def __init__(self, host: str, port: int, identity: str) -> None:
        """Begins to connect. Keys that cannot be read end the process with one line."""
        try:
            self._keys = SETTINGS.worker_keys()
            SETTINGS.warn_of_plain(host)
        except FloodmarkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            sys.exit(error.exit_code)
        super().__init__(host, port, identity)  # type: ignore[no-untyped-call] # Locust's
        self._watch = gevent.spawn(self._watch_handshakes, f"tcp://{host}:{port}")

    @property
    def socket(self) -> Any:
        """ZeroMQ's socket, a green one."""
        return self._socket

    @socket.setter
    def socket(self, made: Any) -> None:
        self._socket = made
        made.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        self._monitor = made.get_monitor_socket(sum(NODE_REFUSALS) | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        if self._keys:
            made.setsockopt(zmq.CURVE_SERVERKEY, self._keys.master.encode())
            made.setsockopt(zmq.CURVE_PUBLICKEY, self._keys.public.encode())
            made.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret.encode())

    def recv(self) -> Message:
        """The next message. Raises `RPCError` where the socket is broken."""
        while True:
            try:
                frames = self.socket.recv_multipart(copy=False)
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            try:
                return only(frames, OF_WORKERS)
            except WireError as error:
                STRANGERS.note(THE_MASTER, str(error))
                gevent.sleep(0)

    def close(self, linger: int | None = None) -> None:
        """Closes the socket."""
        self._watch.kill(block=False)
        self.socket.disable_monitor()
        super().close(linger=linger)  # type: ignore[no-untyped-call] # Locust's

    def _watch_handshakes(self, endpoint: str) -> None:
        """Says once why the master does not let this node in, and tries again: after some refusals ZeroMQ does not.

        ZeroMQ also knocks by itself, several times a second: only the newest of its events says how things are.
        """
        said = set()
        while True:
            newest = self._newest_event(self._monitor.recv_multipart())
            if newest == zmq.EVENT_MONITOR_STOPPED:
                return
            if newest not in NODE_REFUSALS:
                continue
            if newest not in said:
                said.add(newest)
                logger.warning(
                    "Not let in at %s: %s. Trying on; see --floodmark-keys", endpoint, NODE_REFUSALS[zmq.Event(newest)]
                )
            gevent.sleep(RECONNECT_S)
            newest = self._newest_event(None) or newest
            if newest == zmq.EVENT_MONITOR_STOPPED:
                return
            if newest in NODE_REFUSALS:
                self._reconnect(endpoint)

    def _newest_event(self, frames: list[bytes] | None) -> int | None:
        """The last of the events that are there, after the one of `frames`; the end comes before all."""
        newest = None
        while True:
            if frames:
                newest = int(parse_monitor_message(frames)["event"])
            if newest == zmq.EVENT_MONITOR_STOPPED or not self._monitor.get(zmq.EVENTS) & zmq.POLLIN:
                return newest
            frames = self._monitor.recv_multipart(zmq.NOBLOCK)

    def _reconnect(self, endpoint: str) -> None:
        try:
            self.socket.disconnect(endpoint)
        except zmq.ZMQError as error:
            logger.debug("nothing to disconnect: %s", error)
        self.socket.connect(endpoint)


def _add_options(parser: Any, **_: Any) -> None:
    add_bus_options(parser, SETTINGS)


def _descriptor(frame: Any) -> int:
    """Of the connection that a message came by."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1  # of an old protocol that tells nothing


def _early(descriptor: int) -> int:
    """In the place of a connection's number, where the door has not told of it yet."""
    return -2 - descriptor
