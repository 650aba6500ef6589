"""The way to the master, made anew where it has gone silent. The bus itself is `bus.py`'s.

A network that was cut leaves a TCP connection that neither end knows to be dead for minutes, and Locust's master takes
no second connection of an identity while it believes in the first. So a new connection has an identity of its own.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from floodmark_agent.bus import Bus, Incoming

_LOG = logging.getLogger(__name__)


class Link(Protocol):
    """The bus as the agent needs it."""

    def receive(self, timeout_s: float) -> Incoming | None:
        """The next message, or None after `timeout_s`."""

    def send(self, kind: str, record: Any) -> bool:
        """Sends, or says that it cannot now."""

    def renew(self) -> None:
        """Begins another connection in place of this one."""


class Connection:
    """A link to the master that can be renewed."""

    def __init__(self, open_bus: Callable[[], Bus]) -> None:
        """`open_bus` begins to connect, with a new identity each time."""
        self._open_bus = open_bus
        self._bus = open_bus()

    def receive(self, timeout_s: float) -> Incoming | None:
        """The next message, or None after `timeout_s`."""
        return self._bus.receive(timeout_s)

    def send(self, kind: str, record: Any) -> bool:
        """Sends, or says that it cannot now."""
        return self._bus.send(kind, record)

    def renew(self) -> None:
        """Gives the connection up, with what waits in it, and begins another."""
        _LOG.debug("connecting anew")
        self._bus.close(at_once=True)
        self._bus = self._open_bus()

    def close(self) -> None:
        """Closes; what has been handed over has a moment to leave."""
        self._bus.close()
