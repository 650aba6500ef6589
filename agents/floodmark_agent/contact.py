"""What the agent knows of its master: whether it hears, and whether it is still the same one. It measures nothing."""

import logging
from collections.abc import Callable
from dataclasses import replace

from floodmark.core import messages
from floodmark.core.messages import WIRE_VERSION, Hello, Welcome
from floodmark_agent.connection import Link

_LOG = logging.getLogger(__name__)

HELLO_EVERY_S = 1.0
HEARD_S = 2.5
"""Two hellos without an answer: whether the master is there is not known."""
SILENT_S = 5.0
"""Five hellos without an answer: the connection is given up and another begun, in case it is dead."""
_RENEW_MOST_S = 30.0
# How soon a hello that no master was there for is said again.
_RETRY_S = 0.1


class Contact:
    """Says hello every second, and notes what comes back."""

    def __init__(self, link: Link, hello: Hello, *, clock: Callable[[], float], rest_s: Callable[[], float]) -> None:
        """`rest_s` says how long the agent would rest, where it watches nothing."""
        self._link = link
        self._rest_s = rest_s
        self._hello = hello
        self._clock = clock
        self._master: str | None = None
        self._is_silent = False
        self._complained = False
        self.heard_s = self.due_s = clock()
        self._renew_s = SILENT_S

    def keep(self, watch: int | None) -> None:
        """Says hello when it is time, with the number of the watch under way.

        To a master that is silent it begins another connection.
        """
        now_s = self._clock()
        if now_s < self.due_s:
            return
        silent_s = now_s - self.heard_s
        if silent_s >= self._renew_s:
            self._note_silence()
        rest_s = self._rest_s() if watch is None else 0.0
        sent = self._link.send(messages.HELLO, replace(self._hello, watch=watch, rest_s=rest_s))
        self.due_s = now_s + (HELLO_EVERY_S if sent else _RETRY_S)

    def hurry(self) -> None:
        """Says hello at once: something of it is another than before."""
        self.due_s = self._clock()

    @property
    def is_heard(self) -> bool:
        """The master has answered one of the last hellos."""
        return self._clock() - self.heard_s < HEARD_S

    def heard(self, at_s: float) -> None:
        """Something came from the master."""
        self.heard_s, self._renew_s = at_s, SILENT_S
        if self._is_silent and self._master is not None:
            _LOG.info("the master is there again")
        self._is_silent = self._complained = False

    def welcome(self, welcome: Welcome) -> bool:
        """Notes who answers a hello; True where that is another master than before, whose orders are void."""
        before, self._master = self._master, welcome.master
        if before == welcome.master:
            return False
        if welcome.wire != WIRE_VERSION:
            words = "the master speaks version %s, this agent %s, and will not be used: install the same on both"
            _LOG.warning(words, welcome.wire, WIRE_VERSION)
        _LOG.info("a master is there" if before is None else "the master was restarted")
        return before is not None

    def _note_silence(self) -> None:
        self._is_silent = True
        if self._master is None:
            # Nobody has answered yet: another connection would change nothing. ZeroMQ tries on by itself.
            self._complain("no master of Floodmark's answers; trying on")
            return
        self._complain("the master is silent: trying other connections")
        self._renew_s = self._clock() - self.heard_s + min(self._renew_s, _RENEW_MOST_S)
        self._link.renew()

    def _complain(self, text: str) -> None:
        """Once, until something is heard."""
        if not self._complained:
            self._complained = True
            _LOG.warning("%s", text)
