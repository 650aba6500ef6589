"""A suite for a terminal or a file: two tables, and below them what needs a word."""

import textwrap
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from floodmark.analysis.suite import says_something, unlike_expected
from floodmark.core.run_folder import RunStatus
from floodmark.core.suite import RowState, SuiteRecord, SuiteRow, SuiteTable
from floodmark.report.printing import INDENT, columns, print_trimmed
from floodmark.report.suite.words import (
    NOTHING,
    TITLES,
    at_once_ratio,
    fails_words,
    ids_words,
    in_order,
    lines_words,
    load_words,
    name_words,
    note,
    ours_words,
    per_s_words,
    published_at_once,
    rate_ratio,
    ratio_words,
    run_by_words,
    share_words,
    time_words,
)
from floodmark.report.words import plural, printable

NARROW_CELLS = 100
"""Below this words are short."""

SHORTEST_NAME_CELLS = 16


class Maker(Protocol):
    """Makes one of the tables, with names in lines of so many cells; `short`: so are the words."""

    def __call__(self, rows: list[SuiteRow], name_cells: int, *, short: bool) -> Table:
        """The table."""


def print_suite(record: SuiteRecord, console: Console, *, folder: str) -> None:
    """Prints the tables: what was found beside what was published, then what is not as it should be."""
    print_trimmed(console, lambda: _print_all(record, console, folder))


def _print_all(record: SuiteRecord, console: Console, folder: str) -> None:
    if record.status is not RunStatus.COMPLETE:
        console.print(_text(f"{_end_words(record)}\n", "bold red"))
    for table, make in ((SuiteTable.CONCURRENCY, _concurrency), (SuiteTable.THROUGHPUT, _throughput)):
        rows = in_order(row for row in record.rows if row.table is table and row.state is not RowState.PENDING)
        if rows:
            console.print(_text(TITLES[table], "bold"))
            console.print(_text(f"{load_words(record, table)}.", "dim"))
            console.print(Padding(_fitted(make, rows, console), INDENT, expand=False))
            console.print()
    for title, words in _blocks(_sorted(record)):
        console.print(_text(title, "bold"))
        console.print(Padding(_named(words), INDENT, expand=False))
        console.print()
    console.print(_text(summary_words(record)))
    console.print(Text.assemble(("Suite folder  ", "dim"), printable(folder)), soft_wrap=True, highlight=False)


def _sorted(record: SuiteRecord) -> SuiteRecord:
    rows = [row for table in SuiteTable for row in in_order(row for row in record.rows if row.table is table)]
    return replace(record, rows=tuple(rows))


def summary_words(record: SuiteRecord) -> str:
    """All rows in one sentence: ``62 runs: 60 as expected, 1 not valid, 1 not run.``."""
    fine = [row for row in record.rows if row.counts and not unlike_expected(row)]
    counts = {
        "as expected": sum(map(says_something, fine)),
        "measured, with nothing expected": sum(not says_something(row) for row in fine),
        "unlike what the target's file expects": sum(bool(unlike_expected(row)) for row in record.rows),
        "not valid": sum(row.found is not None and not row.found.valid for row in record.rows),
        "failed": sum(row.state is RowState.FAILED for row in record.rows),
        "not run": sum(row.state is RowState.NOT_RUN for row in record.rows),
        "not yet": sum(row.state is RowState.PENDING for row in record.rows),
    }
    listed = ", ".join(f"{number} {words}" for words, number in counts.items() if number)
    return f"{plural(len(record.rows), 'run')}: {listed}."


def _end_words(record: SuiteRecord) -> str:
    if record.status is RunStatus.INTERRUPTED:
        return "INTERRUPTED. This is what was measured until then."
    if record.status is RunStatus.FAILED:
        return "CUT OFF by an error. This is what was measured until then."
    return "THE SUITE HAS NO END. It is still going on, or it was cut off."


def _concurrency(rows: list[SuiteRow], name_cells: int, *, short: bool) -> Table:
    table = columns("row", "target", "ours>", "study>", "ratio>", "run by", "line/limit>")
    for row in rows:
        table.add_row(
            ids_words(row),
            _broken(name_words(row), name_cells),
            ours_words(row),
            published_at_once(row),
            ratio_words(at_once_ratio(row)),
            run_by_words(row.found, short=short),
            lines_words(row.found).replace(", ", "\n"),
            style=_style(row),
        )
    return table


def _throughput(rows: list[SuiteRow], name_cells: int, *, short: bool) -> Table:  # noqa: ARG001 - as the other
    table = columns("row", "target", "ours>", "study>", "ratio>", "mean>", "max>", "failed>")
    for row in rows:
        found = row.found
        table.add_row(
            ids_words(row),
            _broken(name_words(row), name_cells),
            ours_words(row),
            per_s_words(row.rate.requests_per_s if row.rate else None),
            ratio_words(rate_ratio(row)),
            time_words(found.mean_s if found else None),
            time_words(found.max_s if found else None),
            share_words(found),
            style=_style(row),
        )
    return table


def _blocks(record: SuiteRecord) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """What needs a word, by title: a row's key and the words."""
    unlike = [(row, "; ".join(unlike_expected(row))) for row in record.rows]
    invalid = [(row, "; ".join(row.found.invalid) if row.found else "") for row in record.rows]
    fails = [(row, fails_words(row.found)) for row in record.rows]
    makers: tuple[tuple[str, list[tuple[SuiteRow, str]]], ...] = (
        ("How they fail", [(row, words) for row, words in fails if words != NOTHING]),
        ("!  Unlike what the target's file expects", unlike),
        ("Not valid: these figures must not be believed", invalid),
        ("Failed", _reasons(record, RowState.FAILED)),
        ("Not run", _reasons(record, RowState.NOT_RUN)),
    )
    for title, pairs in makers:
        if shown := [(_short(row), words) for row, words in pairs if words]:
            yield title, shown


def _reasons(record: SuiteRecord, state: RowState) -> list[tuple[SuiteRow, str]]:
    return [(row, row.reason) for row in record.rows if row.state is state]


def _short(row: SuiteRow) -> str:
    return f"{row.rate.row} {row.target}" if row.rate else row.target


def _style(row: SuiteRow) -> str:
    return "red" if note(row) else ""


def _named(pairs: list[tuple[str, str]]) -> Table:
    """Names, and below each its words where both do not fit on a line."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in pairs:
        table.add_row(_text(name), _text(words))
    return table


def _fitted(make: Maker, rows: list[SuiteRow], console: Console) -> Table:
    """The table with its names broken behind hyphens, so that all other columns have their room.

    Left to itself the library breaks them in the middle of a word.
    """
    short = console.width < NARROW_CELLS
    whole = Measurement.get(console, console.options.update(width=1_000), make(rows, 1_000, short=short)).maximum
    others = whole - max(len(name_words(row)) for row in rows)
    return make(rows, max(SHORTEST_NAME_CELLS, console.width - INDENT[-1] - others), short=short)


def _broken(name: str, cells: int) -> Text:
    """A name in lines of so many cells, broken behind hyphens."""
    return Text("\n".join(textwrap.wrap(printable(name), cells)), overflow="fold")


def _text(words: str, style: str = "") -> Text:
    """Text that cannot carry markup or escape codes from outside."""
    return Text("\n".join(printable(line) for line in words.split("\n")), style=style, overflow="fold")
