"""A steady load in Locust's own statistics, so that its table, CSV, charts and HTML stay right. It records no hit.

Locust's request event costs 2.4 µs; of 100,000 requests a second that is a quarter of a core. So equal times are
counted first and booked together, to the microsecond, as Locust's own `StatsEntry.log` would have booked each.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import locust.stats
from locust.stats import RequestStats, StatsError

from floodmark.core.errors import FloodmarkError
from floodmark.engine.slice import Slice

MS_PER_S = 1_000


class LocustTable:
    """One name in Locust's table. Failed requests have no response time in it: they are none of the server's speed."""

    def __init__(self, stats: RequestStats, method: str, name: str, clock: Callable[[], float] = time.time) -> None:
        """`stats` is the environment's; `clock` is UTC, as Locust's own."""
        self._stats = stats
        self._method, self._name = method, name
        self._clock = clock

    def add(self, piece: Slice, latencies: Counter[int]) -> None:
        """Books a slice that has just ended; `latencies` are its own in microseconds."""
        failed = sum(piece.failed.values())
        if not failed and not piece.answered:
            return
        now_s = self._clock()
        buckets = _buckets(latencies)
        for entry in (self._stats.total, self._stats.entries[self._name, self._method]):
            _book(entry, piece, buckets, failed, now_s)
        for outcome, count in piece.failed.items():
            self._book_error(FloodmarkError(outcome.value), count, now_s)

    def _book_error(self, error: FloodmarkError, count: int, now_s: float) -> None:
        key = StatsError.create_key(self._method, self._name, error)
        known = self._stats.errors.get(key)
        if known is None:
            known = self._stats.errors[key] = StatsError(self._method, self._name, error, first_seen=now_s)
        known.occurrences += count
        known.last_seen = now_s


def _buckets(latencies: Counter[int]) -> Counter[int]:
    round_ms = locust.stats.bucket_response_time  # looked up each time: a locustfile may replace it
    buckets: Counter[int] = Counter()
    for micro, count in latencies.items():
        buckets[round_ms(micro / 1_000)] += count
    return buckets


def _book(entry: Any, piece: Slice, buckets: Counter[int], failed: int, now_s: float) -> None:
    second = int(now_s)
    entry.num_requests += piece.answered + failed
    entry.num_none_requests += failed
    entry.num_reqs_per_sec[second] += piece.answered + failed
    entry.last_request_timestamp = now_s
    entry.total_content_length += piece.body_bytes
    if failed:
        entry.num_failures += failed
        entry.num_fail_per_sec[second] += failed
    if piece.latencies_s:
        entry.total_response_time += sum(piece.latencies_s) * MS_PER_S
        shortest, longest = min(piece.latencies_s) * MS_PER_S, max(piece.latencies_s) * MS_PER_S
        entry.min_response_time = (
            shortest if entry.min_response_time is None else min(entry.min_response_time, shortest)
        )
        entry.max_response_time = max(entry.max_response_time, longest)
    for bucket, count in buckets.items():
        entry.response_times[bucket] += count
