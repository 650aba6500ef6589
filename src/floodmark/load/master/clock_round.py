"""Clock readings of any node by pings over the bus; it decides nothing, and waits for nobody."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from floodmark.core import messages
from floodmark.core.clock import ClockReading, read_clock
from floodmark.core.messages import Ping, Pong
from floodmark.load.bus.inbox import Letter

PINGS = 8
"""Exchanges per clock reading: the shortest round trip of eight is far below the sampling beat, also on a busy host."""


@dataclass(slots=True, kw_only=True)
class _Exchange:
    node: str
    readings: list[tuple[float, float, float, float]] = field(default_factory=list)


class ClockRound:
    """Four-timestamp exchanges with several nodes at once (`core/clock.py`)."""

    def __init__(self, send: Callable[[str, Any, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`send` takes a message's type, its record and the node's identity on the bus."""
        self._send = send
        self._clock = clock
        self._exchanges: dict[str, _Exchange] = {}

    def ping(self, nodes: dict[str, str], pause: Callable[[], None]) -> None:
        """Sends every node (client id to name) its pings, with a `pause` between rounds so that pongs come in."""
        self._exchanges = {client_id: _Exchange(node=name) for client_id, name in nodes.items()}
        for sequence in range(PINGS):
            for client_id in nodes:
                self._send(messages.PING, Ping(sequence=sequence, sent_s=self._clock()), client_id)
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
