"""The records a judged run consists of: ``verdict.json`` is `VerdictDocument` as plain data. No judging."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from floodmark.analysis.memory_records import Memory
from floodmark.analysis.pictured import FailureTimes, LatencyCurve
from floodmark.core.places import Place
from floodmark.core.run_folder import SearchStep

FORMAT = 1


class Unit(StrEnum):
    """What runs one request."""

    THREAD = "thread"
    PROCESS = "process"
    EVENT_LOOP = "event-loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSummary:
    """The load as it was asked for; None for what its kind has not.

    `requests` is how many are planned, of a search the largest burst. A closed loop plans none.
    """

    kind: str
    hold_s: float
    requests: int | None = None
    within_s: float | None = None
    timeout_s: float | None = None
    connections: int | None = None
    rate: float | None = None
    duration_s: float | None = None
    first: int | None = None

    @property
    def is_steady(self) -> bool:
        """True for a load that goes on for a time, rather than for a number of requests."""
        return self.duration_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One of three independent estimates of how many run at once; `value` None where it cannot be made, `words` why."""

    method: str
    value: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InService:
    """How many at once: `peak` seen, `ceiling` only where it is proven, `evidence` one sentence each."""

    peak: int
    ceiling: int | None
    evidence: tuple[str, ...]
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlace:
    """The most requests seen in one place, and how many fit; None: the place was not seen, or has no known limit."""

    peak: int | None
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One listening socket of the target (SO_REUSEPORT rows of an address summed): a line that requests wait in.

    `depth_peak` may be `limit` + 1: that is how many the kernel lets in. `depths` has the peak of each row where there
    are several. `owners` names the processes that hold it.
    """

    address: str
    outer: bool
    depth_peak: int
    limit: int
    depths: tuple[int, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Who runs a request. None where the evidence does not tell. `processes` counts those that ran handlers."""

    unit: Unit | None
    reused: bool | None
    processes: int | None
    per_process: int | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How many requests failed in one way, and which side caused it. `example` is one error's own text."""

    kind: str
    side: str
    count: int
    example: str


class LimitKind(StrEnum):
    """What there was not enough of."""

    OPEN_FILES = "open-files"
    THREADS = "threads"
    CONNECTIONS = "connections"
    """A limit that the server sets itself."""
    ACCEPT_QUEUE = "accept-queue"
    SYN_QUEUE = "syn-queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    """A limit that the target ran into: in a few words with its figure, and in a sentence or two with the remedy.

    `explains` are the kinds of failure that come of it.
    """

    kind: LimitKind
    short: str
    words: str
    explains: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownServer:
    """The server that a target's command lines tell; `target` is the zoo's target with the knowledge of it.

    `number` is how many at once its options mean, `agrees` whether that was measured; None: neither can be told. Where
    nothing bounds the server, `agrees` says that no ceiling was measured.
    """

    target: str
    server: str
    number: int | None
    agrees: bool | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found, first in one sentence.

    `listen_overflows` counts events in the target's network namespace during the load, with retries; None: not seen.
    `known` None: no server of the zoo was recognised, or the target's own file says what it is. `limits` are those that
    the target ran into.
    """

    sentence: str
    in_service: InService
    waiting: dict[Place, WaitingPlace]
    lines: tuple[Line, ...]
    model: Model
    failures: tuple[Failure, ...]
    advice: tuple[str, ...]
    listen_overflows: int | None = None
    known: KnownServer | None = None
    limits: tuple[LimitReached, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One reason why a run might not count, looked into. `ok` None: it could not be looked into here."""

    name: str
    ok: bool | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Whether the run may be believed: `ok` is False where any check failed."""

    ok: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Times of `count` requests or connections. Failures are never among them.

    `others_s` has the percentiles that a threshold asked for besides, by their rank: ``"97"``, ``"99.99"``.
    `min_s` None: it was not kept.
    """

    count: int
    mean_s: float
    p50_s: float
    p75_s: float
    p90_s: float
    p95_s: float
    p99_s: float
    p99_9_s: float
    max_s: float
    min_s: float | None = None
    others_s: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What a steady load got answered in its `duration_s`; answers that came later are in the outcomes only.

    `least_per_s` and `most_per_s` are of whole seconds; None where there was none.
    """

    duration_s: float
    answered: int
    answered_per_s: float
    received_bytes_per_s: float
    least_per_s: int | None
    most_per_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How the load was released.

    `spread_s`: how far the workers' first releases were apart on the master's clock, beyond what was planned; None with
    one worker. The `late` ones: released minus planned, over all requests. `skew_*_s`: the same distance request by
    request, the workers' first ones, their second ones and so on; None where `spread_s` is, and for arrivals, of which
    a sample is kept. `clock_bound_s` is of the workers' clocks.
    """

    workers: int
    spread_s: float | None
    median_late_s: float
    p99_late_s: float
    max_late_s: float
    clock_bound_s: float | None
    skew_median_s: float | None = None
    skew_p99_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTime:
    """How long a handler takes for one request, and how that is known; `mean_s` None: it is not.

    `way_s`: how long a request is on its way there and back, in no line and with no handler.
    """

    mean_s: float | None
    words: str
    way_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCost:
    """What the agent did in the run: `samples`, of them `counted` with a dump of all connections.

    `saved` beats were skipped to keep to its CPU budget. `cpu_share` is its CPU time per second of the run, as a share
    of one core; None: not known.
    """

    samples: int
    counted: int
    saved: int
    cpu_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClock:
    """How a node's clock stood to the master's: its time is right within `bound_s` after `offset_s` is taken off.

    `drift_s` is the change of the offset over `over_s`, from the reading before the load to the one after it; None
    where one of these is missing.
    """

    node: str
    offset_s: float
    bound_s: float
    drift_s: float | None
    over_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdResult:
    """Whether one threshold was met: `value` is that of `metric` in its unit, None where the run does not know it.

    What is not known has not met it. `threshold` is as it was asked for, `words` say value and limit. `ended_load`: it
    was missed while the load was on, and ended it.
    """

    threshold: str
    metric: str
    value: float | None
    ok: bool
    words: str
    ended_load: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictDocument:
    """``verdict.json``. `outcomes` add up to the requests planned. `status` is the run's own.

    `latency` counts from the planned release to the last byte, `first_byte` to the first, of answered requests;
    `connect` from the begin of a connection to its establishment. `throughput` and `service` are a steady load's,
    `steps` a search's, `memory` a burst's. `agent` None: none took part, or it left no sample.
    `clock` has one entry per node. `thresholds` are in the order in which they were asked for.
    """

    format: int
    target: str
    status: str
    profile: ProfileSummary
    verdict: Judgement
    outcomes: dict[str, int]
    validity: Validity
    latency: Percentiles | None = None
    first_byte: Percentiles | None = None
    connect: Percentiles | None = None
    throughput: Throughput | None = None
    release: Release | None = None
    service: ServiceTime | None = None
    steps: tuple[SearchStep, ...] = ()
    agent: AgentCost | None = None
    clock: tuple[NodeClock, ...] = ()
    memory: Memory | None = None
    thresholds: tuple[ThresholdResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How many requests were in each place at each of `times_s` (seconds since the first planned release, rising).

    All series have the length of `times_s`. `places` always has all six; None at times where the agent was not there to
    tell. With an agent the times are those at which it counted the connections, so they are not evenly apart.
    `answered` and `failed` are running totals, `unsent` the number not released. After `certain_until_s` (None: never)
    `in_service` is an estimate: the run ended before those in service were answered. `threads`, `processes`,
    `open_files` and `rss_bytes` are sums over the target's process tree, None where not seen. In a steady load
    `in_service` is throughput times service time; where that time is not known, all that the server has read.
    """

    times_s: tuple[float, ...]
    places: dict[Place, tuple[int | None, ...]]
    answered: tuple[int, ...]
    failed: tuple[int, ...]
    unsent: tuple[int, ...]
    certain_until_s: float | None
    processes: tuple[int | None, ...]
    threads: tuple[int | None, ...]
    open_files: tuple[int | None, ...]
    rss_bytes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPoint:
    """One second of a steady load over all workers; `second` 0 begins with the first planned release.

    `in_flight` counts requests that were released and have no outcome at the second's end, `unreleased` those planned
    that wait at the generator for a connection. The times are None in a second in which nothing was answered.
    """

    second: int
    planned: int
    released: int
    answered: int
    failed: int
    in_flight: int
    unreleased: int
    open_connections: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A recording, judged: what `floodmark report` writes and `floodmark.report` draws.

    `seconds` are a steady load's. `curves` has the times of `VerdictDocument` that are known, the whole first; `failed`
    None: nothing failed.
    """

    document: VerdictDocument
    timeline: Timeline
    seconds: tuple[SecondPoint, ...] = ()
    curves: tuple[LatencyCurve, ...] = ()
    failed: FailureTimes | None = None
