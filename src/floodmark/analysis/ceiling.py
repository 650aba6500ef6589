"""The ceiling, claimed only where it is proven: in service stood at it while others waited behind it."""

import math
from dataclasses import dataclass
from itertools import pairwise

from floodmark.analysis.axis import Axis
from floodmark.analysis.counted import beat_of
from floodmark.analysis.document import Timeline
from floodmark.analysis.service import Service
from floodmark.analysis.steps import StepCount, sustained
from floodmark.core.places import Place

PROOF_SHARE = 0.8
"""Of the time in which requests waited behind a full server, the number in service must stand at the ceiling this long.

The rest is hand-over: between one batch's end and the next one's begin, and while the load is being released.
"""

PROOF_HOLDS = 0.4
"""The ceiling must have stood, with somebody waiting, for this many holds in all: less is a moment of a ramp."""

LEVEL_SHARE = 0.05
"""In service stands at the ceiling within a twentieth: with hundreds in service some are always being handed over."""

SLOW_HOLDS = 0.3
"""Of a hold: a server with free slots takes them up at once; one that takes longer is bound by a rate, not a number."""

STANDING_HOLDS = 2.0
"""A wait of two holds in one piece holds two whole batches."""

STANDING_SHARE = 0.2
"""Of the time in which others waited: the level that is held so long is no overlap of two batches."""

FULL_BATCHES = 1.8
"""Answers in ceilings: two batches, less what is on its way when the run ends."""

BEHIND = (Place.ACCEPT_QUEUE, Place.UNREAD, Place.IN_PROCESS)
"""Where a request waits for the server itself; one still connecting or half open may wait for the network's retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a level is a ceiling: `saturated_s` seconds with somebody behind it, `share` of these at the level.

    `slow`: the level was reached a few at a time while others waited. `whole`: every process was seen full.
    """

    level: int
    saturated_s: float
    share: float
    stood: bool
    slow: bool
    whole: bool

    @property
    def holds(self) -> bool:
        """True where the level is a ceiling."""
        return self.level > 0 and self.stood and not self.slow and self.whole


def find_ceiling(axis: Axis, service: Service, timeline: Timeline) -> Proof:
    """The proof of the peak; where that fails, of the level that in service stood at, if that one holds."""
    peak = service.peak(axis.end_s)
    proof = prove_ceiling(axis, service, timeline, peak)
    standing = peak if proof.holds else standing_level(axis, service, timeline, peak)
    again = prove_ceiling(axis, service, timeline, standing) if standing < peak else proof
    return again if again.holds else proof


def prove_ceiling(axis: Axis, service: Service, timeline: Timeline, level: int) -> Proof:
    """A level is a ceiling where in service stays at it while at least one request waits behind it."""
    until_s = _certain_end(axis, service)
    first_s = first_reached(service.count, level - slack(level), until_s)
    saturated_s = at_level_s = 0.0
    for begin_s, end_s in waited_behind(axis, timeline, level):
        start_s, stop_s = max(begin_s, first_s), min(end_s, until_s)
        for piece_s, next_s, count in service.count.pieces(start_s, stop_s):
            saturated_s += next_s - piece_s
            at_level_s += (next_s - piece_s) if count >= level - slack(level) else 0.0
    share = at_level_s / saturated_s if saturated_s else 0.0
    return Proof(
        level=level,
        saturated_s=saturated_s,
        share=share,
        stood=share >= PROOF_SHARE and at_level_s >= PROOF_HOLDS * axis.served_hold_s,
        slow=_filled_slowly(axis, service, timeline, level),
        whole=_all_processes_full(axis, level),
    )


def standing_level(axis: Axis, service: Service, timeline: Timeline, peak: int) -> int:
    """The level that in service stood at while others waited, where a long run's overlaps made the peak higher.

    Rebuilt intervals are off by the generator's jitter at every batch's edge: over many batches that adds up to a peak
    that no batch had. Only a wait of two holds in one piece is long enough to tell.
    """
    until_s = _certain_end(axis, service)
    spans = [(max(begin_s, 0.0), min(end_s, until_s)) for begin_s, end_s in waited_behind(axis, timeline, peak)]
    pieces = [piece for begin_s, end_s in spans for piece in service.count.pieces(begin_s, end_s)]
    if _longest(spans) < STANDING_HOLDS * axis.served_hold_s:
        return peak
    return sustained(pieces, STANDING_SHARE * sum(end_s - begin_s for begin_s, end_s, _ in pieces)) or peak


def waited_behind(axis: Axis, timeline: Timeline, level: int) -> list[tuple[float, float]]:
    """The spans of time in which the agent saw requests waiting behind a server with `level` in service.

    With hundreds in service, a few that are being handed over always look as if they waited: they do not count. Where
    some waited at one count and none at the next, they waited for a beat: when in between they were taken is not known.
    """
    behind: list[int | None] = []
    for values in zip(*(timeline.places[place] for place in BEHIND), strict=True):
        known = [value for value in values if value is not None]
        behind.append(sum(known) if known else None)
    least = 1 + slack(level)
    beat_s, spans = beat_of(axis), []
    for (begin_s, end_s), (count, following) in zip(pairwise(timeline.times_s), pairwise(behind), strict=True):
        if count is not None and count >= least:
            go_on = following is not None and following >= least
            spans.append((begin_s, end_s if go_on else min(end_s, begin_s + beat_s)))
    return spans


def first_reached(count: StepCount, level: int, until_s: float) -> float:
    """When the level was reached first; `until_s` where it never was."""
    pieces = count.pieces(0.0, until_s)
    return next((begin_s for begin_s, _, value in pieces if value >= level), until_s)


def slack(level: int) -> int:
    """How many of a level are on their way between two batches."""
    return int(LEVEL_SHARE * level)


def proof_words(axis: Axis, proof: Proof, timeline: Timeline) -> str:
    """Why the level is a ceiling, or why it is none."""
    if not any(value is not None for value in timeline.places[Place.ACCEPT_QUEUE]):
        return "No agent saw where the others waited, so no ceiling can be claimed."
    if not proof.level:
        return "Nothing was seen in service for longer than an instant."
    return _level_words(axis, proof, f"{proof.level:,}")


def _level_words(axis: Axis, proof: Proof, level: str) -> str:
    if proof.holds:
        return (
            f"{level} were in service for {proof.share:.0%} of the {proof.saturated_s:.3g} s in which others waited"
            " behind them."
        )
    if proof.slow:
        return (
            f"{level} at once were reached a few at a time while others waited: the server takes requests in at a rate,"
            " and in service is that rate times the hold. That is no ceiling."
        )
    if proof.saturated_s < PROOF_HOLDS * axis.served_hold_s:
        return f"At least {level} at once: nothing waited behind them in the server, so this is no ceiling."
    if proof.stood:
        return (
            f"At least {level} at once: others waited, but several processes have a line each, and fewer than two full"
            " batches were answered: one of them may have had room."
        )
    return (
        f"At least {level} at once: others waited for {proof.saturated_s:.3g} s, but the number in service was not"
        f" steady ({proof.share:.0%} of that time at {level}), so no ceiling is proven."
    )


def _certain_end(axis: Axis, service: Service) -> float:
    return axis.end_s if service.certain_until_s is None else service.certain_until_s


def _filled_slowly(axis: Axis, service: Service, timeline: Timeline, level: int) -> bool:
    """True where the level was reached a few at a time while others waited: it is then a rate times the hold."""
    until_s = _certain_end(axis, service)
    low_s, high_s = (first_reached(service.count, math.ceil(share * level), until_s) for share in (0.25, 0.75))
    spans = waited_behind(axis, timeline, level=0)
    waited_s = sum(max(0.0, min(end_s, high_s) - max(begin_s, low_s)) for begin_s, end_s in spans)
    return high_s - low_s > SLOW_HOLDS * axis.served_hold_s and waited_s > PROOF_SHARE * (high_s - low_s)


def _all_processes_full(axis: Axis, level: int) -> bool:
    """With several processes each may have a line of its own: one may be full while another idles.

    Two full batches show that all were full: an idle process' share of the second batch would be missing.
    """
    answered = axis.answered()
    several = len({request.hit.pid for request in answered if request.hit.pid is not None}) > 1
    return not several or len(answered) >= FULL_BATCHES * level


def _longest(spans: list[tuple[float, float]]) -> float:
    """The longest stretch that adjoining spans make together, in seconds."""
    longest_s = began_s = 0.0
    ended_s = float("-inf")
    for begin_s, end_s in spans:
        began_s = began_s if ended_s >= begin_s else begin_s
        ended_s = end_s
        longest_s = max(longest_s, end_s - began_s)
    return longest_s
