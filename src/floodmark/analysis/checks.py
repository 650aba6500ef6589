"""Why a run might not count (docs/method.md, section 4): each check looks at one reason. It changes no verdict."""

from floodmark.analysis.axis import Axis
from floodmark.analysis.clocks import check_clocks
from floodmark.analysis.document import Check, InService, Timeline, Validity
from floodmark.analysis.estimates import LITTLES_LAW, agree, outvoted
from floodmark.analysis.release import late_of
from floodmark.analysis.target_checks import COUNT_GAP_HOLDS, GAP_HOLDS, alive_in, check_target, milliseconds
from floodmark.core.outcomes import Outcome, Side
from floodmark.core.run_folder import Manifest, RunStatus

LATE_HOLDS = 0.25
"""Released together means: the last request leaves within a quarter of the hold, while the first is still held."""

LATE_LEAST_S = 0.1
"""Lateness below this is the time it takes to open some thousand connections, whatever the hold."""

LAG_HOLDS = 0.1
"""The generator's loop may be away for a tenth of a hold: later, it sees answers too late to tell batches apart."""

BUSY_CPU_SHARE = 0.9
"""A worker above this share of a core over the whole burst measured itself."""

CPU_WINDOW_S = 1.0
"""A share of a core over less than this says nothing: opening connections is all that a worker then did."""

HELD_SHARE = 0.9
"""Of the hold: answers that come sooner say that the hold is not what was said."""


def check_run(axis: Axis, timeline: Timeline, in_service: InService, outcomes: dict[str, int]) -> Validity:
    """All checks, in the order in which a reader would ask."""
    checks = (
        run_complete(axis),
        _accounted(axis, outcomes),
        workers_present(axis),
        _released_on_time(axis),
        _loop_on_time(axis),
        _generator_resources(axis),
        check_clocks(axis.recording),
        _littles_law(axis, in_service),
        check_hold(axis.quickest_s, axis.hold_s),
        server_answered(axis.recording.manifest, outcomes),
        *check_target(
            axis, alive_in(timeline), gap_s=GAP_HOLDS * axis.hold_s, count_gap_s=COUNT_GAP_HOLDS * axis.hold_s
        ),
    )
    return Validity(ok=all(check.ok is not False for check in checks), checks=checks)


def run_complete(axis: Axis) -> Check:
    """The run came to its end, and nothing was noted against it."""
    manifest = axis.recording.manifest
    ok = manifest.status is RunStatus.COMPLETE and not manifest.problems
    words = "; ".join(manifest.problems) or f"the run is {manifest.status.value}"
    return Check(name="run complete", ok=ok, words=words)


def _accounted(axis: Axis, outcomes: dict[str, int]) -> Check:
    planned, total = axis.burst.requests, sum(outcomes.values())
    ids = len({request.hit.id for request in axis.requests})
    ok = total == planned and ids == len(axis.requests)
    return Check(
        name="every request accounted for", ok=ok, words=f"{total:,} outcomes for {planned:,} planned requests"
    )


def workers_present(axis: Axis) -> Check:
    """Every worker came to its end."""
    planned, reported = axis.recording.manifest.workers, len(axis.recording.workers)
    return Check(
        name="workers present", ok=reported == planned, words=f"{reported} of {planned} workers reported their end"
    )


def _released_on_time(axis: Axis) -> Check:
    late = sorted(late_of(axis))
    bound_s = max(LATE_LEAST_S, LATE_HOLDS * axis.hold_s)
    if not late:
        return Check(name="released on time", ok=None, words="nothing was released")
    p99_s = late[int(0.99 * (len(late) - 1))]
    words = f"99 % left within {milliseconds(p99_s)} of the plan (bound {milliseconds(bound_s)})"
    return Check(name="released on time", ok=p99_s <= bound_s, words=words)


def _loop_on_time(axis: Axis) -> Check:
    workers = axis.recording.workers
    if not workers:
        return Check(name="generator not overloaded", ok=None, words="no worker reported")
    lag_s = max(report.loop_lag_max_s for report in workers)
    cpu = max(report.cpu_share for report in workers)
    bound_s = max(LATE_LEAST_S, LAG_HOLDS * axis.hold_s)
    words = f"loop away for {milliseconds(lag_s)} at most (bound {milliseconds(bound_s)})"
    if axis.end_s < CPU_WINDOW_S:
        return Check(name="generator not overloaded", ok=lag_s <= bound_s, words=words)
    words = f"{words}, {cpu:.0%} of a core (bound {BUSY_CPU_SHARE:.0%})"
    return Check(name="generator not overloaded", ok=lag_s <= bound_s and cpu <= BUSY_CPU_SHARE, words=words)


def _generator_resources(axis: Axis) -> Check:
    short = [request.hit for request in axis.requests if request.hit.outcome.side is Side.GENERATOR]
    if not short:
        return Check(name="generator's ports, files and memory", ok=True, words="none ran out")
    words = f"{len(short):,} requests failed on the generator: {short[0].error}"
    return Check(name="generator's ports, files and memory", ok=False, words=words)


def _littles_law(axis: Axis, in_service: InService) -> Check:
    name = "Little's law holds"
    by_law = next(estimate for estimate in in_service.estimates if estimate.method == LITTLES_LAW)
    if doubt := outvoted(axis, in_service.estimates):
        return Check(name=name, ok=False, words=doubt)
    if by_law.value is None or in_service.ceiling is None:
        return Check(name=name, ok=None, words=by_law.words if by_law.value is None else "no ceiling is claimed")
    words = f"throughput times service time gives {by_law.value:,.4g}, counted {in_service.ceiling:,}"
    return Check(name=name, ok=agree(by_law.value, in_service.ceiling), words=words)


def check_hold(quickest_s: float | None, hold_s: float) -> Check:
    """No request is served in less time than the hold; where answers come sooner, the hold is not what was said."""
    name = "answers took the hold"
    if quickest_s is None:
        return Check(name=name, ok=None, words="nothing was answered")
    words = f"the quickest answers took {milliseconds(quickest_s)}, the hold is {milliseconds(hold_s)}"
    if quickest_s >= HELD_SHARE * hold_s:
        return Check(name=name, ok=True, words=words)
    return Check(name=name, ok=False, words=f"{words}: --hold is not what this server does")


def server_answered(manifest: Manifest, outcomes: dict[str, int]) -> Check:
    """A run in which nothing was answered as expected says nothing of the server's concurrency.

    Unless it is known of the target that it fails, and failed in this way.
    """
    count = outcomes.get(Outcome.ANSWERED.value, 0)
    words = f"{count:,} of {sum(outcomes.values()):,} requests got the expected answer"
    failed = {kind for kind, number in outcomes.items() if number and Outcome(kind).failed}
    if not count and failed and failed <= set(manifest.expect.failures):
        return Check(name="the server answered", ok=True, words=f"{words}, and the others failed as is known of it")
    return Check(name="the server answered", ok=count > 0, words=words)
