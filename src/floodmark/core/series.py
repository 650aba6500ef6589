"""A series of samples as blocks: lines of ``samples.jsonl``, compressed. Bytes to records and back; no I/O.

Samples of one target hardly differ: a block takes a tenth of its text, so the series of twenty minutes fits into a few
megabytes of the target's memory, and on its way it takes next to nothing.
"""

import json
import zlib

from floodmark.core.codec import from_plain, to_table
from floodmark.core.errors import WireError
from floodmark.core.sample import Sample

BLOCK_SAMPLES = 64
BLOCK_TEXT_BYTES = 256 << 10
"""A server of 200 processes has samples of 30 KB: few of them make a block, so that none is long to send or to read."""
SAMPLE_BYTES_MAX = 4 << 20
"""The most that one sample may take, which is a block of its own then: that of 25,000 processes."""
CHUNK_BYTES = 64 << 10
"""What one message takes at most, or else one block."""
CHUNK_BLOCKS = 64
"""And so many blocks: full ones of a small server are eight to a message."""
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
    try:
        plain = [json.loads(line) for line in _lines(block)]
    except (ValueError, RecursionError) as error:
        raise WireError(f"a block of samples is not JSON: {error}") from None
    return [from_plain(Sample, sample, "a sample") for sample in plain]


def _lines(block: bytes) -> list[bytes]:
    """The text of a block, within the bounds that every agent keeps: who sends more is none."""
    unfold = zlib.decompressobj()
    try:
        text = unfold.decompress(block, SAMPLE_BYTES_MAX)
    except zlib.error as error:
        raise WireError(f"a block of samples cannot be unfolded: {error}") from None
    if unfold.unconsumed_tail or not unfold.eof:
        raise WireError(f"a block of samples has no end, or is longer than {SAMPLE_BYTES_MAX:,} bytes")
    if unfold.unused_data:
        raise WireError(f"a block of samples has {len(unfold.unused_data):,} bytes behind its end")
    # Counted before they are taken apart: a million of empty lines would be a million of objects.
    count = text.count(b"\n")
    if count > BLOCK_SAMPLES or (count > 1 and len(text) > BLOCK_TEXT_BYTES):
        most = f"more than {BLOCK_SAMPLES}, or {BLOCK_TEXT_BYTES:,} bytes"
        raise WireError(f"a block has {count:,} samples of {len(text):,} bytes: {most}")
    return text.splitlines()
