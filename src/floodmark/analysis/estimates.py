"""How many at once: three independent estimates, and the ceiling where it is proven (docs/method.md, section 2)."""

from dataclasses import dataclass

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Estimate, InService, Timeline
from floodmark.analysis.service import Service, handler_service, rebuilt_service
from floodmark.analysis.steps import StepCount, sampled_pieces
from floodmark.core.places import Place

HANDLER_TIMES = "handler times"
RECONSTRUCTION = "reconstruction"
LITTLES_LAW = "Little's law"

PROOF_SHARE = 0.8
"""Of the time in which requests waited behind a full server, the number in service must stand at the ceiling this long.

The rest is hand-over: between one batch's end and the next one's begin, and while the load is being released.
"""

PROOF_HOLDS = 0.4
"""The ceiling must have stood, with somebody waiting, for this many holds in all: less is a moment of a ramp."""

AGREE_SHARE = 0.1
"""Two estimates agree within a tenth, or within one request."""

LEVEL_SHARE = 0.05
"""In service stands at the ceiling within a twentieth: with hundreds in service some are always being handed over."""

BEHIND = (Place.ACCEPT_QUEUE, Place.UNREAD, Place.IN_PROCESS)
"""Where a request waits for the server itself; one still connecting or half open may wait for the network's retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a level is a ceiling: `saturated_s` seconds with somebody behind it, `share` of these at the level."""

    level: int
    saturated_s: float
    share: float
    holds: bool


def judge_in_service(axis: Axis, service: Service, timeline: Timeline) -> InService:
    """Peak, ceiling, estimates and the sentences that carry them."""
    peak = service.peak(axis.end_s)
    proof = prove_ceiling(axis, service, timeline, peak)
    ceiling = peak if proof.holds else None
    estimates = (_by_handlers(axis), _by_hold(axis), _by_littles_law(axis, timeline))
    evidence = [_proof_words(axis, proof, timeline), agreement_words(estimates)]
    return InService(
        peak=peak, ceiling=ceiling, evidence=tuple(words for words in evidence if words), estimates=estimates
    )


def prove_ceiling(axis: Axis, service: Service, timeline: Timeline, level: int) -> Proof:
    """A level is a ceiling where in service stays at it while at least one request waits behind it."""
    until_s = axis.end_s if service.certain_until_s is None else service.certain_until_s
    first_s = first_reached(service.count, level - _slack(level), until_s)
    saturated_s = at_level_s = 0.0
    for begin_s, end_s in waited_behind(timeline, level):
        start_s, stop_s = max(begin_s, first_s), min(end_s, until_s)
        for piece_s, next_s, count in service.count.pieces(start_s, stop_s):
            saturated_s += next_s - piece_s
            at_level_s += (next_s - piece_s) if count >= level - _slack(level) else 0.0
    share = at_level_s / saturated_s if saturated_s else 0.0
    holds = level > 0 and share >= PROOF_SHARE and at_level_s >= PROOF_HOLDS * axis.hold_s
    return Proof(level=level, saturated_s=saturated_s, share=share, holds=holds)


def waited_behind(timeline: Timeline, level: int) -> list[tuple[float, float]]:
    """The spans of time in which the agent saw requests waiting behind a server with `level` in service.

    With hundreds in service, a few that are being handed over always look as if they waited: they do not count.
    """
    behind: list[int | None] = []
    for values in zip(*(timeline.places[place] for place in BEHIND), strict=True):
        known = [value for value in values if value is not None]
        behind.append(sum(known) if known else None)
    least = 1 + _slack(level)
    pieces = sampled_pieces(timeline.times_s, behind)
    return [(begin_s, end_s) for begin_s, end_s, count in pieces if count >= least]


def agree(one: float, other: float) -> bool:
    """Two estimates of the same number agree within a tenth, or within one."""
    return abs(one - other) <= max(1.0, AGREE_SHARE * max(one, other))


def agreement_words(estimates: tuple[Estimate, ...]) -> str:
    """Which estimates could be made, and whether they agree."""
    known = [(estimate.method, estimate.value) for estimate in estimates if estimate.value is not None]
    if not known:
        return "No estimate of the number in service could be made: nothing was answered."
    listed = ", ".join(f"{method} {value:,.4g}" for method, value in known)
    if len(known) == 1:
        return f"One estimate could be made: {listed}."
    values = [value for _, value in known]
    if agree(min(values), max(values)):
        return f"{len(known)} independent estimates agree: {listed}."
    return f"{len(known)} independent estimates do not agree: {listed}; the first was used."


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
    how = "given" if axis.recording.manifest.hold_known else "measured"
    words = (
        f"{len(service.count):,} answers, each in service from t - {axis.hold_s:.3g} s (the {how} hold) to its end t"
    )
    return Estimate(method=RECONSTRUCTION, value=service.peak(axis.end_s), words=words)


def _by_littles_law(axis: Axis, timeline: Timeline) -> Estimate:
    """L = X * S over a whole number of holds in which somebody waited throughout.

    Answers of a held burst come in batches one hold apart, so the window begins half a hold after the first batch and
    is a whole number of holds long: each batch is counted whole.
    """
    ends = [request.ended_s for request in axis.answered() if request.ended_s is not None]
    window = _saturated_window(axis, timeline, ends[0]) if ends else None
    if window is None:
        words = "no window of a whole hold in which requests waited throughout"
        return Estimate(method=LITTLES_LAW, value=None, words=words)
    start_s, stop_s = window
    rate = sum(start_s < end_s <= stop_s for end_s in ends) / (stop_s - start_s)
    words = f"{rate:,.4g} answers/s over {stop_s - start_s:.3g} s of saturation, times {axis.hold_s:.3g} s of service"
    return Estimate(method=LITTLES_LAW, value=round(rate * axis.hold_s, 2), words=words)


def _saturated_window(axis: Axis, timeline: Timeline, first_end_s: float) -> tuple[float, float] | None:
    spans = waited_behind(timeline, level=0)
    if not spans:
        return None
    start_s = first_end_s + axis.hold_s / 2
    # Requests that waited at one beat and not at the next were taken up between: the window ends with the last beat.
    holds = max(0, int((min(spans[-1][1], axis.end_s) - start_s) / axis.hold_s))
    stop_s = start_s + holds * axis.hold_s
    waited_s = sum(max(0.0, min(end_s, stop_s) - max(begin_s, start_s)) for begin_s, end_s in spans)
    return (start_s, stop_s) if holds and waited_s >= PROOF_SHARE * (stop_s - start_s) else None


def first_reached(count: StepCount, level: int, until_s: float) -> float:
    """When the level was reached first; `until_s` where it never was."""
    pieces = count.pieces(0.0, until_s)
    return next((begin_s for begin_s, _, value in pieces if value >= level), until_s)


def _slack(level: int) -> int:
    return int(LEVEL_SHARE * level)


def _proof_words(axis: Axis, proof: Proof, timeline: Timeline) -> str:
    if not any(value is not None for value in timeline.places[Place.ACCEPT_QUEUE]):
        return "No agent saw where the others waited, so no ceiling can be claimed."
    if proof.holds:
        return (
            f"{proof.level:,} were in service for {proof.share:.0%} of the {proof.saturated_s:.3g} s in which others"
            " waited behind them."
        )
    if proof.saturated_s < PROOF_HOLDS * axis.hold_s:
        return f"At least {proof.level:,} at once: nothing waited behind them in the server, so this is no ceiling."
    return (
        f"At least {proof.level:,} at once: others waited for {proof.saturated_s:.3g} s, but the number in service was"
        f" not steady ({proof.share:.0%} of that time at {proof.level:,}), so no ceiling is proven."
    )
