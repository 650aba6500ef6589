"""What is done around a walk's program, which does as it is told here: ports, pieces, torn ones read again."""

import mmap
import struct

import pytest

from floodmark.core.errors import WireError
from floodmark_agent.walk.program import COUNTS, FIND, FOUND, GROUP, PORTS, SLOT_BYTES, TORN, VALUE_BYTES
from floodmark_agent.walk.table import PIECE, TAKES, TableWalk

READ = 1 << 3 | 2
UNREAD = READ | 1


class Loaded:
    """Finds a table, and two connections of a port in each piece; tears pieces as often as told."""

    def __init__(self, port: int = 8000, places: int = 4 * PIECE, tears: int = 0) -> None:
        self.values = mmap.mmap(-1, VALUE_BYTES)
        self.port = port
        self.places = places
        self.tears = tears
        self.runs: list[tuple[int, int]] = []
        self.is_closed = False

    def run(self, first: int, second: int) -> None:
        if (first, second) == FIND:
            struct.pack_into("=QQQ", self.values, FOUND, 7, 8, self.places)
            return
        self.runs.append((first, second))
        slot = self.values[PORTS + self.port]
        for key in (READ, UNREAD) if slot else ():
            at = COUNTS + SLOT_BYTES * slot + 8 * key
            struct.pack_into("=Q", self.values, at, 1 + struct.unpack_from("=Q", self.values, at)[0])
        if self.tears:
            self.tears -= 1
            struct.pack_into("=Q", self.values, TORN, 3)

    def close(self) -> None:
        self.is_closed = True


def test_the_whole_table_is_walked_piece_by_piece_and_each_count_begins_anew() -> None:
    loaded = Loaded()
    walk = TableWalk(loaded.values, loaded)

    for _ in range(2):
        (counts,) = walk.read((8000,))
        assert (counts.port, counts.read, counts.unread, counts.established) == (8000, 4, 4, 8)

    assert loaded.runs == 2 * [(first * PIECE, PIECE // GROUP) for first in range(4)]


def test_a_table_smaller_than_a_piece_is_walked_no_further_than_it_goes() -> None:
    loaded = Loaded(places=64)

    TableWalk(loaded.values, loaded).read((8000,))

    assert loaded.runs == [(0, 4)]


def test_ports_are_counted_in_the_order_asked_and_may_be_others_each_time() -> None:
    loaded = Loaded(port=8001)
    walk = TableWalk(loaded.values, loaded)

    for ports, numbers in (
        ((8000, 8001), [0, 4]),
        ((8001, 8000), [4, 0]),
        ((8002,), [0]),
        ((8001, 8001), [4, 4]),
        ((8001, 8001), [4, 4]),
        ((), []),
    ):
        found = walk.read(ports)
        assert [one.port for one in found] == list(ports)
        assert [one.read for one in found] == numbers


@pytest.mark.parametrize("tears", [1, TAKES - 1])
def test_a_torn_piece_is_read_again_and_counted_once(tears: int) -> None:
    loaded = Loaded(tears=tears)

    (counts,) = TableWalk(loaded.values, loaded).read((8000,))

    assert counts.read == 4
    assert loaded.runs[: tears + 2] == [(0, PIECE // GROUP)] * (tears + 1) + [(PIECE, PIECE // GROUP)]


def test_a_piece_that_is_torn_each_time_is_an_error_and_the_next_count_is_whole() -> None:
    loaded = Loaded(tears=TAKES)
    walk = TableWalk(loaded.values, loaded)

    with pytest.raises(WireError, match=f"each of {TAKES} walks"):
        walk.read((8000,))

    assert walk.read((8000,))[0].read == 4


@pytest.mark.parametrize("places", [0, 1, 8, 24, GROUP * 3])
def test_a_table_of_a_size_that_no_table_has_is_refused_and_nothing_stays_open(places: int) -> None:
    loaded = Loaded(places=places)

    with pytest.raises(WireError, match=f"has {places} places"):
        TableWalk(loaded.values, loaded)

    assert loaded.is_closed
    assert loaded.values.closed
