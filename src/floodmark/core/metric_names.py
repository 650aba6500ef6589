"""What each number of ``verdict.json`` is called where numbers have one flat name: thresholds, Prometheus, CSV.

The names are k6's where k6 has one. Data only: the values are read by ``floodmark.analysis.metrics``, limits on them by
`floodmark.core.threshold_grammar`.
"""

from dataclasses import dataclass

from floodmark.core.outcomes import Outcome, Side
from floodmark.core.profile import BurstProfile

SECONDS = "s"
BYTES = "bytes"
BYTES_PER_S = "bytes/s"
RATIO = "ratio"
"""From 0 to 1, or beyond where more than one core is used."""
REQUESTS = "requests"
PER_S = "requests/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A number as it stands in ``verdict.json`` at `path`, which leads through records, and ends at None."""

    name: str
    path: str
    unit: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A number that is counted, added up or divided from those at `paths`."""

    name: str
    paths: tuple[str, ...]
    unit: str
    words: str


TRENDS = {
    "http_req_duration": ("latency", "From the planned release of a request to the last byte of its answer"),
    "http_req_waiting": ("first_byte", "From the planned release of a request to the first byte of its answer"),
    "http_req_connecting": ("connect", "From the begin of a connection until it is made"),
}
"""Times with statistics: the record they are in, and what they are. A failed request has none."""

STATISTICS = {
    "count": ("count", "how many there are"),
    "avg": ("mean_s", "mean"),
    "min": ("min_s", "the shortest"),
    "med": ("p50_s", "median"),
    "p75": ("p75_s", "75th percentile"),
    "p90": ("p90_s", "90th percentile"),
    "p95": ("p95_s", "95th percentile"),
    "p99": ("p99_s", "99th percentile"),
    "p99_9": ("p99_9_s", "99.9th percentile"),
    "max": ("max_s", "the longest"),
}
"""The statistics of each of `TRENDS`, with their fields. Percentiles that a threshold asks for besides: `p97`."""


def _trend(name: str) -> tuple[Field, ...]:
    record, what = TRENDS[name]
    return tuple(
        Field(
            name=f"{name}.{statistic}",
            path=f"{record}.{field}",
            unit=REQUESTS if statistic == "count" else SECONDS,
            words=f"{what}: {words}",
        )
        for statistic, (field, words) in STATISTICS.items()
    )


def _field(name: str, path: str, unit: str, words: str) -> Field:
    return Field(name=name, path=path, unit=unit, words=words)


_HTTP = (
    *_trend("http_req_duration"),
    *_trend("http_req_waiting"),
    *_trend("http_req_connecting"),
    _field("http_reqs.rate", "throughput.answered_per_s", PER_S, "Answered per second of a steady load"),
    _field(
        "data_received.rate", "throughput.received_bytes_per_s", BYTES_PER_S, "Received per second of a steady load"
    ),
)

_THROUGHPUT = (
    _field("throughput.duration", "throughput.duration_s", SECONDS, "The time that the rates are of"),
    _field("throughput.answered", "throughput.answered", REQUESTS, "Answered in that time"),
    _field("throughput.least", "throughput.least_per_s", PER_S, "Answered in the least of its whole seconds"),
    _field("throughput.most", "throughput.most_per_s", PER_S, "Answered in the most of its whole seconds"),
)

_TARGET = (
    _field("target.in_service.ceiling", "verdict.in_service.ceiling", REQUESTS, "At once, proven to be the most"),
    _field("target.in_service.peak", "verdict.in_service.peak", REQUESTS, "At once, the most that were seen"),
    _field("target.accept_queue.max", "verdict.waiting.accept_queue.peak", REQUESTS, "The most in the accept queue"),
    _field("target.accept_queue.limit", "verdict.waiting.accept_queue.limit", REQUESTS, "How many fit, less one"),
    _field("target.connecting.max", "verdict.waiting.connecting.peak", REQUESTS, "The most with an unanswered SYN"),
    _field("target.half_open.max", "verdict.waiting.half_open.peak", REQUESTS, "The most half open"),
    _field("target.unread.max", "verdict.waiting.unread.peak", REQUESTS, "The most accepted and not read"),
    _field("target.in_process.max", "verdict.waiting.in_process.peak", REQUESTS, "The most read that wait inside"),
    _field("target.listen_overflows", "verdict.listen_overflows", "events", "Accept queue overflows, with retries"),
    _field("target.processes", "verdict.model.processes", "processes", "Processes that ran handlers"),
    _field("target.per_process", "verdict.model.per_process", REQUESTS, "At once in each of them"),
    _field(
        "target.known_server.number",
        "verdict.known.number",
        REQUESTS,
        "At once by the options of the server that was recognised",
    ),
    _field("target.service_time.avg", "service.mean_s", SECONDS, "How long a handler takes under a steady load: mean"),
    _field("target.way", "service.way_s", SECONDS, "How long a request of it is on its way, there and back"),
    _field("target.memory.before", "memory.before_bytes", BYTES, "Resident memory before a burst"),
    _field("target.memory.max", "memory.peak_bytes", BYTES, "Resident memory, the most"),
    _field("target.memory.running", "memory.running.each_bytes", BYTES, "What one request more in service takes"),
    _field("target.memory.running_within", "memory.running.within_bytes", BYTES, "More or less by so much"),
    _field("target.memory.waiting", "memory.waiting.each_bytes", BYTES, "What one request more that waits takes"),
    _field("target.memory.waiting_within", "memory.waiting.within_bytes", BYTES, "More or less by so much"),
)

_RELEASE = (
    _field("release.late.med", "release.median_late_s", SECONDS, "Released after its planned time: median"),
    _field("release.late.p99", "release.p99_late_s", SECONDS, "Released after its planned time: 99th percentile"),
    _field("release.late.max", "release.max_late_s", SECONDS, "Released after its planned time: the latest"),
    _field("release.spread", "release.spread_s", SECONDS, "The first releases of several workers, how far apart"),
    _field("release.skew.med", "release.skew_median_s", SECONDS, "Workers apart, request by request: median"),
    _field("release.skew.p99", "release.skew_p99_s", SECONDS, "Workers apart, request by request: 99th percentile"),
    _field("release.clock_bound", "release.clock_bound_s", SECONDS, "The workers' clocks are known within this"),
    _field("release.workers", "release.workers", "workers", "Workers that released the load"),
)

_AGENT = (
    _field("agent.samples", "agent.samples", "samples", "Samples that the agent took"),
    _field("agent.counted", "agent.counted", "samples", "Of these, with the connections counted"),
    _field("agent.saved", "agent.saved", "samples", "Left out, to keep to its CPU budget"),
    _field("agent.cpu_share", "agent.cpu_share", RATIO, "CPU time per second, of one core"),
)

_LOAD = (
    _field("load.requests", "profile.requests", REQUESTS, "Planned; of a search, in its largest burst"),
    _field("load.first", "profile.first", REQUESTS, "Of a search's first burst"),
    _field("load.connections", "profile.connections", "connections", "Connections at once"),
    _field("load.rate", "profile.rate", PER_S, "Planned per second"),
    _field("load.duration", "profile.duration_s", SECONDS, "How long the load was to last"),
    _field("load.within", "profile.within_s", SECONDS, "The time over which a burst was to be released"),
    _field("load.hold", "profile.hold_s", SECONDS, "How long the server takes for one request alone"),
    _field("load.timeout", "profile.timeout_s", SECONDS, "What one request may take"),
)

FIELDS: tuple[Field, ...] = (*_HTTP, *_THROUGHPUT, *_TARGET, *_RELEASE, *_AGENT, *_LOAD)
"""The numbers that stand in ``verdict.json`` as they are."""


def _derived(name: str, unit: str, words: str, *paths: str) -> Derived:
    return Derived(name=name, paths=paths, unit=unit, words=words)


_ESTIMATES = "verdict.in_service.estimates[].value"

_OUTCOME_WORDS = {
    Outcome.ANSWERED: "Answered as expected",
    Outcome.WAITING: "Without an outcome when the run ended",
    Outcome.UNSENT: "Planned and never released",
}

DERIVED: tuple[Derived, ...] = (
    _derived("http_reqs.count", REQUESTS, "Requests that ended: answered or failed", "outcomes"),
    _derived("http_req_failed.rate", RATIO, "The failed ones among them", "outcomes"),
    _derived("http_req_failed.count", REQUESTS, "How many failed", "outcomes", "verdict.failures[].count"),
    *(
        _derived(f"http_req_failed.{side.value}", REQUESTS, f"Failed by the {side.value}'s doing", "outcomes")
        for side in Side
    ),
    _derived("dropped_iterations.count", REQUESTS, "Planned and never released, by k6's name", "outcomes"),
    _derived("requests.planned", REQUESTS, "Planned; of a closed loop, released", "outcomes"),
    *(
        _derived(
            f"requests.{outcome.value}",
            REQUESTS,
            _OUTCOME_WORDS.get(outcome, f"Failed: {outcome.value.replace('_', ' ')}"),
            "outcomes",
        )
        for outcome in Outcome
    ),
    _derived(
        "target.in_service.handler_times",
        REQUESTS,
        "At once, by the handlers' times",
        _ESTIMATES,
    ),
    _derived(
        "target.in_service.reconstruction",
        REQUESTS,
        "At once, by the answers' times",
        _ESTIMATES,
    ),
    _derived("target.in_service.littles_law", REQUESTS, "At once, by Little's law", _ESTIMATES),
    _derived(
        "target.inner_accept_queue.max",
        REQUESTS,
        "The most in a listening socket behind the outer one",
        "verdict.lines[].depth_peak",
    ),
    _derived("target.inner_accept_queue.limit", REQUESTS, "How many fit there, less one", "verdict.lines[].limit"),
    _derived("target.limits_reached", "limits", "Limits that the target ran into", "verdict.limits[]"),
    _derived("clock.bound.max", SECONDS, "Every node's clock is known within this", "clock[].bound_s"),
    _derived("clock.drift.max", SECONDS, "The most that a node's clock drifted", "clock[].drift_s"),
    _derived("search.bursts", "bursts", "Bursts of a search that were judged", "steps[]"),
)
"""The numbers that are made from those of ``verdict.json``."""

ENTRIES: tuple[Field | Derived, ...] = (*FIELDS, *DERIVED)
"""All of them."""

UNITS: dict[str, str] = {entry.name: entry.unit for entry in ENTRIES}
"""Every metric's unit by its name."""

MEDIAN = 50.0


def statistic_of(rank: float) -> str:
    """A percentile's name within a metric's: 99.9 is ``p99_9``, and 50 is ``med``."""
    return "med" if rank == MEDIAN else f"p{rank:.12g}".replace(".", "_")


TOLD_LIVE = (
    "http_req_duration",
    "http_req_waiting",
    "http_req_connecting",
    "http_req_failed",
    "http_reqs",
    "requests",
    "throughput.least",
    "throughput.most",
    "target.accept_queue.max",
    "target.inner_accept_queue.max",
    "target.listen_overflows",
)
"""Metrics, or the names that they begin with, of which a load's master knows something while the load is on."""


_AT_THE_END = ("requests.planned", "requests.waiting", "requests.unsent")
_STEADY_ALONE = ("http_reqs.rate", "throughput.least", "throughput.most")
_HELD_ALONE = ("http_req_waiting",)
"""The seconds of a steady load do not say it."""


def is_told_live(metric: str, kind: str) -> bool:
    """A threshold on it may be told as missed before the end of a load of this kind."""
    others = _STEADY_ALONE if kind in BurstProfile.KINDS else _HELD_ALONE
    return _is_one_of(metric, TOLD_LIVE) and not _is_one_of(metric, (*_AT_THE_END, *others))


def _is_one_of(metric: str, names: tuple[str, ...]) -> bool:
    return any(metric == name or metric.startswith(f"{name}.") for name in names)


LEFT_OUT = {
    "format": "It is the version of the file.",
    "outcomes.*": "Each is `requests.<outcome>`.",
    **{
        f"{record}.others_s.*": "Each is a percentile of its own, as `http_req_duration.p97`."
        for record, _ in TRENDS.values()
    },
    "verdict.lines[].depths[]": "They are the rows of one line, which counts as a whole.",
    "verdict.waiting.connecting.limit": "No limit is known for it.",
    "verdict.waiting.half_open.limit": "No limit is known for it.",
    "verdict.waiting.unread.limit": "No limit is known for it.",
    "verdict.waiting.in_process.limit": "No limit is known for it.",
    "clock[].offset_s": "A monotonic clock may begin anywhere: what counts is how well it is known.",
    "clock[].over_s": "It is the time between two readings of a clock.",
    "steps[].requests": "Each burst of a search has a run folder of its own, with all its numbers.",
    "steps[].ceiling": "Each burst of a search has a run folder of its own, with all its numbers.",
    "steps[].peak": "Each burst of a search has a run folder of its own, with all its numbers.",
    "steps[].answered": "Each burst of a search has a run folder of its own, with all its numbers.",
    "thresholds[].value": "It is the value of the metric that the threshold is on.",
}
"""Numbers of ``verdict.json`` that have no name, and why. Of `outcomes` and `others_s` all count as one."""
