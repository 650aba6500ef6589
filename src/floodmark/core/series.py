"""A series of samples as blocks: lines of ``samples.jsonl``, compressed. Bytes to records and back; no I/O.

Samples of one target hardly differ: a block takes a tenth of its text, so the series of twenty minutes fits into a few
megabytes of the target's memory, and on its way it takes next to nothing.
"""

import json
import zlib

from floodmark.core.codec import from_plain, to_table
from floodmark.core.errors import WireError
from floodmark.core.sample import Sample

TEXT_BYTES_MAX = 8 << 20
"""The most that a block may unfold to; the agent's have 256 KiB, or one sample."""
# The fastest: a stronger one takes five times as long for a third less.
_LEVEL = 1

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=to_table).encode


def sample_line(sample: Sample) -> bytes:
    """A sample as a line of text, with its end."""
    return _encode(sample).encode() + b"\n"


def pack_block(lines: list[bytes]) -> bytes:
    """Lines as one block."""
    return zlib.compress(b"".join(lines), _LEVEL)


def unpack_block(block: bytes) -> list[Sample]:
    """The samples of a block. Raises `WireError` where it is none, or unfolds to more than it may."""
    unfold = zlib.decompressobj()
    try:
        text = unfold.decompress(block, TEXT_BYTES_MAX)
    except zlib.error as error:
        raise WireError(f"a block of samples cannot be unfolded: {error}") from None
    if unfold.unconsumed_tail or not unfold.eof:
        raise WireError(f"a block of samples has no end, or is longer than {TEXT_BYTES_MAX:,} bytes")
    try:
        plain = [json.loads(line) for line in text.splitlines()]
    except (ValueError, RecursionError) as error:
        raise WireError(f"a block of samples is not JSON: {error}") from None
    return [from_plain(Sample, sample, "a sample") for sample in plain]
