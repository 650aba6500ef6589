"""A suite: many targets measured one after another, a row each. Records only; ``suite.json`` is `SuiteRecord`."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from floodmark.core.profile import BurstProfile, ClosedProfile
from floodmark.core.published import PublishedCeiling, PublishedRate
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import RunStatus
from floodmark.core.target import ExpectSpec

SUITE_FORMAT = 1

REQUESTS = 1_000
"""The published studies' burst."""

HOLD_S = 2.0
"""Long beside the release of a thousand requests on one core (0.1 to 0.4 s): a full batch stands for a while."""

DURATION_S = 5.0
"""Of a closed loop where nobody says; the published table's ran for 60 s."""

TIMEOUT_S = 2.0
"""wrk's, with which the published table was made."""


class SuiteTable(StrEnum):
    """What a row is about."""

    CONCURRENCY = "a"
    """How many at once: a burst at one instant."""
    THROUGHPUT = "b"
    """How many per second: a closed loop."""


class RowState(StrEnum):
    """How far a row came."""

    PENDING = "pending"
    DONE = "done"
    """Measured and judged; whether it counts is in `SuiteFound.valid`."""
    FAILED = "failed"
    NOT_RUN = "not_run"
    """A runtime or a limit of this machine is missing: nothing was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLine:
    """A line that requests waited in: the most in it, and its limit."""

    outer: bool
    depth_peak: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMemory:
    """Resident memory of the target: before the burst, at most, and for each request that runs or waits inside.

    None where that cannot be told. `shared`: several processes, whose shared memory is counted in each.
    """

    before_bytes: int
    peak_bytes: int
    running_bytes: int | None
    waiting_bytes: int | None
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFound:
    """One run's verdict as far as the tables show it; the whole is in ``verdict.json`` of the row's folder.

    `invalid` has the checks that failed, with their words: empty for a run that counts. `failures` counts by kind.
    `requests_per_s`, `mean_s` and `max_s` are a closed loop's, `memory` is a burst's. `limits` has those that were
    reached and explain how it fails, in a few words each.
    """

    sentence: str
    invalid: tuple[str, ...]
    planned: int
    answered: int
    ceiling: int | None
    peak: int
    unit: str | None
    reused: bool | None
    processes: int | None
    lines: tuple[FoundLine, ...]
    failures: dict[str, int]
    requests_per_s: float | None = None
    mean_s: float | None = None
    max_s: float | None = None
    limits: tuple[str, ...] = ()
    memory: FoundMemory | None = None

    @property
    def valid(self) -> bool:
        """The run may be believed."""
        return not self.invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """One run of the suite. `ceilings` are its published rows in table A, `rate` is the one in table B.

    `request` is what is sent; None where the target's file could not be read. `folder` is below the suite's. `reason`
    says in one line why a row failed or was not run.
    """

    table: SuiteTable
    target: str
    profile: BurstProfile | ClosedProfile
    workers: int = 1
    request: RequestSpec | None = None
    ceilings: tuple[PublishedCeiling, ...] = ()
    rate: PublishedRate | None = None
    expect: ExpectSpec = dataclasses.field(default_factory=ExpectSpec)
    state: RowState = RowState.PENDING
    reason: str = ""
    folder: str = ""
    took_s: float | None = None
    found: SuiteFound | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The published rows that it stands beside."""
        return (self.rate.row,) if self.rate else tuple(published.row for published in self.ceilings)

    @property
    def key(self) -> str:
        """Its name among the rows, and of its folder: ``a-flask-dev-single``, ``b-T2-flask-dev-threaded``."""
        return "-".join([self.table.value, *([self.rate.row] if self.rate else []), self.target])

    @property
    def counts(self) -> bool:
        """It was measured, and the run may be believed."""
        return self.state is RowState.DONE and self.found is not None and self.found.valid

    @property
    def is_unread(self) -> bool:
        """It stands for a target whose file could not be read: what it is to send is not known."""
        return self.state is RowState.FAILED and self.request is None and not self.folder


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteAsked:
    """What was asked for. `requests` and `hold_s` are of table A, where a target has none of its own."""

    patterns: tuple[str, ...] = ()
    tables: tuple[SuiteTable, ...] = tuple(SuiteTable)
    requests: int = REQUESTS
    hold_s: float = HOLD_S
    duration_s: float = DURATION_S
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRecord:
    """``suite.json``: what was asked, of which machine, and every row with what was found."""

    format: int = SUITE_FORMAT
    status: RunStatus = RunStatus.RUNNING
    started_utc: str
    asked: SuiteAsked
    rows: tuple[SuiteRow, ...]
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    host: dict[str, str] = dataclasses.field(default_factory=dict)
    command: tuple[str, ...] = ()

    def with_row(self, index: int, row: SuiteRow) -> "SuiteRecord":
        """The record with one row replaced."""
        return dataclasses.replace(self, rows=(*self.rows[:index], row, *self.rows[index + 1 :]))
