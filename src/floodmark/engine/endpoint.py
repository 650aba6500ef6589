"""From a host's name to where connections go: one look-up, before the load. Not for use while a burst runs.

It uses the ordinary ``socket`` module: it may wait, and so it must be the cooperative one where a process has that.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from floodmark.core.address import Address
from floodmark.core.errors import UsageError

PROBE_TIMEOUT_S = 2.0
"""How long one of several addresses may take to accept: a lost SYN is sent again after 1 s, so there is a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to connect. `sockaddr` is numeric: no connection looks a name up.

    `authority` is for Host, `server_name` is what a certificate must be for: the host in ASCII, without a zone.
    """

    family: int
    sockaddr: tuple[str | int | bytes, ...]
    authority: str
    server_name: str = ""


def resolve(
    address: Address,
    *,
    timeout_s: float = PROBE_TIMEOUT_S,
    look_up: Callable[..., list[Any]] | None = None,
) -> Endpoint:
    """The endpoint of `address`. Raises `UsageError` where its host has none.

    A name with several addresses (``localhost`` is often ::1 and 127.0.0.1) gets the first that accepts a connection
    within `timeout_s`, or the first of all where none does. One address alone is not tried. `look_up` is
    `socket.getaddrinfo`, whose own time nobody can bound; it is looked for now, since a process may patch it late.
    """
    try:
        found = (look_up or socket.getaddrinfo)(address.host, address.port, type=socket.SOCK_STREAM)
        host = _ascii(address.host)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{address.url}: no address for the host {address.host!r}: {reason}; check its name") from None
    authority, name = Address(host=host, port=address.port).authority, host.partition("%")[0]
    endpoints = [Endpoint(family=row[0], sockaddr=row[4], authority=authority, server_name=name) for row in found]
    if len(endpoints) == 1:
        return endpoints[0]
    return next((endpoint for endpoint in endpoints if _accepts(endpoint, timeout_s)), endpoints[0])


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _accepts(endpoint: Endpoint, timeout_s: float) -> bool:
    try:
        with socket.socket(endpoint.family, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout_s)
            probe.connect(endpoint.sockaddr)
    except OSError:
        return False
    return True
