"""Who takes part in a run, and how their clocks stand to the master's. It sends pings; it decides nothing."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from floodmark.core import messages
from floodmark.core.clock import ClockReading, read_clock
from floodmark.core.codec import to_plain
from floodmark.core.messages import WIRE_VERSION, Hello, Ping, Pong
from floodmark.load.inbox import Letter

logger = logging.getLogger(__name__)

AGENT_SILENT_S = 3.0
"""An agent says hello every second; three missed ones mean that it is gone."""

PINGS = 8
"""Exchanges per clock reading: the shortest round trip of eight is far below the sampling beat, also on a busy host."""

AGENT_NODE = "agent"
"""The agent's name in clocks.jsonl: one agent watches one target."""


@dataclass(slots=True, kw_only=True)
class AgentSeat:
    """An agent that said hello: `client_id` is its identity on the bus, `seen_s` when it was last heard."""

    client_id: str
    name: str
    seen_s: float


@dataclass(slots=True, kw_only=True)
class _Exchange:
    node: str
    readings: list[tuple[float, float, float, float]] = field(default_factory=list)


class Roster:
    """The agents heard of, and clock exchanges with any node."""

    def __init__(self, runner: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """`runner` is Locust's MasterRunner."""
        self._runner = runner
        self._clock = clock
        self._agents: dict[str, AgentSeat] = {}
        self._exchanges: dict[str, _Exchange] = {}

    def hello(self, letter: Letter) -> None:
        """Notes an agent's hello, which is also its heartbeat."""
        hello = letter.read(Hello)
        if hello.wire != WIRE_VERSION:
            logger.warning("Agent %s speaks version %s, this master %s: not used", hello.name, hello.wire, WIRE_VERSION)
            return
        if letter.sender not in self._agents:
            logger.info("Agent %s on %s (pid %s) has joined", hello.name, hello.host, hello.pid)
        self._agents[letter.sender] = AgentSeat(client_id=letter.sender, name=hello.name, seen_s=letter.received_s)

    def bye(self, letter: Letter) -> None:
        """Notes that an agent has left."""
        if seat := self._agents.pop(letter.sender, None):
            logger.info("Agent %s has left", seat.name)

    def agent(self) -> AgentSeat | None:
        """The agent to use: the one that joined first of those heard of lately."""
        fresh_s = self._clock() - AGENT_SILENT_S
        return next((seat for seat in self._agents.values() if seat.seen_s >= fresh_s), None)

    def ping(self, nodes: dict[str, str], pause: Callable[[], None]) -> None:
        """Sends every node (client id to name) its pings, with a `pause` between rounds so that pongs come in."""
        self._exchanges = {client_id: _Exchange(node=name) for client_id, name in nodes.items()}
        for sequence in range(PINGS):
            for client_id in nodes:
                ping = Ping(sequence=sequence, sent_s=self._clock())
                self._runner.send_message(messages.PING, to_plain(ping), client_id=client_id)
            pause()

    def pong(self, letter: Letter) -> None:
        """Completes one exchange."""
        pong = letter.read(Pong)
        if exchange := self._exchanges.get(letter.sender):
            exchange.readings.append((pong.ping_sent_s, pong.received_s, pong.sent_s, letter.received_s))

    def silent(self) -> list[str]:
        """The names of the nodes that were pinged and have not answered."""
        return [exchange.node for exchange in self._exchanges.values() if not exchange.readings]

    def readings(self) -> dict[str, ClockReading]:
        """Client id to clock reading, for the nodes that answered."""
        return {
            client_id: read_clock(exchange.node, exchange.readings)
            for client_id, exchange in self._exchanges.items()
            if exchange.readings
        }
