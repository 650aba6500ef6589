"""Which processes there are and whose children they are. It knows no sockets and counts nothing."""

from collections.abc import Iterable, Mapping

from floodmark_agent.proc import ROOT, list_numbers, read_text
from floodmark_agent.process_stat import parse_stat


class ProcessTable:
    """Process id to parent id, brought up to date by reading new processes only.

    A process keeps the parent it had when it was first seen: one whose parent ends is handed to init (or a subreaper),
    and still is a part of the tree that it was born in.
    """

    def __init__(self, proc: str = ROOT) -> None:
        self._proc = proc
        self.parents: dict[int, int] = {}

    def refresh(self) -> set[int]:
        """Forgets processes that are gone, reads those that are new, and says which these are."""
        alive = list_numbers(self._proc) or []
        known = self.parents
        self.parents = {pid: known[pid] for pid in alive if pid in known}
        for pid in alive:
            if pid not in known:
                self._add(pid)
        return self.parents.keys() - known.keys()

    def _add(self, pid: int) -> None:
        text = read_text(f"{self._proc}/{pid}/stat")
        if text is not None:
            self.parents[pid] = parse_stat(text).parent


def topmost(pids: Iterable[int], parents: Mapping[int, int]) -> list[int]:
    """Those of `pids` that have no other of them above, in order of id."""
    group = set(pids)
    return sorted(pid for pid in group if not any(above in group for above in ancestors(pid, parents)))


def ancestors(pid: int, parents: Mapping[int, int]) -> Iterable[int]:
    """Parent, grandparent and so on, as far as they are known."""
    seen = {pid}
    while (pid := parents.get(pid, 0)) and pid not in seen:
        seen.add(pid)
        yield pid


def with_descendants(roots: Iterable[int], parents: Mapping[int, int]) -> set[int]:
    """`roots` that are alive, and everything below each of them, alive or not itself."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found & parents.keys()
