"""What master, workers and agent say to each other in Locust's custom messages. Words only: no socket, no Locust.

Every type begins with ``floodmark_``, so that it meets no message of Locust's or of a locustfile's. A payload is one of
the records below as plain data (`floodmark.core.codec`); `wire` in `Hello` is the version of this file.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from floodmark.core.address import Address
from floodmark.core.codec import to_row
from floodmark.core.command_line import CommandLine
from floodmark.core.hit import Hit
from floodmark.core.profile import LoadProfile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.sample import Sample, TargetLimits
from floodmark.core.second import Second

WIRE_VERSION = 5

NAME_CHARACTERS = 100
"""The most in what an agent says of itself: its name, its host, its version. All of it printable."""

# node to master
HELLO = "floodmark_hello"
PONG = "floodmark_pong"
WATCHING = "floodmark_watching"
SAMPLES = "floodmark_samples"
CHUNK = "floodmark_chunk"
READY = "floodmark_ready"
PULSE = "floodmark_pulse"
HITS = "floodmark_hits"
SECONDS = "floodmark_seconds"
DONE = "floodmark_done"
BYE = "floodmark_bye"

WORKERS_ONLY = frozenset({READY, PULSE, HITS, SECONDS, DONE})
"""What an agent has no business to say."""

# master to node
WELCOME = "floodmark_welcome"
PING = "floodmark_ping"
WATCH = "floodmark_watch"
REST = "floodmark_rest"
FETCH = "floodmark_fetch"
MARK = "floodmark_mark"
ORDER = "floodmark_order"
FIRE = "floodmark_fire"
CUT = "floodmark_cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """An agent is here, said again every second: also its heartbeat. `name` is stable, the bus identity is not.

    `process` is another word for each start of the agent: the same one under a new bus identity is the same process by
    a new connection, and still has what it has measured. `watch` is the number of the watch under way. `boot` is
    another word for each start of its host (``boot_id``, random(4)); empty: not known. `ports` are those of its
    target, where it was told; none: it finds out. `rest_s` is how long it would rest, to have the CPU time in hand for
    a load like the last one.
    """

    wire: int
    name: str
    host: str
    pid: int
    version: str
    process: str = ""
    watch: int | None = None
    boot: str = ""
    ports: tuple[int, ...] = ()
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The master's answer to each hello: it was heard. `master` is another word for each start of the master."""

    wire: int
    master: str


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
    """Begin sampling, one sample every `beat_s`. The agent knows by itself what its target is.

    `number` is the load's: what is said of the watch repeats it. `port` is where the load goes: an agent that was given
    several ports puts this one first.
    """

    beat_s: float
    number: int = 0
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """End the sampling of watch `watch`, if that is under way; no record at all: of whichever is."""

    watch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something begins now (`what`: the release): a watching agent counts the connections at once, and more often."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Sampling has begun, or (`problem`) why it cannot. `notes` say what the agent cannot see, and what would help.

    `commands` say how the target's processes were started, without secrets; none: not known, or kept back. `ports` are
    those that its connections are counted of, the one that clients connect to first. `number` is the watch's.
    """

    problem: str | None
    limits: TargetLimits | None
    notes: tuple[str, ...]
    commands: tuple[CommandLine, ...] = ()
    ports: tuple[int, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The agent's live figures, a few times a second: of the samples since the report before, some.

    These are the newest, the newest that has the connections counted, and the one in which most waited. The whole
    series stays on the target's host until it is fetched. `taken` counts the samples of watch `number` so far,
    `dropped` those of them that the agent could not keep; `full` is the share of its room that the others take.
    """

    number: int
    samples: tuple[Sample, ...]
    taken: int
    dropped: int
    full: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Send samples of watch `number` from `first` on, `blocks` blocks of them at most; those before may be forgotten.

    Asking for what comes next thus says that what came before has arrived.
    """

    number: int
    first: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Part of the series of watch `number`, as blocks (`core/series.py`), in order.

    `left` counts the samples that the agent has beyond these: 0 from one that is `resting` says that this is the end.
    `dropped` as in `Samples`.
    """

    number: int
    blocks: tuple[bytes, ...]
    left: int
    dropped: int
    resting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOrder:
    """One worker's share of a load: ids `first_id`, `first_id` + `step`, ... of the profile's requests or connections.

    `number` tells one load from another: what is said of a load repeats its number, and who hears of another than the
    one under way drops it.

    `request.path` has its hold filled in. `sources` are the addresses to send from, of which a worker takes those that
    are its host's; none: the kernel's choice. `verify` False: any certificate will do.
    """

    worker: str
    profile: LoadProfile
    address: Address
    request: RequestSpec
    first_id: int
    step: int
    number: int = 0
    sources: tuple[str, ...] = ()
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker has its share prepared, or (`problem`) why it cannot take it.

    `host` names the network namespace it sends from: workers with the same one share its source ports. `ports` is how
    many connections they can have at once to the server, over all their source addresses, `time_wait` how many sockets
    there are in TIME_WAIT, and `reuses_time_wait` says that ports of these are taken again; None: not known. `notes`
    are worth telling the user, and no reason not to go on.
    """

    worker: str
    problem: str | None
    number: int = 0
    host: str = ""
    ports: int | None = None
    time_wait: int | None = None
    reuses_time_wait: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """Release of load `number`: its first request is planned at `at_s` on the worker's own clock.

    Of the `slots` workers of its host this one is number `slot` (from 0): it takes that part of the source ports.
    """

    number: int = 0
    at_s: float
    slot: int = 0
    slots: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """End load `number` now; one that is not released yet is ended as soon as it is."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A worker's running counts, a few times a second. `at_s` on the worker's clock.

    `connected` counts requests that got a connection, `open_connections` the connections there are now.
    """

    worker: str
    at_s: float
    planned: int
    released: int
    connected: int
    answered: int
    failed: int
    open_connections: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Whole seconds of a worker's part of load `number`, a steady one, in order."""

    number: int = 0
    seconds: tuple[Second, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRows:
    """Hits of load `number` as rows (`codec.to_row`): thousands of them are one message of half a megabyte."""

    number: int = 0
    rows: tuple[Any, ...]

    @classmethod
    def of(cls, hits: list[Hit], number: int = 0) -> "HitRows":
        """The rows of `hits`."""
        return cls(number=number, rows=tuple(to_row(hit) for hit in hits))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """How a worker did during its load, in its `Done`.

    `loop_lag_max_s` is the longest time the engine was away from its poll; `cpu_share` the process' CPU seconds per
    second of the burst; `late_max_s` the largest released minus planned. `cut`: it was ended before its time.
    `outcomes` has all its requests by what became of them. `ports` is how many source ports it could choose from, over
    all its addresses, and `time_wait_max` the most TIME_WAIT sockets seen in its network namespace; None: not known.
    `reuses_time_wait`: its kernel takes the ports of these again where no others are left. `was_ahead`: its requests
    were released at a real-time priority, ahead of all else on its host.
    """

    worker: str
    started_s: float
    ended_s: float
    loop_lag_max_s: float
    late_max_s: float
    cpu_share: float
    open_files_limit: int
    cut: bool = False
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    ports: int | None = None
    time_wait_max: int | None = None
    reuses_time_wait: bool | None = None
    was_ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A worker's part of load `number` is over; `problem` says what went wrong in the worker itself."""

    number: int
    report: WorkerReport
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A worker's pulse in load `number`."""

    number: int
    pulse: Pulse
