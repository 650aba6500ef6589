"""One planned request and what became of it, as its worker saw it."""

from dataclasses import dataclass

from floodmark.core.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Times are seconds of the worker's monotonic clock; None where the request did not get that far.

    `planned_s` is when the plan wanted it released; latency counts from there, so that a late generator cannot hide
    behind a slow server. `ended_s` is the last byte of the answer or the moment of the failure. The `handler_*`, `pid`,
    `tid` and `thread` fields are the handler's own words (`floodmark.core.evidence`), on the target's clock.
    """

    id: int
    worker: str
    planned_s: float
    released_s: float | None = None
    connected_s: float | None = None
    sent_s: float | None = None
    first_byte_s: float | None = None
    ended_s: float | None = None
    outcome: Outcome
    status: int | None = None
    body_bytes: int = 0
    local_port: int | None = None
    error: str | None = None
    handler_begin_s: float | None = None
    handler_end_s: float | None = None
    pid: int | None = None
    tid: int | None = None
    thread: str | None = None
