"""Drives a steady load in a plain loop, for benchmarks and tests. A worker drives it beside other greenlets instead."""

import select
from collections.abc import Callable
from math import ceil
from time import monotonic

from floodmark.engine.burst import MILLISECONDS_PER_S
from floodmark.engine.steady import Steady

REPORT_EVERY_S = 0.25
"""How often a load is asked what happened."""


def run_steady(
    load: Steady, *, report: Callable[[], object] = lambda: None, clock: Callable[[], float] = monotonic
) -> None:
    """Drives a load to its end and closes it, calling `report` every `REPORT_EVERY_S`.

    `clock` is the load's. Nothing else runs in this thread meanwhile.
    """
    waiter = select.poll()
    waiter.register(load.fileno(), select.POLLIN)
    report_s = clock() + REPORT_EVERY_S
    try:
        while (due_s := load.next_due_s()) is not None:
            waiter.poll(max(ceil((min(due_s, report_s) - clock()) * MILLISECONDS_PER_S), 0))
            load.step()
            if clock() >= report_s:
                report()
                report_s += REPORT_EVERY_S
    finally:
        load.close()
    report()
