"""Runs the engine inside a gevent hub: one watcher on the engine's own epoll. It knows nothing of Locust's messages."""

import time
from collections.abc import Callable

import gevent
from gevent import get_hub

from floodmark.engine.burst import Burst

REPORT_EVERY_S = 0.25
"""How often running counts and finished hits leave the worker: four times a second is smooth enough to watch."""


def drive(
    burst: Burst, *, cut_at_s: float, report: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> float:
    """Steps the burst until every request has its outcome, or cuts it at `cut_at_s`; calls `report` now and then.

    `report` is True where it has more to say: it is then called again after the next step. Other greenlets (Locust's
    heartbeat) get their turn after every step. Returns when the load ended, on the clock: at the last outcome, or at
    the cut, before its sockets were closed one by one.
    """
    watcher = get_hub().loop.io(burst.fileno(), 1)  # 1: readable
    now_s = clock()
    next_report_s = now_s + REPORT_EVERY_S
    while not burst.done:
        burst.step()
        now_s = clock()
        if now_s >= cut_at_s:
            burst.cut()
        if now_s >= next_report_s:
            next_report_s = now_s if report() else now_s + REPORT_EVERY_S
        due_s = burst.next_due_s()
        if due_s is not None:
            _pause(watcher, min(cut_at_s, next_report_s, due_s) - clock())
    while report():
        gevent.sleep(0)
    return now_s


def _pause(watcher: object, longest_s: float) -> None:
    """Lets the hub run until the engine's epoll is readable, `longest_s` at the most."""
    if longest_s <= 0:
        gevent.sleep(0)
        return
    with gevent.Timeout(longest_s, False):  # noqa: FBT003 - gevent's own way to say: end the block quietly
        get_hub().wait(watcher)
