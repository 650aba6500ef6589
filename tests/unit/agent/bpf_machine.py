"""A BPF machine of some thirty instructions, to run a walk's program without a kernel, on what a test puts in memory.

The meaning of each instruction is that of RFC 9669. What a test did not put into memory reads as 0, as it does in the
kernel behind `bpf_rdonly_cast`.
"""

import struct
from collections.abc import Callable

from floodmark_agent.walk.assembler import Code

CAST = 77_001
"""The id under which the program's layout knows the kernel's function."""
TASK = 0x1000_0000
MAP = 0x2000_0000
STACK = 0x3000_0000
_MOST_STEPS = 2_000_000
_64, _32 = (1 << 64) - 1, (1 << 32) - 1
_LOADS = {0x71: 1, 0x69: 2, 0x61: 4, 0x79: 8}
_JUMPS: dict[int, Callable[[int, int], bool]] = {
    0x15: lambda left, right: left == right,
    0x1D: lambda left, right: left == right,
    0x5D: lambda left, right: left != right,
    0x45: lambda left, right: bool(left & right),
    0xD6: lambda left, right: _signed(left & _32, 32) <= _signed(right & _32, 32),
}
_ARITHMETIC: dict[int, Callable[[int, int], int]] = {
    0xBF: lambda _, right: right,
    0xB7: lambda _, right: right,
    0x07: lambda left, right: left + right,
    0x0F: lambda left, right: left + right,
    0x57: lambda left, right: left & right,
    0x47: lambda left, right: left | right,
    0x67: lambda left, right: left << right,
    0x77: lambda left, right: left >> right,
}


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


class Machine:
    """One program and its memory, byte by byte."""

    def __init__(self, code: Code) -> None:
        self._code = [struct.unpack_from("<BBhi", code.instructions, at) for at in range(0, len(code.instructions), 8)]
        self._functions = set(code.functions)
        self.memory: dict[int, int] = {}
        self._steps = 0
        self._depth = 0

    def put(self, address: int, size: int, number: int) -> None:
        for at, byte in enumerate((number & ((1 << 8 * size) - 1)).to_bytes(size, "little")):
            self.memory[address + at] = byte

    def get(self, address: int, size: int) -> int:
        return int.from_bytes(bytes(self.memory.get(address + at, 0) for at in range(size)), "little")

    def run(self, *context: int) -> int:
        begin = 0x4000_0000
        for number, value in enumerate(context):
            self.put(begin + 8 * number, 8, value)
        self._steps = 0
        return self._call(0, begin, 0)

    def _call(self, at: int, first: int, second: int) -> int:
        assert at in self._functions
        self._depth += 1
        registers = [0] * 11
        registers[1], registers[2], registers[10] = first, second, STACK - 512 * self._depth
        while True:
            self._steps += 1
            assert self._steps < _MOST_STEPS, "the program does not end"
            operation, both, offset, number = self._code[at]
            at += 1
            to, source = both & 15, both >> 4
            right = registers[source] if operation & 8 else number & _64
            if operation in _LOADS:
                registers[to] = self.get(registers[source] + offset, _LOADS[operation])
            elif operation == 0x7B:
                self.put(registers[to] + offset, 8, registers[source])
            elif operation == 0x18:
                registers[to] = MAP + self._code[at][3] if source == 2 else at + number
                at += 1
            elif operation == 0x1C:
                registers[to] = (registers[to] - registers[source]) & _32
            elif operation == 0x05:
                at += offset
            elif operation in _JUMPS:
                at += offset if _JUMPS[operation](registers[to], right) else 0
            elif operation == 0x85:
                registers[:6] = [self._helper(source, number, registers), *[0xDEAD] * 5]
            elif operation == 0x95:
                self._depth -= 1
                return registers[0]
            else:
                registers[to] = _ARITHMETIC[operation](registers[to], right) & _64

    def _helper(self, source: int, number: int, registers: list[int]) -> int:
        if source == 2:
            assert number == CAST
            return registers[1]
        if number == 35:
            return TASK
        assert number == 181
        for turn in range(registers[1]):
            if self._call(registers[2], turn, registers[3]):
                return turn + 1
        return registers[1]
