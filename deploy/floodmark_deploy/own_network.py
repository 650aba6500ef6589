"""A network namespace of its own for as long as a ``with`` lasts: kernel settings for one run, never the host's.

A process that the calling thread starts meanwhile is in it, and so is every socket that this thread makes; other
threads stay where they are. The namespace goes when its last process has gone. Only root may make one.
"""

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from floodmark.core.errors import MissingRuntimeError, PlanError

PROC = Path("/proc")
SETTINGS = Path("/proc/sys")
OWN_NETWORK = Path("/proc/thread-self/ns/net")
"""Of the calling thread: ``/proc/self`` is that of the process' first one."""

CLONE_NEWNET = 0x40000000
"""include/uapi/linux/sched.h."""

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
"""include/uapi/linux/capability.h: the first to bring the loopback up and to set, the second to make and to enter."""

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
"""include/uapi/linux/sockios.h and if.h; netdevice(7) has the request's shape."""

REMEDY = "run as root: its kernel settings are made in a network namespace of its own"


@contextlib.contextmanager
def own_network(settings: Mapping[str, str]) -> Iterator[None]:
    """Puts the calling thread into a new network with these sysctl settings, and back at the end, whatever happens.

    Settings that are not named are the kernel's defaults, not the host's. Without any setting nothing is done. Raises
    `MissingRuntimeError` where this process may not do it, `PlanError` for a setting that a network does not have.
    """
    if not settings:
        yield
        return
    home = _open(OWN_NETWORK)
    try:
        _make()
        try:
            _raise_loopback()
            for name, value in settings.items():
                _set(name, value)
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


@contextlib.contextmanager
def network_of(pid: int) -> Iterator[None]:
    """Puts the calling thread into the network of a process, and back at the end. Raises `OSError` where it may not."""
    with contextlib.ExitStack() as descriptors:
        home = _open(OWN_NETWORK)
        descriptors.callback(os.close, home)
        other = _open(PROC / str(pid) / "ns/net")
        descriptors.callback(os.close, other)
        _enter(other)
        try:
            yield
        finally:
            _enter(home)


def may_have_own_network(proc: Path = PROC) -> bool:
    """True where this process has the powers that it takes; root has them, in most containers it has not."""
    try:
        status = (proc / "self/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # no Linux
        return False
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            powers = int(line.split()[1], 16)
            return all(powers >> power & 1 for power in (CAP_NET_ADMIN, CAP_SYS_ADMIN))
    return False


def setting_path(name: str, root: Path = SETTINGS) -> Path:
    """``net.ipv4.tcp_syncookies`` is ``/proc/sys/net/ipv4/tcp_syncookies``."""
    return root.joinpath(*name.split("."))


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _make() -> None:
    """unshare(2) for the calling thread alone. Python has it from 3.12 on."""
    if _call("unshare", CLONE_NEWNET):
        raise MissingRuntimeError(f"a network namespace cannot be made: {os.strerror(_errno())}; {REMEDY}")


def _enter(descriptor: int) -> None:
    """setns(2), likewise. Raises `OSError`."""
    if _call("setns", descriptor, CLONE_NEWNET):
        raise OSError(_errno(), f"cannot enter a network namespace: {os.strerror(_errno())}")


def _call(name: str, *arguments: int) -> int:
    # Here, not above: few runs need it.
    import ctypes  # noqa: PLC0415

    return int(getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments))


def _errno() -> int:
    import ctypes  # noqa: PLC0415

    return ctypes.get_errno()


def _raise_loopback() -> None:
    """A new network has a loopback of its own, which is down; its addresses 127.0.0.1 and ::1 come with it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def _set(name: str, value: str) -> None:
    """``/proc/sys/net`` shows the network of the thread that opens a file there."""
    path = setting_path(name)
    try:
        path.write_text(f"{value}\n", encoding="ascii")
        kept = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        raise PlanError(f"limits.sysctl has {name!r}: {path} is no setting of a network namespace here") from None
    except OSError as error:
        if error.errno == errno.EROFS:  # a container's
            raise MissingRuntimeError(f"{path} is read-only here; {REMEDY}") from None
        words = f"limits.sysctl: {name} cannot be set to {value!r} in a network namespace: {error.strerror}"
        raise PlanError(f"{words}; give another value, or leave it out") from None
    if kept != value.split():
        raise PlanError(f"limits.sysctl: {name} was set to {value!r}, and the kernel made {' '.join(kept)!r} of it")
