"""How a connection begins: to where, from which address and port, over TLS or not. One attempt; nothing is sent."""

import errno
import socket as constants
from _socket import socket  # the kernel's own: gevent's patched one would wait behind our back
from collections.abc import Callable
from dataclasses import dataclass
from socket import AF_INET6, IPPROTO_IP, SOCK_STREAM
from ssl import SSLContext
from sys import byteorder

from floodmark.core.address import Address
from floodmark.engine.endpoint import Endpoint, resolve
from floodmark.engine.tls import TlsSocket, tls_context

IP_BIND_ADDRESS_NO_PORT = 24
"""Linux 4.2 (ip(7)): bind takes the address only, and connect a port that is free for this one destination."""

IP_LOCAL_PORT_RANGE = 51
"""Linux 6.3 (ip(7)): a port range that can only narrow the host's; IPv6 sockets take it, too."""

# Other systems have no such flags (socket(2)); there this is imported by who steers a load, and opens nothing.
_TYPE = SOCK_STREAM | getattr(constants, "SOCK_NONBLOCK", 0) | getattr(constants, "SOCK_CLOEXEC", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """`sources` are taken in turn; none: the kernel chooses the address. `ports` is the range to choose a port from.

    `tls` None for plain HTTP; `server_name` is what the certificate must be for.
    """

    endpoint: Endpoint
    sources: tuple[str, ...] = ()
    ports: tuple[int, int] | None = None
    tls: SSLContext | None = None
    server_name: str | None = None

    def open(self, number: int, clock: Callable[[], float]) -> tuple[socket | TlsSocket, int]:
        """A new non-blocking socket that connects, and the errno of that; 0 and EINPROGRESS are under way.

        `number` chooses the source address, and `clock` is what a `TlsSocket` has its time of. Raises `OSError` where
        there is no socket or no address to send from.
        """
        endpoint = self.endpoint
        opened = socket(endpoint.family, _TYPE)
        if self.sources or self.ports:
            self._choose(opened, number)
        code = opened.connect_ex(endpoint.sockaddr)
        return (TlsSocket(opened, self.tls, self.server_name, clock) if self.tls else opened), code

    def _choose(self, opened: socket, number: int) -> None:
        """Says where the connection is to come from; closes the socket where that is not possible."""
        try:
            if self.ports is not None:
                choose_ports(opened, self.ports)
            if self.sources:
                bind_address(opened, self.sources[number % len(self.sources)])
        except OSError:
            opened.close()
            raise


def dial_to(
    address: Address,
    *,
    verify: bool = True,
    sources: tuple[str, ...] = (),
    ports: tuple[int, int] | None = None,
) -> Dial:
    """How to get to `address`, its name looked up now: it may wait. Raises `UsageError` where it has no endpoint.

    `verify` False: any certificate will do.
    """
    endpoint = resolve(address)
    tls = tls_context(verify=verify) if address.is_secure else None
    name = endpoint.server_name if tls else None
    return Dial(endpoint=endpoint, sources=sources, ports=ports, tls=tls, server_name=name)


def choose_ports(opened: socket, ports: tuple[int, int]) -> None:
    """Takes a port from `ports`, both included. Raises `OSError` where the kernel has no port ranges."""
    low, high = ports
    # 32 bits with the highest port in the upper half: as a number it would not fit into setsockopt's signed one.
    opened.setsockopt(IPPROTO_IP, IP_LOCAL_PORT_RANGE, (low | high << 16).to_bytes(4, byteorder))


def bind_address(opened: socket, source: str) -> None:
    """Sends from this address; the port is chosen when it is known where to. Raises `OSError` that names the address.

    Its errno is EADDRNOTAVAIL, whatever was wrong: there is no such address to send from.
    """
    opened.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    try:
        opened.bind((source, 0, 0, 0) if opened.family == AF_INET6 else (source, 0))
    except OSError as error:
        is_other_family = error.errno is not None and error.errno < 0  # no errno: one of getaddrinfo(3)
        reason = "not of the IP version of the server's" if is_other_family else "not an address of this machine"
        raise OSError(errno.EADDRNOTAVAIL, f"{source} is {reason}") from None
