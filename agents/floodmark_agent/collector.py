"""One reading of all there is to read about a target, most urgent first. It knows no beat and no bus."""

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass

from floodmark.core.errors import TargetError, WireError
from floodmark.core.sample import ConnectionCounts, ListenerSample, NetCounters, ProcessSample, TargetLimits
from floodmark_agent.inet_diag import read_connections, read_listeners
from floodmark_agent.limits import read_limits
from floodmark_agent.netlink import DiagSocket
from floodmark_agent.netstat import read_counters
from floodmark_agent.processes import ProcessReader
from floodmark_agent.target import Target
from floodmark_agent.unix_diag import UnixListener, read_unix_listeners

_LOG = logging.getLogger(__name__)
# The kernel's answers where the module for a socket family is neither built in nor loadable.
_NOT_THERE = {errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read; `socket_s` is the middle of the connection dump on the agent's clock."""

    socket_s: float
    listeners: tuple[ListenerSample, ...]
    connections: tuple[ConnectionCounts, ...]
    processes: tuple[ProcessSample, ...] | None
    counters: NetCounters | None


class Collector:
    """Reads one target again and again. `open_collector` makes one; `close` gives its socket back."""

    def __init__(self, *, target: Target, diag: DiagSocket, clock: Callable[[], float], sees_unix: bool) -> None:
        self._target = target
        self._diag = diag
        self._clock = clock
        self._sees_unix = sees_unix
        self._processes = ProcessReader()
        self._ports: tuple[int, ...] = (target.port,)

    def find(self) -> None:
        """Finds the target. Raises `TargetError` where there is nothing to watch."""
        tcp, unix = read_listeners(self._diag), self._read_unix()
        self._target.find(tcp, unix)
        self._ports = self._target.ports(tcp)

    def read(self) -> Reading:
        """One reading. Raises `OSError` or `WireError` where the kernel does not answer as it should."""
        began_s = self._clock()
        connections = read_connections(self._diag, self._ports)
        socket_s = (began_s + self._clock()) / 2
        tcp, unix = read_listeners(self._diag), self._read_unix()
        self._target.refresh(tcp, unix)
        self._ports = self._target.ports(tcp)
        return Reading(
            socket_s=socket_s,
            listeners=self._target.listeners(tcp, unix),
            connections=connections,
            processes=None if self._target.root is None else self._processes.read(self._target.pids),
            counters=self._counters(),
        )

    def limits(self) -> TargetLimits | None:
        """The limits in force; None where the target's first process is not known."""
        return None if self._target.root is None else read_limits(self._target.root)

    def notes(self) -> tuple[str, ...]:
        """What cannot be seen, and what would help."""
        unseen = () if self._sees_unix else ("this kernel has no unix_diag: UNIX listeners are not seen",)
        return (*self._target.notes, *unseen)

    def close(self) -> None:
        """Gives the socket back."""
        self._diag.close()

    def _read_unix(self) -> tuple[UnixListener, ...]:
        return read_unix_listeners(self._diag) if self._sees_unix else ()

    def _counters(self) -> NetCounters | None:
        # The sockets that are dumped are those of this process' namespace: it stands in for a target that has ended.
        return read_counters(self._target.root) or read_counters(None)


def open_collector(port: int, *, pid: int | None, clock: Callable[[], float]) -> Collector:
    """A collector whose target is found. Raises `TargetError` where there is none, or the kernel cannot be asked."""
    try:
        diag = DiagSocket()
    except OSError as error:
        raise TargetError(f"this kernel has no sock_diag ({error.strerror}); `modprobe tcp_diag` may load it") from None
    try:
        read_listeners(diag)
        target = Target(port, pid=pid, clock=clock)
        collector = Collector(target=target, diag=diag, clock=clock, sees_unix=_has_unix(diag))
        collector.find()
    except (OSError, WireError) as error:
        diag.close()
        raise TargetError(f"the kernel's sockets cannot be read: {error}; `modprobe tcp_diag` may help") from None
    except TargetError:
        diag.close()
        raise
    return collector


def _has_unix(diag: DiagSocket) -> bool:
    try:
        read_unix_listeners(diag)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        _LOG.debug("no unix_diag: %s", error)
        return False
    return True
