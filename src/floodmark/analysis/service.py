"""Which requests were in service when: from the handlers' own times, or from the hold. No ceiling claimed here."""

from dataclasses import dataclass

from floodmark.analysis.axis import Axis
from floodmark.analysis.steps import StepCount, sustained
from floodmark.core.outcomes import Outcome

HANDLER_DWELL = 0.01
"""Of the hold: a level of handler times counts when held this long. The stamps are exact, so little is enough."""

REBUILT_DWELL = 0.1
"""Of the hold: rebuilt intervals end when the answer was read, which is late by the generator's own jitter."""

SERVED = (Outcome.ANSWERED, Outcome.WRONG_ANSWER, Outcome.SERVER_ERROR)
"""Outcomes that a handler may have run for, whatever its answer was worth."""

SERVED_SHARE = 0.9
"""Of the hold: an answer that took less, such as an instant HTTP 503, was not served."""

EVIDENCE_SHARE = 0.9
"""Of the answers must carry handler times, or the count of intervals would be short of the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Requests in service over time.

    `exact` is True where the handlers' own times were used. `certain_until_s`: later than that, requests in service had
    no answer yet when the run ended, so the count is too low; None: certain to the end. `finishing` counts requests
    whose handler is done and whose answer has not been read.
    """

    count: StepCount
    finishing: StepCount
    exact: bool
    certain_until_s: float | None
    dwell_s: float

    def peak(self, end_s: float) -> int:
        """The most in service at once for longer than an instant."""
        until_s = end_s if self.certain_until_s is None else self.certain_until_s
        return sustained(self.count.pieces(0.0, until_s), self.dwell_s)


def service_of(axis: Axis) -> Service:
    """The best account of what was in service: handler times where answers carry them, else rebuilt."""
    by_handlers = handler_service(axis)
    return by_handlers if by_handlers is not None else rebuilt_service(axis)


def handler_service(axis: Axis) -> Service | None:
    """From the handlers' own begin and end; None where the answers do not carry them."""
    known, finishing = [], []
    answered = axis.answered()
    for request in axis.requests:
        if request.handler_begin_s is not None and request.handler_end_s is not None:
            known.append((request.handler_begin_s, request.handler_end_s))
            finishing.append((request.handler_end_s, request.ended_s or request.handler_end_s))
    if not known or len(known) < EVIDENCE_SHARE * len(answered):
        return None
    return Service(
        count=StepCount(known),
        finishing=StepCount(finishing),
        exact=True,
        certain_until_s=_certain_until(axis),
        dwell_s=HANDLER_DWELL * axis.hold_s,
    )


def rebuilt_service(axis: Axis) -> Service:
    """From the hold H: an answer that completed at t was in service from t - H to t."""
    hold_s = axis.served_hold_s
    return Service(
        count=StepCount((end_s - hold_s, end_s) for end_s in served_ends(axis)),
        finishing=StepCount([]),
        exact=False,
        certain_until_s=_certain_until(axis),
        dwell_s=REBUILT_DWELL * hold_s,
    )


def served_ends(axis: Axis) -> list[float]:
    """When each request that a handler ran for came to its end, rising.

    None where nothing was answered as expected: what a failure's time was spent on, nobody knows then.
    """
    if not axis.answered():
        return []
    least_s = SERVED_SHARE * axis.served_hold_s
    return sorted(
        request.ended_s
        for request in axis.requests
        if request.hit.outcome in SERVED and request.ended_s is not None and (request.took_s or 0.0) >= least_s
    )


def _certain_until(axis: Axis) -> float | None:
    """A hold before the first request was left without an answer: until then, all in service were answered."""
    left_s = [axis.end_s for request in axis.requests if request.hit.outcome is Outcome.WAITING][:1]
    left_s += [r.ended_s for r in axis.requests if r.hit.outcome is Outcome.RESPONSE_TIMEOUT and r.ended_s is not None]
    return min(left_s) - axis.served_hold_s if left_s else None
