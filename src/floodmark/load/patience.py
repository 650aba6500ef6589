"""Waiting for what others will say, with a deadline, and an end to it when the user has had enough. It asks nobody."""

import time
from collections.abc import Callable

from gevent.event import Event

from floodmark.core.errors import ClusterError, InterruptedRunError

GATHER_TIMEOUT_S = 15.0
"""For workers, agent, clocks and orders, each: a Python process starts in a second or two, a busy host takes longer."""

LOOK_EVERY_S = 0.1
"""Also without a message: Locust's own state changes without telling."""


class Patience:
    """One run's waits. `cut_asked`: someone wants it to end. `closing`: it is ending, and waits are no longer cut."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.cut_asked = False
        self.closing = False
        self._clock = clock
        self._changed = Event()

    def reset(self) -> None:
        """A new run begins."""
        self.cut_asked = self.closing = False

    def wake(self) -> None:
        """Something was said or happened: conditions are looked at now."""
        self._changed.set()

    def pause(self, timeout_s: float) -> None:
        """Returns when something happens, or after `timeout_s`."""
        self._changed.clear()
        self._changed.wait(timeout=timeout_s)

    def until(self, condition: Callable[[], object], what: str, timeout_s: float = GATHER_TIMEOUT_S) -> None:
        """Returns when the condition holds. Raises `ClusterError` after `timeout_s`, naming `what` was waited for.

        Raises `InterruptedRunError` when the run is cut meanwhile.
        """
        if not self.holds(condition, timeout_s):
            raise ClusterError(f"waited {timeout_s:g} s for {what}")

    def holds(self, condition: Callable[[], object], timeout_s: float) -> bool:
        """Whether the condition comes to hold within `timeout_s`. Raises `InterruptedRunError` as `until` does."""
        deadline_s = self._clock() + timeout_s
        while not condition():
            if self.cut_asked and not self.closing:
                raise InterruptedRunError("interrupted before the load was released")
            remaining_s = deadline_s - self._clock()
            if remaining_s <= 0:
                return False
            self.pause(min(remaining_s, LOOK_EVERY_S))
        return True
