"""Whose an address is: one command floods, and sends from, the machine that it runs on. No request is sent."""

import contextlib
import socket
from typing import Any

from floodmark.core.address import Address
from floodmark.core.errors import UsageError
from floodmark.engine.endpoint import resolve
from floodmark.engine.ports import usable_sources


def prove_local(address: Address) -> None:
    """Raises `UsageError` for another machine's server: the agent reads the kernel of the target's host."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{address.host!r} has no address: {reason}; check the name") from None
    if not any(_is_own(family, sockaddr) for family, _, _, _, sockaddr in found):
        raise UsageError(
            f"{address.host} is not an address of this machine; run `floodmark-agent` on that host and Locust here:"
            " docs/howto/by-hand.md"
        )


def prove_sources(sources: tuple[str, ...], server: Address | None = None) -> None:
    """Raises `UsageError` naming the first source that is not this machine's, or that cannot reach the `server`."""
    for source in sources:
        if not _is_own(socket.AF_INET6 if ":" in source else socket.AF_INET, (source, 0)):
            raise UsageError(
                f"--source {source}: not an address of this machine; `ip address` lists them, and all of 127.0.0.0/8"
                " is its own"
            )
    if server and sources and (lost := set(sources).difference(usable_sources(sources, resolve(server)))):
        first = next(source for source in sources if source in lost)
        raise UsageError(f"--source {first}: there is no way from it to {server.host}; give addresses of the same kind")


def prove_sources_of_host(sources: tuple[str, ...], server: Address) -> tuple[str, ...]:
    """Those of a cluster's sources that are this host's and lead to the `server`. Raises `UsageError` for none."""
    own = usable_sources(sources, resolve(server)) if sources else ()
    if sources and not own:
        raise UsageError(f"--source {sources[0]}: none of {len(sources)} is this host's and leads to {server.host}")
    return own


def _is_own(family: int, sockaddr: Any) -> bool:
    """What can be bound is this machine's; any port will do."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.bind((sockaddr[0], 0, *sockaddr[2:]))
        return True
    return False
