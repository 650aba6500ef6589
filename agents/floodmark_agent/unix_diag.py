"""Listening UNIX sockets from sock_diag: path, depth, limit. Not their connections. It knows no process.

The records are those of ``include/uapi/linux/unix_diag.h``.
"""

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from floodmark.core.errors import WireError
from floodmark_agent.netlink import DiagSocket, Rows, attributes

_LISTEN = 10
# struct unix_diag_req: family, protocol, padding, states, inode (0: any), what to show, cookie
_REQUEST = struct.Struct("=BBxxIII8x")
_SHOW_NAME = 0x01
_SHOW_RQLEN = 0x10
# struct unix_diag_msg: family, type, state, padding, inode, cookie
_ROW = struct.Struct("=BBBxI8x")
_ATTRIBUTE_NAME = 0
_ATTRIBUTE_RQLEN = 4
# struct unix_diag_rqlen: for a listener, connections waiting and the backlog
_RQLEN = struct.Struct("=II")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixListener:
    """One listening UNIX socket. `path` as it was bound: ``@name`` for an abstract one, empty where it has none."""

    path: str
    inode: int
    depth: int
    limit: int

    @property
    def address(self) -> str:
        """The path, or what stands for it."""
        return self.path or f"unix:{self.inode}"


def read_unix_listeners(diag: DiagSocket) -> tuple[UnixListener, ...]:
    """All listening UNIX sockets of this network namespace."""
    return tuple(parse_unix_listeners(diag.dump(unix_listeners_request())))


def unix_listeners_request() -> bytes:
    """The request for every listening UNIX socket with its name and queue."""
    return _REQUEST.pack(socket.AF_UNIX, 0, 1 << _LISTEN, 0, _SHOW_NAME | _SHOW_RQLEN)


def parse_unix_listeners(answer: Iterable[Rows]) -> Iterator[UnixListener]:
    """The rows of an answer. Raises `WireError` where one is cut short."""
    for rows in answer:
        for body in rows.bodies():
            if len(body) < _ROW.size:
                raise WireError(f"sock_diag: a UNIX row of {len(body)} bytes, {_ROW.size} are needed")
            _, _, state, inode = _ROW.unpack_from(body)
            if state == _LISTEN:
                yield _listener(inode, attributes(body, _ROW.size))


def _listener(inode: int, found: dict[int, bytes]) -> UnixListener:
    lengths = found.get(_ATTRIBUTE_RQLEN, b"")
    if len(lengths) < _RQLEN.size:
        raise WireError(f"sock_diag: the UNIX listener with inode {inode} comes without its queue's length")
    depth, limit = _RQLEN.unpack_from(lengths)
    return UnixListener(path=_path(found.get(_ATTRIBUTE_NAME, b"")), inode=inode, depth=depth, limit=limit)


def _path(name: bytes) -> str:
    """An abstract name begins with a zero byte and may hold more of them (unix(7)); a path may end with one."""
    if name.startswith(b"\0"):
        return os.fsdecode(b"@" + name[1:].replace(b"\0", b"@")).encode("utf-8", "backslashreplace").decode()
    return os.fsdecode(name.rstrip(b"\0")).encode("utf-8", "backslashreplace").decode()
