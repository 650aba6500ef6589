"""The sock_diag netlink socket: one request out, a multipart answer in. It knows no socket family's records.

The rules are those of netlink(7), sock_diag(7) and the kernel's ``net/netlink/af_netlink.c``: an answer is a row of
datagrams, each a row of messages aligned to 4 bytes; NLMSG_DONE ends it, NLMSG_ERROR refuses it, and NLM_F_DUMP_INTR
says that the table changed under the reader so that it must be read again.
"""

import errno
import itertools
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from floodmark.core.errors import WireError

HEADER = struct.Struct("=IHHII")
"""``struct nlmsghdr``: length, type, flags, sequence, port id."""
ATTRIBUTE = struct.Struct("=HH")
"""``struct nlattr``: length with this header, type."""
_ERROR_CODE = struct.Struct("=i")

# include/uapi/linux/netlink.h and sock_diag.h
_NETLINK_SOCK_DIAG = 4
_NLMSG_NOOP = 1
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
SOCK_DIAG_BY_FAMILY = 20
"""The request for sockets of one family, and the type of its rows."""
TCPDIAG_GETSOCK = 18
"""The older request (inet_diag.h), which alone answers for IPv4 and IPv6 in one walk of the kernel's table."""
_DATA_TYPES = {SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK}
_NLM_F_REQUEST = 0x01
_NLM_F_DUMP_INTR = 0x10
_NLM_F_DUMP = 0x300
_ATTRIBUTE_TYPE_MASK = 0x3FFF

# The kernel fills at most 32 KiB at a time (netlink_dump), and only where the reader has shown a buffer that large.
_RECEIVE_BYTES = 65536
_TAKES = 3
# Bytes of a header that must not change for messages to be a fixed stride apart: length, type, flags.
_COLUMNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Data messages of one length, `stride` bytes each with header and padding, one behind the other in `data`."""

    stride: int
    data: bytes

    def bodies(self) -> Iterator[bytes]:
        """What stands behind each message's header."""
        for begin in range(0, len(self.data), self.stride):
            yield self.data[begin + HEADER.size : begin + self.stride]


class Taker(Protocol):
    """What is handed the rows of an answer, datagram by datagram."""

    def add(self, rows: Rows) -> None:
        """Takes some rows in."""


T = TypeVar("T", bound=Taker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One datagram, its messages sorted by length.

    `done`: the answer ends here; `refusal`: with this errno, 0 where it is complete; `interrupted`: it is torn.
    """

    rows: tuple[Rows, ...]
    done: bool
    refusal: int
    interrupted: bool


class DiagSocket:
    """A NETLINK_SOCK_DIAG socket of this process' network namespace. Not thread-safe; needs no privilege."""

    def __init__(self, *, timeout_s: float = 2.0) -> None:
        """Opens the socket. Raises `OSError` where the kernel has no sock_diag."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        # The kernel's own time limit: Python's would ask by poll(2) before each send and each receive.
        seconds, fraction = divmod(timeout_s, 1)
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(seconds), int(fraction * 1e6))
        )
        self._sequence = itertools.count(1)
        self._buffer = memoryview(bytearray(_RECEIVE_BYTES))

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def dump(self, request: bytes, kind: int = SOCK_DIAG_BY_FAMILY) -> list[Rows]:
        """The rows of the kernel's whole answer to a dump request; raises as `fold` does."""
        return self.fold(request, RowList, kind).rows

    def ask(self, request: bytes) -> tuple[Rows, ...]:
        """The answer to a request for one socket. Raises `OSError` (ENOENT: there is none) and `WireError` likewise."""
        sequence = next(self._sequence)
        self._socket.send(message(request, sequence, SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST))
        while _sequence_of(datagram := self._receive()) != sequence:
            continue
        chunk = read_datagram(datagram)
        _raise_refusal(chunk)
        return chunk.rows

    def fold(self, request: bytes, begin: Callable[[], T], kind: int = SOCK_DIAG_BY_FAMILY) -> T:
        """Hands the answer to what `begin` makes, and begins anew where the kernel says that the answer was torn.

        Raises `OSError` where the kernel refuses or is silent, `WireError` where the answer breaks netlink's format.
        """
        for _ in range(_TAKES):
            taker = begin()
            if self._take(request, taker, kind):
                return taker
        raise WireError(f"sock_diag: the socket table changed during each of {_TAKES} reads; a longer beat would help")

    def _take(self, request: bytes, taker: Taker, kind: int) -> bool:
        """Takes one answer; False where it is torn."""
        sequence = next(self._sequence)
        self._socket.send(dump_request(request, sequence, kind))
        whole = True
        while True:
            datagram = self._receive()
            if _sequence_of(datagram) != sequence:
                continue
            chunk = read_datagram(datagram)
            whole = whole and not chunk.interrupted
            for rows in chunk.rows:
                taker.add(rows)
            if chunk.done:
                break
        _raise_refusal(chunk)
        return whole

    def _receive(self) -> bytes:
        # With MSG_TRUNC the kernel says how long the datagram was, not how much of it found room (recv(2)).
        size = self._socket.recv_into(self._buffer, 0, socket.MSG_TRUNC)
        if size > _RECEIVE_BYTES:
            raise WireError(f"sock_diag: a datagram is longer than {_RECEIVE_BYTES} bytes")
        return bytes(self._buffer[:size])


class RowList:
    """The rows as they came."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []

    def add(self, rows: Rows) -> None:
        """Takes some rows in."""
        self.rows.append(rows)


def dump_request(body: bytes, sequence: int, kind: int = SOCK_DIAG_BY_FAMILY) -> bytes:
    """A dump request around the record that its kind asks for."""
    return message(body, sequence, kind, _NLM_F_REQUEST | _NLM_F_DUMP)


def message(body: bytes, sequence: int, kind: int, flags: int) -> bytes:
    """A message with its header."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def _raise_refusal(chunk: Chunk) -> None:
    if refusal := chunk.refusal:
        name = errno.errorcode.get(refusal, str(refusal))
        raise OSError(refusal, f"the kernel refuses a sock_diag request: {name}, {os.strerror(refusal)}")


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to 4 bytes."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def read_datagram(datagram: bytes) -> Chunk:
    """Takes a datagram apart. Raises `WireError` for a broken message; the kernel's refusal is a part of the answer."""
    return _read_alike(datagram) or _read_mixed(datagram)


def attributes(body: bytes, begin: int) -> dict[int, bytes]:
    """The attributes from `begin` to the end of a body, by type. Raises `WireError` where one does not fit."""
    found: dict[int, bytes] = {}
    while begin + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, begin)
        left = len(body) - begin
        if not ATTRIBUTE.size <= length <= left:
            raise WireError(f"sock_diag: an attribute of {length} bytes does not fit in the {left} left")
        found[kind & _ATTRIBUTE_TYPE_MASK] = body[begin + ATTRIBUTE.size : begin + length]
        begin += (length + 3) & ~3
    return found


def _read_alike(datagram: bytes) -> Chunk | None:
    """The chunk of a datagram whose messages are all data and of one length; compared by columns, not one by one."""
    length, kind, flags, _ = _header(datagram, 0)
    if kind not in _DATA_TYPES or length % 4 or len(datagram) % length:
        return None
    count = len(datagram) // length
    if any(datagram[column::length].count(datagram[column]) != count for column in range(_COLUMNS)):
        return None
    rows = Rows(stride=length, data=datagram)
    return Chunk(rows=(rows,), done=False, refusal=0, interrupted=bool(flags & _NLM_F_DUMP_INTR))


def _read_mixed(datagram: bytes) -> Chunk:
    """One message after the other, sorted by length: they are unpacked faster as rows of one stride."""
    sorted_by_length: dict[int, list[bytes]] = {}
    refusal = None
    all_flags = offset = 0
    total = len(datagram)
    while offset < total and refusal is None:
        length, kind, flags, _ = _header(datagram, offset)
        end = offset + ((length + 3) & ~3)
        all_flags |= flags
        if kind in _DATA_TYPES:
            sorted_by_length.setdefault(end - offset, []).append(datagram[offset:end])
        else:
            refusal = _ending(datagram, offset, length, kind)
        offset = end
    return Chunk(
        rows=tuple(_rows_of(stride, parts) for stride, parts in sorted_by_length.items()),
        done=refusal is not None,
        refusal=refusal or 0,
        interrupted=bool(all_flags & _NLM_F_DUMP_INTR),
    )


def _rows_of(stride: int, parts: list[bytes]) -> Rows:
    # The last message of a datagram may come without its padding.
    return Rows(stride=stride, data=b"".join(parts).ljust(stride * len(parts), b"\0"))


def _ending(datagram: bytes, offset: int, length: int, kind: int) -> int | None:
    """The errno that an NLMSG_DONE (usually 0) or NLMSG_ERROR carries; None for a message that ends nothing."""
    if kind in {_NLMSG_ERROR, _NLMSG_DONE}:
        if length < HEADER.size + _ERROR_CODE.size:
            return 0
        (code,) = _ERROR_CODE.unpack_from(datagram, offset + HEADER.size)
        return abs(int(code))
    if kind != _NLMSG_NOOP:
        raise WireError(f"sock_diag: a message of type {kind}, which nobody asked for")
    return None


def _header(data: bytes, offset: int) -> tuple[int, int, int, int]:
    """Length, type, flags, sequence; the length is sure to fit."""
    left = len(data) - offset
    if left < HEADER.size:
        raise WireError(f"sock_diag: {left} bytes are too few for a message's header")
    length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
    if not HEADER.size <= length <= left:
        raise WireError(f"sock_diag: a message says it has {length} bytes, {left} are left")
    return length, kind, flags, sequence


def _sequence_of(datagram: bytes) -> int:
    return _header(datagram, 0)[3]
