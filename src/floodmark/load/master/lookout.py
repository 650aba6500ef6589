"""What the agent's live figures say of the target before the load: whether it is idle. No waiting.

The agent's seat on the bus is the roster's.
"""

from collections.abc import Callable

from floodmark.core.messages import Samples
from floodmark.core.sample import ConnectionCounts, Sample

IDLE_CONNECTIONS = 2
"""A health check, or a user's own look at it, does not make a server busy."""


class Lookout:
    """Reset by making a new one for each run: samples of a watch before must not count for this one."""

    def __init__(self, port: int) -> None:
        """`port` is where the load goes. `tell` may be set to who else is to have the figures."""
        self.samples_seen = 0
        self.tell: Callable[[Samples], None] | None = None
        self._port = port
        self._last: ConnectionCounts | None = None

    def note(self, samples: Samples) -> None:
        """Notes the agent's live figures."""
        self.samples_seen = samples.taken
        for sample in samples.samples:
            self._look(sample)
        if self.tell is not None:
            self.tell(samples)

    @property
    def held(self) -> int:
        """How many connections the target still had at the newest count: also those that their clients have left."""
        return self._last.established + self._last.abandoned if self._last else 0

    @property
    def is_idle(self) -> bool:
        """Nobody is there who would be served or wait beside the load."""
        return self.held <= IDLE_CONNECTIONS

    def _look(self, sample: Sample) -> None:
        if not sample.connections:
            return  # a beat without a dump says nothing of them
        self._last = next((counts for counts in sample.connections if counts.port == self._port), None)
