"""The target: the processes that are meant or hold the port, and what they listen on. It counts no connections."""

from collections.abc import Callable, Iterable

from floodmark.core.command_line import CommandLine
from floodmark.core.errors import TargetError
from floodmark.core.sample import ListenerSample
from floodmark_agent.command_lines import read_command_lines
from floodmark_agent.holders import find_holders
from floodmark_agent.inet_diag import MAX_PORTS, TcpListener
from floodmark_agent.proc import ROOT, ProcessIds
from floodmark_agent.rights import help_with_sockets, some
from floodmark_agent.selector import Selector
from floodmark_agent.tree import ProcessTable, topmost, with_descendants
from floodmark_agent.unix_diag import UnixListener

TREE_EVERY_S = 0.2
OWNERS_EVERY_S = 1.0
# A listener of the port whose holder is not found (another user's, or in no process yet) is looked for this often.
_SEARCHES = 3
# How many descriptors of a process are looked at for a listener that is new: on a busy host others' come and go all the
# time, and a server with 10,000 connections has as many descriptors. Its own are opened first, so have low numbers.
_DESCRIPTORS = 128
# A new process is looked at this often: it may be between fork and exec, with the command line of the one above it.
_LOOKS = 3


class Target:
    """The process tree that serves the ports: of the processes that the selector names, or found by the first port.

    Found by the port, its roots are the holders of a LISTEN socket of it that have no other holder above; holders that
    are no descendants of one belong to the tree as well. Where no port is given, the ones that the tree listens on are
    taken. Members and owners are brought up to date by `refresh`, neither more often than pays: members every 0.2 s,
    owners of sockets every second.
    """

    def __init__(self, selector: Selector, *, clock: Callable[[], float], proc: str = ROOT) -> None:
        self._selector = selector
        self._clock = clock
        self._proc = proc
        self._table = ProcessTable(proc)
        self._ids = ProcessIds(proc)
        self._roots: list[int] = []
        self._owners: dict[int, set[int]] = {}
        self._looked_into: set[int] = set()
        self._searches: dict[int, int] = {}
        self._young: dict[int, int] = {}
        self._listening: frozenset[int] = frozenset()
        self._outer: frozenset[int] = frozenset()
        self._tree_due_s = self._owners_due_s = 0.0
        self.outer_ports: tuple[int, ...] = selector.ports
        self._lead = selector.lead
        self.pids: frozenset[int] = frozenset()
        self.notes: tuple[str, ...] = ()

    @property
    def root(self) -> int | None:
        """The first process; None where nobody could be found to hold the port."""
        return self._roots[0] if self._roots else None

    @property
    def has_ended(self) -> bool:
        """True where there were processes, and all of them are gone."""
        return bool(self._roots) and not self.pids

    def find(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> None:
        """Finds the tree anew. Raises `TargetError` where there is nothing to watch."""
        tcp, unix = tuple(tcp), tuple(unix)
        self._table.refresh()
        inodes = self._outer_inodes(tcp)
        if self._selector.names_processes:
            self._find_by_name(inodes)
        else:
            self._find_by_port(inodes)
        now_s = self._clock()
        self._tree_due_s, self._owners_due_s = now_s + TREE_EVERY_S, now_s + OWNERS_EVERY_S
        self._refresh_members()
        self._refresh_owners({*inodes, *(row.inode for row in tcp), *(row.inode for row in unix)})
        if not self._selector.ports:
            self._take_own_ports(tcp, unix)
        elif self._selector.names_processes:
            self._narrow(inodes)
        self.notes = tuple(self._make_notes(is_held=self._holds(self._outer_inodes(tcp))))

    def close(self) -> None:
        """Gives the file that is kept back."""
        self._ids.close()

    def refresh(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> None:
        """Brings members and owners up to date as far as they are due."""
        tcp = tuple(tcp)
        self._outer = frozenset(self._outer_inodes(tcp))
        now_s = self._clock()
        owners_are_due = now_s >= self._owners_due_s
        if now_s >= self._tree_due_s:
            self._tree_due_s = now_s + TREE_EVERY_S
            self._refresh_table(even_if_nothing_started=owners_are_due)
        if owners_are_due:
            self._owners_due_s = now_s + OWNERS_EVERY_S
            self._refresh_owners({*(row.inode for row in tcp), *(row.inode for row in unix)})
            self._search_new_holders(set(self._outer))

    def listeners(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> tuple[ListenerSample, ...]:
        """The target's own among all listeners, the asked-for ports first."""
        ours = [
            self._sample(row, row.family, outer=row.port in self.outer_ports and self._lead in {None, row.port})
            for row in tcp
            if row.port in self.outer_ports or self._owned(row.inode)
        ]
        ours += [self._sample(row, "unix", outer=False) for row in unix if self._owned(row.inode)]
        return tuple(sorted(ours, key=lambda sample: (not sample.outer, sample.address, sample.inode)))

    def owns(self, inode: int) -> bool:
        """True for a listener that `listeners` would name."""
        return inode in self._outer or self._owned(inode)

    def ports(self, tcp: Iterable[TcpListener]) -> tuple[int, ...]:
        """The asked-for ports, then every other TCP port that the tree listens on, at most `MAX_PORTS` in all."""
        inner = {row.port for row in tcp if row.port not in self.outer_ports and self._owned(row.inode)}
        return (*self.outer_ports, *sorted(inner))[:MAX_PORTS]

    def command_lines(self) -> tuple[CommandLine, ...]:
        """How its processes were started, without secrets."""
        return read_command_lines(self._roots, self.pids, self._table.parents, self._proc)

    def _outer_inodes(self, tcp: Iterable[TcpListener]) -> set[int]:
        return {row.inode for row in tcp if row.port in self.outer_ports}

    def _find_by_port(self, inodes: set[int]) -> None:
        if not inodes:
            words = f"nothing listens on TCP {self._port_words} here"
            raise TargetError(f"{words}; start the server first, or check --port")
        self._roots = topmost(self._search(inodes), self._table.parents)

    def _find_by_name(self, inodes: set[int]) -> None:
        found = self._selector.matching(self._selector.others_than_us(self._table.parents), self._proc)
        if not found:
            raise TargetError(f"there is no {self._selector.words} here; check the name, or start the server first")
        if self._selector.ports and not inodes:
            raise TargetError(
                f"nothing listens on TCP {self._port_words} here, {self._selector.words} or other; check --port"
            )
        self._roots = topmost(found, self._table.parents)

    def _narrow(self, inodes: set[int]) -> None:
        """Of several trees of one name, those that hold the port; none where others are seen to hold it."""
        if not self._holds(inodes):
            others = sorted(self._search(inodes))
            if others:
                raise TargetError(
                    f"{self._selector.words} and those below it do not listen on {self._port_words}, "
                    f"process {others[0]} does; give --pid {others[0]}, or --port alone"
                )
            return
        if len(self._roots) > 1:
            holders = {pid for inode in inodes for pid in self._owners.get(inode, ())}
            parents = self._table.parents
            self._roots = [root for root in self._roots if holders & with_descendants([root], parents)]
            self.pids = frozenset()
            self._refresh_members()

    def _take_own_ports(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> None:
        """Those that others can reach come first: these are what the clients connect to."""
        ours = sorted((_is_local(row.host), row.port) for row in tcp if self._owned(row.inode))
        if not ours and not any(self._owned(row.inode) for row in unix):
            raise TargetError(
                f"{self._selector.words} is not seen to listen on anything; wait for it, or {help_with_sockets()}"
            )
        self.outer_ports = tuple(dict.fromkeys(port for is_local, port in ours if is_local == ours[0][0]))[:MAX_PORTS]

    def _search(self, inodes: set[int]) -> set[int]:
        """Looks for holders among all processes of the host."""
        holders, _ = find_holders(inodes, self._table.parents, self._proc)
        return {pid for pids in holders.values() for pid in pids}

    def _search_new_holders(self, inodes: set[int]) -> None:
        """A restarted server, or one more process that shares the port: nobody of the tree holds the new socket."""
        lost = {inode for inode in inodes if not self._owned(inode) and self._searches.get(inode, 0) < _SEARCHES}
        if not lost or self._selector.names_processes:
            return
        for inode in lost:
            self._searches[inode] = self._searches.get(inode, 0) + 1
        self._add_roots(self._search(lost))
        self._refresh_owners(set(self._listening))

    def _add_roots(self, pids: set[int]) -> None:
        alive = [pid for pid in self._roots if pid in self._table.parents]
        self._roots = topmost({*alive, *pids}, self._table.parents) or self._roots
        self._refresh_members()

    def _refresh_table(self, *, even_if_nothing_started: bool) -> None:
        if not (self._ids.some_started() or even_if_nothing_started):
            return
        new = self._table.refresh()
        self._refresh_members()
        if self._selector.names_processes and self._selector.pid is None:
            self._adopt(new)

    def _adopt(self, new: set[int]) -> None:
        """New processes that the selector means: a restarted server, or one more of them."""
        self._young |= dict.fromkeys(new & self._selector.others_than_us(self._table.parents), _LOOKS)
        found = self._selector.matching(self._young, self._proc)
        self._young = {pid: left - 1 for pid, left in self._young.items() if left > 1 and pid not in found}
        if found - self.pids:
            self._add_roots(found)

    def _refresh_members(self) -> None:
        # A member stays one while it is alive, whoever its parent is now, and even where the root has ended.
        self.pids = frozenset(with_descendants({*self._roots, *self.pids}, self._table.parents))

    def _refresh_owners(self, listening: set[int]) -> None:
        """Looks into new members, and into all of them where there is a new listener: nobody else can have changed."""
        new = listening - self._listening
        most = None if new & self._outer or not self._listening else _DESCRIPTORS
        pids = self.pids if new else self.pids - self._looked_into
        holders, _ = find_holders(listening, pids, self._proc, most)
        for inode, found in holders.items():
            self._owners.setdefault(inode, set()).update(found)
        for inode in self._owners.keys() - listening:
            del self._owners[inode]
        self._listening = frozenset(listening)
        self._looked_into = set(self.pids)

    def _owned(self, inode: int) -> bool:
        return inode in self._owners and not self.pids.isdisjoint(self._owners[inode])

    def _holds(self, inodes: set[int]) -> bool:
        return any(self._owned(inode) for inode in inodes)

    def _sample(self, row: TcpListener | UnixListener, family: str, *, outer: bool) -> ListenerSample:
        owners = tuple(sorted(self._owners.get(row.inode, set()) & self.pids))
        return ListenerSample(
            address=row.address,
            family=family,
            inode=row.inode,
            depth=row.depth,
            limit=row.limit,
            outer=outer,
            owners=owners,
        )

    def _make_notes(self, *, is_held: bool) -> Iterable[str]:
        if not self._roots:
            yield (
                f"no process is seen to hold {self._port_words}: its threads, open files and inner lines are not seen; "
                f"{help_with_sockets()}, or name its first process with --pid"
            )
        _, closed = find_holders((), self.pids, self._proc)
        if closed:
            words = f"the sockets of {some(closed)} may not be looked into: its inner lines are not seen"
            yield f"{words}; {help_with_sockets()}"
        elif self._roots and self.outer_ports and not is_held:
            words = f"nobody below process {self.root} is seen to hold {self._port_words}"
            yield f"{words}; check --pid, or {help_with_sockets()}"

    @property
    def _port_words(self) -> str:
        return f"port{'s' * (len(self.outer_ports) > 1)} {', '.join(map(str, self.outer_ports))}"


def _is_local(host: str) -> bool:
    return host == "::1" or host.startswith("127.")
