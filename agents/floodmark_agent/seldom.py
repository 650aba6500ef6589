"""What is dear to read is read the more seldom the dearer it was: its cost over time is a share of one core."""

from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Seldom:
    """One reading, due at once and then again once the CPU time that it took has been earned."""

    def __init__(self, *, clock: Callable[[], float], cpu_clock: Callable[[], float]) -> None:
        """`cpu_clock` is the CPU time of the thread that reads."""
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._read_s: float | None = None
        self._cost_s = 0.0

    def is_due(self, share: float) -> bool:
        """True where reading it now and so on takes `share` of a core at most."""
        return self._read_s is None or (self._clock() - self._read_s) * share >= self._cost_s

    def read(self, reading: Callable[[], Found]) -> Found:
        """Does it and notes what it took."""
        self._read_s, began_s = self._clock(), self._cpu_clock()
        found = reading()
        self._cost_s = self._cpu_clock() - began_s
        return found
