"""The program of a walk, run by a machine in Python on tables made up here."""

from dataclasses import dataclass, field, fields

import pytest
from bpf_machine import CAST, MAP, TASK, Machine
from hypothesis import given
from hypothesis import strategies as st

from floodmark_agent.walk.assembler import R0, R1, R2, R6, STACK, Assembler
from floodmark_agent.walk.layout import Layout
from floodmark_agent.walk.program import COUNTS, FIND, FOUND, GROUP, KEYS, PORTS, SLOT_BYTES, TORN, program

OURS, OTHERS = 0x5000_0000, 0x5100_0000
TABLES, TABLE, SOCKETS = 0x6000_0000, 0x7000_0000, 0x8000_0000
# Every field somewhere else, so that one read for another is found.
LAYOUT = Layout(
    cast=CAST,
    word=1,
    sock_common=2,
    tcp_sock=3,
    time_wait=4,
    node=104,
    port=14,
    state=18,
    net=48,
    substate=140,
    socket=600,
    received=1400,
    taken=1404,
    written=1500,
    acknowledged=1508,
    task_proxy=3000,
    proxy_net=40,
    net_tables=900,
    table=0,
    mask=16,
)
ESTABLISHED, SYN_RECV, TIME_WAIT, CLOSE_WAIT, NEW_SYN_RECV = 1, 3, 6, 8, 12


@dataclass(frozen=True)
class Sock:
    """One entry of the table."""

    state: int = ESTABLISHED
    port: int = 8000
    net: int = OURS
    accepted: bool = True
    received: int = 100
    taken: int = 100
    written: int = 7
    acknowledged: int = 7
    substate: int = TIME_WAIT

    @property
    def key(self) -> int:
        """What `inet_diag` makes of the row that the kernel would tell."""
        if self.state == NEW_SYN_RECV:
            return SYN_RECV << 3
        if self.state == TIME_WAIT:
            return self.substate << 3
        unread = 0 < (self.received - self.taken) % (1 << 32) < 1 << 31
        return self.state << 3 | (self.written != self.acknowledged) << 2 | self.accepted << 1 | unread


@dataclass
class Table:
    """A machine with a table in its memory."""

    chains: dict[int, list[Sock]]
    places: int = 64
    ends: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine = Machine(program(LAYOUT, 5))
        put = self.machine.put
        put(TASK + LAYOUT.task_proxy, 8, 0x9000_0000)
        put(0x9000_0000 + LAYOUT.proxy_net, 8, OURS)
        put(OURS + LAYOUT.net_tables, 8, TABLES)
        put(TABLES + LAYOUT.table, 8, TABLE)
        put(TABLES + LAYOUT.mask, 4, self.places - 1)
        begin = SOCKETS
        for place in range(self.places):
            link = TABLE + 8 * place
            for sock in self.chains.get(place, []):
                put(link, 8, begin + LAYOUT.node)
                self._put_sock(begin, sock)
                link, begin = begin + LAYOUT.node, begin + 4096
            put(link, 8, self.ends.get(place, place) << 1 | 1)

    def _put_sock(self, begin: int, sock: Sock) -> None:
        put = self.machine.put
        put(begin + LAYOUT.port, 2, sock.port)
        put(begin + LAYOUT.state, 1, sock.state)
        put(begin + LAYOUT.net, 8, sock.net)
        put(begin + LAYOUT.substate, 1, sock.substate)
        put(begin + LAYOUT.socket, 8, 0xABCD_0000_0000 if sock.accepted else 0)
        for name in ("received", "taken", "written", "acknowledged"):
            put(begin + getattr(LAYOUT, name), 4, getattr(sock, name))

    def walk(self, *ports: int, first: int = 0, groups: int | None = None) -> dict[tuple[int, int], int]:
        """By port and key how many were counted."""
        for slot, port in enumerate(ports, start=1):
            self.machine.put(MAP + PORTS + port, 1, slot)
        self.machine.run(*FIND)
        self.machine.run(first, self.places // GROUP if groups is None else groups)
        return {
            (port, key): number
            for slot, port in enumerate(ports, start=1)
            for key in range(KEYS)
            if (number := self.machine.get(MAP + COUNTS + SLOT_BYTES * slot + 8 * key, 8))
        }

    @property
    def torn(self) -> int:
        return self.machine.get(MAP + TORN, 8)


def test_the_table_of_the_callers_namespace_is_found() -> None:
    table = Table({}, places=256)

    table.machine.run(*FIND)

    assert [table.machine.get(MAP + FOUND + at, 8) for at in (0, 8, 16)] == [OURS, TABLE, 256]


def test_only_sockets_of_the_ports_asked_for_and_of_this_namespace_are_counted() -> None:
    table = Table({0: [Sock(), Sock(port=9), Sock()], 17: [Sock(net=OTHERS), Sock(port=8001)], 63: [Sock()]})

    assert table.walk(8000, 8001) == {(8000, Sock().key): 3, (8001, Sock().key): 1}
    assert table.torn == 0


@pytest.mark.parametrize(
    ("sock", "key"),
    [
        (Sock(accepted=False), ESTABLISHED << 3),
        (Sock(received=101), ESTABLISHED << 3 | 3),
        (Sock(received=5, taken=(1 << 32) - 5), ESTABLISHED << 3 | 3),
        # A FIN that was taken counts as one more byte taken than received.
        (Sock(received=100, taken=101), ESTABLISHED << 3 | 2),
        (Sock(written=8), ESTABLISHED << 3 | 6),
        (Sock(state=CLOSE_WAIT), CLOSE_WAIT << 3 | 2),
        (Sock(state=NEW_SYN_RECV), SYN_RECV << 3),
        (Sock(state=SYN_RECV, accepted=False), SYN_RECV << 3),
        (Sock(state=TIME_WAIT), TIME_WAIT << 3),
        # FIN_WAIT2 for long: the kernel keeps it in the smaller record of TIME_WAIT.
        (Sock(state=TIME_WAIT, substate=5), 5 << 3),
    ],
)
def test_each_place_has_its_key(sock: Sock, key: int) -> None:
    assert sock.key == key
    assert Table({3: [sock]}).walk(8000) == {(8000, key): 1}


def test_a_piece_has_its_own_places_only() -> None:
    chains = {place: [Sock()] for place in range(64)}

    assert Table(chains).walk(8000, first=16, groups=2) == {(8000, Sock().key): 32}
    assert Table(chains).walk(8000, first=48, groups=1) == {(8000, Sock().key): 16}


def test_a_chain_that_ends_in_another_place_is_torn() -> None:
    table = Table({5: [Sock(), Sock()], 6: [Sock()]}, ends={5: 6})

    table.walk(8000)

    assert table.torn == 1


def test_a_chain_that_leads_nowhere_is_torn() -> None:
    table = Table({5: [Sock()]})
    table.machine.put(SOCKETS + LAYOUT.node, 8, 0)

    table.walk(8000)

    assert table.torn == 1


def test_a_chain_that_leads_back_ends_as_torn() -> None:
    table = Table({5: [Sock(port=9)]}, places=16)
    table.machine.put(SOCKETS + LAYOUT.node, 8, SOCKETS + LAYOUT.node)

    table.walk(8000)

    assert table.torn == 1


SOCKS = st.builds(
    Sock,
    state=st.integers(1, 12),
    port=st.sampled_from([8000, 8001, 9, 0, 65535]),
    net=st.sampled_from([OURS, OTHERS]),
    accepted=st.booleans(),
    received=st.sampled_from([0, 1, 1 << 31, (1 << 32) - 1]),
    taken=st.sampled_from([0, 1, (1 << 32) - 1]),
    written=st.sampled_from([0, 1 << 31]),
    substate=st.sampled_from([5, 6]),
    acknowledged=st.sampled_from([0, 1]),
)


@given(st.dictionaries(st.integers(0, 31), st.lists(SOCKS, max_size=5), max_size=6))
def test_any_table_is_counted_as_a_loop_over_it_would(chains: dict[int, list[Sock]]) -> None:
    wanted: dict[tuple[int, int], int] = {}
    for sock in (one for chain in chains.values() for one in chain):
        if sock.net == OURS and sock.port in {8000, 65535}:
            wanted[sock.port, sock.key] = wanted.get((sock.port, sock.key), 0) + 1

    table = Table(chains, places=32)

    assert table.walk(8000, 65535) == wanted
    assert table.torn == 0


def test_instructions_are_the_bytes_of_the_standard() -> None:
    to = Assembler()
    to.load(2, R1, R6, 14)
    to.store(STACK, -8, R1)
    to.jump_if_equal(R1, 0, "end")
    to.add(R1, -104)
    to.map_address(R2, 5, 65536)
    to.function_address(R1, "other")
    to.label("end")
    to.leave(1)
    to.function("other")
    to.call_helper(181)
    to.call_kernel(CAST)
    to.copy(R0, R1)
    to.leave(0)

    assert [to.assemble().instructions[at : at + 8].hex() for at in range(0, 15 * 8, 8)] == [
        "69610e0000000000",
        "7b1af8ff00000000",
        "1501050000000000",
        "0701000098ffffff",
        "1822000005000000",
        "0000000000000100",
        "1841000003000000",
        "0000000000000000",
        "b700000001000000",
        "9500000000000000",
        "85000000b5000000",
        "85200000c92c0100",
        "bf10000000000000",
        "b700000000000000",
        "9500000000000000",
    ]
    assert to.assemble().functions == (0, 10)


def test_a_label_that_is_nowhere_is_an_error() -> None:
    to = Assembler()
    to.jump("nowhere")

    with pytest.raises(KeyError, match="nowhere"):
        to.assemble()


def test_the_layout_of_these_tests_has_no_field_twice() -> None:
    numbers = [getattr(LAYOUT, one.name) for one in fields(Layout)]

    assert len(set(numbers)) == len(numbers)
