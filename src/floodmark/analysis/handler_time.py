"""How long a handler takes for one request of a steady load, and so how many are in service: L = X * S. No ceiling."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import ServiceTime
from floodmark.analysis.percentiles import US_PER_S
from floodmark.analysis.service import EVIDENCE_SHARE

QUICKEST_RANK = 5.0
"""The twentieth part of the way up: no request was served for longer than the quickest took, but for a lucky few."""


SETTLES_S = 1.0
"""Rates are known by the second, and so from the end of the first one on."""


def handler_time(axis: Axis, latency: Any) -> ServiceTime:
    """The mean handler time of the sampled answers, else the hold; not known where there is neither."""
    answered = axis.answered()
    took_s = [
        max(0.0, request.handler_end_s - request.handler_begin_s)
        for request in answered
        if request.handler_begin_s is not None and request.handler_end_s is not None
    ]
    if took_s and len(took_s) >= EVIDENCE_SHARE * len(answered):
        words = f"the mean handler time of {len(took_s):,} sampled answers"
        return ServiceTime(mean_s=round(math.fsum(took_s) / len(took_s), 6), words=words)
    return _by_hold(axis, latency)


def quickest_answers_s(latency: Any) -> float | None:
    """What the quickest twentieth of all answers took at most; None without answers."""
    if not latency.get_total_count():
        return None
    return float(latency.get_value_at_percentile(QUICKEST_RANK) / US_PER_S)


def _by_hold(axis: Axis, latency: Any) -> ServiceTime:
    hold_s, quickest_s = axis.hold_s, quickest_answers_s(latency)
    if hold_s <= 0 or quickest_s is None:
        why = "nothing was answered" if quickest_s is None else "no Server-Timing in the answers, and no hold was given"
        return ServiceTime(mean_s=None, words=why)
    if quickest_s < hold_s:
        return ServiceTime(mean_s=round(quickest_s, 6), words="what the quickest answers took")
    given = "the given hold" if axis.recording.manifest.hold_known else "the measured hold"
    return ServiceTime(mean_s=hold_s, words=given)


class InServiceOverTime:
    """How many were in service at a moment t: those that were done between t and t + S.

    That is throughput times service time, and holds for a service time longer than a second, too.
    """

    def __init__(self, served: Sequence[int], end_s: float, service_s: float) -> None:
        """`served[k]` requests were done in second k; the last second ends at `end_s`."""
        self._ends_s = [0.0, *(min(second + 1.0, max(end_s, float(second))) for second in range(len(served)))]
        self._total = list(accumulate(served, initial=0))
        self._service_s = service_s

    def at(self, time_s: float) -> float:
        """The number in service; in a load's first second, and towards its end, what it was just after and before.

        When in a second the first ones were done is not known: spread over the second, they would seem to have begun
        late. Who calls cuts the number to what the server has read by then.
        """
        begin_s = min(max(time_s, SETTLES_S), self._ends_s[-1] - self._service_s)
        if time_s < 0 or begin_s < 0:
            return 0.0
        return self._done(begin_s + self._service_s) - self._done(begin_s)

    def _done(self, time_s: float) -> float:
        return interpolated(self._ends_s, self._total, time_s)


def interpolated(times_s: Sequence[float], values: Sequence[float], time_s: float) -> float:
    """The value at a time on the straight lines between the known ones; the first or last one beyond these."""
    index = bisect_right(times_s, time_s)
    if index == 0 or index == len(times_s):
        return float(values[0] if index == 0 else values[-1])
    begin_s, end_s = times_s[index - 1], times_s[index]
    share = (time_s - begin_s) / (end_s - begin_s)
    return values[index - 1] + share * (values[index] - values[index - 1])
