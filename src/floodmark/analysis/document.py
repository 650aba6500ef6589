"""The records a judged run consists of: ``verdict.json`` is `VerdictDocument` as plain data. No judging."""

from dataclasses import dataclass
from enum import StrEnum

from floodmark.core.places import Place

FORMAT = 1


class Unit(StrEnum):
    """What runs one request."""

    THREAD = "thread"
    PROCESS = "process"
    EVENT_LOOP = "event-loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSummary:
    """The load as it was asked for."""

    kind: str
    requests: int
    within_s: float
    hold_s: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found, first in one sentence.

    `listen_overflows` counts events in the target's network namespace during the load, with retries; None: not seen.
    """

    sentence: str
    in_service: InService
    waiting: dict[Place, WaitingPlace]
    lines: tuple[Line, ...]
    model: Model
    failures: tuple[Failure, ...]
    advice: tuple[str, ...]
    listen_overflows: int | None = None


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
class VerdictDocument:
    """``verdict.json``. `outcomes` add up to the requests planned. `status` is the run's own."""

    format: int
    target: str
    status: str
    profile: ProfileSummary
    verdict: Judgement
    outcomes: dict[str, int]
    validity: Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How many requests were in each place at each of `times_s` (seconds since the first planned release, rising).

    All series have the length of `times_s`. `places` always has all six; None at times where the agent was not there to
    tell. `answered` and `failed` are running totals, `unsent` the number not released. After `certain_until_s` (None:
    never) `in_service` is an estimate: the run ended before those in service were answered. `threads`, `processes`,
    `open_files` and `rss_bytes` are sums over the target's process tree, None where not seen.
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
class Judged:
    """A recording, judged: what `floodmark report` writes and `floodmark.report` draws."""

    document: VerdictDocument
    timeline: Timeline
