"""What this process may not see, and which right would show it. It asks for none and drops none."""

import os
from collections.abc import Sequence

# include/uapi/linux/capability.h
_NAMES = {
    2: "CAP_DAC_READ_SEARCH",
    19: "CAP_SYS_PTRACE",
    21: "CAP_SYS_ADMIN",
    38: "CAP_PERFMON",
    39: "CAP_BPF",
}
# Listing another user's /proc/<pid>/fd takes the first, following a link in it the second (proc(5)).
FOR_SOCKETS = (2, 19)
# Seeing another user's /proc/<pid>/ns/net takes the first, setns(2) into it the second.
FOR_NETWORKS = (19, 21)
# Loading a program takes the first, that it may read the kernel's memory the second; the third stands for both.
_FOR_WALK, _INSTEAD = (39, 38), 21


def missing(needed: Sequence[int]) -> list[str]:
    """The names of the capabilities among `needed` that this process does not have."""
    held = parse_effective(_status())
    return [_NAMES[number] for number in needed if not held >> number & 1]


def missing_for_walk() -> list[str]:
    """The names of the capabilities that this process would need to count connections by a walk."""
    return missing(_FOR_WALK) if missing([_INSTEAD]) else []


def parse_effective(status: str) -> int:
    """The effective capabilities in ``/proc/<pid>/status`` as bits; 0 where there is no such line."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            try:
                return int(value, 16)
            except ValueError:
                return 0
    return 0


def help_with_sockets() -> str:
    """What would let the agent see whose sockets are whose."""
    lacking = missing(FOR_SOCKETS)
    if not lacking:
        return "this host keeps them from root, too: run the agent outside the container"
    return f"run the agent as the target's user, or give it {' and '.join(lacking)}"


def help_with_networks() -> str:
    """What would let the agent look into other network namespaces."""
    lacking = missing(FOR_NETWORKS)
    if not lacking:
        return "run the agent outside the container"
    words = " and ".join(lacking)
    return f"run the agent inside, with nsenter --net --target PID floodmark-agent ..., or give it {words}"


def some(pids: Sequence[int]) -> str:
    """``process 7``, or ``process 7 and 3 more``."""
    return f"process {pids[0]}" + (f" and {len(pids) - 1} more" if len(pids) > 1 else "")


def _status() -> str:
    try:
        with open(f"/proc/{os.getpid()}/status", encoding="utf-8") as file:  # noqa: PTH123  as proc.py reads
            return file.read()
    except OSError:
        return ""
