"""All there is to read about one target in one network namespace. It knows no beat, no budget and no bus."""

import errno
import logging
from collections.abc import Callable
from contextlib import ExitStack, closing

from floodmark.core.command_line import CommandLine
from floodmark.core.errors import TargetError, WireError
from floodmark.core.sample import ConnectionCounts, TargetLimits
from floodmark_agent.counting import BY_DUMP, Counting, open_counter
from floodmark_agent.inet_diag import TcpListener, read_listeners
from floodmark_agent.limits import CGROUPS, read_limits
from floodmark_agent.listeners import ListenerReader
from floodmark_agent.namespace import inside, network_of
from floodmark_agent.netlink import DiagSocket
from floodmark_agent.netstat import CounterReader
from floodmark_agent.proc import ROOT
from floodmark_agent.processes import ProcessReader
from floodmark_agent.sampler import Glance
from floodmark_agent.target import Target
from floodmark_agent.unix_diag import read_unix_listeners

_LOG = logging.getLogger(__name__)
# The kernel's answers where the module for a socket family is neither built in nor loadable.
_NOT_THERE = {errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP}


class Collector:
    """Reads one target again and again; `close` gives its socket and files back.

    `network_pid` is a process in the network namespace that is looked into, None for this process' own.
    """

    def __init__(
        self,
        target: Target,
        *,
        network_pid: int | None,
        clock: Callable[[], float],
        counting: Counting = BY_DUMP,
        proc: str = ROOT,
    ) -> None:
        """Opens the sockets. Raises `TargetError` where the kernel cannot be asked."""
        self._target = target
        self._network_pid = network_pid
        self._clock = clock
        self._proc = proc
        self._network = network_of(network_pid, proc)
        self._opened = ExitStack()
        keep = self._opened.enter_context
        keep(closing(target))
        self._diag = keep(closing(_open_diag(network_pid, proc)))
        self._counters = keep(closing(CounterReader(network_pid, proc)))
        self._processes = keep(closing(ProcessReader(proc)))
        self._ports: tuple[int, ...] = ()
        try:
            self._sees_unix = _has_unix(self._diag)
            self._listeners = ListenerReader(self._diag, sees_unix=self._sees_unix, clock=clock)
            tcp, unix = self._listeners.read(target.owns)
            target.find(tcp, unix)
            self._ports = target.ports(tcp)
            self._counter = keep(closing(open_counter(counting, self._diag, network_pid, proc)))
        except (OSError, WireError) as error:
            self.close()
            raise TargetError(f"the kernel's sockets cannot be read: {error}; `modprobe tcp_diag` may help") from None
        except TargetError:
            self.close()
            raise

    def is_lost(self) -> bool:
        """True where the target had processes and all of them are gone, or in other network namespaces by now."""
        if self._target.has_ended:
            return True
        pids = self._target.pids
        return bool(pids) and all(network_of(pid, self._proc) not in {self._network, None} for pid in pids)

    def glance(self) -> Glance:
        """The cheap figures. Raises `OSError` or `WireError` where the kernel does not answer as it should."""
        began_s = self._clock()
        tcp, unix = self._listeners.read(self._target.owns)
        looked_s = (began_s + self._clock()) / 2
        self._target.refresh(tcp, unix)
        self._ports = self._target.ports(tcp)
        return Glance(
            looked_s=looked_s,
            listeners=self._target.listeners(tcp, unix),
            processes=None if self._target.root is None else self._processes.read(self._target.pids),
            counters=self._counters.read(),
        )

    def count(self) -> tuple[ConnectionCounts, ...]:
        """All connections of the ports that the last glance saw. Raises as `glance` does."""
        return self._counter.read(self._ports) if self._ports else ()

    def limits(self) -> TargetLimits | None:
        """The limits in force; None where the target's first process is not known."""
        root, pids = self._target.root, self._target.pids
        if root is None:
            return None

        def read() -> TargetLimits:
            return read_limits(root, self._proc, CGROUPS, target=pids)

        try:
            return inside(self._network_pid, read, self._proc)
        except OSError:
            return None

    def ports(self) -> tuple[int, ...]:
        """The ports whose connections are counted, as the last glance saw them; the one that clients go to first."""
        return self._ports

    def command_lines(self) -> tuple[CommandLine, ...]:
        """How the target's processes were started, without secrets; none where they are not known."""
        return self._target.command_lines()

    def notes(self) -> tuple[str, ...]:
        """What cannot be seen, and what would help."""
        unseen = () if self._sees_unix else ("this kernel has no unix_diag: UNIX listeners are not seen",)
        return (*self._target.notes, *unseen, *self._counter.notes)

    def close(self) -> None:
        """Gives the socket and the files back; what was opened last first: the socket keeps the walk's namespace."""
        self._opened.close()


def listeners_of(network_pid: int | None, proc: str = ROOT) -> tuple[TcpListener, ...]:
    """The LISTEN rows of a process' network namespace. Raises `TargetError` where they cannot be read."""
    diag = _open_diag(network_pid, proc)
    try:
        return read_listeners(diag)
    except (OSError, WireError) as error:
        raise TargetError(f"the kernel's sockets cannot be read: {error}; `modprobe tcp_diag` may help") from None
    finally:
        diag.close()


def _open_diag(network_pid: int | None, proc: str) -> DiagSocket:
    try:
        return inside(network_pid, DiagSocket, proc)
    except OSError as error:
        if network_pid is not None:
            raise TargetError(f"the network namespace of process {network_pid} cannot be entered: {error}") from None
        raise TargetError(f"this kernel has no sock_diag ({error.strerror}); `modprobe tcp_diag` may load it") from None


def _has_unix(diag: DiagSocket) -> bool:
    try:
        read_unix_listeners(diag)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        _LOG.debug("no unix_diag: %s", error)
        return False
    return True
