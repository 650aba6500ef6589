"""The listening sockets, TCP and UNIX, on every beat: all of them a few times a second, the target's own in between.

A dump of all LISTEN rows walks a table of up to 65,536 buckets (tcp_diag_dump in net/ipv4/tcp_diag.c), whatever is in
it; to ask for one socket by its addresses and cookie takes a tenth of that.
"""

from collections.abc import Callable, Iterable

from floodmark_agent.inet_diag import TcpListener, read_listener, read_listeners
from floodmark_agent.netlink import DiagSocket
from floodmark_agent.unix_diag import UnixListener, read_unix_listeners

ALL_EVERY_S = 0.25
"""How long a listener that is new may stay unseen."""
# Beyond, the dump of all is cheaper.
_FEW = 6


class ListenerReader:
    """Reads listeners through one sock_diag socket. Not thread-safe."""

    def __init__(self, diag: DiagSocket, *, sees_unix: bool, clock: Callable[[], float]) -> None:
        self._diag = diag
        self._sees_unix = sees_unix
        self._clock = clock
        self._all_due_s = clock()
        self._tcp: tuple[TcpListener, ...] = ()
        self._unix: tuple[UnixListener, ...] = ()

    def read(self, ours: Callable[[int], bool]) -> tuple[tuple[TcpListener, ...], tuple[UnixListener, ...]]:
        """All listeners; those for whose inode `ours` holds as they are now, the others as of a quarter second ago.

        Raises `OSError` or `WireError` where the kernel does not answer as it should.
        """
        now_s = self._clock()
        if now_s >= self._all_due_s or not self._refresh(ours):
            self._all_due_s = now_s + ALL_EVERY_S
            self._tcp = read_listeners(self._diag)
            self._unix = read_unix_listeners(self._diag) if self._sees_unix else ()
        return self._tcp, self._unix

    def _refresh(self, ours: Callable[[int], bool]) -> bool:
        """Asks for each of ours; False where that cannot be done, or one of them is no longer there."""
        wanted = {row.inode for row in self._tcp if ours(row.inode)}
        if not 0 < len(wanted) <= _FEW or _some_share(self._tcp, wanted):
            return False
        found = {inode: read_listener(self._diag, row) for row in self._tcp if (inode := row.inode) in wanted}
        if None in found.values():
            return False
        self._tcp = tuple(found.get(row.inode) or row for row in self._tcp)
        if any(ours(row.inode) for row in self._unix):
            self._unix = read_unix_listeners(self._diag)
        return True


def _some_share(rows: Iterable[TcpListener], wanted: set[int]) -> bool:
    """True where several of the rows share an address (SO_REUSEPORT): the kernel would pick one of them."""
    addresses = [row.address for row in rows if row.inode in wanted]
    return len(set(addresses)) < len(addresses)
