"""What this machine's kernel allows, read from /proc and getrlimit. Reading only: `limits` says what is enough."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.system import usable_cores

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The limits in force for this process and in its namespaces; None where the kernel does not say, or sets none.

    `ports` counts those that a client address may use, reserved ones taken off. `pids_max` is the tightest of this
    process' cgroup and those above it.
    """

    nofile_soft: int | None = None
    nofile_hard: int | None = None
    nproc_soft: int | None = None
    ports: int | None = None
    somaxconn: int | None = None
    tcp_max_syn_backlog: int | None = None
    tcp_syncookies: int | None = None
    conntrack_max: int | None = None
    conntrack_count: int | None = None
    memory_available_bytes: int | None = None
    pid_max: int | None = None
    threads_max: int | None = None
    max_map_count: int | None = None
    pids_max: int | None = None
    cores: int = 1


def read_host_facts(proc: Path = PROC, cgroup: Path = CGROUP) -> HostFacts:
    """The facts of the machine whose /proc and cgroup tree these are; rlimits and cores are this process'."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    net = proc / "sys/net"
    return HostFacts(
        nofile_soft=_limit(soft),
        nofile_hard=_limit(hard),
        nproc_soft=_limit(resource.getrlimit(resource.RLIMIT_NPROC)[0]) if os.geteuid() else None,  # root is exempt
        ports=count_ports(_text(net / "ipv4/ip_local_port_range"), _text(net / "ipv4/ip_local_reserved_ports")),
        somaxconn=_number(net / "core/somaxconn"),
        tcp_max_syn_backlog=_number(net / "ipv4/tcp_max_syn_backlog"),
        tcp_syncookies=_number(net / "ipv4/tcp_syncookies"),
        conntrack_max=_number(net / "netfilter/nf_conntrack_max"),
        conntrack_count=_number(net / "netfilter/nf_conntrack_count"),
        memory_available_bytes=parse_available(_text(proc / "meminfo")),
        pid_max=_number(proc / "sys/kernel/pid_max"),
        threads_max=_number(proc / "sys/kernel/threads-max"),
        max_map_count=_number(proc / "sys/vm/max_map_count"),
        pids_max=_pids_max(_text(proc / "self/cgroup"), cgroup),
        cores=usable_cores(),
    )


def count_ports(local_range: str | None, reserved: str | None) -> int | None:
    """Ports for clients: ``32768 60999`` less the reserved ones in it (``8080,40000-40100``)."""
    if not local_range:
        return None
    low, high = map(int, local_range.split())
    return high - low + 1 - sum(_overlap(part, low, high) for part in (reserved or "").split(",") if part.strip())


def _overlap(part: str, low: int, high: int) -> int:
    first, _, last = part.strip().partition("-")
    return max(0, min(high, int(last or first)) - max(low, int(first)) + 1)


def parse_available(meminfo: str | None) -> int | None:
    """MemAvailable of /proc/meminfo, which is in kB (meaning 1,024 bytes)."""
    for line in (meminfo or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1_024
    return None


def parse_cgroup_path(text: str | None) -> str | None:
    """The cgroup v2 path in /proc/self/cgroup: the line ``0::/path``."""
    lines = (line.partition("0::") for line in (text or "").splitlines())
    return next((path for before, found, path in lines if found and not before), None)


def _pids_max(own_cgroup: str | None, root: Path) -> int | None:
    path = parse_cgroup_path(own_cgroup)
    if path is None:
        return None
    own = root / path.strip("/")
    folders = [own, *own.parents]
    limits = [_number(folder / "pids.max") for folder in folders[: folders.index(root) + 1]]
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(value: int) -> int | None:
    return None if value == resource.RLIM_INFINITY else value


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:  # this kernel has no such setting, or this container hides it
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdecimal() else None
