"""The kernel's types: made up here to the format's letter, and the running kernel's own where they can be read."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark_agent.walk.btf import Btf
from floodmark_agent.walk.layout import KERNEL_TYPES, layout_of

INT, PTR, ARRAY, STRUCT, UNION, TYPEDEF, VOLATILE, FUNC, FUNC_PROTO, VAR, DATASEC = 1, 2, 3, 4, 5, 8, 9, 12, 13, 14, 15


class Types:
    """Writes types one after the other; each gives its id."""

    def __init__(self) -> None:
        self.strings = b"\0"
        self.types = b""
        self.count = 0

    def add(self, kind: int, name: str = "", size: int = 0, words: tuple[int, ...] = (), members: int = 0) -> int:
        self.types += struct.pack("=III", self.name(name), kind << 24 | members, size)
        self.types += struct.pack(f"={len(words)}I", *words)
        self.count += 1
        return self.count

    def integer(self, name: str, size: int) -> int:
        return self.add(INT, name, size, (size * 8,))

    def struct(self, name: str, size: int, *members: tuple[str, int, int], kind: int = STRUCT) -> int:
        """Members: name, type, offset in bits."""
        words = tuple(word for one in members for word in (self.name(one[0]), one[1], one[2]))
        return self.add(kind, name, size, words, len(members))

    def name(self, text: str) -> int:
        if not text:
            return 0
        wanted = b"\0" + text.encode() + b"\0"
        if wanted not in self.strings:
            self.strings += text.encode() + b"\0"
        return self.strings.index(wanted) + 1

    def pack(self) -> bytes:
        lengths = (0, len(self.types), len(self.types), len(self.strings))
        return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, *lengths) + self.types + self.strings


def kernel() -> bytes:
    """Every kind of type, and a struct whose members are within others, behind typedefs, nameless and in bits."""
    types = Types()
    byte, word, long = types.integer("u8", 1), types.integer("u32", 4), types.integer("u64", 8)
    pointer = types.add(PTR, size=byte)
    types.add(ARRAY, words=(byte, word, 4))
    types.add(VAR, "jiffies", long, (1,))
    types.add(FUNC, "lookup", types.add(FUNC_PROTO, size=word, words=(types.name("a"), word), members=1))
    types.add(DATASEC, ".data", 8, (6, 0, 8), 1)
    state = types.add(TYPEDEF, "state_t", types.add(VOLATILE, size=byte))
    ports = types.struct("", 4, ("dport", word, 0), ("num", byte, 24))
    either = types.struct("", 8, ("pair", long, 0), ("", ports, 32), kind=UNION)
    common = types.struct("common", 24, ("", either, 0), ("state", state, 64), ("next", pointer, 128))
    types.struct("sock", 40, ("first", common, 0), ("flag", word, 4 << 24 | 196), ("seq", word, 256))
    # With bit fields: a width stands above each offset.
    at = types.types.rindex(struct.pack("=III", types.name("sock"), STRUCT << 24 | 3, 40))
    types.types = types.types[: at + 7] + bytes([types.types[at + 7] | 0x80]) + types.types[at + 8 :]
    return types.pack()


KERNEL = kernel()
NAMES = ("sock", "common", "lookup", "nobody")


def test_members_are_found_within_others_behind_typedefs_and_in_nameless_unions() -> None:
    btf = Btf(KERNEL, NAMES)

    assert btf.offset("sock", "seq", size_bytes=4) == 32
    assert btf.offset("sock", "first", "state", size_bytes=1) == 8
    assert btf.offset("sock", "first", "next", size_bytes=8) == 16
    assert btf.offset("common", "num", size_bytes=1) == 7
    assert btf.size_of("common") == 24
    assert (btf.struct("common"), btf.function("lookup")) == (14, 8)


@pytest.mark.parametrize(
    ("path", "size", "words"),
    [
        (("sock", "seq"), 8, "sock.seq has 4 bytes, 8 were expected"),
        (("sock", "first", "nothing"), 4, "no member first.nothing"),
        (("sock", "flag"), 4, "no member flag"),
        (("sock", "seq", "deeper"), 4, "no member seq.deeper"),
        (("nobody", "seq"), 4, "no struct nobody"),
        (("lookup", "seq"), 4, "no struct lookup"),
    ],
)
def test_what_is_not_there_or_of_another_size_is_named(path: tuple[str, ...], size: int, words: str) -> None:
    with pytest.raises(WireError, match=words):
        Btf(KERNEL, NAMES).offset(*path, size_bytes=size)


def test_structs_of_one_name_that_differ_are_not_guessed_at() -> None:
    types = Types()
    word = types.integer("u32", 4)
    types.struct("sock", 8, ("seq", word, 0))
    types.struct("sock", 8, ("seq", word, 32))

    with pytest.raises(WireError, match="several structs sock, which differ in seq"):
        Btf(types.pack(), ["sock"]).offset("sock", "seq", size_bytes=4)


def test_a_kind_of_type_that_is_not_known_is_an_error_since_nobody_knows_its_length() -> None:
    types = Types()
    types.integer("u32", 4)
    types.add(25, "news")

    with pytest.raises(WireError, match="kind 25"):
        Btf(types.pack(), ["u32"])


def test_types_that_lead_to_themselves_are_an_error() -> None:
    types = Types()
    types.add(TYPEDEF, "again", 1)
    nested = types.struct("", 8, ("", 2, 0))
    types.struct("sock", 8, ("loop", 1, 0), ("", nested, 0))
    btf = Btf(types.pack(), ["sock"])

    with pytest.raises(WireError, match="modifiers"):
        btf.offset("sock", "loop", size_bytes=8)
    with pytest.raises(WireError, match="structs within structs"):
        btf.offset("sock", "seq", size_bytes=8)


def ask(data: bytes) -> None:
    """Everything that a layout asks for; nothing but `WireError` may come of it."""
    try:
        btf = Btf(data, NAMES)
    except WireError:
        return
    for question in (
        lambda: btf.offset("sock", "first", "num", size_bytes=1),
        lambda: btf.offset("sock", "first", "state", size_bytes=1),
        lambda: btf.offset("common", "next", size_bytes=8),
        lambda: btf.function("lookup"),
        lambda: btf.size_of("common"),
    ):
        try:
            question()
        except WireError:
            continue


def test_types_cut_short_anywhere_raise_their_own_error_only() -> None:
    for length in range(len(KERNEL)):
        with pytest.raises(WireError):
            Btf(KERNEL[:length], NAMES)


@given(st.lists(st.tuples(st.integers(0, len(KERNEL) - 1), st.integers(0, 255)), max_size=8))
def test_types_with_other_bytes_raise_their_own_error_only(changes: list[tuple[int, int]]) -> None:
    data = bytearray(KERNEL)
    for at, byte in changes:
        data[at] = byte
    ask(bytes(data))


@given(st.binary(max_size=400))
def test_any_bytes_raise_their_own_error_only(types: bytes) -> None:
    types = types[: len(types) & ~3]
    strings = Types()
    lengths = (0, len(types), len(types), len(strings.strings))
    ask(struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, *lengths) + types + strings.strings)
    ask(types)


def test_a_kernel_without_what_a_walk_needs_is_named() -> None:
    with pytest.raises(WireError, match="this kernel has no struct sock_common"):
        layout_of(KERNEL)


@pytest.mark.skipif(not Path(KERNEL_TYPES).exists(), reason=f"this kernel shows no types in {KERNEL_TYPES}")
def test_the_running_kernels_layout_is_what_struct_sock_common_has_been_for_years() -> None:
    try:
        layout = layout_of(Path(KERNEL_TYPES).read_bytes())
    except WireError as error:
        pytest.skip(str(error))  # a kernel without the function that a walk needs, Linux 6.2

    # include/net/sock.h: addresses, hash, ports, family, state; the two ports are one word.
    assert (layout.port, layout.state) == (14, 18)
    assert len({layout.received, layout.taken, layout.written, layout.acknowledged}) == 4
