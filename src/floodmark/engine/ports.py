"""The source ports of this host: how many there are, which of them a worker takes, and whether they come to an end.

A connection is told from others by both addresses and both ports, so each source address has all ports to one server
for itself. Who closes first keeps its port in TIME_WAIT for a minute. Files of the kernel are read; nothing is sent.
"""

import errno
import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from floodmark.engine.dial import bind_address, choose_ports
from floodmark.engine.endpoint import Endpoint

PROC = Path("/proc")

NEAR_SHARE = 0.8
"""Above this share of the ports in use they may run out: not all in TIME_WAIT are in the way; others connect, too."""

LOOPBACK_ONLY = 2
"""tcp_tw_reuse, Linux 4.19: where both ends are on loopback a port in TIME_WAIT is taken again after a second."""

SOCKSTAT_BYTES = 4_096
"""The file has six short lines."""

Bounds = tuple[int, int]
"""The lowest and the highest, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPorts:
    """The ports from `low` to `high`, without the `reserved` ones among them."""

    low: int
    high: int
    reserved: tuple[Bounds, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """As `Dial.ports` has them."""
        return self.low, self.high

    @property
    def count(self) -> int:
        """How many connections from one address to one server there can be at once."""
        overlaps = (min(self.high, high) - max(self.low, low) + 1 for low, high in self.reserved)
        return self.high - self.low + 1 - sum(max(overlap, 0) for overlap in overlaps)

    def part(self, slot: int, slots: int) -> "LocalPorts":
        """Part `slot` (from 0) of `slots` that differ by one port at the most; all of it where there are too few."""
        size = self.high - self.low + 1
        if size < slots:
            return self
        low, end = (self.low + size * number // slots for number in (slot, slot + 1))
        return LocalPorts(low=low, high=end - 1, reserved=self.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortShare:
    """A worker's part: `bounds` for `Dial.ports`, None where this kernel knows no ranges.

    `ports` is how many connections it can have at once to one server, over all its source addresses; where the kernel
    cannot keep workers apart, its share of what they have together.
    """

    bounds: Bounds | None
    ports: int


def read_local_ports(proc: Path = PROC) -> LocalPorts:
    """The ports that this network namespace chooses from, for IPv6, too (ip-sysctl.rst of the kernel)."""
    folder = proc / "sys/net/ipv4"
    low, high = (folder / "ip_local_port_range").read_text().split()
    reserved = (folder / "ip_local_reserved_ports").read_text().strip()
    ranges = (part.partition("-") for part in reserved.split(",") if part)
    return LocalPorts(
        low=int(low), high=int(high), reserved=tuple((int(first), int(last or first)) for first, _, last in ranges)
    )


@lru_cache(maxsize=1)
def has_port_ranges() -> bool:
    """The kernel takes a range of ports per socket (Linux 6.3)."""
    with socket.socket() as tried:
        try:
            choose_ports(tried, (1024, 65_535))
        except OSError:
            return False
    return True


def port_share(sources: tuple[str, ...], slot: int, slots: int) -> PortShare:
    """What worker `slot` (from 0) of the `slots` on this host may use; all of them send from the same addresses.

    A worker that is alone is given all of them, and not left to the kernel's own choice: that takes every other port
    first, and once half of them are in use each connect looks at all of these in vain. Of a range that a socket was
    given it takes the next one that is free (`step` in `__inet_hash_connect`, Linux 6.8; `benchmarks/source_ports.py`).
    """
    ports = read_local_ports()
    addresses = max(len(sources), 1)
    if has_port_ranges():
        part = ports.part(slot, slots)
        return PortShare(bounds=part.bounds, ports=part.count * addresses)
    return PortShare(bounds=None, ports=ports.count * addresses // slots)


class TimeWait:
    """How many sockets of this network namespace are in TIME_WAIT, of IPv6, too.

    The kernel's file is opened once: under load there may be no descriptor left for it. Read from its beginning it is
    made anew each time (seq_file.rst of the kernel).
    """

    def __init__(self, proc: Path = PROC) -> None:
        try:
            self._fd: int | None = os.open(proc / "net/sockstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = None

    def read(self) -> int | None:
        """The number now; None where the kernel does not say, and after `close`."""
        if self._fd is None:
            return None
        try:
            text = os.pread(self._fd, SOCKSTAT_BYTES, 0)
        except OSError:
            return None
        for line in text.splitlines():
            words = line.split()
            if words[:1] == [b"TCP:"] and b"tw" in words:
                return int(words[words.index(b"tw") + 1])
        return None

    def close(self) -> None:
        """Gives the file back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_time_wait(proc: Path = PROC) -> int | None:
    """`TimeWait.read`, once."""
    time_wait = TimeWait(proc)
    try:
        return time_wait.read()
    finally:
        time_wait.close()


def name_of_network(proc: Path = PROC) -> str:
    """The same for all processes that share their source ports, and for no others: boot and network namespace."""
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{(proc / 'self/ns/net').stat().st_ino}"


def usable_sources(sources: tuple[str, ...], endpoint: Endpoint) -> tuple[str, ...]:
    """Those that are this host's, of the endpoint's IP version, and have a way there. Nothing is sent to find out."""
    return tuple(source for source in sources if _leads_to(source, endpoint))


def _leads_to(source: str, endpoint: Endpoint) -> bool:
    with socket.socket(endpoint.family, socket.SOCK_DGRAM) as tried:
        tried.settimeout(0)
        try:
            bind_address(tried, source)
            tried.connect(endpoint.sockaddr)  # of UDP: the route is looked up, and that is all
        except OSError as error:
            return error.errno == errno.EAGAIN  # no UDP port was free, which is another matter
    return True


def reuses_time_wait(endpoint: Endpoint, proc: Path = PROC) -> bool:
    """A port in TIME_WAIT is taken again for this endpoint where no other is left (tcp_tw_reuse in ip-sysctl.rst)."""
    mode = int((proc / "sys/net/ipv4/tcp_tw_reuse").read_text())
    is_loopback = ip_address(str(endpoint.sockaddr[0]).partition("%")[0]).is_loopback
    return mode == 1 or (mode == LOOPBACK_ONLY and is_loopback)


def port_pressure(connections: int, ports: int, time_wait: int | None, *, reuses: bool = False) -> str | None:
    """Words where `connections` planned ones come near to the `ports` there are; None where there is room.

    `time_wait` counts all of the namespace, whatever source and server they belong to: it may be that none of them is
    in the way. Where the kernel `reuses` them (`reuses_time_wait`) they are not counted.
    """
    kept = 0 if reuses else time_wait or 0
    if connections + kept <= ports * NEAR_SHARE:
        return None
    waiting = f" and {kept:,} sockets are in TIME_WAIT" if kept else ""
    fear = "too few" if connections > ports else "they may run out"
    return (
        f"{connections:,} connections are planned{waiting}, and there are {ports:,} source ports: {fear};"
        " give more source addresses (--source) or plan fewer connections"
    )
