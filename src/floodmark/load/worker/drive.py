"""Runs the engine inside a gevent hub: one watcher on the engine's own epoll. It knows nothing of Locust's messages."""

import select
import time
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent import get_hub
from gevent.hub import Waiter
from gevent.monkey import get_original

REPORT_EVERY_S = 0.25
"""How often running counts and finished hits leave the worker: four times a second is smooth enough to watch."""

TEND_EVERY_S = 0.02
"""How often what happened is counted: 1,000 times at 50,000 requests per second, which takes a quarter of a ms."""

TURN_EVERY_S = 0.001
"""How long the engine may go on while there is something ready, before Locust's greenlets get their turn, also those
that wait for a timer or a socket. A turn costs some 10 µs: after each step of a few answers that would be a tenth of
the time."""

COARSE_S = 0.002
"""libev waits in whole milliseconds, rounded up: the last two before a release are waited for by select(2), which takes
microseconds. Nobody else runs in them."""

FD_SETSIZE = 1_024
"""The lowest descriptor that select(2) does not take."""

READABLE = 1
"""libev's EV_READ."""


class Driven(Protocol):
    """What is driven: a load of the engine."""

    ended_s: float | None
    """When it was cut, or came to its end by itself, on the clock; None where it does not say."""

    @property
    def done(self) -> bool:
        """Nothing is left to do."""

    def fileno(self) -> int:
        """Readable while an event is ready."""

    def next_due_s(self) -> float | None:
        """When `step` has something to do even where no event is ready; None once it is done."""

    def step(self) -> None:
        """A bounded part of what there is to do. Never waits."""

    def cut(self) -> None:
        """Ends it now."""


def _leave_it() -> None:
    """A burst's hits wait until they are reported."""


def _never() -> bool:
    return False


def drive(  # noqa: PLR0913 - what it joins, all by name
    load: Driven,
    *,
    cut_at_s: float,
    report: Callable[[], bool],
    tend: Callable[[], None] = _leave_it,
    is_alone: Callable[[], bool] = _never,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """Steps the load until it is done, or cuts it at `cut_at_s`; calls `tend` and `report` now and then.

    `report` is True where it has more to say: it is then called again after the next step. Other greenlets (Locust's
    heartbeat) get their turn every `TURN_EVERY_S` at the least, but not while `is_alone`: then `report` waits, too.
    Returns when the load ended, on the clock: at the last outcome, or at the cut, before its sockets were closed.
    """
    turns = _Turns(load.fileno(), clock)
    now_s = clock()
    next_tend_s, next_report_s = now_s + TEND_EVERY_S, now_s + REPORT_EVERY_S
    while not load.done:
        load.step()
        now_s = clock()
        if now_s >= cut_at_s:
            load.cut()
        if now_s >= next_tend_s:
            tend()
            next_tend_s = now_s + TEND_EVERY_S
        others_wait = is_alone()
        if now_s >= next_report_s and not others_wait:
            next_report_s = now_s if report() else now_s + REPORT_EVERY_S
        due_s = load.next_due_s()
        if due_s is not None:
            turns.pause_until(min(cut_at_s, next_tend_s, next_report_s, due_s), others_wait=others_wait)
    tend()
    while report():
        gevent.sleep(0)
    return now_s if load.ended_s is None else load.ended_s


class _Turns:
    """Who runs next: the engine again, or the hub."""

    def __init__(self, fd: int, clock: Callable[[], float]) -> None:
        self._fd = fd
        self._clock = clock
        self._hub = get_hub()
        self._loop = self._hub.loop
        self._watcher = self._loop.io(fd, READABLE)
        self._select = get_original("select", "select")
        self._poll = get_original("select", "poll")()
        self._poll.register(fd, select.POLLIN)
        self._turn_s = clock() + TURN_EVERY_S

    def pause_until(self, due_s: float, *, others_wait: bool) -> None:
        """Returns when the engine's epoll is readable, or `due_s` is near; at once where that is now.

        `others_wait`: nobody else gets a turn while there is something to do.
        """
        now_s = self._clock()
        if now_s >= self._turn_s and not others_wait:
            self._pass_through()
            now_s = self._clock()
            self._turn_s = now_s + TURN_EVERY_S
        longest_s = due_s - now_s
        if longest_s <= 0 or self._poll.poll(0):
            return
        if longest_s <= COARSE_S and self._fd < FD_SETSIZE:
            self._select((self._fd,), (), (), longest_s)
        else:
            self._wait(max(longest_s - COARSE_S, 0.0))
            self._turn_s = self._clock() + TURN_EVERY_S

    def _pass_through(self) -> None:
        """Lets libev's loop go round once. `gevent.sleep(0)` runs callbacks only, and neither timers nor sockets."""
        timer = self._loop.timer(0.0)
        try:
            self._hub.wait(timer)
        finally:
            timer.close()

    def _wait(self, longest_s: float) -> None:
        waiter = Waiter()
        timer = self._loop.timer(longest_s)
        timer.start(waiter.switch, None, update=True)
        self._watcher.start(waiter.switch, None)
        try:
            waiter.get()
        finally:
            self._watcher.stop()
            timer.stop()
            timer.close()
