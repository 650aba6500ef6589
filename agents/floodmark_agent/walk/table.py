"""The kernel's table of TCP sockets, walked by a program of ours: connections of ports counted by where they wait.

The seam is that of `inet_diag.read_connections`, and so are the counts, to the socket. It lists nothing: whose a socket
is, or which one, only a dump says.
"""

import functools
import mmap
import os
import struct
from collections.abc import Sequence
from typing import Protocol

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.inet_diag import MAX_PORTS, count_places
from floodmark_agent.walk.bpf import Program, create_map
from floodmark_agent.walk.layout import KERNEL_TYPES, Layout, layout_of
from floodmark_agent.walk.program import (
    COUNTS,
    FIND,
    FOUND,
    GROUP,
    KEYS,
    PORTS,
    PORTS_BYTES,
    SLOT_BYTES,
    SLOTS,
    TORN,
    VALUE_BYTES,
    program,
)

PIECE = 1 << 14
"""Places walked at a time. A usual table has 262,144: in 16 pieces RCU is held some 0.2 ms for each."""
TAKES = 3
"""How often a torn piece is read before the count is given up; the same as a torn dump."""
_FOUND = struct.Struct("=QQQ")
_NUMBERS = struct.Struct(f"={KEYS}Q")
_NOTHING = bytes(8)

assert SLOTS > MAX_PORTS  # noqa: S101  two files' numbers, compared once


class Runs(Protocol):
    """The program, loaded."""

    def run(self, first: int, second: int) -> None:
        """Runs it with two numbers; raises `OSError`."""

    def close(self) -> None:
        """Gives it back."""


def open_walk(layout: Layout) -> "TableWalk":
    """Loads the program for the network namespace of the calling thread.

    Raises `OSError` or `WireError` where this kernel, or this process' rights, do not do.
    """
    descriptor = create_map(VALUE_BYTES)
    try:
        loaded = Program(program(layout, descriptor))
        values = mmap.mmap(descriptor, VALUE_BYTES)
    finally:
        os.close(descriptor)
    return TableWalk(values, loaded)


class TableWalk:
    """Walks the table of the network namespace that it was made in. Not thread-safe.

    That namespace must outlive it: whoever makes one keeps a socket in there until `close`.
    """

    def __init__(self, values: mmap.mmap, loaded: Runs) -> None:
        """Finds the table. `values` is the program's map. Raises as `open_walk` does."""
        self._slots: dict[int, int] = {}
        self._values = values
        self._program = loaded
        try:
            self._places = self._find()
        except (OSError, WireError):
            self.close()
            raise

    def read(self, ports: Sequence[int]) -> tuple[ConnectionCounts, ...]:
        """All connections to at most `MAX_PORTS` ports, IPv4 and IPv6, counted per port in the order asked.

        Raises `WireError` where the table changed too often for a whole walk, and `OSError`.
        """
        self._ask(ports)
        counted = slice(COUNTS + SLOT_BYTES, COUNTS + SLOT_BYTES * (1 + len(self._slots)))
        self._values[counted] = bytes(counted.stop - counted.start)
        groups = min(PIECE, self._places) // GROUP
        for first in range(0, self._places, PIECE):
            self._read_piece(first, groups, counted)
        return tuple(self._counts(port) for port in ports)

    def close(self) -> None:
        """Gives the program and its map back."""
        self._program.close()
        self._values.close()

    def _find(self) -> int:
        """Finds the table; how many places it has, a power of two."""
        self._program.run(*FIND)
        net, table, places = _FOUND.unpack_from(self._values, FOUND)
        if not (net and table) or places < GROUP or places & (places - 1):
            raise WireError(f"the kernel's table of TCP sockets has {places} places, {GROUP} or more are needed")
        return int(places)

    def _ask(self, ports: Sequence[int]) -> None:
        slots = {port: number for number, port in enumerate(dict.fromkeys(ports), start=1)}
        if slots == self._slots:
            return
        wanted = bytearray(PORTS_BYTES)
        for port, number in slots.items():
            wanted[port] = number
        self._values[PORTS : PORTS + PORTS_BYTES] = bytes(wanted)
        self._slots = slots

    def _read_piece(self, first: int, groups: int, counted: slice) -> None:
        before = self._values[counted]
        for _ in range(TAKES):
            self._program.run(first, groups)
            if self._values[TORN : TORN + 8] == _NOTHING:
                return
            self._values[counted] = before
            self._values[TORN : TORN + 8] = _NOTHING
        raise WireError(f"the kernel's table of TCP sockets changed during each of {TAKES} walks")

    def _counts(self, port: int) -> ConnectionCounts:
        numbers = _NUMBERS.unpack_from(self._values, COUNTS + SLOT_BYTES * self._slots[port])
        return count_places(port, {key: number for key, number in enumerate(numbers) if number})


@functools.cache
def kernel_layout(path: str = KERNEL_TYPES) -> Layout:
    """Of the running kernel, read once a process. Raises `OSError` and `WireError`."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  as proc.py reads
        return layout_of(file.readall())
