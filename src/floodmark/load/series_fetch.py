"""The agent's series on its way into the run folder: asked for piece by piece, each sample once. It sends nothing."""

from floodmark.core.messages import Chunk, Fetch, Samples
from floodmark.core.sample import Sample
from floodmark.core.series import unpack_block

FETCH_WHEN_FULL = 0.5
"""Of the agent's room: what a load of minutes leaves there is fetched only now, and slowly."""

WHOLE = 1 << 30
"""As many blocks as fit into a message."""

ASK_AGAIN_S = 1.0
"""An answer that has not come in this time was lost with its connection."""


class SeriesFetch:
    """Where the fetching of one agent's series stands."""

    def __init__(self, number: int) -> None:
        """`number` is the watch's."""
        self.dropped = 0
        self.is_whole = False
        self.next = 0
        self._number = number
        self._asked_s: float | None = None

    def begin_anew(self) -> None:
        """The agent was restarted: its series begins at 0, and what it had before is gone."""
        self.next, self.is_whole, self._asked_s = 0, False, None

    def is_urgent(self, report: Samples) -> bool:
        """The agent's room is half full."""
        return report.full >= FETCH_WHEN_FULL

    def ask(self, now_s: float, *, whole: bool) -> Fetch | None:
        """What to ask for; None where an answer is on its way. `whole` False: one block, since a load is on."""
        if self._asked_s is not None and now_s - self._asked_s < ASK_AGAIN_S:
            return None
        self._asked_s = now_s
        return Fetch(number=self._number, first=self.next, blocks=WHOLE if whole else 1)

    def take(self, chunk: Chunk) -> list[Sample]:
        """The samples of an answer that are new. Raises `WireError` where it is not one."""
        self._asked_s = None
        self.dropped = chunk.dropped
        found = [sample for block in chunk.blocks for sample in unpack_block(block)]
        new = [sample for sample in found if sample.sequence >= self.next]
        if new:
            self.next = new[-1].sequence + 1
        self.is_whole = chunk.resting and not chunk.left
        return new
