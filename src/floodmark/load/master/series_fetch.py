"""The agent's series on its way into the run folder: asked for piece by piece, each sample once. It sends nothing."""

from collections.abc import Sequence

from floodmark.core.errors import WireError
from floodmark.core.messages import Chunk, Fetch, Samples
from floodmark.core.sample import Sample
from floodmark.core.series import CHUNK_BLOCKS, CHUNK_BYTES, unpack_block

FETCH_WHEN_FULL = 0.5
"""Of the agent's room: what a load of minutes leaves there is fetched only now, and slowly."""

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
        self._dropped_before = 0

    def begin_anew(self) -> None:
        """The agent was restarted: its series begins at 0, and what it had before is gone."""
        self.next, self.is_whole, self._asked_s = 0, False, None
        self._dropped_before = self.dropped

    def is_urgent(self, report: Samples) -> bool:
        """The agent's room is half full."""
        return report.full >= FETCH_WHEN_FULL

    def ask(self, now_s: float, *, whole: bool) -> Fetch | None:
        """What to ask for; None where an answer is on its way. `whole` False: one block, since a load is on."""
        if self._asked_s is not None and now_s - self._asked_s < ASK_AGAIN_S:
            return None
        self._asked_s = now_s
        return Fetch(number=self._number, first=self.next, blocks=CHUNK_BLOCKS if whole else 1)

    def prove(self, chunk: Chunk) -> None:
        """Raises `WireError` where an answer is larger than an agent's are."""
        size_bytes = sum(map(len, chunk.blocks))
        if len(chunk.blocks) > CHUNK_BLOCKS or (len(chunk.blocks) > 1 and size_bytes > CHUNK_BYTES):
            raise WireError(
                f"a part of a series has {len(chunk.blocks):,} blocks of {size_bytes:,} bytes in all:"
                f" more than {CHUNK_BLOCKS}, or {CHUNK_BYTES:,} bytes"
            )

    def unfold(self, block: bytes) -> list[Sample]:
        """The samples of a block that are new. Raises `WireError` where it is none."""
        new, following = [], self.next
        for sample in unpack_block(block):
            if sample.sequence >= following:
                new.append(sample)
                following = sample.sequence + 1
        return new

    def kept(self, samples: Sequence[Sample]) -> None:
        """These are in the run folder: what follows them is asked for next, and the agent may forget them."""
        if samples:
            self.next = samples[-1].sequence + 1

    def took(self, chunk: Chunk) -> None:
        """All blocks of an answer were kept."""
        self._asked_s = None
        self.dropped = self._dropped_before + chunk.dropped
        self.is_whole = chunk.resting and not chunk.left

    def receipt(self) -> Fetch:
        """Asks for nothing more: it has arrived."""
        return Fetch(number=self._number, first=self.next, blocks=0)
