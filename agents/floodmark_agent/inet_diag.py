"""TCP sockets from sock_diag: connections of a port counted by where they wait, and LISTEN rows. It knows no process.

The records are those of ``include/uapi/linux/inet_diag.h``, the filter's rules those of ``inet_diag_bc_run`` in
``net/ipv4/inet_diag.c``. A dump is no snapshot: the kernel walks its table bucket by bucket.
"""

import functools
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.netlink import DiagSocket, Rows, attribute

# include/net/tcp_states.h
_ESTABLISHED, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2, _TIME_WAIT = 1, 3, 4, 5, 6
_CLOSE_WAIT, _LAST_ACK, _LISTEN, _CLOSING = 8, 9, 10, 11
_CONNECTION_STATES = (
    *(_ESTABLISHED, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2),
    *(_TIME_WAIT, _CLOSE_WAIT, _LAST_ACK, _CLOSING),
)

# struct inet_diag_req_v2: family, protocol, extensions, padding, states; then struct inet_diag_sockid, all zero = any.
_REQUEST = struct.Struct("=BBBxI48x")
_REQ_BYTECODE = 1
# enum in inet_diag.h. The pair S_GE, S_LE is as old as the filter; S_EQ is not known to every kernel in use.
_BC_JMP, _BC_S_GE, _BC_S_LE = 1, 2, 3
# struct inet_diag_bc_op: code, yes, no; a comparison's port stands in the `no` of a second one.
_OP = struct.Struct("=BBH")

# struct inet_diag_msg behind its header: state, source port (network order), rqueue, inode. The rest is skipped.
_ROW_FORMAT = "=16xxBxxH50xI8xI"
_ROW = struct.Struct(_ROW_FORMAT)
# family, state, source port, source address, rqueue, wqueue, inode
_LISTEN_ROW = struct.Struct("=BBxxHxx16s32xII4xI")

FAMILIES = (socket.AF_INET, socket.AF_INET6)
MAX_PORTS = 100
"""The most ports one filter asks for; a jump's offset would allow about 3,000."""

Row = tuple[int, int, int, int]
"""State, source port in network order, rqueue, inode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpListener:
    """One LISTEN row: `depth` connections wait to be accepted, the kernel lets in `limit` + 1."""

    family: str
    host: str
    port: int
    inode: int
    depth: int
    limit: int

    @property
    def address(self) -> str:
        """``127.0.0.1:8000`` or ``[::]:8000``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_connections(diag: DiagSocket, ports: Sequence[int]) -> tuple[ConnectionCounts, ...]:
    """All connections to `ports` on this host, IPv4 and IPv6, counted per port in the order asked."""
    answer = [rows for family in FAMILIES for rows in diag.dump(connections_request(family, tuple(ports)))]
    return count_connections(ports, answer)


def read_listeners(diag: DiagSocket) -> tuple[TcpListener, ...]:
    """All LISTEN rows of this network namespace, each with its depth and limit."""
    return tuple(row for family in FAMILIES for row in parse_listeners(diag.dump(listeners_request(family))))


@functools.lru_cache(maxsize=16)
def connections_request(family: int, ports: tuple[int, ...]) -> bytes:
    """The request for every connection whose own port is one of `ports`."""
    states = sum(1 << state for state in _CONNECTION_STATES)
    return _REQUEST.pack(family, socket.IPPROTO_TCP, 0, states) + attribute(_REQ_BYTECODE, port_filter(ports))


def listeners_request(family: int) -> bytes:
    """The request for every LISTEN socket; the kernel then walks its small table of listeners only."""
    return _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _LISTEN)


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


def count_connections(ports: Sequence[int], answer: Iterable[Rows]) -> tuple[ConnectionCounts, ...]:
    """Counts the connections of each port. Raises `WireError` where a row is cut short or of a port not asked for."""
    tallies = {socket.htons(port): _Tally() for port in ports}
    for rows in answer:
        try:
            _count(tallies, _unpack(rows))
        except KeyError as error:
            raise WireError(
                f"sock_diag: a row of port {socket.ntohs(error.args[0])}, which was not asked for"
            ) from None
    return tuple(tallies[socket.htons(port)].counts(port) for port in ports)


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
                yield TcpListener(family=name, host=host, port=port, inode=inode, depth=depth, limit=limit)


class _Tally:
    """One port's running counts: slots and ints, because this is the innermost loop of the agent."""

    __slots__ = ("abandoned", "abandoned_queue", "accept_queue", "closing", "half_open", "read", "time_wait", "unread")

    def __init__(self) -> None:
        self.accept_queue = self.unread = self.read = self.half_open = 0
        self.abandoned = self.abandoned_queue = self.closing = self.time_wait = 0

    def counts(self, port: int) -> ConnectionCounts:
        return ConnectionCounts(port=port, **{name: getattr(self, name) for name in self.__slots__})


def _count(tallies: dict[int, _Tally], rows: Iterable[Row]) -> None:
    for state, port, rqueue, inode in rows:
        tally = tallies[port]
        if state == _ESTABLISHED:
            if not inode:
                tally.accept_queue += 1
            elif rqueue:
                tally.unread += 1
            else:
                tally.read += 1
        elif state == _SYN_RECV:
            tally.half_open += 1
        elif state == _TIME_WAIT:
            tally.time_wait += 1
        elif state == _CLOSE_WAIT:
            tally.abandoned += 1
            if not inode:
                tally.abandoned_queue += 1
        else:
            tally.closing += 1


def _unpack(rows: Rows) -> Iterable[Row]:
    if rows.stride < _ROW.size:
        raise WireError(f"sock_diag: TCP rows of {rows.stride} bytes, {_ROW.size} are needed")
    return _strided(rows.stride).iter_unpack(rows.data)


@functools.lru_cache(maxsize=16)
def _strided(stride: int) -> struct.Struct:
    return struct.Struct(f"{_ROW_FORMAT}{stride - _ROW.size}x")


def _host(family: int, source: bytes) -> tuple[str, str]:
    if family == socket.AF_INET:
        return "inet", socket.inet_ntop(socket.AF_INET, source[:4])
    if family == socket.AF_INET6:
        return "inet6", socket.inet_ntop(socket.AF_INET6, source)
    raise WireError(f"sock_diag: a TCP row of address family {family}")
