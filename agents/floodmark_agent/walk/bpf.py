"""The system call bpf(2), as far as a walk needs it. The only file that makes it; it knows no program.

The records are those of ``union bpf_attr`` in ``include/uapi/linux/bpf.h``. Everything made here is a file descriptor,
closed on exec, attached to nothing: it is gone with the last one that holds it.
"""

import ctypes
import errno
import os
import struct
import sys

from floodmark_agent.walk.assembler import Code

# asm/unistd_64.h; include/uapi/asm-generic/unistd.h
_NUMBERS = {"x86_64": 321, "aarch64": 280}
# enum bpf_cmd, bpf_map_type, bpf_prog_type
_MAP_CREATE, _PROG_LOAD, _PROG_TEST_RUN, _BTF_LOAD = 0, 5, 10, 18
_ARRAY, _RAW_TRACEPOINT = 2, 17
_MMAPABLE = 1 << 10
_NAME = b"floodmark"
_LICENSE = b"Dual MIT/GPL\0"
"""Floodmark's own, in the kernel's words: only what is compatible with GPL may read the kernel's memory."""

# type, sizes of key and value, entries, flags, two fields unused, name
_MAP = struct.Struct("=IIIII8x16s4x")
# type, instructions and how many, license, log (three fields, none), kernel version and flags, name, interface and way
# of attaching, BTF, records on functions: their size, where, how many
_PROGRAM = struct.Struct("=IIQQ16x8x16s8xIIQI4x")
# where, two fields on a log, size
_TYPES = struct.Struct("=Q8xI12x")
# program; its context's size and where it is among eight fields on other kinds of test
_RUN = struct.Struct("=I36xI4xQ24x")
_FUNCTION = struct.Struct("=II")
_CONTEXT = struct.Struct("=QQ")


class Program:
    """A loaded program, run on demand. Not thread-safe."""

    def __init__(self, code: Code) -> None:
        """Loads it. Raises `OSError`: EPERM without the rights, EINVAL or EACCES where the verifier refuses it."""
        with _Descriptor(_load_types(_types())) as types:
            self._descriptor = _load(code, types)
        self._context = ctypes.create_string_buffer(_CONTEXT.size)
        self._run = _RUN.pack(self._descriptor, _CONTEXT.size, ctypes.addressof(self._context))

    def run(self, first: int, second: int) -> None:
        """Runs it once, here and now, with two numbers as its context. Raises `OSError`."""
        _CONTEXT.pack_into(self._context, 0, first, second)
        _call(_PROG_TEST_RUN, self._run, "PROG_TEST_RUN")

    def close(self) -> None:
        """Gives it back; the kernel forgets it."""
        os.close(self._descriptor)


def create_map(size_bytes: int) -> int:
    """The descriptor of an array with one value, which can be mapped into memory. Raises `OSError`."""
    return _call(_MAP_CREATE, _MAP.pack(_ARRAY, 4, size_bytes, 1, _MMAPABLE, _NAME), "MAP_CREATE")


def _load(code: Code, types: int) -> int:
    functions = b"".join(_FUNCTION.pack(begin, _FUNCTION_TYPE) for begin in code.functions)
    # Kept in names until the call is over: the kernel is told addresses.
    parts = [ctypes.create_string_buffer(part, len(part)) for part in (code.instructions, _LICENSE, functions)]
    instructions, license_text, function_records = map(ctypes.addressof, parts)
    count = len(code.instructions) // 8
    record = _PROGRAM.pack(
        *(_RAW_TRACEPOINT, count, instructions, license_text, _NAME),
        *(types, _FUNCTION.size, function_records, len(code.functions)),
    )
    return _call(_PROG_LOAD, record, "PROG_LOAD")


def _load_types(data: bytes) -> int:
    buffer = ctypes.create_string_buffer(data, len(data))
    return _call(_BTF_LOAD, _TYPES.pack(ctypes.addressof(buffer), len(data)), "BTF_LOAD")


_FUNCTION_TYPE = 3
"""Of `_types`, for every function: the kernel wants to know of those that a loop calls that they are static."""


def _types() -> bytes:
    """The program's own types: 1 an int, 2 a function of two of them, 3 a static one of that kind (see `btf.py`)."""
    strings = b"\0int\0a\0b\0walk\0"
    types = struct.pack("=IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    types += struct.pack("=IIIIIII", 0, 13 << 24 | 2, 1, 5, 1, 7, 1)
    types += struct.pack("=III", 9, 12 << 24, 2)
    return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


class _Descriptor:
    """Closes a descriptor at the end of its block."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> int:
        return self._number

    def __exit__(self, *_: object) -> None:
        os.close(self._number)


def _call(command: int, record: bytes, name: str) -> int:
    number = _NUMBERS.get(os.uname().machine)
    if number is None or sys.byteorder != "little" or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, f"bpf(2) is not known here on {os.uname().machine}")
    buffer = ctypes.create_string_buffer(record, len(record))
    given: int = _LIBC.syscall(ctypes.c_long(number), command, buffer, len(record))
    if given < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"the kernel refuses bpf({name}): {errno.errorcode.get(code, code)}, {os.strerror(code)}")
    return given


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
