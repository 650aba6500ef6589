"""A suite's rows judged again from what their runs recorded, with their reports and pictures. Runs nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from floodmark.analysis.suite import found_of
from floodmark.core.errors import FloodmarkError
from floodmark.core.run_folder import RunFolder
from floodmark.core.suite import RowState, SuiteFound, SuiteRow
from floodmark.core.target import TargetSpec
from floodmark.report.build import build_report


def judge_row(folder: RunFolder, known: Sequence[TargetSpec]) -> SuiteFound:
    """A run's verdict in short; its report is made. `known` as for `build_report`, with its errors."""
    return found_of(build_report(folder, known).document)


def judged_again(
    rows: Sequence[SuiteRow],
    suite: Path,
    known: Sequence[TargetSpec],
    *,
    tell: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> tuple[SuiteRow, ...]:
    """The rows with their verdicts as this version finds them; `tell` hears how many of how many are judged.

    A row whose folder was taken away stays as it was found; one whose folder cannot be judged any more does so too,
    and `warn` is told.
    """
    judged = list(rows)
    done = [index for index, row in enumerate(rows) if row.state is RowState.DONE and _is_there(suite / row.folder)]
    for number, index in enumerate(done):
        tell(number, len(done))
        row = rows[index]
        try:
            judged[index] = replace(row, found=judge_row(RunFolder(suite / row.folder), known))
        except (FloodmarkError, OSError) as error:
            warn(f"{row.key} cannot be judged again, and is shown as it was found: {error}")
    return tuple(judged)


def _is_there(run: Path) -> bool:
    return (run / "run.json").exists()
