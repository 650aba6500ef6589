"""The whole series of one watch, kept in this process until the master has fetched it. No bus, no clock.

While a load is on, every byte sent is taken from what is measured. So the master sees a few figures, and the series
waits here: as compressed blocks, in a room of four megabytes. That holds twenty minutes or more of a server of five
processes at 20 samples a second; the master fetches from a room that is half full. In a full one the oldest block is
dropped, and counted: of that time the master has the live figures.
"""

from collections import deque
from dataclasses import dataclass

from floodmark.core.sample import Sample
from floodmark.core.series import (
    BLOCK_SAMPLES,
    BLOCK_TEXT_BYTES,
    CHUNK_BLOCKS,
    CHUNK_BYTES,
    pack_block,
    sample_line,
)

ROOM_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    first: int
    count: int
    packed: bytes


class Series:
    """Samples in the order of their numbers, from 0. `dropped` counts those for which there was no room."""

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self.taken = 0
        self.dropped = 0
        self._room_bytes = room_bytes
        self._blocks: deque[_Block] = deque()
        self._packed_bytes = 0
        self._lines: list[bytes] = []
        self._text_bytes = 0

    @property
    def full(self) -> float:
        """The share of the room that is taken."""
        return (self._packed_bytes + self._text_bytes) / self._room_bytes

    @property
    def first(self) -> int:
        """The number of the oldest sample that is kept, or of the next where none is."""
        return self._blocks[0].first if self._blocks else self.taken - len(self._lines)

    def add(self, sample: Sample) -> None:
        """Keeps the next sample."""
        line = sample_line(sample)
        if self._lines and self._text_bytes + len(line) > BLOCK_TEXT_BYTES:
            self.seal()
        self.taken += 1
        self._lines.append(line)
        self._text_bytes += len(line)
        if len(self._lines) >= BLOCK_SAMPLES:
            self.seal()
        while self.full > 1 and self._blocks:
            self.dropped += self._take_out().count

    def seal(self) -> None:
        """Makes a block of the samples that are in none yet."""
        if not self._lines:
            return
        packed = pack_block(self._lines)
        self._blocks.append(_Block(first=self.taken - len(self._lines), count=len(self._lines), packed=packed))
        self._packed_bytes += len(packed)
        self._lines, self._text_bytes = [], 0

    def forget(self, before: int) -> None:
        """Gives the room of the blocks back that have no sample from number `before` on: they have arrived."""
        while self._blocks and self._blocks[0].first + self._blocks[0].count <= before:
            self._take_out()

    def chunk(self, blocks: int) -> tuple[tuple[bytes, ...], int]:
        """The oldest blocks, as many as fit into a message and `blocks` at most; and how many samples are left."""
        self.seal()
        packed: list[bytes] = []
        end, most = self.first, min(blocks, CHUNK_BLOCKS)
        for block in self._blocks:
            size_bytes = sum(map(len, packed)) + len(block.packed)
            if len(packed) >= most or (packed and size_bytes > CHUNK_BYTES):
                break
            packed.append(block.packed)
            end = block.first + block.count
        return tuple(packed), self.taken - end

    def _take_out(self) -> _Block:
        block = self._blocks.popleft()
        self._packed_bytes -= len(block.packed)
        return block
