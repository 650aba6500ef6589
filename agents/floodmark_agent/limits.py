"""Limits in force on the target: its process' own, its network namespace's, its control group's. It sets none."""

from floodmark.core.sample import TargetLimits
from floodmark_agent.proc import ROOT, read_text

CGROUPS = "/sys/fs/cgroup"


def read_limits(pid: int, proc: str = ROOT, cgroups: str = CGROUPS) -> TargetLimits:
    """What can be read of them. ``/proc/sys/net`` speaks of the calling thread's network namespace (see `inside`)."""
    own = parse_limits(read_text(f"{proc}/{pid}/limits") or "")
    net = f"{proc}/sys/net"
    return TargetLimits(
        pid=pid,
        open_files=own.get("Max open files"),
        processes=own.get("Max processes"),
        somaxconn=_number(read_text(f"{net}/core/somaxconn")),
        tcp_max_syn_backlog=_number(read_text(f"{net}/ipv4/tcp_max_syn_backlog")),
        tcp_syncookies=_number(read_text(f"{net}/ipv4/tcp_syncookies")),
        tcp_abort_on_overflow=_number(read_text(f"{net}/ipv4/tcp_abort_on_overflow")),
        pids_max=_pids_max(read_text(f"{proc}/{pid}/cgroup") or "", cgroups),
    )


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
