"""Locust's two message handlers, guarded: none dies of a message, and the master's takes figures from workers only.

Who is a worker is Locust's to know: it is in ``runner.clients`` from its ``client_ready`` on.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

from locust.exception import RPCError
from locust.rpc.protocol import Message
from locust.runners import STATE_INIT, STATE_MISSING, STATE_STOPPED

from floodmark.core.errors import WireError
from floodmark.load.bus.doorkeeper import UNKNOWN, Peer
from floodmark.load.bus.shapes import prove_shape
from floodmark.load.bus.strangers import STRANGERS

logger = logging.getLogger(__name__)

LOCUSTS_TYPES = frozenset({
    "client_ready", "client_stopped", "exception", "heartbeat", "locustfile", "logs", "quit", "spawning",
    "spawning_complete", "stats",
})  # fmt: skip
"""What Locust's master knows (locust/runners.py, MasterRunner.handle_message); else there are custom messages."""

FROM_ANYBODY = frozenset({"client_ready", "locustfile"})
"""What a worker says before it is one."""

THE_MASTER = "the master"
PEER = "floodmark_peer"
"""What a message has beyond Locust's three: where it came from."""
MOST_WORKERS = 1000
"""Of one master; more than one of Locust's can serve. On a plain bus anybody makes up names."""
MOST_FORMER = 1000


class Workers:
    """Who may speak as a worker: those that Locust's master has, and those that it had.

    A worker that has stopped sends its last figures, and says that it is ready again after that.
    """

    def __init__(self) -> None:
        self._clients: Any = {}
        self._former: dict[str, None] = {}

    def take(self, clients: Any) -> None:
        """`clients` is the node list of Locust's master."""
        self._clients = clients

    def __contains__(self, identity: str) -> bool:
        return identity in self._clients or identity in self._former

    def leaves(self, identity: str) -> str | None:
        """Locust has forgotten it, as it asked. Returns the one that is forgotten here for that, if any."""
        self._former.pop(identity, None)
        self._former[identity] = None
        if len(self._former) <= MOST_FORMER:
            return None
        first = next(iter(self._former))
        del self._former[first]
        return first

    def have_room(self, identity: str) -> bool:
        """There is room for this one, be it that of one which Locust misses."""
        clients = self._clients
        if identity in clients or len(clients) < MOST_WORKERS:
            return True
        missing: Iterator[str] = (client.id for client in clients.all if client.state == STATE_MISSING)
        first = next(missing, None)
        if first is None:
            return False
        del clients[first]
        return True


def guard_master(handle: Callable[..., None]) -> Callable[..., None]:
    """`MasterRunner.handle_message`, that outlives any message."""

    @functools.wraps(handle)
    def handle_message(runner: Any, client_id: str, message: Message) -> None:
        workers = _workers_of(runner)
        if not _may_say(runner, workers, client_id, message):
            return
        # With no worker connected Locust takes any message for the end of a test: the web UI would open on its page.
        is_first = runner.state == STATE_INIT and client_id not in runner.clients
        had_index, was_client = client_id in runner.worker_indexes, client_id in runner.clients
        try:
            handle(runner, client_id, message)
        except Exception as error:
            logger.debug("Handling %s from %s", message.type, client_id, exc_info=True)
            _note(message, client_id, f"sent a {message.type} that cannot be handled", f"{error!r:.100}")
        if is_first and runner.state == STATE_STOPPED:
            runner.update_state(STATE_INIT)
        if was_client and client_id not in runner.clients and (forgotten := workers.leaves(client_id)):
            runner.worker_indexes.pop(forgotten, None)
        if not had_index and client_id not in runner.clients:
            _give_index_back(runner, client_id)

    return handle_message


def guard_worker(handle: Callable[..., None]) -> Callable[..., None]:
    """`WorkerRunner.handle_message`, likewise."""

    @functools.wraps(handle)
    def handle_message(runner: Any, message: Message) -> None:
        try:
            handle(runner, message)
        except Exception as error:
            logger.debug("Handling %s", message.type, exc_info=True)
            STRANGERS.note(THE_MASTER, f"sent a {message.type} that cannot be handled", detail=f"{error!r:.100}")

    return handle_message


def peer_of(message: Any) -> Peer:
    """Where a message came from."""
    peer: Peer = getattr(message, PEER, UNKNOWN)
    return peer


def _workers_of(runner: Any) -> Workers:
    """The runner's, which its socket has, too: Locust may make it a new one."""
    workers: Workers = vars(runner).setdefault("floodmark_workers", Workers())
    workers.take(runner.clients)
    runner.server.workers = workers
    return workers


def _may_say(runner: Any, workers: Workers, client_id: str, message: Message) -> bool:
    """It is a message that Locust's master can take, from one who may send it; else it is noted."""
    kind = message.type
    if kind in runner.custom_messages:
        return True
    if kind not in LOCUSTS_TYPES:
        _note(message, client_id, "sent a message of an unknown type", f"{kind!r:.60}")
        return False
    if kind not in FROM_ANYBODY and client_id not in workers:
        if kind == "heartbeat":
            _ask_to_join(runner, client_id)
        _note(message, client_id, f"sent a {kind} and is no worker of this master")
        return False
    try:
        prove_shape(kind, message.data, client_id)
    except WireError as error:
        _note(message, client_id, f"sent a {kind} that cannot be handled", str(error))
        return False
    if kind == "client_ready" and not workers.have_room(client_id):
        _note(message, client_id, f"said that it is a worker, and there are {MOST_WORKERS}")
        return False
    return True


def _ask_to_join(runner: Any, client_id: str) -> None:
    """A worker of a master that was here before, or one that was given up: by itself it would wait for a minute.

    Told to stop, it says that it is ready, as after any test (WorkerRunner.handle_message).
    """
    with contextlib.suppress(RPCError):
        runner.server.send_to_client(Message("stop", None, client_id))  # type: ignore[no-untyped-call] # Locust's


def _give_index_back(runner: Any, sender: str) -> None:
    """Locust numbers whoever sends; one that is no worker leaves its number to the next, and is not kept in mind.

    A locustfile may share its data out by `worker_index`: from 0 up to the number of workers, without gaps.
    """
    if runner.worker_indexes.get(sender) == runner.worker_index_max - 1:
        del runner.worker_indexes[sender]
        runner.worker_index_max -= 1


def _note(message: Message, client_id: str, what: str, detail: str = "") -> None:
    peer = peer_of(message)
    STRANGERS.note(peer.host, what, name=client_id, port=peer.port, detail=detail)
