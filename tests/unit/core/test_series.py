import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import WireError
from floodmark.core.sample import NetCounters, Sample
from floodmark.core.series import (
    BLOCK_SAMPLES,
    BLOCK_TEXT_BYTES,
    SAMPLE_BYTES_MAX,
    pack_block,
    sample_line,
    unpack_block,
)

SAMPLE = Sample(
    sequence=3,
    due_s=1.5,
    taken_s=1.5625,
    socket_s=1.6,
    cost_s=0.001,
    missed=0,
    listeners=(),
    connections=(),
    processes=None,
    counters=NetCounters(listen_overflows=1, listen_drops=2, req_q_full_do_cookies=3, req_q_full_drop=4),
)


def test_a_line_is_a_line_of_the_run_folder() -> None:
    line = sample_line(SAMPLE)

    assert line.endswith(b"}\n")
    assert json.loads(line) == to_plain(SAMPLE)
    assert from_plain(Sample, json.loads(line), "a line") == SAMPLE


def test_a_block_gives_back_its_samples_in_order() -> None:
    assert unpack_block(pack_block([sample_line(SAMPLE)] * 3)) == [SAMPLE] * 3
    assert unpack_block(pack_block([])) == []


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x00" * 40,
        zlib.compress(b"{}\n"),
        zlib.compress(b"[1]\n"),
        zlib.compress(b"\xff\n"),
        zlib.compress(b"[" * 20_000),
        zlib.compress(b"1e999\n"),
        pack_block([sample_line(SAMPLE)])[:-1],
        zlib.compress(bytes(SAMPLE_BYTES_MAX + 1)),
        pack_block([sample_line(SAMPLE)] * (BLOCK_SAMPLES + 1)),
        pack_block([sample_line(SAMPLE)[:-1] + b" " * (BLOCK_TEXT_BYTES // 2) + b"\n"] * 2),
        pack_block([sample_line(SAMPLE)]) + b"more",
    ],
)
def test_what_is_no_block_is_a_wire_error(block: bytes) -> None:
    with pytest.raises(WireError):
        unpack_block(block)


def test_one_sample_of_many_processes_is_a_block() -> None:
    line = sample_line(SAMPLE)[:-1] + b" " * BLOCK_TEXT_BYTES + b"\n"

    assert unpack_block(pack_block([line])) == [SAMPLE]


@given(st.binary(max_size=300), st.booleans())
def test_garbage_raises_nothing_but_wire_errors(garbage: bytes, packed: bool) -> None:  # noqa: FBT001 - hypothesis'
    try:
        unpack_block(zlib.compress(garbage) if packed else garbage)
    except WireError:
        return
    assert packed
    assert not garbage.strip()
