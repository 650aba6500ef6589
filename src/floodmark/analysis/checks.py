"""Why a run might not count (docs/method.md, section 4): each check looks at one reason. It changes no verdict."""

from itertools import pairwise

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Check, InService, Timeline, Validity
from floodmark.analysis.estimates import LITTLES_LAW, agree
from floodmark.analysis.timeline import outer_connections
from floodmark.core.outcomes import Side
from floodmark.core.run_folder import RunStatus

LATE_HOLDS = 0.25
"""Released together means: the last request leaves within a quarter of the hold, while the first is still held."""

LATE_LEAST_S = 0.1
"""Lateness below this is the time it takes to open some thousand connections, whatever the hold."""

LAG_HOLDS = 0.1
"""The generator's loop may be away for a tenth of a hold: later, it sees answers too late to tell batches apart."""

BUSY_CPU_SHARE = 0.9
"""A worker above this share of a core over the whole burst measured itself."""

GAP_BEATS = 5.0
"""The agent may be late by five beats while the flood starves it; what happened in a longer gap is not known."""

GAP_HOLDS = 0.2
"""Or by a fifth of a hold, whichever is longer: the plateau that a ceiling is read from lasts a whole one."""

STRANGERS = 0.02
"""Of the requests: connections on the target's port that are not the generator's, seen for longer than a moment."""


def check_run(axis: Axis, timeline: Timeline, in_service: InService, outcomes: dict[str, int]) -> Validity:
    """All checks, in the order in which a reader would ask."""
    checks = (
        _complete(axis),
        _accounted(axis, outcomes),
        _workers_present(axis),
        _released_on_time(axis),
        _loop_on_time(axis),
        _generator_resources(axis),
        _samples_complete(axis),
        _clocks_aligned(axis),
        _ends_agree(axis, timeline),
        _littles_law(in_service),
        _target_unchanged(axis),
    )
    return Validity(ok=all(check.ok is not False for check in checks), checks=checks)


def _complete(axis: Axis) -> Check:
    manifest = axis.recording.manifest
    ok = manifest.status is RunStatus.COMPLETE and not manifest.problems
    words = "; ".join(manifest.problems) or f"the run is {manifest.status.value}"
    return Check(name="run complete", ok=ok, words=words)


def _accounted(axis: Axis, outcomes: dict[str, int]) -> Check:
    planned, total = axis.recording.manifest.profile.requests, sum(outcomes.values())
    ids = len({request.hit.id for request in axis.requests})
    ok = total == planned and ids == len(axis.requests)
    return Check(
        name="every request accounted for", ok=ok, words=f"{total:,} outcomes for {planned:,} planned requests"
    )


def _workers_present(axis: Axis) -> Check:
    planned, reported = axis.recording.manifest.workers, len(axis.recording.workers)
    return Check(
        name="workers present", ok=reported == planned, words=f"{reported} of {planned} workers reported their end"
    )


def _released_on_time(axis: Axis) -> Check:
    late = sorted(request.released_s - request.planned_s for request in axis.requests if request.released_s is not None)
    bound_s = max(LATE_LEAST_S, LATE_HOLDS * axis.hold_s)
    if not late:
        return Check(name="released on time", ok=None, words="nothing was released")
    p99_s = late[int(0.99 * (len(late) - 1))]
    words = f"99 % left within {_ms(p99_s)} of the plan (bound {_ms(bound_s)})"
    return Check(name="released on time", ok=p99_s <= bound_s, words=words)


def _loop_on_time(axis: Axis) -> Check:
    workers = axis.recording.workers
    if not workers:
        return Check(name="generator not overloaded", ok=None, words="no worker reported")
    lag_s = max(report.loop_lag_max_s for report in workers)
    cpu = max(report.cpu_share for report in workers)
    bound_s = max(LATE_LEAST_S, LAG_HOLDS * axis.hold_s)
    words = (
        f"loop away for {_ms(lag_s)} at most (bound {_ms(bound_s)}), {cpu:.0%} of a core (bound {BUSY_CPU_SHARE:.0%})"
    )
    return Check(name="generator not overloaded", ok=lag_s <= bound_s and cpu <= BUSY_CPU_SHARE, words=words)


def _generator_resources(axis: Axis) -> Check:
    short = [request.hit for request in axis.requests if request.hit.outcome.side is Side.GENERATOR]
    if not short:
        return Check(name="generator's ports, files and memory", ok=True, words="none ran out")
    words = f"{len(short):,} requests failed on the generator: {short[0].error}"
    return Check(name="generator's ports, files and memory", ok=False, words=words)


def _samples_complete(axis: Axis) -> Check:
    name = "agent's samples complete"
    if not axis.beats:
        return Check(name=name, ok=None, words="no agent took part")
    beat_s = axis.recording.manifest.beat_s
    bound_s = max(GAP_BEATS * beat_s, GAP_HOLDS * axis.hold_s)
    during = [beat.at_s for beat in axis.beats if 0 <= beat.at_s <= axis.end_s]
    gap_s = max(later - sooner for sooner, later in pairwise([0.0, *during, axis.end_s]))
    words = f"{len(during):,} samples, the longest gap {_ms(gap_s)} (bound {_ms(bound_s)})"
    return Check(name=name, ok=gap_s <= bound_s, words=words)


def _clocks_aligned(axis: Axis) -> Check:
    name = "clocks aligned"
    clocks = axis.recording.clocks
    if not clocks:
        return Check(name=name, ok=None, words="no clock was read")
    best = {node: min(c.bound_s for c in clocks if c.node == node) for node in {clock.node for clock in clocks}}
    bound_s, beat_s = max(best.values()), axis.recording.manifest.beat_s
    return Check(name=name, ok=bound_s <= beat_s, words=f"within {_ms(bound_s)} of the master (bound {_ms(beat_s)})")


def _ends_agree(axis: Axis, timeline: Timeline) -> Check:
    """The target may hold fewer connections than the client believes (half open), but not more."""
    name = "both ends agree on the connections"
    if not axis.beats:
        return Check(name=name, ok=None, words="no agent took part")
    alive = dict(zip(timeline.times_s, _alive(timeline), strict=True))
    excess = [
        counts.established - alive[round(beat.at_s, 4)]
        for beat in axis.beats
        if round(beat.at_s, 4) in alive and (counts := outer_connections(beat)) is not None
    ]
    # One dump may catch the moment between an answer's end here and its close there: two beats in a row may not.
    worst = max((min(pair) for pair in pairwise(excess)), default=0)
    bound = max(2, int(STRANGERS * axis.recording.manifest.profile.requests))
    words = f"at most {max(worst, 0):,} connections on the port were not this run's (bound {bound:,})"
    return Check(name=name, ok=worst <= bound, words=words)


def _alive(timeline: Timeline) -> list[int]:
    columns = zip(*timeline.places.values(), strict=True)
    return [sum(value or 0 for value in column) for column in columns]


def _littles_law(in_service: InService) -> Check:
    name = "Little's law holds"
    by_law = next(estimate for estimate in in_service.estimates if estimate.method == LITTLES_LAW)
    if by_law.value is None or in_service.ceiling is None:
        return Check(name=name, ok=None, words=by_law.words if by_law.value is None else "no ceiling is claimed")
    words = f"throughput times service time gives {by_law.value:,.4g}, counted {in_service.ceiling:,}"
    return Check(name=name, ok=agree(by_law.value, in_service.ceiling), words=words)


def _target_unchanged(axis: Axis) -> Check:
    """The first process of the tree must be the same from the first sample to the last."""
    name = "target not restarted"
    trees = [beat.sample.processes for beat in axis.beats if beat.sample.processes]
    if not trees:
        return Check(name=name, ok=None, words="its processes were not seen")
    first, last = trees[0][0].pid, trees[-1][0].pid
    if first == last:
        return Check(name=name, ok=True, words=f"process {first} was its first process throughout")
    return Check(name=name, ok=False, words=f"its first process was {first} at the start and {last} at the end")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:.3g} s"
