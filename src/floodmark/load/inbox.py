"""Custom messages from workers and agents, taken off Locust's listener at once; what they mean is the conductor's.

A handler that works in Locust's listener delays heartbeats, and one that raises there is only logged: so it stamps the
time, queues and returns.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import gevent
from gevent.queue import Queue

from floodmark.core import messages
from floodmark.core.codec import from_plain
from floodmark.core.errors import WireError

logger = logging.getLogger(__name__)

R = TypeVar("R")

FROM_AGENTS = {messages.HELLO, messages.BYE, messages.WATCHING, messages.SAMPLES, messages.CHUNK}
"""What no worker says."""

NO_INDEX = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message as it came: `sender` is the bus identity, `received_s` the time on this node's clock."""

    kind: str
    data: Any
    sender: str
    received_s: float

    def read(self, record: type[R]) -> R:
        """The payload as a record. Raises `WireError` naming the sender."""
        return from_plain(record, self.data, f"{self.kind} from {self.sender}")

    def reason(self, error: WireError) -> str:
        """What `read` said, without the sender."""
        return str(error).removeprefix(f"{self.kind} from {self.sender}: ")


class Inbox:
    """Queues letters of the registered kinds and hands each to its reader, in one greenlet of its own."""

    def __init__(
        self, runner: Any, clock: Callable[[], float], *, refuse: Callable[[Letter, WireError], None] | None = None
    ) -> None:
        """`runner` is Locust's; it must not have listeners for these kinds yet. `refuse` is told what was dropped."""
        self._refuse = refuse or _log
        self._runner = runner
        self._clock = clock
        self._queue: Queue[Letter] = Queue()
        self._readers: dict[str, Callable[[Letter], None]] = {}
        self._greenlet = gevent.spawn(self._deliver)

    def on(self, kind: str, reader: Callable[[Letter], None]) -> None:
        """Registers the reader for one kind of message."""
        self._readers[kind] = reader
        self._runner.register_message(kind, self._put)

    def _put(self, environment: Any, msg: Any, **_: Any) -> None:
        if msg.type in FROM_AGENTS:
            _give_index_back(environment.runner, msg.node_id)
        letter = Letter(kind=msg.type, data=msg.data, sender=str(msg.node_id), received_s=self._clock())
        self._queue.put(letter)

    def _deliver(self) -> None:
        for letter in self._queue:
            try:
                self._readers[letter.kind](letter)
            except WireError as error:
                self._refuse(letter, error)
            except Exception:
                logger.exception("A %s message from %s could not be handled", letter.kind, letter.sender)


def _give_index_back(runner: Any, sender: str) -> None:
    """Locust numbers whoever sends; an agent leaves its number to the next worker.

    A locustfile may share its data out by `worker_index`: from 0 up to the number of workers, without gaps.
    """
    if runner.worker_index_max and runner.worker_indexes.get(sender) == runner.worker_index_max - 1:
        runner.worker_indexes[sender] = NO_INDEX
        runner.worker_index_max -= 1


def _log(_: Letter, error: WireError) -> None:
    logger.warning("Message dropped: %s", error)
