"""Many targets one after another: a row that fails does not end it, and what is done is kept. Knows Protocols only."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Protocol

from floodmark.campaign.plan import RunPlan
from floodmark.campaign.suite_plan import plan_of
from floodmark.core.errors import FloodmarkError, LimitError, MissingRuntimeError
from floodmark.core.run_folder import RunFolder, RunStatus
from floodmark.core.suite import RowState, SuiteFound, SuiteRecord, SuiteRow
from floodmark.core.target import TargetSpec

USUAL_OVERHEAD_S = 6.0
"""Beside a run's load: start, clocks, stop, verdict. Until the first row has shown what it takes here."""


class Measure(Protocol):
    """Runs a plan to its end, as `Campaign.run` does, with the same errors."""

    def __call__(self, plan: RunPlan) -> RunFolder:
        """The run's folder, complete."""


class Judge(Protocol):
    """Makes a run's verdict and report."""

    def __call__(self, folder: RunFolder) -> SuiteFound:
        """The verdict, short."""


class Settle(Protocol):
    """Waits between two runs."""

    def __call__(self, connections: int, *, say: Callable[[str], None]) -> float:
        """Returns when the machine is ready for so many connections; bounded."""


class Store(Protocol):
    """Where the suite is kept."""

    @property
    def path(self) -> Path:
        """Its folder."""

    def write(self, record: SuiteRecord) -> None:
        """Keeps the record as it is now."""

    def free_name(self, key: str) -> str:
        """A folder's name, for a row's run."""


class SuiteView(Protocol):
    """Who watches the suite while it goes on."""

    def begin(self, row: SuiteRow, number: int, rows: int, left_s: float) -> None:
        """Row `number` of so many begins; the suite takes about `left_s` from here."""

    def say(self, words: str) -> None:
        """What is waited for between two rows."""

    def end(self, row: SuiteRow) -> None:
        """A row is over, well or not."""


class Suite:
    """Runs the rows that are pending, one at a time."""

    def __init__(  # noqa: PLR0913 - each is a seam of its own, all by name
        self,
        *,
        measure: Measure,
        judge: Judge,
        settle: Settle,
        store: Store,
        view: SuiteView,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The seams; nothing happens yet."""
        self._measure = measure
        self._judge = judge
        self._settle = settle
        self._store = store
        self._view = view
        self._clock = clock
        self._overheads_s: list[float] = []

    def run(self, record: SuiteRecord, specs: Mapping[str, TargetSpec]) -> SuiteRecord:
        """Runs every pending row and returns the record, complete; it is written after each row.

        A `KeyboardInterrupt` passes through; the row under way stays pending then, and the others are kept.
        """
        pending = [index for index, row in enumerate(record.rows) if row.state is RowState.PENDING]
        record = replace(record, status=RunStatus.RUNNING)
        self._store.write(record)
        try:
            for number, index in enumerate(pending, start=1):
                left_s = sum(self._expected_s(record.rows[later]) for later in pending[number - 1 :])
                self._view.begin(record.rows[index], number, len(pending), left_s)
                row = self._one(record.rows[index], specs, record.command)
                record = record.with_row(index, row)
                self._store.write(record)
                self._view.end(row)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            self._store.write(replace(record, status=RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED))
            raise
        record = replace(record, status=RunStatus.COMPLETE)
        self._store.write(record)
        return record

    def _one(self, row: SuiteRow, specs: Mapping[str, TargetSpec], command: tuple[str, ...]) -> SuiteRow:
        began_s, name = self._clock(), self._store.free_name(row.key)
        try:
            if (spec := specs.get(row.target)) is None:
                raise MissingRuntimeError(f"{row.target} is no target any more, or its file cannot be read")
            self._settle(row.profile.most_connections, say=self._view.say)
            began_s = self._clock()
            folder = self._measure(plan_of(row, spec, self._store.path / name, command))
            found = self._judge(folder)
        except (FloodmarkError, OSError) as error:
            not_run = isinstance(error, (MissingRuntimeError, LimitError))
            state = RowState.NOT_RUN if not_run else RowState.FAILED
            return replace(row, state=state, reason=one_line(error), folder="" if not_run else name)
        took_s = self._clock() - began_s
        self._overheads_s.append(took_s - row.profile.longest_s)
        return replace(row, state=RowState.DONE, folder=name, took_s=round(took_s, 1), found=found)

    def _expected_s(self, row: SuiteRow) -> float:
        overhead_s = fmean(self._overheads_s) if self._overheads_s else USUAL_OVERHEAD_S
        return max(1.0, row.profile.longest_s + overhead_s)


def one_line(error: Exception) -> str:
    """The error without the lines of a log that it quotes: those are in the row's folder."""
    first = str(error).partition("\n")[0]
    return first.removesuffix("its last lines:").rstrip("; ")
