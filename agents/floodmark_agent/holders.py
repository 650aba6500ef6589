"""Which processes hold which sockets, from the links in ``/proc/<pid>/fd``. It knows neither families nor trees."""

from collections.abc import Iterable

from floodmark_agent.proc import ROOT, list_names, read_link

_PREFIX, _SUFFIX = "socket:[", "]"


def held_sockets(pid: int, proc: str = ROOT, most: int | None = None) -> frozenset[int] | None:
    """The inodes of the sockets that a process has open, among its `most` lowest descriptors where that is given.

    None where it is gone or may not be looked into: listing another user's descriptors takes CAP_DAC_READ_SEARCH,
    following them CAP_SYS_PTRACE.
    """
    descriptors = list_names(f"{proc}/{pid}/fd", most)
    if descriptors is None:
        return None
    inodes = set()
    unreadable = 0
    for descriptor in descriptors:
        link = read_link(f"{proc}/{pid}/fd/{descriptor}")
        if link is None:
            unreadable += 1
        elif (inode := parse_socket_link(link)) is not None:
            inodes.add(inode)
    return None if descriptors and unreadable == len(descriptors) else frozenset(inodes)


def parse_socket_link(link: str) -> int | None:
    """The inode in ``socket:[4711]``; None for anything else."""
    if not (link.startswith(_PREFIX) and link.endswith(_SUFFIX)):
        return None
    number = link[len(_PREFIX) : -len(_SUFFIX)]
    return int(number) if number.isascii() and number.isdecimal() else None


def find_holders(
    inodes: Iterable[int], pids: Iterable[int], proc: str = ROOT, most: int | None = None
) -> tuple[dict[int, set[int]], list[int]]:
    """Who of `pids` holds which of `inodes`, and those that could not be looked into; `most` as in `held_sockets`."""
    wanted = frozenset(inodes)
    holders: dict[int, set[int]] = {}
    unreadable = []
    for pid in pids:
        held = held_sockets(pid, proc, most)
        if held is None:
            unreadable.append(pid)
            continue
        for inode in held & wanted:
            holders.setdefault(inode, set()).add(pid)
    return holders, unreadable
