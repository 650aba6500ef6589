"""How the load was released: how late, and how far the workers were apart. It judges nothing."""

from floodmark.analysis.axis import Axis, Request
from floodmark.analysis.document import Percentiles, Release
from floodmark.analysis.percentiles import percentiles_of
from floodmark.core.profile import ArrivalsProfile, BurstProfile


def release_of_burst(axis: Axis) -> Release | None:
    """From every request; None where nothing was released."""
    return _release(axis, percentiles_of(late_of(axis)))


def release_of_arrivals(axis: Axis, late: Percentiles | None) -> Release | None:
    """`late`: released minus planned, over all workers and seconds."""
    return _release(axis, late)


def late_of(axis: Axis) -> list[float]:
    """Released minus planned of every request that was released, in seconds."""
    return [request.released_s - request.planned_s for request in axis.requests if request.released_s is not None]


def _release(axis: Axis, late: Percentiles | None) -> Release | None:
    if late is None:
        return None
    skew = _skew(axis)
    return Release(
        workers=axis.recording.manifest.workers,
        spread_s=_spread(axis),
        skew_median_s=skew.p50_s if skew else None,
        skew_p99_s=skew.p99_s if skew else None,
        median_late_s=late.p50_s,
        p99_late_s=late.p99_s,
        max_late_s=late.max_s,
        clock_bound_s=_bound(axis),
    )


def _spread(axis: Axis) -> float | None:
    """Each worker's first release against the plan, on the master's clock: the earliest and the latest compared."""
    profile = axis.recording.manifest.profile
    if not isinstance(profile, BurstProfile | ArrivalsProfile):
        return None
    first: dict[str, Request] = {}
    for request in axis.requests:
        if request.released_s is None:
            continue
        known = first.get(request.hit.worker)
        if known is None or request.released_s < (known.released_s or 0.0):
            first[request.hit.worker] = request
    off_s = [(request.released_s or 0.0) - profile.planned_offset_s(request.hit.id) for request in first.values()]
    return round(max(off_s) - min(off_s), 6) if len(off_s) > 1 else None


def _skew(axis: Axis) -> Percentiles | None:
    """How far the workers were apart, request by request: each one's first, each one's second, and so on.

    None with one worker, and where only a sample of the requests is kept (arrivals).
    """
    manifest = axis.recording.manifest
    if not isinstance(manifest.profile, BurstProfile):
        return None
    off_s: dict[int, list[float]] = {}
    for request in axis.requests:
        if request.released_s is not None:
            nth = (request.hit.id - 1) // manifest.workers  # the first of `workers` has 1, 1 + workers and so on
            planned_s = manifest.profile.planned_offset_s(request.hit.id)
            off_s.setdefault(nth, []).append(request.released_s - planned_s)
    return percentiles_of(max(each_s) - min(each_s) for each_s in off_s.values() if len(each_s) > 1)


def _bound(axis: Axis) -> float | None:
    """The worst of the workers' best clock readings."""
    workers = {report.worker for report in axis.recording.workers} | {request.hit.worker for request in axis.requests}
    best: dict[str, float] = {}
    for clock in axis.recording.clocks:
        if clock.node in workers:
            best[clock.node] = min(clock.bound_s, best.get(clock.node, clock.bound_s))
    return max(best.values(), default=None)
