"""Judged bursts for the report's tests: simulated recordings, judged for good, with failures and large answers."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from simulated import Server, Simulation

from floodmark.analysis.document import Judged, ThresholdResult
from floodmark.analysis.judge import judge
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome

FAILS = {Outcome.REFUSED: 0.004, Outcome.RESET: 1.3, Outcome.OUT_OF_PORTS: 0.001}
"""How long after its release each kind fails."""


def fails_as(hit: Hit) -> Outcome | None:
    if hit.id == 199:
        return Outcome.OUT_OF_PORTS
    if hit.id % 10 == 0:
        return Outcome.REFUSED
    return Outcome.RESET if 100 < hit.id <= 130 else None


def spoiled(hit: Hit) -> Hit:
    """The hit with its failure; an answer takes 0.3 s to come in."""
    kind = fails_as(hit)
    if kind is None:
        return hit if hit.ended_s is None else replace(hit, first_byte_s=hit.ended_s - 0.3)
    assert hit.released_s is not None
    changes = dict.fromkeys(("first_byte_s", "handler_begin_s", "handler_end_s", "pid", "tid", "thread"))
    error = f"[Errno 1] as {kind.value.replace('_', ' ')}"
    return replace(hit, **changes, outcome=kind, ended_s=hit.released_s + FAILS[kind], error=error)  # type: ignore[arg-type]


@cache
def failing_burst() -> Judged:
    """Two hundred requests at forty slots: twenty refused at once, twenty-seven reset later, one for want of a port."""
    recording = Simulation(server=Server(slots=40, reads_at_once=False), requests=200, hold_s=2.0).record()
    named = replace(recording.manifest, target="flask-dev-threaded")
    return judge(replace(recording, manifest=named, hits=tuple(map(spoiled, recording.hits))))


@cache
def judged_burst() -> Judged:
    """A thousand requests at forty slots, answered in one piece; one threshold met, and one missed."""
    recording = Simulation(server=Server(slots=40), requests=1_000, hold_s=5.0).record()
    judged = judge(replace(recording, manifest=replace(recording.manifest, target="fastapi-uvicorn-sync")))
    met = ThresholdResult(
        threshold="target.in_service.ceiling >= 40",
        metric="target.in_service.ceiling",
        value=40.0,
        ok=True,
        words="target.in_service.ceiling is 40",
    )
    missed = ThresholdResult(
        threshold="http_req_duration: p(95)<200",
        metric="http_req_duration.p95",
        value=10.1,
        ok=False,
        words="http_req_duration.p95 is 10.1 s, which is not < 200 ms",
    )
    return replace(judged, document=replace(judged.document, thresholds=(met, missed)))


BURST_CASES: dict[str, Callable[[], Judged]] = {"burst-failures": failing_burst, "burst-thresholds": judged_burst}
