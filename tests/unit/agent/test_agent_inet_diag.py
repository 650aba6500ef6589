import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.inet_diag import MAX_PORTS, Tally, TcpListener, parse_listeners, port_filter
from floodmark_agent.netlink import Rows, read_datagram

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agent"
NOTHING = {
    "accept_queue": 0,
    "unread": 0,
    "read": 0,
    "half_open": 0,
    "abandoned": 0,
    "abandoned_queue": 0,
    "closing": 0,
    "time_wait": 0,
}
PORTS = st.integers(1, 65535)


def captured(name: str) -> tuple[Rows, ...]:
    return read_datagram((FIXTURES / f"{name}.bin").read_bytes()).rows


def count_connections(ports: tuple[int, ...], answer: Iterable[Rows]) -> tuple[ConnectionCounts, ...]:
    tally = Tally(ports)
    for rows in answer:
        tally.add(rows)
    return tally.counts()


def counts(port: int, **numbers: int) -> ConnectionCounts:
    return ConnectionCounts(port=port, **{**NOTHING, **numbers})


def test_connections_are_counted_by_where_they_wait_each_port_in_the_order_asked() -> None:
    deferred, dual, main = count_connections((8002, 8001, 8000), captured("connections"))

    assert main == counts(
        8000, accept_queue=6, unread=5, read=9, abandoned=5, abandoned_queue=1, closing=3, time_wait=2
    )
    assert main.established == 20
    assert deferred == counts(8002, half_open=6)
    # Three of its clients came over IPv4, two over IPv6.
    assert dual == counts(8001, accept_queue=5)


def test_no_answer_counts_as_zero_for_each_port() -> None:
    assert count_connections((8000, 9000), ()) == (counts(8000), counts(9000))


def test_a_row_of_a_port_not_asked_for_is_named() -> None:
    with pytest.raises(WireError, match="port 8003"):
        count_connections((8000,), captured("one-stride"))


def test_rows_too_short_for_a_socket_are_refused() -> None:
    with pytest.raises(WireError, match="40 bytes"):
        count_connections((8000,), [Rows(stride=40, data=bytes(80))])
    with pytest.raises(WireError, match="24 bytes"):
        list(parse_listeners([Rows(stride=40, data=bytes(80))]))


def test_listeners_have_address_depth_and_limit() -> None:
    found = {row.address: (row.family, row.depth, row.limit) for row in parse_listeners(captured("listeners"))}

    assert found == {
        "127.0.0.1:8000": ("inet", 7, 64),
        "0.0.0.0:8002": ("inet", 0, 64),
        "127.0.0.1:8003": ("inet", 4, 64),
        "[::]:8001": ("inet6", 5, 16),
    }


def test_rows_in_other_states_are_no_listeners() -> None:
    assert list(parse_listeners(captured("connections"))) == []


def test_an_ipv6_listener_is_written_in_brackets() -> None:
    (row,) = [one for one in parse_listeners(captured("listeners")) if one.port == 8001]

    assert row == TcpListener(family="inet6", host="::", port=8001, inode=row.inode, depth=5, limit=16)
    assert row.address == "[::]:8001"
    assert row.inode > 0


def run_filter(program: bytes, port: int) -> bool:
    """``inet_diag_bc_run`` of net/ipv4/inet_diag.c: to end exactly at the end is to accept."""
    offset = 0
    while offset < len(program):
        code, yes, no = struct.unpack_from("=BBH", program, offset)
        bound = struct.unpack_from("=H", program, offset + 6)[0] if code != 1 else 0
        holds = {1: False, 2: port >= bound, 3: port <= bound}[code]
        offset += yes if holds else no
    return offset == len(program)


@given(st.lists(PORTS, min_size=1, max_size=MAX_PORTS, unique=True), PORTS)
def test_the_filter_lets_through_exactly_the_ports_asked_for(ports: list[int], other: int) -> None:
    program = port_filter(ports)

    assert all(run_filter(program, port) for port in ports)
    assert run_filter(program, other) == (other in ports)


QUEUE = st.sampled_from([0, 1, 256, 1 << 24])
KIND = st.tuples(st.integers(1, 12), QUEUE, QUEUE, st.sampled_from([0, 7, 1 << 16]))


@given(st.lists(st.tuples(st.sampled_from([80, 81, 8080]), KIND), max_size=40), st.sampled_from([None, 80]))
def test_rows_are_counted_as_a_loop_over_them_would(
    rows: list[tuple[int, tuple[int, int, int, int]]], only: int | None
) -> None:
    rows = [(only or port, kind) for port, kind in rows]
    data = b"".join(
        row(port, state, rqueue=rqueue, wqueue=wqueue, inode=inode) for port, (state, rqueue, wqueue, inode) in rows
    )

    found = count_connections((80, 81, 8080), [Rows(stride=96, data=data)] if data else [])

    for one in found:
        kinds = [kind for port, kind in rows if port == one.port]
        established = [(rqueue, inode) for state, rqueue, _, inode in kinds if state == 1]
        states = [kind[0] for kind in kinds]
        assert one.accept_queue == sum(not inode for _, inode in established)
        assert one.unread == sum(bool(inode and rqueue) for rqueue, inode in established)
        assert one.read == sum(bool(inode and not rqueue) for rqueue, inode in established)
        assert one.half_open == states.count(3)
        assert one.closing == sum(states.count(state) for state in (4, 5, 9, 11))
        assert (one.time_wait, one.abandoned) == (states.count(6), states.count(8))
        assert one.abandoned_queue == sum(state == 8 and not inode for state, _, _, inode in kinds)
        assert one.stuck == sum(bool(state == 1 and inode and wqueue) for state, _, wqueue, inode in kinds)


@given(st.binary(min_size=96 * 3, max_size=96 * 3))
def test_rows_of_garbage_are_counted_or_a_wire_error(garbage: bytes) -> None:
    try:
        (found,) = count_connections((80,), [Rows(stride=96, data=garbage)])
    except WireError:
        return
    assert found.established <= 3


def row(port: int, state: int, *, rqueue: int, wqueue: int, inode: int) -> bytes:
    head = struct.pack("=IHHII", 96, 20, 2, 1, 0) + struct.pack("=BBBBH", 2, state, 0, 0, socket.htons(port))
    return head + bytes(50) + struct.pack("=IIII", rqueue, wqueue, 6, inode) + b"an attr."
