"""Which agents there are: who has joined, is lost, is back. It asks nobody and sends nothing."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.messages import WIRE_VERSION, Hello, Welcome
from floodmark.load.inbox import Letter

logger = logging.getLogger(__name__)

AGENT_SILENT_S = 3.0
"""An agent says hello every second; three missed ones mean that it is gone."""

RIVAL_S = 2.0
"""Who comes when an agent is heard for so long beside it is no successor of that, but another of the same name."""

LOOK_LATE_S = 1.0
"""Who looks so much later than he meant to was away himself: what came meanwhile waits to be read."""


@dataclass(slots=True, kw_only=True)
class AgentSeat:
    """An agent by its name, until it is back after it was lost, or speaks from elsewhere: that is another seat.

    `client_id` is its identity on the bus, `seen_s` when it was last heard.

    `process` is its process, `watch` the watch under way by its newest hello. `lost`: it was silent for too long, or
    has `left`, and said so.
    """

    client_id: str
    name: str
    host: str
    process: str
    pid: int
    seen_s: float
    watch: int | None = None
    lost: bool = False
    left: bool = False


class Roster:
    """The agents heard of, each once by its name, whatever connection or process it speaks from."""

    def __init__(self, runner: Any, *, master: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`runner` is Locust's MasterRunner; `master` is another word for each start of the master."""
        self._runner = runner
        self._clock = clock
        self._welcome = to_plain(Welcome(wire=WIRE_VERSION, master=master))
        self._seats: dict[str, AgentSeat] = {}
        self._refused: dict[str, float] = {}  # by process, and when first
        self._looked_s = clock()

    def hello(self, letter: Letter) -> None:
        """Notes an agent's hello, which is also its heartbeat, and answers it."""
        hello = letter.read(Hello)
        self._runner.send_message(messages.WELCOME, self._welcome, client_id=letter.sender)
        if hello.wire != WIRE_VERSION:
            words = f"speaks version {hello.wire}, this master {WIRE_VERSION}: not used, install the same on both"
            self._refuse(hello.process, letter.received_s, f"Agent {hello.name} {words}")
            return
        known = self._seats.get(hello.name)
        if known is not None and not known.lost and known.client_id == letter.sender:
            known.seen_s, known.watch = letter.received_s, hello.watch
            return
        if known is None:
            logger.info("Agent %s on %s (pid %s) has joined", hello.name, hello.host, hello.pid)
        elif hello.process != known.process and not self._succeeds(hello, known):
            words = f"Two agents are called {hello.name}: give each its own --name"
            self._refuse(hello.process, letter.received_s, words)
            return
        else:
            how = "by another connection" if hello.process == known.process else f"restarted (pid {hello.pid})"
            logger.info("Agent %s is back%s", hello.name, "" if known.client_id == letter.sender else f", {how}")
        self._seats[hello.name] = AgentSeat(
            client_id=letter.sender,
            name=hello.name,
            host=hello.host,
            process=hello.process,
            pid=hello.pid,
            seen_s=letter.received_s,
            watch=hello.watch,
        )

    def heard(self, letter: Letter) -> None:
        """Notes that an agent lives, whatever it has said."""
        for seat in self._seats.values():
            if seat.client_id == letter.sender and not seat.lost:
                seat.seen_s = letter.received_s

    def bye(self, letter: Letter) -> None:
        """Notes that an agent has left."""
        for seat in self._seats.values():
            if seat.client_id == letter.sender and not seat.lost:
                seat.lost = seat.left = True
                logger.info("Agent %s has left", seat.name)

    def look(self) -> None:
        """Notes who is lost; to be called a few times a second."""
        now_s = self._clock()
        was_away, self._looked_s = now_s - self._looked_s > LOOK_LATE_S, now_s
        if was_away:
            return
        for seat in self._seats.values():
            if not seat.lost and now_s - seat.seen_s > AGENT_SILENT_S:
                seat.lost = True
                logger.warning("Agent %s is lost: nothing was heard of it for %g s", seat.name, AGENT_SILENT_S)

    def agents(self) -> list[AgentSeat]:
        """Those that are there, in the order in which they joined."""
        return [seat for seat in self._seats.values() if not seat.lost]

    def agent(self, name: str) -> AgentSeat | None:
        """The agent of that name, as it was last heard of; None where there never was one."""
        return self._seats.get(name)

    def _succeeds(self, hello: Hello, seat: AgentSeat) -> bool:
        """It was started in the place of one that is gone."""
        return seat.lost and seat.seen_s < self._refused.get(hello.process, seat.seen_s) + RIVAL_S

    def _refuse(self, process: str, now_s: float, words: str) -> None:
        """Says it once, not with every hello."""
        if process not in self._refused:
            self._refused[process] = now_s
            logger.warning("%s", words)
