"""How many at once: three independent estimates (docs/method.md, section 2), and whether they agree. No claim."""

from floodmark.analysis.axis import Axis
from floodmark.analysis.ceiling import PROOF_SHARE, waited_behind
from floodmark.analysis.document import Estimate, Timeline
from floodmark.analysis.service import SERVED_SHARE, handler_service, rebuilt_service, served_ends
from floodmark.analysis.timeline import TimelineMaker

HANDLER_TIMES = "handler times"
RECONSTRUCTION = "reconstruction"
LITTLES_LAW = "Little's law"

AGREE_SHARE = 0.1
"""Two estimates agree within a tenth, or within one request ..."""

AGREE_SMALL_SHARE = 0.34
"""... but one request is not little where there are few: then within a third."""


def make_estimates(axis: Axis, timeline: Timeline) -> tuple[Estimate, ...]:
    """The three, the best first; each says what it rests on, or why it could not be made."""
    by_handlers, by_hold = _by_handlers(axis), _by_hold(axis)
    first, rebuilt = by_handlers.value, by_hold.value
    if first is not None and rebuilt is not None and not agree(first, rebuilt):
        # Who waited while others ran is then not to be told by the handler times, or the third rested on the first.
        timeline = TimelineMaker(axis, rebuilt_service(axis), level_after=int(rebuilt)).make()
    return (by_handlers, by_hold, _by_littles_law(axis, timeline))


def agree(one: float, other: float) -> bool:
    """Two estimates of the same number are near enough to each other."""
    larger = max(one, other)
    return abs(one - other) <= max(min(1.0, AGREE_SMALL_SHARE * larger), AGREE_SHARE * larger)


def outvoted(axis: Axis, estimates: tuple[Estimate, ...]) -> str:
    """Why handler times are not believed; empty where they are.

    The other two agree against them, and the handlers' runs did not take the hold. So a header is of more than the
    handler, such as a wait for a thread, or of less; or the hold is wrong. Runs that took the hold are what was held:
    then the answers were late, and the other two are short.
    """
    values = {estimate.method: estimate.value for estimate in estimates}
    first, rebuilt, by_law = (values.get(method) for method in (HANDLER_TIMES, RECONSTRUCTION, LITTLES_LAW))
    if first is None or rebuilt is None or by_law is None:
        return ""
    if not agree(rebuilt, by_law) or agree(first, rebuilt) or agree(first, by_law):
        return ""
    ran_s, hold_s = _mean_run_s(axis), axis.served_hold_s
    if abs(ran_s - hold_s) <= AGREE_SHARE * hold_s:
        return ""
    return (
        f"The {HANDLER_TIMES} say {first:,.4g}, and the two other estimates agree against them ({rebuilt:,.4g},"
        f" {by_law:,.4g}). The handlers' runs took {ran_s:.3g} s in the mean and the hold is {hold_s:.3g} s: the"
        " Server-Timing header is of something else than the handler, or the hold is wrong. So no number is claimed."
    )


def least(estimates: tuple[Estimate, ...]) -> int:
    """What all of them allow: at least so many, rounded down."""
    return int(min((estimate.value for estimate in estimates if estimate.value is not None), default=0))


def agreement_words(estimates: tuple[Estimate, ...]) -> str:
    """Which estimates could be made, and whether they agree."""
    known = [(estimate.method, estimate.value) for estimate in estimates if estimate.value is not None]
    if not known and len(estimates) == 1:
        return f"No estimate of the number in service could be made: {estimates[0].words}."
    if not known:
        return "No estimate of the number in service could be made: nothing was answered."
    listed = ", ".join(f"{method} {value:,.4g}" for method, value in known)
    if len(known) == 1:
        return f"One estimate could be made: {listed}."
    values = [value for _, value in known]
    if agree(min(values), max(values)):
        return f"{len(known)} independent estimates agree: {listed}."
    return f"{len(known)} independent estimates do not agree: {listed}."


def _mean_run_s(axis: Axis) -> float:
    runs_s = [
        request.handler_end_s - request.handler_begin_s
        for request in axis.requests
        if request.handler_begin_s is not None and request.handler_end_s is not None
    ]
    return sum(runs_s) / max(1, len(runs_s))


def _by_handlers(axis: Axis) -> Estimate:
    service = handler_service(axis)
    if service is None:
        words = "the answers carry no Server-Timing evidence"
        return Estimate(method=HANDLER_TIMES, value=None, words=words)
    words = f"most handlers running at once, from the begin and end of {len(service.count):,}"
    return Estimate(method=HANDLER_TIMES, value=service.peak(axis.end_s), words=words)


def _by_hold(axis: Axis) -> Estimate:
    service = rebuilt_service(axis)
    if not len(service.count):
        return Estimate(method=RECONSTRUCTION, value=None, words="nothing was answered")
    hold_s = axis.served_hold_s
    given = "given hold's" if axis.recording.manifest.hold_known else "measured hold's"
    whose = "quickest answer's" if hold_s < SERVED_SHARE * axis.hold_s else given
    words = f"{len(service.count):,} answers, each in service for the {whose} {hold_s:.3g} s before its end"
    return Estimate(method=RECONSTRUCTION, value=service.peak(axis.end_s), words=words)


def _by_littles_law(axis: Axis, timeline: Timeline) -> Estimate:
    """L = X * S over a whole number of holds in which somebody waited throughout.

    Answers of a held burst come in batches one hold apart, so the window begins half a hold after the first batch and
    is a whole number of holds long: each batch is counted whole.
    """
    ends, hold_s = served_ends(axis), axis.served_hold_s
    window = _saturated_window(axis, timeline, ends[0]) if ends else None
    if window is None:
        words = "no window of a whole hold in which requests waited throughout"
        return Estimate(method=LITTLES_LAW, value=None, words=words)
    start_s, stop_s = window
    rate = sum(start_s < end_s <= stop_s for end_s in ends) / (stop_s - start_s)
    words = f"{rate:,.4g} answers/s over {stop_s - start_s:.3g} s of saturation, times {hold_s:.3g} s of service"
    return Estimate(method=LITTLES_LAW, value=round(rate * hold_s, 2), words=words)


def _saturated_window(axis: Axis, timeline: Timeline, first_end_s: float) -> tuple[float, float] | None:
    spans, hold_s = waited_behind(axis, timeline, level=0), axis.served_hold_s
    if not spans or hold_s <= 0:
        return None
    start_s = first_end_s + hold_s / 2
    # Requests that waited at one beat and not at the next were taken up between: the window ends with the last beat.
    holds = max(0, int((min(spans[-1][1], axis.end_s) - start_s) / hold_s))
    stop_s = start_s + holds * hold_s
    waited_s = sum(max(0.0, min(end_s, stop_s) - max(begin_s, start_s)) for begin_s, end_s in spans)
    return (start_s, stop_s) if holds and waited_s >= PROOF_SHARE * (stop_s - start_s) else None
