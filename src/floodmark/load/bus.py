"""Locust's two sockets, guarded: encrypted where there are keys, deaf to what is no message. The bus stays Locust's.

The only file that changes Locust's own classes; `tests/live/bus_parts.py` holds it to what they are today.

* ``zmqrpc.Server`` and ``Client`` make their socket in ``BaseSocket.__init__`` and bind or connect it in their own:
  keys go on between the two, when ``self.socket`` is set.
* A tuple of another length ends Locust's listener for good, as does any error while a message is handled.
"""

import functools
import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import zmq
from locust import events
from locust.exception import RPCError
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from locust.runners import STATE_INIT, STATE_STOPPED, MasterRunner, WorkerRunner
from zmq.utils.monitor import parse_monitor_message

from floodmark.core.bus_keys import AGENT
from floodmark.core.errors import FloodmarkError, WireError
from floodmark.core.messages import WORKERS_ONLY
from floodmark.load.bus_settings import EVERYWHERE, LOOPBACK, SETTINGS, add_bus_options
from floodmark.load.doorkeeper import UNKNOWN, Caller, Doorkeeper, Peer
from floodmark.load.strangers import STRANGERS

logger = logging.getLogger(__name__)

MESSAGE_BYTES = 64 << 20
"""The longest message taken in. Ours have half a megabyte at the most; Locust's statistics of 10,000 request names with
100 different times each have about eight; ZeroMQ ends the connection of a longer one before it reads it."""

LOCUSTS_TYPES = frozenset({
    "client_ready", "client_stopped", "exception", "heartbeat", "locustfile", "logs", "quit", "spawning",
    "spawning_complete", "stats",
})  # fmt: skip
"""What Locust's master knows (locust/runners.py, MasterRunner.handle_message); else there are custom messages."""

FLOODMARKS = "floodmark_"

SAYS_NOTHING = "left without a message that can be read: a port scan, or a message above 64 MiB, which is cut off"
NOT_A_MESSAGE = "sent what is no message"
NOT_ALLOWED = "sent a message that its key does not allow"

THE_MASTER = "the master"
PEER = "floodmark_peer"
"""What a message has beyond Locust's three: where it came from."""
SHOWN_BYTES = 40
"""Of an identity."""

RECONNECT_S = 5.0
"""As often as Locust's worker asks its master to take it (locust.runners.CONNECT_TIMEOUT)."""
MOVING_S = 0.2
"""A message that came before its connection ended is on its way through the hub for less."""
EARLY_S = 0.5
"""The thread at the door may be later than the hub to see a connection, by less."""

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
        (MasterRunner, "handle_message", _guard_master(MasterRunner.handle_message)),
        (WorkerRunner, "handle_message", _guard_worker(WorkerRunner.handle_message)),
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
        self._heard_early: dict[int, float] = {}  # descriptors of those that the door had not told of, and when
        self._gone: deque[tuple[Caller, str | None]] = deque()
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
            try:
                frames = self.socket.recv_multipart(copy=False)
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            peer = self._hear(frames[-1])
            try:
                sender, message = _read(frames)
                _prove_allowed(message, frames[-1])
            except WireError as error:
                what, _, detail = str(error).partition(": ")
                name = ascii(frames[0].bytes[:SHOWN_BYTES])[1:]  # whoever connects chooses it
                STRANGERS.note(peer.host, what, name=name, port=peer.port, detail=detail)
                gevent.sleep(0)  # whoever sends without end keeps nobody else from being served
                continue
            vars(message)[PEER] = peer
            return sender, message

    def close(self, linger: int | None = None) -> None:
        """Closes the socket and leaves the door."""
        self._door.close()
        self._bell.close()
        super().close(linger=linger)  # type: ignore[no-untyped-call] # Locust's

    def _hear(self, frame: Any) -> Peer:
        """Notes that its connection says something, and whose that is."""
        descriptor = _descriptor(frame)
        caller = self._door.caller(descriptor)
        if caller is None:
            self._heard_early[descriptor] = time.monotonic()
            return Peer(_property(frame, "Peer-Address") or UNKNOWN.host, "")
        self._heard.add(caller.number)
        return caller.peer

    def _bind_loopback_of_ipv6(self) -> None:
        """``localhost`` is ::1 for some clients."""
        self.socket.setsockopt(zmq.IPV6, 1)
        try:
            self.socket.bind(f"tcp://[::1]:{self.port}")
        except zmq.ZMQError as error:
            logger.debug("no bus on ::1: %s", error)

    def _ring(self, caller: Caller, refused: str | None) -> None:
        """Called in the door's thread."""
        self._gone.append((caller, refused))
        self._bell.send()

    def _see_off_all(self) -> None:
        while self._gone:
            caller, refused = self._gone.popleft()
            if refused:
                STRANGERS.note(caller.peer.host, refused, port=caller.peer.port)
            else:
                gevent.spawn_later(MOVING_S, self._see_off, caller)

    def _see_off(self, caller: Caller) -> None:
        early_s = self._heard_early.pop(caller.descriptor, -EARLY_S)
        if caller.number not in self._heard and early_s < caller.accepted_s - EARLY_S:
            STRANGERS.note(caller.peer.host, SAYS_NOTHING, port=caller.peer.port)
        self._heard.discard(caller.number)


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
        self._monitor = made.get_monitor_socket(sum(NODE_REFUSALS))
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
                return _only(frames)
            except WireError as error:
                STRANGERS.note(THE_MASTER, str(error))
                gevent.sleep(0)

    def close(self, linger: int | None = None) -> None:
        """Closes the socket."""
        self._watch.kill(block=False)
        self.socket.disable_monitor()
        super().close(linger=linger)  # type: ignore[no-untyped-call] # Locust's

    def _watch_handshakes(self, endpoint: str) -> None:
        """Says once why the master does not let this node in, and tries again: after some refusals ZeroMQ does not."""
        said = set()
        while True:
            event = parse_monitor_message(self._monitor.recv_multipart())
            if event["event"] not in NODE_REFUSALS:
                return
            if event["event"] not in said:
                said.add(event["event"])
                words = NODE_REFUSALS[zmq.Event(event["event"])]
                logger.warning("Not let in at %s: %s. Trying on; see --floodmark-keys", endpoint, words)
            gevent.sleep(RECONNECT_S)
            try:
                self.socket.disconnect(endpoint)
            except zmq.ZMQError as error:
                logger.debug("nothing to disconnect: %s", error)
            self.socket.connect(endpoint)


def _add_options(parser: Any, **_: Any) -> None:
    add_bus_options(parser, SETTINGS)


def _only(frames: list[Any]) -> Message:
    """The message of one frame. Raises `WireError`."""
    if len(frames) != 1:
        raise WireError(f"{NOT_A_MESSAGE}: {len(frames)} frames, not 1")
    return _unpacked(frames[0])


def _read(frames: list[Any]) -> tuple[str, Message]:
    """Sender and message. Raises `WireError`."""
    try:
        sender = frames[0].bytes.decode()
    except UnicodeDecodeError:
        raise WireError(f"{NOT_A_MESSAGE}: its identity is no UTF-8") from None
    message = _only(frames[1:])
    # Locust's master takes a worker for whom it says it is.
    if message.node_id != sender:
        raise WireError(f"{NOT_A_MESSAGE}: it speaks for {message.node_id!r:.60}")
    return sender, message


def _unpacked(frame: Any) -> Message:
    """Locust's own message. Raises `WireError`."""
    try:
        message: Message = Message.unserialize(frame.buffer)  # type: ignore[no-untyped-call] # Locust's
    except Exception as error:  # noqa: BLE001  msgpack, the constructor and Locust's object hook each have their own
        words = f"{type(error).__name__}: {error!s:.100}".removesuffix(": ")
        raise WireError(f"{NOT_A_MESSAGE}: {words}") from None
    if not isinstance(message.type, str) or not isinstance(message.node_id, (str, type(None))):
        raise WireError(f"{NOT_A_MESSAGE}: type {message.type!r:.60}")
    return message


def _prove_allowed(message: Message, frame: Any) -> None:
    """An agent's key, which lies on the host under test, is for an agent's words. Raises `WireError`."""
    is_agents = message.type.startswith(FLOODMARKS) and message.type not in WORKERS_ONLY
    if not is_agents and _property(frame, "User-Id") == AGENT:
        raise WireError(f"{NOT_ALLOWED}: an agent's key, {message.type!r:.60}")


def _property(frame: Any, name: str) -> str | None:
    """What ZeroMQ knows of a message's connection; None where it does not."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None


def _descriptor(frame: Any) -> int:
    """Of the connection that a message came by."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1  # of an old protocol that tells nothing


def _guard_master(handle: Callable[..., None]) -> Callable[..., None]:
    """`MasterRunner.handle_message`, that outlives any message."""

    @functools.wraps(handle)
    def handle_message(runner: Any, client_id: str, message: Message) -> None:
        if message.type not in LOCUSTS_TYPES and message.type not in runner.custom_messages:
            _note_message(message, client_id, "sent a message of an unknown type", f"{message.type!r:.60}")
            return
        # With no worker connected Locust takes any message for the end of a test: the web UI would open on its page.
        is_first = runner.state == STATE_INIT and client_id not in runner.clients
        try:
            handle(runner, client_id, message)
        except Exception as error:
            logger.debug("Handling %s from %s", message.type, client_id, exc_info=True)
            _note_message(message, client_id, f"sent a {message.type} that cannot be handled", f"{error!r:.100}")
        if is_first and runner.state == STATE_STOPPED:
            runner.update_state(STATE_INIT)

    return handle_message


def _guard_worker(handle: Callable[..., None]) -> Callable[..., None]:
    """`WorkerRunner.handle_message`, likewise."""

    @functools.wraps(handle)
    def handle_message(runner: Any, message: Message) -> None:
        try:
            handle(runner, message)
        except Exception as error:
            logger.debug("Handling %s", message.type, exc_info=True)
            STRANGERS.note(THE_MASTER, f"sent a {message.type} that cannot be handled", detail=f"{error!r:.100}")

    return handle_message


def _note_message(message: Message, client_id: str, what: str, detail: str) -> None:
    peer = getattr(message, PEER, UNKNOWN)
    STRANGERS.note(peer.host, what, name=client_id[:SHOWN_BYTES], port=peer.port, detail=detail)
