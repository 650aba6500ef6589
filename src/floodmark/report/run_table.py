"""The runs of a folder as a table for the terminal. Reading them is `floodmark.report.run_list`'s."""

import io
import re
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from floodmark.report.printing import print_plain
from floodmark.report.run_list import ListedRun, RunKind
from floodmark.report.words import plural, printable

FILE_CELLS = 140
"""A file has room: one line per run, which other commands can read."""

WHEN_FROM = 110
"""On a narrower terminal a name that begins with the time says when."""

STAMP = re.compile(r"\d{8}T\d{6}Z-")

VERDICT_FROM = 150
"""Columns: a narrower terminal has no room for a sentence beside the names."""


def print_runs(runs: Sequence[ListedRun], console: Console) -> None:
    """The table, newest last; a name is what other commands take, and stands whole."""
    if console.is_terminal:
        console.print(_table(runs, console.width))
        return
    file = io.StringIO()
    Console(file=file, width=FILE_CELLS).print(_table(runs, FILE_CELLS))
    print_plain(console, file.getvalue())


def _table(runs: Sequence[ListedRun], cells: int) -> Table:
    columns: dict[str, Callable[[ListedRun], str]]
    columns = {"when": when, "run": name, "load": _load, "found": found, "counts": counts}
    if cells >= VERDICT_FROM:
        columns["verdict"] = _sentence
    if cells < WHEN_FROM and all(STAMP.match(run.name) for run in runs):
        del columns["when"]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in columns:
        longest = max((len(name(run)) for run in runs), default=0) if title == "run" else None
        table.add_column(title, no_wrap=title == "run", min_width=longest, overflow="fold")
    for run in runs:
        cell_words = (Text(printable(words(run)), overflow="fold") for words in columns.values())
        table.add_row(*cell_words, style=_style(run))
    return table


def _load(run: ListedRun) -> str:
    return run.profile


def _sentence(run: ListedRun) -> str:
    return run.sentence.partition(". ")[0]


def when(run: ListedRun) -> str:
    """``11-21 14:49``, UTC."""
    return run.started_utc[5:16].replace("T", " ") or "?"


def name(run: ListedRun) -> str:
    """The folder's name; with what it was of where the name does not say so."""
    return run.name if run.target in run.name or run.kind is RunKind.SUITE else f"{run.name} ({run.target})"


def found(run: ListedRun) -> str:
    """The number that the run is about."""
    if run.kind is RunKind.SUITE:
        return f"suite: {run.done} of {plural(run.rows or 0, 'row')} done"
    if run.answered_per_s is not None:
        return f"{run.answered_per_s:,.4g}/s"
    if run.ceiling is not None:
        return f"{run.ceiling:,} at once"
    return "" if run.peak is None else f">= {run.peak:,} at once"


def counts(run: ListedRun) -> str:
    """Whether it counts, and what is wrong where it does not."""
    if run.kind is RunKind.DAMAGED:
        return f"damaged: {run.problem}"
    return run.problem or ("valid" if run.valid else "")


def _style(run: ListedRun) -> str:
    if run.kind is RunKind.DAMAGED:
        return "red"
    return "dim" if run.valid is not True and run.kind is not RunKind.SUITE else ""
