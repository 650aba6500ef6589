"""Whether a steady load's requests stood in line in the target, and whether that line grew. No words, no ceiling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TypeGuard

from floodmark.analysis.document import SecondPoint, Timeline
from floodmark.analysis.percentiles import US_PER_S
from floodmark.analysis.steady.seconds import SteadySeconds
from floodmark.analysis.steady.way import Way
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile

IN_KERNEL = (Place.ACCEPT_QUEUE, Place.UNREAD)
"""Lines that the kernel counts."""

WAITED_SHARE = 0.05
"""Of the requests in flight: fewer are being handed over, not in line."""

WAY_DOUBT = 0.5
"""Of those on their way: what lies behind the round trip that connections had may be the network's own delay."""

LIMIT_LEAST_S = 2.0
"""A load's first second fills the server: what was the limit is said of a load that went on for another one."""

KEPT_SHARE = 0.02
"""Of the requests planned in a load's second half: the line may be longer by so many at its end. And of all requests:
so few may fail."""

KEPT_LEAST = 10
"""Requests: a line that is longer by fewer says nothing; answers come in small batches."""

FULL_SHARE = 0.9
"""Of the connections: counts are of a second's end, when some are just being opened again."""

ROSE_QUICKEST = 2.0
"""Times the shortest latency: in a line, the quickest answers wait, too."""

ROSE_MEDIAN = 1.5
"""Times the first second's: a server that takes whom it likes from its line still has a later median."""

ROSE_SHARE = 0.1
"""Of the timeout: who gives up in line stands beside others who wait nearly as long."""

HELD_BACK = 0.5
"""Of the connections in use: where in service and on the way are fewer, the others waited behind them."""

_GAVE_UP = (Outcome.CONNECT_TIMEOUT, Outcome.RESPONSE_TIMEOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`waited`: requests stood in line in the target during most of the load; None: nobody looked.

    `is_clear`: the load was long enough, and the rest of its requests are accounted for well enough, to say what its
    limit was.
    """

    waited: bool | None
    is_clear: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A load's means: `per_s` requests were served; each in service for `service_s` (None: not known), and on its way.

    `duration_s` is how long the load was kept up.
    """

    duration_s: float
    per_s: float
    service_s: float | None
    way: Way

    @property
    def on_way(self) -> float:
        """How many were on their way there or back."""
        return self.per_s * self.way.there_and_back_s

    @property
    def taken(self) -> float | None:
        """How many were in service or on their way; None: not known."""
        return None if self.service_s is None else self.per_s * self.service_s + self.on_way


def line_in_target(timeline: Timeline, points: Sequence[SecondPoint], flow: Flow) -> Line:
    """Whether somebody stood in line: as the kernel counts, or beyond what rates and times may be wrong by."""
    at_beats = _behind(timeline, flow.duration_s)
    if not at_beats:
        return Line(waited=None, is_clear=False)
    in_flight = median([point.in_flight for point in points] or [0])
    outside = _middle((in_kernel, lasts_s) for in_kernel, _, lasts_s in at_beats)
    inside = _middle((in_process, lasts_s) for _, in_process, lasts_s in at_beats)
    behind = outside + min(inside, max(0.0, in_flight - (flow.taken or 0.0)))
    least = max(1.0, WAITED_SHARE * in_flight)
    doubt = WAY_DOUBT * flow.on_way + flow.per_s * flow.way.doubt_s
    waited = outside > least or behind > max(least, doubt)
    is_clear = waited or (behind <= least and flow.per_s * flow.way.held_up_s <= least)
    return Line(waited=waited, is_clear=is_clear and flow.duration_s >= LIMIT_LEAST_S - 1e-3)


def _behind(timeline: Timeline, duration_s: float) -> list[tuple[int, int, float]]:
    """At each count of the load where all is known: those in the kernel's lines, those inside the process, how long."""
    columns = zip(*(timeline.places[place] for place in (*IN_KERNEL, Place.IN_PROCESS)), strict=True)
    spans = pairwise([*timeline.times_s, max([duration_s, *timeline.times_s[-1:]])])
    return [
        (sum(values[:-1]), values[-1], min(end_s, duration_s) - at_s)
        for (at_s, end_s), values in zip(spans, columns, strict=True)
        if 0 <= at_s <= duration_s and _all_known(values)
    ]


def _middle(values: Iterable[tuple[int, float]]) -> int:
    """The median over time: counts are made oftener at a load's begin than later, when the agent's budget is spent."""
    ranked = sorted(values)
    half_s, passed_s = sum(lasts_s for _, lasts_s in ranked) / 2, 0.0
    for value, lasts_s in ranked:
        passed_s += lasts_s
        if passed_s >= half_s:
            return value
    return ranked[-1][0]


def _all_known(values: tuple[int | None, ...]) -> TypeGuard[tuple[int, ...]]:
    return all(value is not None for value in values)


def full_seconds(points: Sequence[SecondPoint], connections: int) -> list[int]:
    """The seconds in which requests had to wait for a connection."""
    return [
        point.second for point in points if point.unreleased > 0 and point.open_connections >= FULL_SHARE * connections
    ]


def held_back(line: Line, points: Sequence[SecondPoint], full: Sequence[int], taken: float | None) -> bool:
    """All connections were busy because the target had a line. `taken`: in service or on the way; None: not known.

    Without an agent, those that are neither waited, and not at the generator: they had a connection.
    """
    if not full or line.waited is not None:
        return bool(full) and line.waited is True
    in_flight = median(point.in_flight for point in points if point.second in set(full))
    return taken is not None and taken < HELD_BACK * in_flight


def line_grew(profile: ArrivalsProfile, seconds: SteadySeconds, outcomes: dict[str, int]) -> bool:
    """The line was longer at the plan's end than in its middle; or it would have been, had clients not given up.

    Clients that gave up stood in line only where those who were answered waited longer, too: else their requests were
    lost, and nobody stood behind them.
    """
    points = [point for point in seconds.points if point.second + 1 <= profile.duration_s + 1e-3]
    if not points:
        return False
    planned = sum(point.planned for point in points)
    unsent = min(outcomes.get(Outcome.UNSENT.value, 0), planned - sum(point.released for point in points))
    gave_up = unsent + sum(outcomes.get(kind.value, 0) for kind in _GAVE_UP)
    if gave_up > KEPT_SHARE * planned:
        return _latency_rose(points, seconds, profile.timeout_s)
    middle = (len(points) - 1) // 2
    second_half = sum(point.planned for point in points[middle + 1 :]) or planned
    before = _without_answer(points[middle]) if len(points) > 1 else 0
    return _without_answer(points[-1]) - before > max(KEPT_LEAST, KEPT_SHARE * second_half)


def _latency_rose(points: Sequence[SecondPoint], seconds: SteadySeconds, timeout_s: float) -> bool:
    known = [
        (quickest_s, point.p50_s)
        for point, quickest_s in zip(points, seconds.quickest_s, strict=False)
        if quickest_s is not None and point.p50_s is not None
    ]
    if not known:
        return False
    later = known[len(known) // 2 :]
    quickest_s, median_s = median(quickest for quickest, _ in later), median(p50 for _, p50 in later)
    return _rose(seconds.latency.get_min_value() / US_PER_S, quickest_s, ROSE_QUICKEST, timeout_s) or _rose(
        known[0][1], median_s, ROSE_MEDIAN, timeout_s
    )


def _rose(from_s: float, to_s: float, times: float, timeout_s: float) -> bool:
    return to_s > times * from_s and to_s - from_s > ROSE_SHARE * timeout_s


def _without_answer(point: SecondPoint) -> int:
    return point.in_flight + point.unreleased
