"""The addresses that load comes from: ``127.0.0.2-127.0.0.9,10.1.0.0/28`` taken apart. No address is bound here."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from floodmark.core.errors import UsageError

MAX_SOURCES = 4_096
"""Times 28,232 ports each: a hundred million connections from one host are not to be had for other reasons."""

IpAddress = IPv4Address | IPv6Address


def parse_sources(text: str) -> tuple[str, ...]:
    """The addresses in a list of addresses, ranges (both ends included) and networks; empty for an empty text.

    Of an IPv4 network its own and its broadcast address are left out. Each address is there once, in order. Raises
    `UsageError` naming the part that does not fit.
    """
    found: dict[str, None] = {}
    for part in (part.strip() for part in text.split(",")):
        for address in _addresses(part) if part else ():
            found[str(address)] = None
            if len(found) > MAX_SOURCES:
                raise UsageError(f"--source {part}: more than {MAX_SOURCES:,} addresses in all; give fewer")
    return tuple(found)


def _addresses(part: str) -> Iterator[IpAddress]:
    try:
        if "/" in part:
            yield from ip_network(part, strict=False).hosts()
        elif "-" in part:
            yield from _range(part)
        else:
            yield ip_address(part)
    except ValueError as error:
        raise UsageError(
            f"--source {part!r}: {error}; write addresses, ranges or networks, as in 127.0.0.2-127.0.0.9,10.1.0.0/28"
        ) from None


def _range(part: str) -> Iterator[IpAddress]:
    first, last = (ip_address(end.strip()) for end in part.split("-", 1))
    if first.version != last.version:
        raise ValueError("the two ends are of different IP versions")
    if int(last) < int(first):
        raise ValueError("the range ends before it begins")
    for number in range(int(first), int(last) + 1):
        yield type(first)(number)
