"""What Locust's own statistics have counted since they were looked at last. It reads them, only."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from locust.runners import WORKER_REPORT_INTERVAL

REPORT_S = float(WORKER_REPORT_INTERVAL)
"""So often Locust's workers report."""
LATE_S = 20
"""Workers report seconds that are over: one that is so much later is not waited for."""
MS_PER_S = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Requests that ended: UTC second to (answered, failed), and seconds that they took to how many."""

    seconds: dict[int, tuple[int, int]]
    took_s: dict[float, int]


class LocustMeter:
    """The master's statistics of all workers."""

    def __init__(self, environment: Any, clock: Callable[[], float] = time.time) -> None:
        """`clock` is UTC, as Locust's own."""
        self._environment = environment
        self._clock = clock
        self._requests: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._times: Counter[int] = Counter()

    def begin(self) -> None:
        """A test begins: Locust clears what it has counted."""
        self._requests, self._failures, self._times = Counter(), Counter(), Counter()

    def since_last(self) -> Ended:
        """What has come since the last call."""
        total, now_s = self._environment.stats.total, int(self._clock())
        seconds = {}
        for second in range(now_s - LATE_S, now_s + 1):
            requests = _rise(self._requests, second, total.num_reqs_per_sec.get(second, 0))
            failed = _rise(self._failures, second, total.num_fail_per_sec.get(second, 0))
            if requests or failed:
                seconds[second] = (max(0, requests - failed), failed)
        for known in (self._requests, self._failures):
            for second in [second for second in known if second < now_s - LATE_S]:
                del known[second]
        took = {ms: _rise(self._times, ms, number) for ms, number in list(total.response_times.items())}
        return Ended(seconds=seconds, took_s={ms / MS_PER_S: number for ms, number in took.items() if number})


def _rise(known: Counter[int], key: int, value: int) -> int:
    """By how much it has risen; statistics that were reset count from 0 again."""
    before = known[key] if known[key] <= value else 0
    known[key] = value
    return value - before
