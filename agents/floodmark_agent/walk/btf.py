"""The kernel's own types (BTF): ids of structs and functions, offsets of members. A pure parse; it opens no file.

The format is that of ``Documentation/bpf/btf.rst`` and ``include/uapi/linux/btf.h``. Of a kernel's 70,000 types or more
a dozen are wanted, so one pass notes where each begins, and only what is asked for is looked into.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator

from floodmark.core.errors import WireError

# struct btf_header: magic, version, flags, its own length; offset and length of the types and of the strings
_HEADER = struct.Struct("=HBBIIIII")
_MAGIC = 0xEB9F
# BTF_KIND_* of btf.h
_PTR, _STRUCT, _UNION, _FUNC = 2, 4, 5, 12
_MODIFIERS = {8, 9, 10, 11, 18}
"""typedef, volatile, const, restrict, type tag: the type behind them has size and members."""
_SIZED = {1, _STRUCT, _UNION, 6, 16, 19}
"""Kinds that say their size: int, struct, union, enum, float, enum64."""
_POINTER_BYTES = 8
# A type is three words (name, kind and count, size or type), then words by its kind: some once, some for each member.
_HEAD_WORDS = 3
_MEMBER_WORDS = 3
_ONCE = {1: 1, 3: 3, 14: 1, 17: 1}
_EACH = {_STRUCT: _MEMBER_WORDS, _UNION: _MEMBER_WORDS, 6: 2, 13: 2, 15: 3, 19: 3}
_LAST_KIND = 19
_DEPTH = 32
"""Of structs within structs, and of modifiers before a type; the kernel's own have less than ten."""


class Btf:
    """The types of one kernel, as far as `names` go: structs, and functions that a program may call.

    Raises `WireError`, here and in all it does, where the bytes are not as the format has it or the kernel lacks one.
    """

    def __init__(self, data: bytes, names: Iterable[str]) -> None:
        self._words, self._strings = _sections(data)
        self._places = array("I", [0])  # by id; the first, 0, is void
        self._ids: dict[tuple[str, int], list[int]] = {}
        self._index({self._string_offset(name): name for name in names})

    def struct(self, name: str) -> int:
        """The id of a struct."""
        return self._all(name, _STRUCT)[0]

    def function(self, name: str) -> int:
        """The id of a function."""
        return self._all(name, _FUNC)[0]

    def offset(self, name: str, *path: str, size_bytes: int) -> int:
        """Bytes from a struct's begin to the member that `path` leads to, through structs within; it has that size.

        Where the kernel has several structs of that name all must agree.
        """
        found = {self._follow(one, path) for one in self._all(name, _STRUCT)}
        if len(found) > 1:
            raise WireError(f"BTF: this kernel has several structs {name}, which differ in {'.'.join(path)}")
        ((offset, size),) = found
        if size != size_bytes:
            raise WireError(f"BTF: {name}.{'.'.join(path)} has {size} bytes, {size_bytes} were expected")
        return offset

    def size_of(self, name: str) -> int:
        """The size of a struct in bytes."""
        return self._size(self.struct(name))

    def _index(self, wanted: dict[int, str]) -> None:
        """Notes where each type begins, and the ids of those with a wanted name."""
        words, add, end = self._words, self._places.append, len(self._words)
        lengths: dict[int, int] = {}
        at = number = 0
        while at + _HEAD_WORDS <= end:
            number += 1
            add(at)
            info = words[at + 1]
            if words[at] in wanted:
                self._ids.setdefault((wanted[words[at]], info >> 24 & 31), []).append(number)
            length = lengths.get(info)
            if length is None:
                length = lengths[info] = _length(info)
            at += length
        if at != end:
            raise WireError(f"BTF: type {number} does not end where the types do")

    def _all(self, name: str, kind: int) -> list[int]:
        found = self._ids.get((name, kind))
        if not found:
            raise WireError(f"BTF: this kernel has no {'function' if kind == _FUNC else 'struct'} {name}")
        return found

    def _follow(self, number: int, path: tuple[str, ...]) -> tuple[int, int]:
        """Offset and size in bytes of what a path leads to."""
        bits = 0
        for name in path:
            found = self._member(self._resolved(number), name.encode(), _DEPTH)
            if found is None:
                raise WireError(f"BTF: this kernel has no member {'.'.join(path)}")
            deeper, number = found
            bits += deeper
        if bits % 8:
            raise WireError(f"BTF: the member {'.'.join(path)} does not begin with a byte")
        return bits // 8, self._size(number)

    def _member(self, number: int, name: bytes, depth: int) -> tuple[int, int] | None:
        """Offset in bits and type of a member, also of a nameless struct or union within; None where there is none."""
        if not depth:
            raise WireError(f"BTF: structs within structs, more than {_DEPTH} of them")
        for named, kind, bits in self._members(number):
            if named:
                if self._string(named) == name:
                    return bits, kind
            elif (deeper := self._member(self._resolved(kind), name, depth - 1)) is not None:
                return bits + deeper[0], deeper[1]
        return None

    def _members(self, number: int) -> Iterator[tuple[int, int, int]]:
        """Name, type, offset in bits of each member that is no bit field; none of a type that has no members."""
        at = self._place(number)
        info = self._words[at + 1]
        if info >> 24 & 31 not in {_STRUCT, _UNION}:
            return
        for begin in range(at + _HEAD_WORDS, at + _HEAD_WORDS + _MEMBER_WORDS * (info & 0xFFFF), _MEMBER_WORDS):
            name, kind, bits = self._words[begin : begin + _MEMBER_WORDS]
            if info >> 31 and bits >> 24:
                continue  # a bit field: its width stands above its offset
            yield name, kind, bits

    def _resolved(self, number: int) -> int:
        """The type behind typedef, const and the like."""
        for _ in range(_DEPTH):
            at = self._place(number)
            if self._words[at + 1] >> 24 & 31 not in _MODIFIERS:
                return number
            number = self._words[at + 2]
        raise WireError(f"BTF: type {number} is behind more than {_DEPTH} modifiers")

    def _size(self, number: int) -> int:
        at = self._place(self._resolved(number))
        kind = self._words[at + 1] >> 24 & 31
        if kind == _PTR:
            return _POINTER_BYTES
        if kind not in _SIZED:
            raise WireError(f"BTF: type {number} is of kind {kind}, which has no size of its own")
        return self._words[at + 2]

    def _place(self, number: int) -> int:
        if not 0 < number < len(self._places):
            raise WireError(f"BTF: there is no type {number}")
        return self._places[number]

    def _string_offset(self, name: str) -> int:
        """Where a name stands among the strings; beyond their end where it does not."""
        found = self._strings.find(b"\0" + name.encode() + b"\0")
        return len(self._strings) if found < 0 else found + 1

    def _string(self, offset: int) -> bytes:
        end = self._strings.find(b"\0", offset)
        if end < 0:
            raise WireError(f"BTF: a name at {offset} is beyond the strings")
        return self._strings[offset:end]


def _sections(data: bytes) -> tuple["memoryview[int]", bytes]:
    """The words of the types, and the strings."""
    if len(data) < _HEADER.size:
        raise WireError(f"BTF: {len(data)} bytes are too few for a header")
    magic, version, _, header, types, types_bytes, strings, strings_bytes = _HEADER.unpack_from(data)
    if (magic, version) != (_MAGIC, 1):
        raise WireError(f"BTF: magic {magic:#x} and version {version} are not {_MAGIC:#x} and 1 on this machine")
    begin, ends = header + types, (header + types + types_bytes, header + strings + strings_bytes)
    if max(ends) > len(data) or types_bytes % 4:
        raise WireError(f"BTF: its parts end at {max(ends)}, {len(data)} bytes are there")
    return memoryview(data)[begin : ends[0]].cast("I"), data[header + strings : ends[1]]


def _length(info: int) -> int:
    """The words of a type with this second word."""
    kind, members = info >> 24 & 31, info & 0xFFFF
    if not 0 < kind <= _LAST_KIND:
        raise WireError(f"BTF: a type of kind {kind}, which is not known here")
    return _HEAD_WORDS + _ONCE.get(kind, 0) + _EACH.get(kind, 0) * members
