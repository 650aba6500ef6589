"""Whether a TCP port is free, and who has it. Looks only: nothing is listened on for longer than the look."""

import contextlib
import errno
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from floodmark.core.errors import TargetError

LOWEST_PORT = 10_000
"""`free_port` stays above the well-known ports and the usual development ports (3000, 5000, 8000, 8080)."""

TRIES = 50
"""How many ports `free_port` tries before it lets the kernel choose."""

TIME_WAIT = "TIME_WAIT"
"""As psutil has it. It lasts 60 s on Linux (TCP_TIMEWAIT_LEN in include/net/tcp.h)."""

LOCAL_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def prove_free(host: str, port: int) -> None:
    """Returns where a server could listen on `host`:`port` now. Raises `TargetError` that names who has it."""
    error = _bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise TargetError(_taken_words(port))
    if error.errno == errno.EACCES:
        raise TargetError(f"port {port} may only be used by root; give a --port above 1023")
    raise TargetError(
        f"{host} port {port} cannot be listened on: {error.strerror or error}; give an address of this host"
    )


def is_free(host: str, port: int) -> bool:
    """The same in a word, and cheap: whose it is takes a look at every process."""
    return _bind_error(host, port) is None


def free_port(host: str) -> int:
    """A port that is free on `host` at this moment.

    It is none that the kernel hands to clients, where that leaves a choice: a client that connects to a port nobody
    listens on yet may be given that very port as its own, meet itself, and keep the server from binding.
    """
    ceiling = int(LOCAL_PORT_RANGE.read_text().split()[0])
    for _ in range(TRIES if ceiling > LOWEST_PORT else 0):
        port = LOWEST_PORT + secrets.randbelow(ceiling - LOWEST_PORT)
        if is_free(host, port):
            return port
    with _listenable(host) as (sock, address):
        sock.bind((address, 0))
        return int(sock.getsockname()[1])


def owner_of(port: int) -> str:
    """The process that holds a local TCP port, in words: ``process 123 (python app.py)``."""
    import psutil  # noqa: PLC0415  as in `_sockets_of`

    holders = [row for row in _sockets_of(port) if row.pid]
    holders.sort(key=lambda row: row.status != psutil.CONN_LISTEN)
    for row in holders:
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile: then the next one
            return f"process {row.pid} ({' '.join(psutil.Process(row.pid).cmdline())})"
    return "a process of another user"


def _taken_words(port: int) -> str:
    """Who has it. A client's port is held by its ended connection, too: SO_REUSEADDR helps only where both have it."""
    sockets = _sockets_of(port)
    if sockets and all(row.status == TIME_WAIT for row in sockets):
        return f"port {port} is held by a connection that has ended ({TIME_WAIT}); wait a minute or give another --port"
    return f"port {port} is taken by {owner_of(port)}; stop it or give another --port"


def _sockets_of(port: int) -> list[Any]:
    """All TCP sockets with that local port, as psutil has them; whoever's they are."""
    # Here, not above: the command line is there sooner without the library, and few ports are taken.
    import psutil  # noqa: PLC0415  the reason is above

    return [row for row in psutil.net_connections("tcp") if row.laddr and row.laddr.port == port]


def _bind_error(host: str, port: int) -> OSError | None:
    try:
        with _listenable(host) as (sock, address):
            sock.bind((address, port))
    except OSError as error:
        return error
    return None


@contextlib.contextmanager
def _listenable(host: str) -> Iterator[tuple[socket.socket, str]]:
    """A socket and the numeric address to bind it to; SO_REUSEADDR as servers set it: TIME_WAIT is no hindrance."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield sock, str(address[0])
