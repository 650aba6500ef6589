"""Network namespaces: which one a process is in, and doing something inside it. The agent itself never moves."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from floodmark_agent.proc import ROOT, read_link

T = TypeVar("T")

# include/uapi/linux/sched.h
_CLONE_NEWNET = 0x40000000


def network_of(pid: int | None, proc: str = ROOT) -> str | None:
    """The namespace's name, ``net:[4026531840]``; this process' own without `pid`.

    None where the process is gone, or another user's and CAP_SYS_PTRACE is missing.
    """
    return read_link(f"{proc}/{'self' if pid is None else pid}/ns/net")


def other_networks(pids: Iterable[int], proc: str = ROOT) -> tuple[dict[str, int], int]:
    """The namespaces that `pids` are in beside our own, each with one of them; and how many could not be looked at."""
    own = network_of(None, proc)
    found: dict[str, int] = {}
    unseen = 0
    for pid in pids:
        name = network_of(pid, proc)
        if name is None:
            unseen += 1
        elif name != own:
            found.setdefault(name, pid)
    return found, unseen


def inside(pid: int | None, work: Callable[[], T], proc: str = ROOT) -> T:
    """Does `work` in a process' network namespace, in a thread that ends with it; a socket made there stays there.

    Raises what `work` raises, and `OSError` where the namespace may not be entered (CAP_SYS_ADMIN) or is gone.
    """
    if pid is None:
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _enter(f"{proc}/{pid}/ns/net")
            results.append(work())
        except BaseException as error:  # noqa: BLE001  handed on below, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(path: str) -> None:
    """setns(2) for the calling thread alone. Python has it from 3.12 on."""
    # Here, not above: it costs memory, and few targets are elsewhere.
    import ctypes  # noqa: PLC0415

    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
    finally:
        os.close(descriptor)
