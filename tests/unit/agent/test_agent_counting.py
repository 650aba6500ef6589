"""When a walk is believed, and when a dump stands in for it."""

import dataclasses
import logging
from collections.abc import Sequence

import pytest

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.counting import BY_DUMP, TRIES, Counter, Counting, Counts, Way, is_between, open_counter, prepare
from floodmark_agent.netlink import DiagSocket


def counts(read: int = 0, **numbers: int) -> ConnectionCounts:
    nothing = dict.fromkeys(ConnectionCounts.__slots__, 0)
    return ConnectionCounts(**{**nothing, "port": 8000, "read": read, **numbers})


class Kernel:
    """Says what a dump and a walk find, and which of both was asked for."""

    def __init__(self, found: ConnectionCounts) -> None:
        self.found = found
        self.walked: ConnectionCounts | Exception | None = None
        self.asked: list[str] = []
        self.is_closed = False
        self.used_s = 0.0
        self.walk_s, self.dump_s = 0.002, 0.009

    def dump(self, _: Sequence[int]) -> Counts:
        self.asked.append("dump")
        self.used_s += self.dump_s
        return (self.found,)

    def read(self, _: Sequence[int]) -> Counts:
        self.asked.append("walk")
        self.used_s += self.walk_s
        if isinstance(self.walked, Exception):
            raise self.walked
        return (self.walked or self.found,)

    def close(self) -> None:
        self.is_closed = True

    def counter(self, *, must_pay: bool = True) -> Counter:
        return Counter(self.dump, self, worth_from=100, must_pay=must_pay, cpu_clock=lambda: self.used_s)


def read(counter: Counter, times: int = 1) -> Counts:
    for _ in range(times):
        found = counter.read((8000,))
    return found


def test_a_walk_is_believed_once_it_agrees_with_the_dumps_around_it() -> None:
    kernel = Kernel(counts(read=200))
    counter = kernel.counter()

    assert read(counter, 5) == (kernel.found,)

    assert kernel.asked == ["dump", "dump", "walk", "dump", "walk", "walk"]
    assert counter.walks


def test_few_connections_are_dumped_whatever_a_walk_would_find() -> None:
    kernel = Kernel(counts(read=99))
    counter = kernel.counter()
    read(counter, 4)
    assert kernel.asked == ["dump"] * 4

    kernel.found = counts(read=200)
    read(counter, 5)
    kernel.found = counts(read=5)
    kernel.asked.clear()
    read(counter, 3)
    assert kernel.asked == ["walk", "dump", "dump"]


def test_while_a_load_comes_in_the_numbers_lie_between_the_two_dumps() -> None:
    kernel = Kernel(counts(read=200, unread=50))
    counter = kernel.counter()
    read(counter)
    kernel.walked = counts(read=210, unread=40)
    read(counter)
    kernel.found = counts(read=250)

    read(counter)

    assert counter.walks


@pytest.mark.parametrize("walked", [counts(read=199, unread=1), counts(read=200, stuck=1), counts(read=201), counts()])
def test_a_walk_with_other_counts_is_given_up_and_never_shown(
    walked: ConnectionCounts, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = Kernel(counts(read=200))
    kernel.walked = walked
    counter = kernel.counter()

    assert all(read(counter) == (kernel.found,) for _ in range(TRIES + 5))

    assert not counter.walks
    assert kernel.is_closed
    assert kernel.asked.count("walk") == TRIES
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "other counts than the dumps" in line


def test_a_walk_that_is_right_by_and_by_is_believed_then() -> None:
    kernel = Kernel(counts(read=200))
    kernel.walked = counts(read=300)
    counter = kernel.counter()
    read(counter, 10)
    kernel.walked = None

    read(counter, 2)

    assert counter.walks


def test_a_walk_that_costs_more_than_a_dump_is_tried_again_once_there_are_twice_as_many() -> None:
    kernel = Kernel(counts(read=200))
    kernel.walk_s = 0.1
    counter = kernel.counter()
    read(counter, 10)
    assert kernel.asked.count("walk") == 1

    kernel.found = counts(read=400)
    kernel.walk_s = 0.001
    read(counter, 4)

    assert kernel.asked[-1] == "walk"
    assert counter.walks


def test_a_walk_that_was_asked_for_may_cost_what_it_does() -> None:
    kernel = Kernel(counts(read=200))
    kernel.walk_s = 0.1
    counter = kernel.counter(must_pay=False)

    read(counter, 4)

    assert counter.walks


def test_a_dump_stands_in_for_a_torn_walk_and_the_next_count_walks_again() -> None:
    kernel = Kernel(counts(read=200))
    counter = kernel.counter()
    read(counter, 3)
    kernel.walked = WireError("torn")
    kernel.asked.clear()
    assert read(counter) == (kernel.found,)
    kernel.walked = None
    read(counter)

    assert kernel.asked == ["walk", "dump", "walk"]


def test_walks_that_are_always_torn_are_given_up_before_they_were_believed() -> None:
    kernel = Kernel(counts(read=200))
    kernel.walked = WireError("torn")

    read(kernel.counter(), TRIES + 5)

    assert kernel.asked.count("walk") == TRIES


def test_a_walk_that_does_not_work_any_more_is_said_once_and_dumps_go_on(caplog: pytest.LogCaptureFixture) -> None:
    kernel = Kernel(counts(read=200))
    counter = kernel.counter()
    read(counter, 4)
    kernel.walked = OSError(1, "not any more")

    assert read(counter, 3) == (kernel.found,)

    assert kernel.is_closed
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "by dump from now on" in line
    assert "not any more" in line


def test_a_walk_proves_nothing_where_the_connections_have_gone_meanwhile() -> None:
    kernel = Kernel(counts(read=200))
    counter = kernel.counter()
    read(counter)
    kernel.found = counts()
    read(counter)
    kernel.found = counts(read=200)
    read(counter, 2)

    assert not counter.walks


@pytest.mark.parametrize("name", [name for name in ConnectionCounts.__slots__ if name != "port"])
def test_each_place_must_agree_and_each_port_be_the_same(name: str) -> None:
    before = (counts(read=10, unread=10, accept_queue=10),)
    other = (dataclasses.replace(before[0], **{name: 3 + getattr(before[0], name)}),)

    assert is_between(before, before, other)
    assert is_between(other, before, other)
    assert not is_between(other, before, before)
    assert not is_between((dataclasses.replace(before[0], port=9),), before, before)
    assert not is_between((), before, before)


def test_nothing_is_made_ready_where_dumps_are_asked_for() -> None:
    assert prepare(Way.DUMP) == BY_DUMP


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_what_is_in_the_way_is_a_line_in_the_log_and_a_note_where_a_walk_was_asked_for(
    caplog: pytest.LogCaptureFixture, *, is_asked_for: bool
) -> None:
    def refuse() -> Kernel:
        raise PermissionError(1, "the kernel refuses bpf(MAP_CREATE)")

    caplog.set_level(logging.INFO)
    diag = DiagSocket()
    counter = open_counter(Counting(open_walk=refuse, is_asked_for=is_asked_for), diag, None)
    read(counter)
    diag.close()

    (record,) = caplog.records
    assert "counted by dump" in record.getMessage()
    assert "refuses bpf(MAP_CREATE)" in record.getMessage()
    assert (record.levelno == logging.WARNING, counter.notes) == (
        (True, (record.getMessage(),)) if is_asked_for else (False, ())
    )
