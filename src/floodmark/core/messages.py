"""What master, workers and agent say to each other in Locust's custom messages. Words only: no socket, no Locust.

Every type begins with ``floodmark_``, so that it meets no message of Locust's or of a locustfile's. A payload is one of
the records below as plain data (`floodmark.core.codec`); `wire` in `Hello` is the version of this file.
"""

from dataclasses import dataclass
from typing import Any

from floodmark.core.codec import to_row
from floodmark.core.hit import Hit
from floodmark.core.profile import BurstProfile
from floodmark.core.sample import Sample, TargetLimits

WIRE_VERSION = 1

# node to master
HELLO = "floodmark_hello"
PONG = "floodmark_pong"
WATCHING = "floodmark_watching"
SAMPLES = "floodmark_samples"
READY = "floodmark_ready"
PULSE = "floodmark_pulse"
HITS = "floodmark_hits"
DONE = "floodmark_done"
BYE = "floodmark_bye"

# master to node
PING = "floodmark_ping"
WATCH = "floodmark_watch"
REST = "floodmark_rest"
MARK = "floodmark_mark"
BURST = "floodmark_burst"
FIRE = "floodmark_fire"
CUT = "floodmark_cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """An agent is here, said again every second: also its heartbeat. `name` is stable, the bus identity is not."""

    wire: int
    name: str
    host: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """The master's half of a four-timestamp exchange; `sent_s` on the master's clock comes back in the `Pong`."""

    sequence: int
    sent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The node's half: `ping_sent_s` as it came, the other two on the node's clock."""

    sequence: int
    ping_sent_s: float
    received_s: float
    sent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Begin sampling, one sample every `beat_s`. The agent knows by itself what its target is."""

    beat_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something begins now (`what`: the release): a watching agent counts the connections at once, and more often."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Sampling has begun, or (`problem`) why it cannot. `notes` say what the agent cannot see, and what would help."""

    problem: str | None
    limits: TargetLimits | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples in the order they were taken. `dropped` counts those lost before this message, since the start."""

    samples: tuple[Sample, ...]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstOrder:
    """One worker's share of a burst: ids `first_id`, `first_id` + `step`, ... up to the profile's requests."""

    worker: str
    profile: BurstProfile
    host: str
    port: int
    path: str
    expect_status: int
    expect_text: str
    first_id: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker has its share prepared, or (`problem`) why it cannot take it."""

    worker: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """Release: the burst's first request is planned at `at_s` on the worker's own clock."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A worker's running counts, a few times a second. `at_s` on the worker's clock."""

    worker: str
    at_s: float
    planned: int
    released: int
    connected: int
    answered: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRows:
    """Hits as rows (`codec.to_row`): thousands of them are one message of half a megabyte."""

    rows: tuple[Any, ...]

    @classmethod
    def of(cls, hits: list[Hit]) -> "HitRows":
        """The rows of `hits`."""
        return cls(rows=tuple(to_row(hit) for hit in hits))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """How a worker did during its burst, in its `DONE`.

    `loop_lag_max_s` is the longest time the engine was away from its poll; `cpu_share` the process' CPU seconds per
    second of the burst; `late_max_s` the largest released minus planned. `cut`: it was ended before its time.
    """

    worker: str
    started_s: float
    ended_s: float
    loop_lag_max_s: float
    late_max_s: float
    cpu_share: float
    open_files_limit: int
    cut: bool = False
