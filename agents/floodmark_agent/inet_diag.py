"""TCP sockets from sock_diag: connections of a port counted by where they wait, and LISTEN rows. It knows no process.

The records are those of ``include/uapi/linux/inet_diag.h``, the filter's rules those of ``inet_diag_bc_run`` in
``net/ipv4/inet_diag.c``. A dump is no snapshot: the kernel walks its table bucket by bucket.
"""

import dataclasses
import errno
import functools
import itertools
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.netlink import HEADER, TCPDIAG_GETSOCK, DiagSocket, Rows, attribute

# include/net/tcp_states.h
_ESTABLISHED, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2, _TIME_WAIT = 1, 3, 4, 5, 6
_CLOSE_WAIT, _LAST_ACK, _LISTEN, _CLOSING = 8, 9, 10, 11
_CONNECTION_STATES = (
    *(_ESTABLISHED, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2),
    *(_TIME_WAIT, _CLOSE_WAIT, _LAST_ACK, _CLOSING),
)

# struct inet_diag_req, of the older request that answers for both families: family and the next two bytes unused,
# extensions; struct inet_diag_sockid (source port in network order, the rest 0 = any); states, and a field unused.
_REQUEST = struct.Struct("=4xH46xI4x")
# struct inet_diag_req_v2 up to its inet_diag_sockid: family, protocol, extensions, padding, states.
_EXACT = struct.Struct("=BBBxI")
_REQ_BYTECODE = 1
# enum in inet_diag.h. The pair S_GE, S_LE is as old as the filter; S_EQ is not known to every kernel in use.
_BC_JMP, _BC_S_GE, _BC_S_LE = 1, 2, 3
# struct inet_diag_bc_op: code, yes, no; a comparison's port stands in the `no` of a second one.
_OP = struct.Struct("=BBH")

# struct inet_diag_msg behind its header: where state, source port (network order), rqueue, wqueue and inode stand.
_STATE, _PORT = HEADER.size + 1, HEADER.size + 4
_RQUEUE, _WQUEUE, _INODE = HEADER.size + 56, HEADER.size + 60, HEADER.size + 68
_ROW_BYTES = HEADER.size + 72
_IDENTITY = slice(4, 52)

_TALLY_BYTES = 256 << 10
"""So much of an answer is counted at a time: eight of the kernel's datagrams, and little beside the agent's memory."""
# family, state, source port, source address, rqueue, wqueue, inode
_LISTEN_ROW = struct.Struct("=BBxxHxx16s32xII4xI")

MAX_PORTS = 100
"""The most ports one filter asks for; a jump's offset would allow about 3,000."""

# A row's key (see `count_places`) as one byte; what has an inode is accepted.
_STATE_KEYS = bytes((state << 3) & 0xFF for state in range(256))
_HAS_WQUEUE, _HAS_INODE, _HAS_RQUEUE = (bytes([0]) + bytes([bit]) * 255 for bit in (4, 2, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpListener:
    """One LISTEN row: `depth` connections wait to be accepted, the kernel lets in `limit` + 1."""

    family: str
    host: str
    port: int
    inode: int
    depth: int
    limit: int
    identity: bytes = dataclasses.field(default=b"", compare=False, repr=False)
    """Its struct inet_diag_sockid: addresses, ports, interface and cookie."""

    @property
    def address(self) -> str:
        """``127.0.0.1:8000`` or ``[::]:8000``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_connections(diag: DiagSocket, ports: Sequence[int]) -> tuple[ConnectionCounts, ...]:
    """All connections to `ports` on this host, IPv4 and IPv6, counted per port in the order asked."""
    return diag.fold(connections_request(tuple(ports)), lambda: Tally(ports), TCPDIAG_GETSOCK).counts()


def read_listeners(diag: DiagSocket) -> tuple[TcpListener, ...]:
    """All LISTEN rows of this network namespace, each with its depth and limit."""
    return tuple(parse_listeners(diag.dump(listeners_request(), TCPDIAG_GETSOCK)))


def read_listener(diag: DiagSocket, row: TcpListener) -> TcpListener | None:
    """One listener again; None where it is no longer there. It must not share its address with another."""
    family = socket.AF_INET if row.family == "inet" else socket.AF_INET6
    request = _EXACT.pack(family, socket.IPPROTO_TCP, 0, 0) + row.identity
    try:
        found = list(parse_listeners(diag.ask(request)))
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ESTALE}:
            return None
        raise
    return found[0] if found and found[0].inode == row.inode else None


@functools.lru_cache(maxsize=16)
def connections_request(ports: tuple[int, ...]) -> bytes:
    """The request for every connection whose own port is one of `ports`."""
    states = sum(1 << state for state in _CONNECTION_STATES)
    if len(ports) == 1:
        # Compared before the kernel gathers what a filter program may ask for.
        return _REQUEST.pack(socket.htons(ports[0]), states)
    return _REQUEST.pack(0, states) + attribute(_REQ_BYTECODE, port_filter(ports))


def listeners_request() -> bytes:
    """The request for every LISTEN row."""
    return _REQUEST.pack(0, 1 << _LISTEN)


def port_filter(ports: Sequence[int]) -> bytes:
    """The kernel's filter program: source port is one of `ports`.

    An offset counts from its own instruction. To reach the program's end exactly is to accept, to jump 4 beyond it is
    to reject. A block per port: GE else next block, LE else next block, jump to the end (not needed in the last).
    """
    block, jump = 5 * _OP.size, _OP.size
    total = len(ports) * block - jump
    program = b""
    for port in ports:
        left = total - len(program)
        test = _OP.pack(_BC_S_GE, 8, block) + _OP.pack(0, 0, port) + _OP.pack(_BC_S_LE, 8, block - 8)
        program += test + _OP.pack(0, 0, port)
        if left > block:
            program += _OP.pack(_BC_JMP, jump, left - block + jump)
    return program


def parse_listeners(answer: Iterable[Rows]) -> Iterator[TcpListener]:
    """The LISTEN rows of an answer. Raises `WireError` where a row is cut short."""
    for rows in answer:
        for body in rows.bodies():
            if len(body) < _LISTEN_ROW.size:
                raise WireError(f"sock_diag: a TCP row of {len(body)} bytes, {_LISTEN_ROW.size} are needed")
            family, state, port, source, depth, limit, inode = _LISTEN_ROW.unpack_from(body)
            if state == _LISTEN:
                name, host = _host(family, source)
                port = socket.ntohs(port)
                yield TcpListener(
                    family=name,
                    host=host,
                    port=port,
                    inode=inode,
                    depth=depth,
                    limit=limit,
                    identity=bytes(body[_IDENTITY]),
                )


class Tally:
    """Counts the connections of each port from the rows of a dump, by columns: a step of Python per some thousand rows.

    A row of a port that was not asked for, or one that is cut short, raises `WireError`.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = tuple(ports)
        self._keys = {port: bytearray() for port in ports}
        self._waiting: dict[int, list[bytes]] = {}  # by stride
        self._waiting_bytes = 0

    def add(self, rows: Rows) -> None:
        """Takes some rows in."""
        if rows.stride < _ROW_BYTES:
            raise WireError(f"sock_diag: TCP rows of {rows.stride} bytes, {_ROW_BYTES} are needed")
        self._waiting.setdefault(rows.stride, []).append(rows.data)
        self._waiting_bytes += len(rows.data)
        if self._waiting_bytes >= _TALLY_BYTES:
            self._take()

    def _take(self) -> None:
        for stride, parts in self._waiting.items():
            self._take_alike(b"".join(parts), stride)
        self._waiting, self._waiting_bytes = {}, 0

    def _take_alike(self, data: bytes, stride: int) -> None:
        high, low, keys = data[_PORT::stride], data[_PORT + 1 :: stride], _row_keys(data, stride)
        if high.count(high[:1]) == low.count(low[:1]) == len(keys):
            self._of(high[0] << 8 | low[0]).extend(keys)
            return
        for first, second, key in zip(high, low, keys, strict=True):
            self._of(first << 8 | second).append(key)

    def counts(self) -> tuple[ConnectionCounts, ...]:
        """The counts of each port, in the order asked."""
        self._take()
        return tuple(count_places(port, _numbers(self._keys[port])) for port in self._ports)

    def _of(self, port: int) -> bytearray:
        found = self._keys.get(port)
        if found is None:
            raise WireError(f"sock_diag: a row of port {port}, which was not asked for")
        return found


def _row_keys(data: bytes, stride: int) -> bytes:
    """One byte per row: its place."""
    parts = (
        data[_STATE::stride].translate(_STATE_KEYS),
        _any_byte(data, stride, _WQUEUE).translate(_HAS_WQUEUE),
        _any_byte(data, stride, _INODE).translate(_HAS_INODE),
        _any_byte(data, stride, _RQUEUE).translate(_HAS_RQUEUE),
    )
    states, wqueues, inodes, rqueues = (int.from_bytes(part, "little") for part in parts)
    return (states | wqueues | inodes | rqueues).to_bytes(len(parts[0]), "little")


def _any_byte(data: bytes, stride: int, column: int) -> bytes:
    """A byte per row that is 0 only where all four bytes from `column` on are: big integers or them for all rows."""
    first, second, third, last = (int.from_bytes(data[column + n :: stride], "little") for n in range(4))
    return (first | second | third | last).to_bytes(len(data) // stride, "little")


_EITHER = (0, 1)


def _keys(
    *states: int, wqueue: tuple[int, ...] = _EITHER, inode: tuple[int, ...] = _EITHER, rqueue: tuple[int, ...] = _EITHER
) -> tuple[int, ...]:
    return tuple(
        state << 3 | stuck << 2 | accepted << 1 | waits
        for state, stuck, accepted, waits in itertools.product(states, wqueue, inode, rqueue)
    )


_PLACES = {
    "accept_queue": _keys(_ESTABLISHED, inode=(0,)),
    "unread": _keys(_ESTABLISHED, inode=(1,), rqueue=(1,)),
    "read": _keys(_ESTABLISHED, inode=(1,), rqueue=(0,)),
    "half_open": _keys(_SYN_RECV),
    "abandoned": _keys(_CLOSE_WAIT),
    "abandoned_queue": _keys(_CLOSE_WAIT, inode=(0,)),
    "closing": _keys(_FIN_WAIT1, _FIN_WAIT2, _LAST_ACK, _CLOSING),
    "time_wait": _keys(_TIME_WAIT),
    "stuck": _keys(_ESTABLISHED, wqueue=(1,), inode=(1,)),
}


def _numbers(keys: bytearray) -> dict[int, int]:
    return {key: keys.count(key) for key in set(keys)}


def count_places(port: int, numbers: Mapping[int, int]) -> ConnectionCounts:
    """The counts of a port from how many connections have which key.

    A key is eight times the state, 4 where something written is not taken, 2 where it is accepted, 1 where it has
    something to read.
    """
    places = {name: sum(numbers.get(key, 0) for key in wanted) for name, wanted in _PLACES.items()}
    return ConnectionCounts(port=port, **places)


def _host(family: int, source: bytes) -> tuple[str, str]:
    if family == socket.AF_INET:
        return "inet", socket.inet_ntop(socket.AF_INET, source[:4])
    if family == socket.AF_INET6:
        return "inet6", socket.inet_ntop(socket.AF_INET6, source)
    raise WireError(f"sock_diag: a TCP row of address family {family}")
