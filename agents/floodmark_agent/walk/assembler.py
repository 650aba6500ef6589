"""BPF instructions to bytes, labels resolved. It knows no kernel and loads nothing.

The instructions are those of RFC 9669; the numbers stand in ``include/uapi/linux/bpf.h`` and ``bpf_common.h``.
"""

import struct
from dataclasses import dataclass

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, STACK = range(11)
"""R0: what a call gives back. R1 to R5: what it is given, lost in it. R6 to R9 stay. STACK: the end of the frame."""

# code, source and destination, offset, number; as a little-endian machine has the two registers
_INSTRUCTION = struct.Struct("<BBhi")
_LOADS = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_STORE = 0x7B
_WIDE = 0x18
_CALL, _EXIT = 0x85, 0x95
# What the source register of a call or of a wide load says about the number.
_HELPER, _KERNEL_FUNCTION = 0, 2
_MAP_VALUE, _OWN_FUNCTION = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """`instructions` of 8 bytes each; `functions`: at which of them each function begins, the first at 0."""

    instructions: bytes
    functions: tuple[int, ...]


class Assembler:
    """Takes one instruction after the other; `assemble` gives them as bytes. Sizes are in bytes."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._functions: list[int] = [0]
        self._jumps: dict[int, str] = {}
        self._addresses: dict[int, str] = {}

    def label(self, name: str) -> None:
        """What comes next can be jumped to."""
        self._labels[name] = len(self._code)

    def function(self, name: str) -> None:
        """A function begins here, whose address `function_address` gives."""
        self.label(name)
        self._functions.append(len(self._code))

    def load(self, size: int, to: int, base: int, offset: int = 0) -> None:
        """`size` bytes from base + offset; what is above them becomes 0."""
        self._add(_LOADS[size], to, base, offset)

    def store(self, base: int, offset: int, source: int) -> None:
        """All 8 bytes of a register to base + offset."""
        self._add(_STORE, base, source, offset)

    def copy(self, to: int, source: int) -> None:
        """One register to another."""
        self._add(0xBF, to, source)

    def set(self, to: int, number: int) -> None:
        """A number of 32 bits with its sign."""
        self._add(0xB7, to, number=number)

    def add(self, to: int, number: int) -> None:
        """To += number."""
        self._add(0x07, to, number=number)

    def add_register(self, to: int, source: int) -> None:
        """To += source."""
        self._add(0x0F, to, source)

    def subtract_32(self, to: int, source: int) -> None:
        """To -= source in 32 bits; what is above them becomes 0."""
        self._add(0x1C, to, source)

    def both(self, to: int, number: int) -> None:
        """To &= number."""
        self._add(0x57, to, number=number)

    def either(self, to: int, number: int) -> None:
        """To |= number."""
        self._add(0x47, to, number=number)

    def shift_left(self, to: int, bits: int) -> None:
        """To <<= bits."""
        self._add(0x67, to, number=bits)

    def shift_right(self, to: int, bits: int) -> None:
        """To >>= bits."""
        self._add(0x77, to, number=bits)

    def map_address(self, to: int, descriptor: int, offset: int) -> None:
        """The address of a byte of a map's one value."""
        self._add(_WIDE, to, _MAP_VALUE, number=descriptor)
        self._add(0, number=offset)

    def function_address(self, to: int, name: str) -> None:
        """The address of a function of this program."""
        self._addresses[len(self._code)] = name
        self._add(_WIDE, to, _OWN_FUNCTION)
        self._add(0)

    def call_helper(self, number: int) -> None:
        """One of the kernel's helpers."""
        self._add(_CALL, source=_HELPER, number=number)

    def call_kernel(self, function: int) -> None:
        """A function of the kernel, by its id in BTF."""
        self._add(_CALL, source=_KERNEL_FUNCTION, number=function)

    def leave(self, result: int) -> None:
        """Ends the function."""
        self.set(R0, result)
        self._add(_EXIT)

    def jump(self, label: str) -> None:
        """In any case."""
        self._jump(0x05, label)

    def jump_if_equal(self, left: int, number: int, label: str) -> None:
        """Where a register has that number."""
        self._jump(0x15, label, left, number=number)

    def jump_if_same(self, left: int, right: int, label: str) -> None:
        """Where two registers have the same."""
        self._jump(0x1D, label, left, right)

    def jump_if_other(self, left: int, right: int, label: str) -> None:
        """Where two registers differ."""
        self._jump(0x5D, label, left, right)

    def jump_if_any(self, left: int, bits: int, label: str) -> None:
        """Where one of these bits is set."""
        self._jump(0x45, label, left, number=bits)

    def jump_unless_positive_32(self, left: int, label: str) -> None:
        """Where the low 32 bits, with their sign, are 0 or less."""
        self._jump(0xD6, label, left)

    def assemble(self) -> Code:
        """The program. Raises `KeyError` for a label that is nowhere."""
        code = list(self._code)
        for at, name in self._jumps.items():
            operation, to, source, _, number = code[at]
            code[at] = (operation, to, source, self._labels[name] - at - 1, number)
        for at, name in self._addresses.items():
            operation, to, source, offset, _ = code[at]
            code[at] = (operation, to, source, offset, self._labels[name] - at - 1)
        packed = (_INSTRUCTION.pack(one[0], one[2] << 4 | one[1], one[3], one[4]) for one in code)
        return Code(instructions=b"".join(packed), functions=tuple(self._functions))

    def _add(self, operation: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> None:
        self._code.append((operation, to, source, offset, number))

    def _jump(self, operation: int, label: str, left: int = 0, right: int = 0, number: int = 0) -> None:
        self._jumps[len(self._code)] = label
        self._add(operation, left, right, number=number)
