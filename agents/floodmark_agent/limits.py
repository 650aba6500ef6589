"""Limits in force on the target: its process' own, its network namespace's, its control group's. It sets none."""

from collections.abc import Collection

from floodmark.core.sample import TargetLimits
from floodmark_agent.proc import ROOT, list_numbers, read_text
from floodmark_agent.rights import parse_effective

CGROUPS = "/sys/fs/cgroup"

# include/uapi/linux/capability.h: CAP_SYS_ADMIN, CAP_SYS_RESOURCE. One of them is enough (kernel/fork.c).
_BEYOND_TASKS = 1 << 21 | 1 << 24


def read_limits(
    pid: int, proc: str = ROOT, cgroups: str = CGROUPS, *, target: Collection[int] | None = None
) -> TargetLimits:
    """What can be read of them; `target` are all of its processes, `pid` alone without.

    ``/proc/sys/net`` speaks of the calling thread's network namespace (see `inside`).
    """
    own = parse_limits(read_text(f"{proc}/{pid}/limits") or "")
    net = f"{proc}/sys/net"
    status = read_text(f"{proc}/{pid}/status") or ""
    processes = own.get("Max processes") if is_bound(status) else None
    uid = real_uid(status)
    return TargetLimits(
        pid=pid,
        open_files=own.get("Max open files"),
        processes=processes,
        somaxconn=_number(read_text(f"{net}/core/somaxconn")),
        tcp_max_syn_backlog=_number(read_text(f"{net}/ipv4/tcp_max_syn_backlog")),
        tcp_syncookies=_number(read_text(f"{net}/ipv4/tcp_syncookies")),
        tcp_abort_on_overflow=_number(read_text(f"{net}/ipv4/tcp_abort_on_overflow")),
        pids_max=_pids_max(read_text(f"{proc}/{pid}/cgroup") or "", cgroups),
        other_tasks=None if processes is None or uid is None else other_tasks(uid, target or (pid,), proc),
    )


def is_bound(status: str) -> bool:
    """Whether RLIMIT_NPROC binds the process with this ``/proc/<pid>/status``: not root, nor who may pass limits.

    Root of a user namespace of its own is bound, too, and is taken for root here: too little is said then.
    """
    return real_uid(status) != 0 and not parse_effective(status) & _BEYOND_TASKS


def real_uid(status: str) -> int | None:
    """The user whom RLIMIT_NPROC counts for, the first of four in ``/proc/<pid>/status``; None: it does not say."""
    return _first(status, "Uid")


def other_tasks(uid: int, target: Collection[int], proc: str = ROOT) -> int:
    """How many processes and threads a user has beside the target's."""
    texts = (read_text(f"{proc}/{pid}/status") for pid in list_numbers(proc) or () if pid not in target)
    return sum(_first(text, "Threads") or 0 for text in texts if text is not None and real_uid(text) == uid)


def _first(status: str, name: str) -> int | None:
    """The first number of a line of ``/proc/<pid>/status``."""
    lines = (line.partition(":") for line in status.splitlines())
    return next((_number(rest.partition("\t")[2].partition("\t")[0]) for head, _, rest in lines if head == name), None)


def parse_limits(text: str) -> dict[str, int | None]:
    """The soft limits of ``/proc/<pid>/limits`` by name; None where unlimited. Its columns are 26, 21, 21, 10 wide."""
    return {line[:25].strip(): _number(line[26:46]) for line in text.splitlines()[1:]}


def parse_pids_folders(text: str) -> list[str]:
    """The folders, innermost first, that may limit a process' group: of the one tree of cgroup v2, or v1's ``pids``."""
    folders = []
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            folders += _upwards("", path)
        elif "pids" in controllers.split(","):
            folders += _upwards("/pids", path)
    return folders


def _upwards(mount: str, path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return [mount + "".join(f"/{part}" for part in parts[:length]) for length in range(len(parts), -1, -1)]


def _pids_max(membership: str, cgroups: str) -> int | None:
    """The tightest of the group's and those above: each of them counts (cgroup-v2.rst, PID)."""
    texts = [read_text(f"{cgroups}{folder}/pids.max") for folder in parse_pids_folders(membership)]
    return min((number for text in texts if (number := _number(text)) is not None), default=None)


def _number(text: str | None) -> int | None:
    """The number; None for ``unlimited``, ``max`` and a file that cannot be read."""
    word = (text or "").strip()
    return int(word) if word.isascii() and word.isdecimal() else None
