"""Finds the target wherever on this host it is: in the agent's network namespace or a container's. It samples none."""

import logging
from collections.abc import Callable
from functools import partial

from floodmark.core.command_line import CommandLine
from floodmark.core.errors import TargetError
from floodmark.core.sample import ConnectionCounts, TargetLimits
from floodmark_agent.collector import Collector, listeners_of
from floodmark_agent.counting import BY_DUMP, Counting
from floodmark_agent.namespace import network_of, other_networks
from floodmark_agent.proc import ROOT
from floodmark_agent.rights import help_with_networks
from floodmark_agent.sampler import Glance
from floodmark_agent.selector import Selector
from floodmark_agent.target import Target
from floodmark_agent.tree import ProcessTable, topmost, with_descendants

_LOG = logging.getLogger(__name__)

AGAIN_EVERY_S = 1.0
"""How often it is looked at whether the target is still there, and looked for where it is not."""


def open_collector(
    selector: Selector, *, clock: Callable[[], float], counting: Counting = BY_DUMP, proc: str = ROOT
) -> Collector:
    """A collector whose target is found. Raises `TargetError` where there is none, or the kernel cannot be asked."""

    def collector(network_pid: int | None) -> Collector:
        target = Target(selector, clock=clock, proc=proc)
        return Collector(target, network_pid=network_pid, clock=clock, counting=counting, proc=proc)

    table = ProcessTable(proc)
    table.refresh()
    meant = _meant(selector, table, proc)
    problem: TargetError | None = None
    if not selector.names_processes or not meant or _some_at_home(meant, proc):
        try:
            return collector(None)
        except TargetError as error:
            problem = error
    return _elsewhere(selector, other_networks(meant, proc), problem, collector, proc)


def _some_at_home(pids: set[int], proc: str) -> bool:
    """True where one of `pids` is in our own network namespace, or may be."""
    own = network_of(None, proc)
    return any(network_of(pid, proc) in {own, None} for pid in pids)


def _meant(selector: Selector, table: ProcessTable, proc: str) -> set[int]:
    """The processes that may be the target's: all of the host's where only a port is known."""
    if not selector.names_processes:
        return set(table.parents)
    found = selector.matching(selector.others_than_us(table.parents), proc)
    return with_descendants(topmost(found, table.parents), table.parents)


def _elsewhere(
    selector: Selector,
    others: tuple[dict[str, int], int],
    problem: TargetError | None,
    collector: Callable[[int | None], Collector],
    proc: str,
) -> Collector:
    """The one among other namespaces where the target listens; `problem` is why it is not in our own."""
    networks, unseen = others
    found = []
    for pid in networks.values():
        try:
            rows = listeners_of(pid, proc)
        except TargetError as error:
            problem = problem or TargetError(f"{error}; {help_with_networks()}")
            continue
        if rows and (not selector.ports or any(row.port in selector.ports for row in rows)):
            found.append(pid)
    if len(found) > 1 and not selector.names_processes:
        listed = ", ".join(map(str, found))
        raise TargetError(f"that port is listened on in several network namespaces, of processes {listed}; give --pid")
    for pid in found:
        try:
            return collector(pid)
        except TargetError as error:
            problem = error
    problem = problem or TargetError(
        f"{selector.words} listens on no such TCP port, in its network namespace or others"
    )
    if unseen:
        raise TargetError(f"{problem}; {unseen} processes' network namespaces were not seen: {help_with_networks()}")
    raise problem


class Watch:
    """A target that has been found, and is found again when all of its processes have ended: it was restarted."""

    def __init__(
        self, selector: Selector, *, clock: Callable[[], float], counting: Counting = BY_DUMP, proc: str = ROOT
    ) -> None:
        """Finds it. Raises `TargetError` as `open_collector` does."""
        self._clock = clock
        self._open = partial(open_collector, selector, clock=clock, counting=counting, proc=proc)
        self._collector = self._open()
        self._again_s = clock() + AGAIN_EVERY_S

    def glance(self) -> Glance:
        """The cheap figures; see `Collector`."""
        glance = self._collector.glance()
        now_s = self._clock()
        if now_s >= self._again_s:
            self._again_s = now_s + AGAIN_EVERY_S
            if self._collector.is_lost():
                self._find_again()
        return glance

    def count(self) -> tuple[ConnectionCounts, ...]:
        """All connections; see `Collector`."""
        return self._collector.count()

    def limits(self) -> TargetLimits | None:
        """The limits in force on it."""
        return self._collector.limits()

    def ports(self) -> tuple[int, ...]:
        """The ports whose connections are counted; the one that clients go to first."""
        return self._collector.ports()

    def command_lines(self) -> tuple[CommandLine, ...]:
        """How its processes were started, without secrets."""
        return self._collector.command_lines()

    def notes(self) -> tuple[str, ...]:
        """What cannot be seen of it, and what would help."""
        return self._collector.notes()

    def close(self) -> None:
        """Gives everything back."""
        self._collector.close()

    def _find_again(self) -> None:
        try:
            found = self._open()
        except TargetError as error:
            _LOG.debug("the target has ended, and is not found again: %s", error)
            return
        _LOG.info("the target was restarted and is found again")
        self._collector.close()
        self._collector = found
