"""How connections are counted: by a dump, or by a walk of the kernel's table where that is worth it and can be trusted.

A dump costs 0.8 µs for each connection that it tells, a walk 0.1 µs for each socket on the host and 0.5 ms for the
table. So a walk is worth it from some hundred connections on. It reads the kernel's own records: it is believed only
once the counts of a dump before it and of a dump after it have its counts between them, in every place.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from os import uname
from typing import Protocol

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.inet_diag import read_connections
from floodmark_agent.namespace import inside
from floodmark_agent.netlink import DiagSocket
from floodmark_agent.proc import ROOT
from floodmark_agent.rights import missing_for_walk

_LOG = logging.getLogger(__name__)

WORTH_FROM = 500
"""Connections at the last count, from which on a walk is surely cheaper: they cost the same at 300."""
TRIES = 30
"""Comparisons with dumps before a walk is given up: where counts go up and down all the time, many fail by chance."""
_TRIED_ON = "x86_64"

Counts = tuple[ConnectionCounts, ...]


class Way(StrEnum):
    """What the command line may ask for."""

    AUTO = "auto"
    DUMP = "dump"
    WALK = "walk"


class Walk(Protocol):
    """A walk of the kernel's table, made in the network namespace that it reads."""

    def read(self, ports: Sequence[int]) -> Counts:
        """The counts of each port; raises `WireError` where the table would not hold still, and `OSError`."""

    def close(self) -> None:
        """Gives it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What this process may do. `problem`: why there is no walk; None with one, and where none is wanted."""

    open_walk: Callable[[], Walk] | None = None
    worth_from: int = WORTH_FROM
    is_asked_for: bool = False
    problem: str | None = None


BY_DUMP = Counting()


def prepare(way: Way) -> Counting:
    """Makes ready, once a process: to learn the kernel's types takes 40 ms. The answer says what is in the way."""
    if way is Way.DUMP:
        return BY_DUMP
    is_asked_for = way is Way.WALK
    problem = _problem(is_asked_for=is_asked_for)
    if problem is None:
        # Here, not above: it costs memory, and many agents have no right to it.
        from floodmark_agent.walk.table import kernel_layout, open_walk  # noqa: PLC0415

        try:
            layout = kernel_layout()
        except (OSError, WireError) as error:
            problem = str(error)
        else:
            worth_from = 1 if is_asked_for else WORTH_FROM
            return Counting(open_walk=partial(open_walk, layout), worth_from=worth_from, is_asked_for=is_asked_for)
    return Counting(is_asked_for=is_asked_for, problem=problem)


def _problem(*, is_asked_for: bool) -> str | None:
    if lacking := missing_for_walk():
        return f"a walk takes {' and '.join(lacking)}"
    if not is_asked_for and uname().machine != _TRIED_ON:
        return f"a walk has not been tried on {uname().machine}; --connections walk tries it"
    return None


class Counter:
    """Counts the connections of one network namespace's ports."""

    def __init__(  # noqa: PLR0913 - what it joins, all by name
        self,
        dump: Callable[[Sequence[int]], Counts],
        walk: Walk | None,
        *,
        worth_from: int = WORTH_FROM,
        must_pay: bool = True,
        cpu_clock: Callable[[], float] = time.thread_time,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`must_pay`: a walk that is dearer than the dump beside it is not made again until there are twice as many.

        `cpu_clock` is the CPU time of the thread that reads; `notes`: why there is no walk, where one was asked for.
        """
        self.notes = notes
        self._must_pay = must_pay
        self._cpu_clock = cpu_clock
        self._dump = dump
        self._walk = walk
        self._worth_from = worth_from
        self._last = 0
        self._is_proven = False
        self._tries = TRIES
        self._compared: tuple[Counts, Counts] | None = None

    @property
    def walks(self) -> bool:
        """True where a walk is believed."""
        return self._walk is not None and self._is_proven

    def read(self, ports: Sequence[int]) -> Counts:
        """All connections, counted per port in the order asked. Raises as a dump does."""
        walk = self._walk
        if walk is None or self._last < self._worth_from:
            counts = self._dump(ports)
        elif self._is_proven:
            counts = self._walked(walk, ports) or self._dump(ports)
        else:
            began_s = self._cpu_clock()
            counts = self._dump(ports)
            self._prove(walk, ports, counts, dump_s=self._cpu_clock() - began_s)
        self._last = _total(counts)
        return counts

    def close(self) -> None:
        """Gives the walk back."""
        if self._walk is not None:
            self._walk.close()
            self._walk = None

    def _prove(self, walk: Walk, ports: Sequence[int], dumped: Counts, *, dump_s: float) -> None:
        """Compares the walk made after the dump before with both dumps; or makes another, to be compared next time."""
        if self._agrees(dumped):
            self._is_proven = True
            _LOG.info("connections are counted by walks from now on: they agree with dumps")
        elif self._tries:
            self._tries -= 1
            began_s = self._cpu_clock()
            walked = self._walked(walk, ports)
            self._compared = (dumped, walked) if walked else None
            if self._must_pay and self._cpu_clock() - began_s > dump_s:
                # The host has so many sockets of others, or so large a table.
                self._worth_from = 2 * _total(dumped)
        else:
            self._give_up(f"walks found other counts than the dumps before and after them, {TRIES} times")

    def _agrees(self, after: Counts) -> bool:
        if self._compared is None:
            return False
        before, walked = self._compared
        return _total(walked) >= self._worth_from and is_between(walked, before, after)

    def _walked(self, walk: Walk, ports: Sequence[int]) -> Counts | None:
        """The counts of a walk; None where it is torn, or does not work any more."""
        try:
            return walk.read(ports)
        except WireError as error:
            _LOG.debug("a dump stands in for a walk: %s", error)
        except OSError as error:
            self._give_up(str(error))
        return None

    def _give_up(self, why: str) -> None:
        _LOG.warning("connections are counted by dump from now on: %s", why)
        self.close()


def open_counter(counting: Counting, diag: DiagSocket, network_pid: int | None, proc: str = ROOT) -> Counter:
    """A counter for a process' network namespace, which `diag` was opened in; why it has no walk, the log says."""
    walk, problem = None, counting.problem
    if counting.open_walk is not None:
        try:
            walk = inside(network_pid, counting.open_walk, proc)
        except (OSError, WireError) as error:
            problem = str(error)
    dump = partial(read_connections, diag)
    if problem is None:
        return Counter(dump, walk, worth_from=counting.worth_from, must_pay=not counting.is_asked_for)
    words = f"connections are counted by dump: {problem}"
    _LOG.log(logging.WARNING if counting.is_asked_for else logging.INFO, "%s", words)
    return Counter(dump, None, notes=(words,) if counting.is_asked_for else ())


def is_between(walked: Counts, before: Counts, after: Counts) -> bool:
    """True where of every port each number lies between what the two dumps found, or is one of these."""
    if not [one.port for one in walked] == [one.port for one in before] == [one.port for one in after]:
        return False
    return all(
        min(first, last) <= number <= max(first, last)
        for middle, one, other in zip(walked, before, after, strict=True)
        for number, first, last in zip(_numbers(middle), _numbers(one), _numbers(other), strict=True)
    )


def _numbers(counts: ConnectionCounts) -> list[int]:
    return [getattr(counts, name) for name in ConnectionCounts.__slots__]


def _total(counts: Counts) -> int:
    return sum(one.established + one.half_open + one.abandoned + one.closing + one.time_wait for one in counts)
