"""How long a handler takes for one request of a steady load, and so how many are in service: L = X * S. No ceiling."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from floodmark.analysis.axis import Axis
from floodmark.analysis.checks import HELD_SHARE
from floodmark.analysis.document import ServiceTime
from floodmark.analysis.percentiles import US_PER_S
from floodmark.analysis.service import EVIDENCE_SHARE
from floodmark.analysis.steady.fair_sample import FairSample, sampled_answers
from floodmark.analysis.steady.seconds import SteadySeconds
from floodmark.analysis.steady.way import QUICKEST_RANK, Way, round_trip_s

SETTLES_S = 1.0
"""Rates are known by the second, and so from the end of the first one on."""


def handler_time(axis: Axis, seconds: SteadySeconds) -> tuple[ServiceTime, Way]:
    """The mean handler time of the sampled answers, else the hold; not known where there is neither. And the way."""
    mean_s = seconds.latency.get_mean_value() / US_PER_S if seconds.latency.get_total_count() else 0.0
    trip_s = round_trip_s(seconds.connect)
    sample, sampled = sampled_answers(axis), len(axis.answered())
    if sample is None or sample.count < EVIDENCE_SHARE * sampled:
        return _with_way(_by_hold(axis, seconds.latency), Way(round_trip_s=trip_s))
    return _with_way(
        _by_sample(sample, mean_s), Way(round_trip_s=trip_s, back_s=sample.back_s, doubt_s=sample.handled_doubt_s)
    )


def hold_is_known(axis: Axis) -> bool:
    """The server was told how long to hold, or the user said that it does."""
    manifest = axis.recording.manifest
    return manifest.request.holds or manifest.hold_known


def quickest_answers_s(latency: Any) -> float | None:
    """What the quickest twentieth of all answers took at most; None without answers."""
    if not latency.get_total_count():
        return None
    return float(latency.get_value_at_percentile(QUICKEST_RANK) / US_PER_S)


def _with_way(service: ServiceTime, way: Way) -> tuple[ServiceTime, Way]:
    return ServiceTime(mean_s=service.mean_s, words=service.words, way_s=round(way.there_and_back_s, 6)), way


def _by_sample(sample: FairSample, mean_latency_s: float) -> ServiceTime:
    """Not known where the sampled answers took another time than all did; never longer than an answer took."""
    if sample.contradicts(mean_latency_s):
        took = (
            f"the {sample.count:,} sampled answers took {sample.latency_s:.3g} s on average, all {mean_latency_s:.3g} s"
        )
        return ServiceTime(mean_s=None, words=f"{took}, so that the sample does not stand for them")
    words = f"the mean handler time of {sample.count:,} sampled answers"
    return ServiceTime(mean_s=round(min(sample.handled_s, mean_latency_s), 6), words=words)


def _by_hold(axis: Axis, latency: Any) -> ServiceTime:
    """The hold, where the server was told it; one that was only said, unless an answer came sooner."""
    quickest_s, hold_s = quickest_answers_s(latency), axis.hold_s
    if quickest_s is None:
        return ServiceTime(mean_s=None, words="nothing was answered")
    if hold_s <= 0 or not hold_is_known(axis):
        return ServiceTime(mean_s=None, words="no Server-Timing in the answers, and no hold was given")
    if quickest_s >= hold_s:
        return ServiceTime(mean_s=hold_s, words="the given hold")
    if axis.recording.manifest.request.holds or quickest_s >= HELD_SHARE * hold_s:
        return ServiceTime(mean_s=round(quickest_s, 6), words="what the quickest answers took")
    return ServiceTime(mean_s=None, words="no Server-Timing in the answers, and they came sooner than the given hold")


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
