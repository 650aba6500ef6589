"""The program that counts: from a kernel's layout to instructions, and where in its one map it reads and writes.

It is told a piece of the table and follows each chain in it, as the kernel's own lookups do, under RCU and without a
lock (``__inet_lookup_established`` in ``net/ipv4/inet_hashtables.c``): a chain ends with the number of its place, and
another number there says that a socket was freed and used again in another chain meanwhile. It writes into its map
only.
"""

from floodmark_agent.walk.assembler import R0, R1, R2, R3, R4, R6, R7, R8, R9, STACK, Assembler, Code
from floodmark_agent.walk.layout import Layout

# The map's one value. A byte per port: the slot that its sockets are counted in, 0 for none.
PORTS, PORTS_BYTES = 0, 1 << 16
SLOTS = 128
"""The first, 0, is nobody's."""
KEYS = 128
COUNTS = PORTS + PORTS_BYTES
SLOT_BYTES = KEYS * 8
"""A slot has a number of 8 bytes for each key of `inet_diag.count_places`."""
FOUND = COUNTS + SLOTS * SLOT_BYTES
"""What `FIND` notes: network namespace, table, places in it. 8 bytes each."""
TORN = FOUND + 24
"""How many chains were torn; 8 bytes."""
VALUE_BYTES = FOUND + 4096
_NET, _TABLE, _PLACES = 0, 8, 16

GROUP = 16
"""Places that are read in one step of the outer loop: it halves what an empty table costs."""
FIND = (0, 0)
"""The two numbers that the program is told: first place and groups from there; no groups: find the table."""

# include/uapi/linux/bpf.h
_GET_CURRENT_TASK, _LOOP = 35, 181
_CHAIN = 1 << 13
"""A chain is no longer than that; one that is counts as torn. RCU must not be held for ever."""
# include/net/tcp_states.h
_SYN_RECV, _TIME_WAIT, _NEW_SYN_RECV = 3, 6, 12

# What the loops share, on the first function's stack: each 8 bytes, from here on.
_SHARED = -40
_FIRST, _NUMBER, _NODE, _BEGIN, _OURS = 0, 8, 16, 24, 32


def program(layout: Layout, map_descriptor: int) -> Code:
    """The instructions for a kernel and a map of `VALUE_BYTES`."""
    return _Writer(layout, map_descriptor).write()


class _Writer:
    """Writes the program down, function by function."""

    def __init__(self, layout: Layout, map_descriptor: int) -> None:
        self._layout = layout
        self._map = map_descriptor
        self._to = Assembler()

    def write(self) -> Code:
        self._begin()
        self._find()
        self._group()
        self._socket()
        return self._to.assemble()

    def _begin(self) -> None:
        """Told first place and groups: walks them."""
        to = self._to
        to.load(8, R6, R1, 0)
        to.load(8, R7, R1, 8)
        to.jump_if_equal(R7, 0, "find")
        to.store(STACK, _SHARED + _FIRST, R6)
        to.map_address(R8, self._map, FOUND)
        to.load(8, R1, R8, _NET)
        to.store(STACK, _SHARED + _OURS, R1)
        to.load(8, R1, R8, _TABLE)
        to.shift_left(R6, 3)
        to.add_register(R1, R6)
        to.store(STACK, _SHARED + _BEGIN, R1)
        to.set(R1, 0)
        to.store(STACK, _SHARED + _NUMBER, R1)
        to.store(STACK, _SHARED + _NODE, R1)
        to.copy(R1, R7)
        to.function_address(R2, "group")
        to.copy(R3, STACK)
        to.add(R3, _SHARED)
        to.set(R4, 0)
        to.call_helper(_LOOP)
        to.leave(0)

    def _find(self) -> None:
        """Notes the caller's network namespace and that one's table."""
        to, layout = self._to, self._layout
        to.label("find")
        to.map_address(R9, self._map, FOUND)
        to.call_helper(_GET_CURRENT_TASK)
        to.copy(R8, R0)
        self._word(R8, R8, layout.task_proxy)
        self._word(R8, R8, layout.proxy_net)
        to.store(R9, _NET, R8)
        self._word(R8, R8, layout.net_tables)
        self._word(R7, R8, layout.table)
        to.store(R9, _TABLE, R7)
        self._word(R7, R8, layout.mask, size=4)
        to.add(R7, 1)
        to.store(R9, _PLACES, R7)
        to.leave(0)

    def _group(self) -> None:
        """A step of the outer loop: the chains of `GROUP` places. R6 shared, R7 the first's address, R8 its number."""
        to = self._to
        to.function("group")
        to.copy(R6, R2)
        to.shift_left(R1, 4)
        to.load(8, R8, R6, _FIRST)
        to.add_register(R8, R1)
        to.shift_left(R1, 3)
        to.load(8, R7, R6, _BEGIN)
        to.add_register(R7, R1)
        for place in range(GROUP):
            self._word(R9, R7, 8 * place)
            to.jump_if_any(R9, 1, f"empty {place}")
            to.store(R6, _NODE, R9)
            to.copy(R1, R8)
            to.add(R1, place)
            to.store(R6, _NUMBER, R1)
            to.set(R1, _CHAIN)
            to.function_address(R2, "socket")
            to.copy(R3, R6)
            to.set(R4, 0)
            to.call_helper(_LOOP)
            to.jump_if_equal(R0, _CHAIN, "too long")
            to.label(f"empty {place}")
        to.leave(0)
        to.label("too long")
        self._tear()

    def _socket(self) -> None:
        """A step along a chain. R6 shared, R7 the socket, R8 its port's slot, R9 its key."""
        to, layout = self._to, self._layout
        to.function("socket")
        to.copy(R6, R2)
        to.load(8, R7, R6, _NODE)
        self._word(R1, R7, 0)
        to.store(R6, _NODE, R1)
        to.add(R7, -layout.node)
        self._cast(R7, layout.sock_common)
        to.load(2, R1, R0, layout.port)
        to.map_address(R8, self._map, PORTS)
        to.add_register(R8, R1)
        to.load(1, R8, R8)
        to.jump_if_equal(R8, 0, "next")
        to.load(1, R9, R0, layout.state)
        self._word(R1, R7, layout.net)
        to.load(8, R2, R6, _OURS)
        to.jump_if_other(R1, R2, "next")
        self._key()
        self._count()
        self._next()

    def _key(self) -> None:
        """From the state in R9 the key: eight times the state, 4 something written, 2 accepted, 1 something to read."""
        to, layout = self._to, self._layout
        to.both(R9, 15)
        to.jump_if_equal(R9, _TIME_WAIT, "time wait")
        to.jump_if_equal(R9, _NEW_SYN_RECV, "half open")
        to.shift_left(R9, 3)
        self._cast(R7, layout.tcp_sock)
        to.load(8, R1, R0, layout.socket)
        to.jump_if_equal(R1, 0, "not accepted")
        to.either(R9, 2)
        to.label("not accepted")
        to.load(4, R1, R0, layout.received)
        to.load(4, R2, R0, layout.taken)
        to.subtract_32(R1, R2)
        to.jump_unless_positive_32(R1, "nothing to read")
        to.either(R9, 1)
        to.label("nothing to read")
        to.load(4, R1, R0, layout.written)
        to.load(4, R2, R0, layout.acknowledged)
        to.jump_if_same(R1, R2, "count")
        to.either(R9, 4)
        to.jump("count")
        # A smaller record stands for a connection that is nearly over, and for one that has only begun.
        to.label("time wait")
        self._cast(R7, layout.time_wait)
        to.load(1, R9, R0, layout.substate)
        to.both(R9, 15)
        to.shift_left(R9, 3)
        to.jump("count")
        to.label("half open")
        to.set(R9, _SYN_RECV << 3)

    def _count(self) -> None:
        """One more of that key in the slot; the verifier wants to see that both are within the map."""
        to = self._to
        to.label("count")
        to.both(R9, KEYS - 1)
        to.both(R8, SLOTS - 1)
        to.shift_left(R8, 7)
        to.add_register(R8, R9)
        to.shift_left(R8, 3)
        to.map_address(R1, self._map, COUNTS)
        to.add_register(R1, R8)
        to.load(8, R2, R1)
        to.add(R2, 1)
        to.store(R1, 0, R2)

    def _next(self) -> None:
        """On along the chain, or its end: its place's number, or else it was torn."""
        to = self._to
        to.label("next")
        to.load(8, R1, R6, _NODE)
        to.jump_if_any(R1, 1, "end")
        to.leave(0)
        to.label("end")
        to.shift_right(R1, 1)
        to.load(8, R2, R6, _NUMBER)
        to.jump_if_same(R1, R2, "whole")
        self._tear()
        to.label("whole")
        to.leave(1)

    def _tear(self) -> None:
        to = self._to
        to.map_address(R1, self._map, TORN)
        to.load(8, R2, R1)
        to.add(R2, 1)
        to.store(R1, 0, R2)
        to.leave(1)

    def _word(self, target: int, base: int, offset: int, size: int = 8) -> None:
        """`size` bytes from any address; R0 to R5 are lost."""
        self._cast(base, self._layout.word, offset)
        self._to.load(size, target, R0)

    def _cast(self, base: int, struct_id: int, offset: int = 0) -> None:
        """R0 is base + offset, readable as that struct; R1 to R5 are lost."""
        to = self._to
        to.copy(R1, base)
        if offset:
            to.add(R1, offset)
        to.set(R2, struct_id)
        to.call_kernel(self._layout.cast)
