"""What one worker saw in one second of a long run: counts, and histograms that can be merged. No recording here."""

import dataclasses
from dataclasses import dataclass

LOWEST_US = 1
HIGHEST_US = 3_600_000_000
"""An hour: no request takes longer (`profile.MAX_HOLD_S`)."""

SIGNIFICANT_DIGITS = 3
"""Of every recorded time: 1.234 s and 1.235 s are told apart, 1.2341 s and 1.2344 s are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """`second` 0 begins with the first planned release; a request counts in the second in which it ended.

    `planned` is the number of requests planned for this second (closed: those released). `opened` counts connections
    that were established in it, `in_flight` the requests without an outcome at its end, `open_connections` the
    connections then. `failed` is by outcome. The histograms are HdrHistogram V2, compressed, base64, in microseconds
    (`LOWEST_US` to `HIGHEST_US`, `SIGNIFICANT_DIGITS`): `latency` of the answered requests from their planned release
    to the last byte, `transfer` from the first byte to the last of those answers that did not come in one piece,
    `late` from planned to released (empty in a closed loop, where nothing is planned), `connect` of the connections
    opened.
    `time_wait` is the number of TIME_WAIT sockets in the worker's network namespace at the second's end.
    """

    worker: str
    second: int
    planned: int
    released: int
    opened: int
    answered: int
    failed: dict[str, int] = dataclasses.field(default_factory=dict)
    in_flight: int
    open_connections: int
    received_bytes: int
    latency: str
    transfer: str
    late: str
    connect: str
    loop_lag_max_s: float
    cpu_share: float
    time_wait: int | None
