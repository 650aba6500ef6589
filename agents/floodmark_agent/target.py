"""The target: the processes behind a port and the sockets they listen on. It counts no connections."""

import os
from collections.abc import Callable, Iterable

from floodmark.core.errors import TargetError
from floodmark.core.sample import ListenerSample
from floodmark_agent.holders import find_holders
from floodmark_agent.inet_diag import MAX_PORTS, TcpListener
from floodmark_agent.proc import ROOT, read_link
from floodmark_agent.tree import ProcessTable, topmost, with_descendants
from floodmark_agent.unix_diag import UnixListener

TREE_EVERY_S = 0.2
OWNERS_EVERY_S = 1.0
# A listener of the port whose holder is not found (another user's, or in no process yet) is looked for this often.
_SEARCHES = 3
_HELP_USER = "run the agent as root or as the target's user, or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
_HELP_ROOT = "this host keeps them from root, too: run the agent outside the container"


class Target:
    """The process tree that serves `port`: with `pid`, that process and all below it; else found by the port.

    Found by the port, its root is the holder of a LISTEN socket of it that has no other holder above; holders that are
    no descendants of it belong to the tree as well. Members and owners are brought up to date by `refresh`, neither
    more often than pays: members every 0.2 s, owners of sockets every second.
    """

    def __init__(self, port: int, *, pid: int | None = None, clock: Callable[[], float], proc: str = ROOT) -> None:
        self.port = port
        self._given_pid = pid
        self._clock = clock
        self._proc = proc
        self._table = ProcessTable(proc)
        self._roots: list[int] = []
        self._owners: dict[int, set[int]] = {}
        self._looked_into: set[int] = set()
        self._searches: dict[int, int] = {}
        self._listening: frozenset[int] = frozenset()
        self._tree_due_s = self._owners_due_s = 0.0
        self.pids: frozenset[int] = frozenset()
        self.notes: tuple[str, ...] = ()

    @property
    def root(self) -> int | None:
        """The first process; None where nobody could be found to hold the port."""
        return self._roots[0] if self._roots else None

    def find(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> None:
        """Finds the tree anew. Raises `TargetError` where there is nothing to watch."""
        self._table.refresh()
        inodes = {row.inode for row in tcp if row.port == self.port}
        if self._given_pid is None:
            self._find_by_port(inodes)
        else:
            self._find_by_pid(self._given_pid, inodes)
        now_s = self._clock()
        self._tree_due_s, self._owners_due_s = now_s + TREE_EVERY_S, now_s + OWNERS_EVERY_S
        self._refresh_members()
        self._refresh_owners({*inodes, *(row.inode for row in tcp), *(row.inode for row in unix)})
        if self._given_pid is not None and not self._holds(inodes):
            self._no_holder_in_tree(self._given_pid, inodes)
        self.notes = tuple(self._make_notes(is_held=self._holds(inodes)))

    def refresh(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> None:
        """Brings members and owners up to date as far as they are due."""
        now_s = self._clock()
        if now_s >= self._tree_due_s:
            self._tree_due_s = now_s + TREE_EVERY_S
            self._table.refresh()
            self._refresh_members()
        if now_s >= self._owners_due_s:
            self._owners_due_s = now_s + OWNERS_EVERY_S
            self._refresh_owners({*(row.inode for row in tcp), *(row.inode for row in unix)})
            self._search_new_holders({row.inode for row in tcp if row.port == self.port})

    def listeners(self, tcp: Iterable[TcpListener], unix: Iterable[UnixListener]) -> tuple[ListenerSample, ...]:
        """The target's own among all listeners, the asked-for port first."""
        ours = [
            self._sample(row, row.family, outer=row.port == self.port)
            for row in tcp
            if row.port == self.port or self._owned(row.inode)
        ]
        ours += [self._sample(row, "unix", outer=False) for row in unix if self._owned(row.inode)]
        return tuple(sorted(ours, key=lambda sample: (not sample.outer, sample.address, sample.inode)))

    def ports(self, tcp: Iterable[TcpListener]) -> tuple[int, ...]:
        """The asked-for port, then every other TCP port that the tree listens on, at most `MAX_PORTS` in all."""
        inner = {row.port for row in tcp if row.port != self.port and self._owned(row.inode)}
        return (self.port, *sorted(inner)[: MAX_PORTS - 1])

    def _find_by_port(self, inodes: set[int]) -> None:
        if not inodes:
            raise TargetError(f"nothing listens on TCP port {self.port} here; start the server first, or check --port")
        holders = self._search(inodes)
        self._roots = topmost(holders, self._table.parents)

    def _find_by_pid(self, pid: int, inodes: set[int]) -> None:
        if pid not in self._table.parents:
            raise TargetError(f"there is no process with id {pid} here; check --pid")
        if self._is_elsewhere(pid):
            raise TargetError(
                f"process {pid} is in another network namespace, whose sockets are not seen from here; "
                f"run the agent inside: nsenter --net --target {pid} floodmark-agent ..."
            )
        if not inodes:
            raise TargetError(f"nothing listens on TCP port {self.port} here, process {pid} or other; check --port")
        self._roots = [pid]

    def _is_elsewhere(self, pid: int) -> bool:
        mine, theirs = (read_link(f"{self._proc}/{name}/ns/net") for name in ("self", pid))
        return theirs is not None and theirs != mine

    def _no_holder_in_tree(self, pid: int, inodes: set[int]) -> None:
        """The port is not held inside the given tree: where others are seen to hold it, the tree is the wrong one."""
        others = sorted(self._search(inodes))
        if others:
            raise TargetError(
                f"process {pid} and those below it do not listen on port {self.port}, process {others[0]} does; "
                f"give --pid {others[0]}, or leave --pid out"
            )

    def _search(self, inodes: set[int]) -> set[int]:
        """Looks for holders among all processes of the host."""
        holders, _ = find_holders(inodes, self._table.parents, self._proc)
        return {pid for pids in holders.values() for pid in pids}

    def _search_new_holders(self, inodes: set[int]) -> None:
        """A restarted server, or one more process that shares the port: nobody of the tree holds the new socket."""
        lost = {inode for inode in inodes if not self._owned(inode) and self._searches.get(inode, 0) < _SEARCHES}
        if not lost or self._given_pid is not None:
            return
        for inode in lost:
            self._searches[inode] = self._searches.get(inode, 0) + 1
        holders = self._search(lost)
        alive = [pid for pid in self._roots if pid in self._table.parents]
        self._roots = topmost({*alive, *holders}, self._table.parents)
        self._refresh_members()
        self._refresh_owners(set(self._listening))

    def _refresh_members(self) -> None:
        # A member stays one while it is alive, whoever its parent is now, and even where the root has ended.
        self.pids = frozenset(with_descendants({*self._roots, *self.pids}, self._table.parents))

    def _refresh_owners(self, listening: set[int]) -> None:
        """Looks into new members, and into all of them where there is a new listener: nobody else can have changed."""
        new = listening - self._listening
        pids = self.pids if new else self.pids - self._looked_into
        holders, _ = find_holders(listening, pids, self._proc)
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
                f"no process is seen to hold port {self.port}: its threads, open files and inner lines are not seen; "
                f"{_help()}, or name its first process with --pid"
            )
        _, closed = find_holders((), self.pids, self._proc)
        if closed:
            yield f"the sockets of {_some(closed)} may not be looked into: its inner lines are not seen; {_help()}"
        elif self._roots and not is_held:
            yield f"nobody below process {self.root} is seen to hold port {self.port}; check --pid, or {_help()}"


def _help() -> str:
    return _HELP_USER if os.geteuid() else _HELP_ROOT


def _some(pids: list[int]) -> str:
    """``process 7``, or ``process 7 and 3 more``."""
    return f"process {pids[0]}" + (f" and {len(pids) - 1} more" if len(pids) > 1 else "")
