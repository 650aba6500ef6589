import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.inet_diag import MAX_PORTS, TcpListener, count_connections, parse_listeners, port_filter
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


def counts(port: int, **numbers: int) -> ConnectionCounts:
    return ConnectionCounts(port=port, **{**NOTHING, **numbers})


def test_connections_are_counted_by_where_they_wait() -> None:
    main, dual, deferred = count_connections((8000, 8001, 8002), captured("connections-inet"))

    assert main == counts(
        8000, accept_queue=6, unread=5, read=9, abandoned=5, abandoned_queue=1, closing=3, time_wait=2
    )
    assert dual == counts(8001)
    assert deferred == counts(8002, half_open=6)


def test_established_is_all_that_the_client_could_have_been_answered_on() -> None:
    (main, *_) = count_connections((8000, 8001, 8002), captured("connections-inet"))

    assert main.established == 20


def test_ipv4_clients_of_a_dual_stack_listener_are_in_the_ipv6_table() -> None:
    _, dual, _ = count_connections((8000, 8001, 8002), captured("connections-inet6"))

    assert dual == counts(8001, accept_queue=5)


def test_both_tables_are_added_up_in_the_order_asked() -> None:
    both = (*captured("connections-inet"), *captured("connections-inet6"))

    assert [(one.port, one.established) for one in count_connections((8002, 8001, 8000), both)] == [
        *[(8002, 0), (8001, 5), (8000, 20)],
    ]


def test_no_answer_counts_as_zero_for_each_port() -> None:
    assert count_connections((8000, 9000), ()) == (counts(8000), counts(9000))


def test_a_row_of_a_port_not_asked_for_is_named() -> None:
    with pytest.raises(WireError, match="port 8003"):
        count_connections((8000,), captured("one-stride-inet"))


def test_rows_too_short_for_a_socket_are_refused() -> None:
    with pytest.raises(WireError, match="40 bytes"):
        count_connections((8000,), [Rows(stride=40, data=bytes(80))])
    with pytest.raises(WireError, match="24 bytes"):
        list(parse_listeners([Rows(stride=40, data=bytes(80))]))


def test_listeners_have_address_depth_and_limit() -> None:
    found = {row.address: (row.family, row.depth, row.limit) for row in parse_listeners(captured("listeners-inet"))}

    assert found == {
        "127.0.0.1:8000": ("inet", 7, 64),
        "0.0.0.0:8002": ("inet", 0, 64),
        "127.0.0.1:8003": ("inet", 4, 64),
    }


def test_rows_in_other_states_are_no_listeners() -> None:
    assert list(parse_listeners(captured("connections-inet"))) == []


def test_an_ipv6_listener_is_written_in_brackets() -> None:
    (row,) = parse_listeners(captured("listeners-inet6"))

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


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), max_size=30))
def test_every_row_is_counted_once(kinds: list[tuple[int, bool, bool]]) -> None:
    data = b"".join(row(state, rqueue=int(unread), inode=int(accepted)) for state, unread, accepted in kinds)

    (found,) = count_connections((80,), [Rows(stride=92, data=data)])

    waiting = found.half_open + found.abandoned + found.closing + found.time_wait
    assert found.established + waiting == len(kinds)
    assert found.accept_queue == sum(state == 1 and not accepted for state, _, accepted in kinds)
    assert found.unread == sum(state == 1 and accepted and unread for state, unread, accepted in kinds)


def row(state: int, *, rqueue: int, inode: int) -> bytes:
    head = struct.pack("=IHHII", 92, 20, 2, 1, 0) + struct.pack("=BBBBH", 2, state, 0, 0, socket.htons(80))
    return head + bytes(50) + struct.pack("=IIII", rqueue, 0, 0, inode) + b"attr"
