"""Whether a host is this machine alone. Names are looked up here."""

import ipaddress
import socket


def is_loopback(host: str) -> bool:
    """All that the host's name stands for is loopback; False for a name that stands for nothing, and for ``*``."""
    try:
        found = {str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host.strip("[]"), None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)
