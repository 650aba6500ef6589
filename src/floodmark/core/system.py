"""What kind of system this process runs on: the load and the agent need Linux, all that steers them does not."""

import os

from floodmark.core.errors import LimitError


def prove_linux(what: str, remedy: str) -> None:
    """Returns on Linux. Raises `LimitError` elsewhere: `what` needs it, and `remedy` is what to do instead."""
    uname = getattr(os, "uname", None)  # Windows has none
    here = uname().sysname if uname else "another system"
    if here != "Linux":
        raise LimitError(f"{what} needs Linux, and this machine runs {here}: {remedy}")


def usable_cores() -> int:
    """Those that this process may use; where the system does not say, all that there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
