"""Why a steady run might not count (docs/method.md, section 4): what differs from a burst's checks. No verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from floodmark.analysis.axis import Axis
from floodmark.analysis.checks import (
    BUSY_CPU_SHARE,
    check_hold,
    run_complete,
    server_answered,
    workers_present,
)
from floodmark.analysis.clocks import check_clocks
from floodmark.analysis.counted import counted
from floodmark.analysis.document import Check, Percentiles, Throughput, Validity
from floodmark.analysis.estimates import agree
from floodmark.analysis.steady.handler_time import quickest_answers_s
from floodmark.analysis.steady.ports_left import ports_left
from floodmark.analysis.steady.seconds import SteadySeconds
from floodmark.analysis.target_checks import check_target, milliseconds, on_grid
from floodmark.core.outcomes import Outcome, Side
from floodmark.core.profile import ArrivalsProfile, SteadyProfile
from floodmark.core.second import Second

LATE_LEAST_S = 0.005
"""A scheduler's time slice: for so long another process may keep the generator from its core, without fault of its."""

LATE_SHARE = 0.1
"""Of the latency's 99th percentile: lateness is part of every latency, and more of it would be the generator's own."""

LAG_LEAST_S = 0.02
"""A loop that was away for less has read some hundred answers in a row, which is its work."""

LAG_SHARE = 0.25
"""Of the latency's 99th percentile: a loop that was away for longer made the slow answers itself."""

BUSY_SECONDS = 0.1
"""Of all seconds: an overload that is shorter is one hiccup, and does not reach the 90th percentile."""

GAP_S = 1.0
"""The places of a steady load are told by the second."""

COUNT_GAP_S = 5.0
"""Between two dumps of all connections: a load of many connections costs the agent its budget. What stands in line for
most of a load is told from a few of them."""

COUNT_SHARE = 0.2
"""Of the load, where that is shorter: from fewer than five dumps no middle can be told."""

LAW_DURATIONS = 10.0
"""Latencies in a load: requests in flight at its end are then less than the tenth that two estimates may differ by."""

LAW_FAILED_SHARE = 0.02
"""Of the time that all connections had together: a failed request was in flight, too, and has no latency."""

LAW_REOPENED_SHARE = 0.02
"""Of the requests: between its last connection and its next one a loop has no request in flight, for an unknown time.
"""

LATE = "released on time"
LOST = "workers present"
PORTS = "source ports left"
GENERATOR_CHECKS = (
    LOST,
    "generator's ports, files and memory",
    "connections enough",
    "generator not overloaded",
    PORTS,
    LATE,
)
"""Where one of these fails, the generator was the limit, and not the target; the cause before what follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyFindings:
    """What was found in a steady load, as its checks need it.

    `full`: the seconds in which requests waited for a connection. `held_back`: the target's line was why.
    """

    axis: Axis
    profile: SteadyProfile
    seconds: SteadySeconds
    outcomes: dict[str, int]
    latency: Percentiles | None
    late: Percentiles | None
    throughput: Throughput
    full: Sequence[int]
    held_back: bool


def check_steady(found: SteadyFindings) -> Validity:
    """All checks that a load of this kind can be put to, in the order in which a reader would ask."""
    axis = found.axis
    open_model = isinstance(found.profile, ArrivalsProfile)
    checks = (
        run_complete(axis),
        _accounted(found),
        workers_present(axis),
        *((_released_on_time(found), _connections_enough(found)) if open_model else ()),
        _not_overloaded(found),
        _resources(found),
        ports_left(axis),
        check_clocks(axis.recording),
        *((_littles_law(found),) if not open_model else ()),
        *((check_hold(quickest_answers_s(found.seconds.latency), found.profile.hold_s),) if _is_held(found) else ()),
        server_answered(axis.recording.manifest, found.outcomes),
        *check_target(axis, _open_about(found), gap_s=GAP_S, count_gap_s=_count_gap_s(found.profile)),
    )
    return Validity(ok=all(check.ok is not False for check in checks), checks=checks)


def generator_fault(validity: Validity) -> Check | None:
    """The check that found the generator to be the limit; None where it was not."""
    failed = {check.name: check for check in validity.checks if check.ok is False}
    return next((failed[name] for name in GENERATOR_CHECKS if name in failed), None)


def _accounted(found: SteadyFindings) -> Check:
    """Planned = answered + failed + waiting + unsent; and each worker's total is what its seconds add up to."""
    name = "every request accounted for"
    total = sum(found.outcomes.values())
    if isinstance(found.profile, ArrivalsProfile):
        planned = found.profile.requests
    else:
        planned = sum(point.released for point in found.seconds.points)
    words = f"{total:,} outcomes for {planned:,} planned requests"
    for report in found.axis.recording.workers:
        own = [second for second in found.axis.recording.seconds if second.worker == report.worker]
        told = sum(number for kind, number in report.outcomes.items() if kind not in _NOT_ENDED)
        counted = sum(second.answered + sum(second.failed.values()) for second in own)
        if told != counted:
            words = f"{report.worker} told of {told:,} ended requests, and its seconds of {counted:,}"
            return Check(name=name, ok=False, words=words)
    return Check(name=name, ok=total == planned, words=words)


def _released_on_time(found: SteadyFindings) -> Check:
    name = "released on time"
    late, latency = found.late, found.latency
    if late is None:
        return Check(name=name, ok=None, words="nothing was released")
    bound_s = max(LATE_LEAST_S, LATE_SHARE * latency.p99_s if latency else 0.0)
    words = f"99 % left within {milliseconds(late.p99_s)} of the plan (bound {milliseconds(bound_s)})"
    if late.p99_s > bound_s and found.full:
        return Check(name=name, ok=None, words=f"{words}: requests waited for a connection")
    return Check(name=name, ok=late.p99_s <= bound_s, words=words)


def _connections_enough(found: SteadyFindings) -> Check:
    name = "connections enough"
    number = found.profile.most_connections
    if not found.full:
        most = max((point.open_connections for point in found.seconds.points), default=0)
        return Check(name=name, ok=True, words=f"at most {most:,} of {number:,} were open at the end of a second")
    busy = f"all {number:,} connections were busy in {len(found.full):,} of {len(found.seconds.points):,} s"
    if found.held_back:
        return Check(name=name, ok=True, words=f"{busy} with requests that stood in the target's line: more would too")
    words = f"{busy}, and requests waited for one before they were sent: give more --connections"
    return Check(name=name, ok=False, words=words)


def _not_overloaded(found: SteadyFindings) -> Check:
    """Seconds in which a worker's loop was away for long, or a worker used up its core."""
    name = "generator not overloaded"
    seconds = found.axis.recording.seconds
    if not seconds:
        return Check(name=name, ok=None, words="no worker reported")
    bound_s = max(LAG_LEAST_S, LAG_SHARE * found.latency.p99_s if found.latency else 0.0)
    number = len({second.second for second in seconds})
    lagging = _which(seconds, [second.loop_lag_max_s > bound_s for second in seconds])
    busy = _which(seconds, [second.cpu_share > BUSY_CPU_SHARE for second in seconds])
    lag_s, cpu = max(second.loop_lag_max_s for second in seconds), max(second.cpu_share for second in seconds)
    faults = []
    if _too_many(busy, number):
        faults.append(f"a worker used more than {BUSY_CPU_SHARE:.0%} of a core in {busy:,} of {number:,} s")
    if _too_many(lagging, number):
        away = f"away for more than {milliseconds(bound_s)} in {lagging:,} of {number:,} s"
        faults.append(f"a worker's loop was {away} (at most {milliseconds(lag_s)})")
    words = (
        f"at most {cpu:.0%} of a core (bound {BUSY_CPU_SHARE:.0%}), loop away for {milliseconds(lag_s)} at most"
        f" (bound {milliseconds(bound_s)})"
    )
    return Check(name=name, ok=not faults, words=", and ".join(faults) or words)


def _which(seconds: Sequence[Second], true: Sequence[bool]) -> int:
    """In how many seconds it is true of any worker."""
    return len({second.second for second, is_true in zip(seconds, true, strict=True) if is_true})


def _too_many(count: int, number: int) -> bool:
    return count == number or count > max(1.0, BUSY_SECONDS * number)


def _resources(found: SteadyFindings) -> Check:
    name = "generator's ports, files and memory"
    short = {kind: count for kind, count in found.seconds.failed.items() if kind.side is Side.GENERATOR and count}
    if not short:
        return Check(name=name, ok=True, words="none ran out")
    errors = (request.hit.error for request in found.axis.requests if request.hit.outcome in short)
    example = next((error for error in errors if error), " and ".join(kind.value.replace("_", " ") for kind in short))
    return Check(name=name, ok=False, words=f"{sum(short.values()):,} requests failed on the generator: {example}")


def _littles_law(found: SteadyFindings) -> Check:
    """In a closed loop the requests in flight are the connections: throughput times latency must come to them."""
    name = "Little's law holds"
    latency, throughput = found.latency, found.throughput
    in_flight_s = found.profile.most_connections * throughput.duration_s
    if latency is None:
        return Check(name=name, ok=None, words="nothing was answered")
    if found.seconds.failed.total() * found.profile.timeout_s > LAW_FAILED_SHARE * in_flight_s:
        return Check(name=name, ok=None, words="too many failed, and a failed request has no latency")
    if throughput.duration_s < LAW_DURATIONS * latency.p99_s:
        return Check(name=name, ok=None, words=f"the load was shorter than {LAW_DURATIONS:.0f} of the longer latencies")
    by_law = throughput.answered_per_s * latency.mean_s
    most, reopened = found.profile.most_connections, _reopened(found)
    if reopened > LAW_REOPENED_SHARE * sum(point.released for point in found.seconds.points):
        # What was in flight is not known; more than the connections it cannot have been.
        words = f"{reopened:,} requests opened a connection anew, and none is in flight between two connections"
        too_many = f"throughput times latency gives {by_law:,.4g} in flight, on {most:,} connections"
        is_more = by_law > most and not agree(by_law, most)
        return Check(name=name, ok=False if is_more else None, words=too_many if is_more else words)
    in_flight = _mean_in_flight(found)
    words = f"throughput times latency gives {by_law:,.4g} in flight, counted {in_flight:,.4g}"
    return Check(name=name, ok=agree(by_law, in_flight), words=words)


def _reopened(found: SteadyFindings) -> int:
    """Connections that were made beyond the loop's first ones."""
    return max(0, sum(second.opened for second in found.axis.recording.seconds) - found.profile.most_connections)


def _mean_in_flight(found: SteadyFindings) -> float:
    """Over the seconds that were whole; a load of one second has its end only."""
    points = [point for point in found.seconds.points if point.second + 1 <= found.throughput.duration_s]
    points = points or list(found.seconds.points)
    return sum(point.in_flight for point in points) / len(points) if points else 0.0


def _is_held(found: SteadyFindings) -> bool:
    """The server was told how long to hold."""
    return found.profile.hold_s > 0 and found.axis.recording.manifest.request.holds


def _count_gap_s(profile: SteadyProfile) -> float:
    return max(GAP_S, min(COUNT_GAP_S, COUNT_SHARE * profile.duration_s))


def _open_about(found: SteadyFindings) -> dict[float, int]:
    """The most connections that the generator had in the seconds about each count."""
    most = [max(point.open_connections, point.in_flight) for point in found.seconds.points]
    about = {}
    for beat in counted(found.axis.beats):
        second = int(max(0.0, beat.at_s))
        if 0 <= beat.at_s <= found.axis.end_s:
            about[on_grid(beat)] = max(most[max(0, second - 1) : second + 2], default=0)
    return about


_NOT_ENDED = (Outcome.WAITING.value, Outcome.UNSENT.value)
