"""The sampled answers of a steady load, weighted: each second and worker by what it answered. No place in time."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean, pvariance

from floodmark.analysis.axis import Axis, Request
from floodmark.analysis.estimates import AGREE_SHARE

CHANCE = 4.0
"""Standard errors: a fair sample is farther off once in sixteen thousand loads."""


_Times = tuple[float, float, float]
"""In the handler, on the way back, and in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FairSample:
    """Weighted means of `count` sampled answers that say when their handler ran.

    `handled_s` in the handler, `back_s` from its end to the answer's last byte, `latency_s` from the planned release;
    the doubts are what the first and the last may be wrong by, from how far the answers of one second and worker are
    apart.
    """

    count: int
    handled_s: float
    back_s: float
    latency_s: float
    handled_doubt_s: float
    latency_doubt_s: float

    def contradicts(self, mean_latency_s: float) -> bool:
        """True where all answers together, which were counted apart, took another time than the sampled ones."""
        bound_s = max(AGREE_SHARE * max(mean_latency_s, self.latency_s), self.latency_doubt_s)
        return abs(self.latency_s - mean_latency_s) > bound_s


def sampled_answers(axis: Axis) -> FairSample | None:
    """The answers with handler times, each group weighted by its second's answers; None where there are none."""
    groups: dict[tuple[str, int], list[_Times]] = defaultdict(list)
    for request in axis.answered():
        if (times := _times(request)) is not None:
            groups[request.hit.worker, int(request.ended_s or 0.0)].append(times)
    if not groups:
        return None
    answered = {(second.worker, second.second): second.answered for second in axis.recording.seconds}
    # At a second's edge a hit may fall beside the second that counted it, whose answers are then none.
    weights = {key: float(max(answered.get(key, 0), len(group))) for key, group in groups.items()}
    total = math.fsum(weights.values())
    handled_s, back_s, latency_s = (
        math.fsum(weights[key] * _mean_of(group, index) for key, group in groups.items()) / total for index in range(3)
    )
    return FairSample(
        count=sum(len(group) for group in groups.values()),
        handled_s=handled_s,
        back_s=back_s,
        latency_s=latency_s,
        handled_doubt_s=_doubt(groups.values(), weights.values(), 0),
        latency_doubt_s=_doubt(groups.values(), weights.values(), 2),
    )


def _times(request: Request) -> _Times | None:
    begin_s, end_s, ended_s = request.handler_begin_s, request.handler_end_s, request.ended_s
    if begin_s is None or end_s is None or ended_s is None:
        return None
    return max(0.0, end_s - begin_s), max(0.0, ended_s - end_s), ended_s - request.planned_s


def _doubt(groups: Iterable[list[_Times]], weights: Collection[float], index: int) -> float:
    """Of the weighted mean; a second of which all answers are known adds none."""
    total = math.fsum(weights)
    errors = (
        (weight / total) ** 2 * pvariance([times[index] for times in group]) / len(group)
        for group, weight in zip(groups, weights, strict=True)
        if len(group) < weight
    )
    return CHANCE * math.sqrt(math.fsum(errors))


def _mean_of(group: Iterable[_Times], index: int) -> float:
    return fmean(times[index] for times in group)
