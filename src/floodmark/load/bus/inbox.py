"""Custom messages from workers and agents, taken off Locust's listener at once; what they mean is their reader's.

A handler that works in Locust's listener delays heartbeats, and one that raises there is only logged: so it stamps the
time, queues and returns.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import gevent
from gevent.queue import Queue

from floodmark.core.codec import from_plain
from floodmark.core.errors import WireError
from floodmark.load.bus.doorkeeper import UNKNOWN, Peer
from floodmark.load.bus.guard import peer_of
from floodmark.load.bus.strangers import STRANGERS

logger = logging.getLogger(__name__)

R = TypeVar("R")

MOST_WAITING = 2000
"""Letters of workers in the queue: Locust's listener waits with the next, and ZeroMQ with those behind it."""
MOST_OF_ONE = 200
"""Letters of one that is no worker: an agent sends ten a second, and chunks when it is asked. More are dropped."""
TURN_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message as it came: `sender` is the bus identity, `received_s` the time on this node's clock.

    `peer` is where it came from; the identity is the sender's own choice.
    """

    kind: str
    data: Any
    sender: str
    received_s: float
    peer: Peer = UNKNOWN

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
        self._queue: Queue[Letter] = Queue(maxsize=MOST_WAITING)
        self._waiting: Counter[str] = Counter()  # letters in the queue by sender
        self._readers: dict[str, Callable[[Letter], None]] = {}
        self._greenlet = gevent.spawn(self._deliver)

    def on(self, kind: str, reader: Callable[[Letter], None]) -> None:
        """Registers the reader for one kind of message."""
        self._readers[kind] = reader
        self._runner.register_message(kind, self._put)

    def _put(self, environment: Any, msg: Any, **_: Any) -> None:
        sender, peer = str(msg.node_id), peer_of(msg)
        if self._waiting[sender] >= MOST_OF_ONE and sender not in environment.runner.clients:
            STRANGERS.note(peer.host, "sends faster than it can be read", name=sender, port=peer.port)
            return
        self._waiting[sender] += 1
        self._queue.put(Letter(kind=msg.type, data=msg.data, sender=sender, received_s=self._clock(), peer=peer))

    def _deliver(self) -> None:
        began_s = time.monotonic()
        for letter in self._queue:
            if time.monotonic() - began_s > TURN_S:
                gevent.sleep(0)  # a queue that is never empty gives nobody else a turn
                began_s = time.monotonic()
            self._waiting[letter.sender] -= 1
            if not self._waiting[letter.sender]:
                del self._waiting[letter.sender]
            try:
                self._readers[letter.kind](letter)
            except WireError as error:
                self._refuse(letter, error)
            except Exception:
                logger.exception("A %s message from %s could not be handled", letter.kind, letter.sender)


def _log(_: Letter, error: WireError) -> None:
    logger.warning("Message dropped: %s", error)
