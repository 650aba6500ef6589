"""`floodmark suite`: joins what chooses, runs, keeps and shows the rows. It measures and decides nothing itself."""

import datetime as dt
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from floodmark.analysis.suite import exit_code_of
from floodmark.campaign.campaign import Campaign
from floodmark.campaign.settle import settle
from floodmark.campaign.suite import Suite
from floodmark.campaign.suite_plan import Machine, going_on, refreshed, rows_of, unread_rows
from floodmark.campaign.suite_targets import read_zoo
from floodmark.cli.checks import prove_writable
from floodmark.cli.groups import complete_target, option
from floodmark.cli.talk import Talk, VerboseOption, out_console, talk_of
from floodmark.core.asked_file import write_file
from floodmark.core.codec import to_plain
from floodmark.core.environment import host_facts, machine_facts, versions_of
from floodmark.core.errors import FolderInUseError, InterruptedRunError, UsageError
from floodmark.core.open_files import raise_open_files_limit
from floodmark.core.suite import RowState, SuiteAsked, SuiteRecord, SuiteTable
from floodmark.core.suite_folder import SuiteFolder, new_suite_path
from floodmark.core.system import prove_linux
from floodmark.core.target import TargetSpec
from floodmark.report.suite.again import judge_row, judged_again
from floodmark.report.suite.files import write_page
from floodmark.report.suite.live import JudgingView, SuiteLive, plan_words
from floodmark.report.suite.tables import print_suite, summary_words
from floodmark_deploy.host_facts import read_host_facts
from floodmark_deploy.local import LocalShell
from floodmark_deploy.zoo import known_servers

NEW_ONLY = ("--table", "--requests", "--hold", "--duration", "--workers", "--out")
"""What is said when a suite begins; one that goes on has it already."""


def suite(  # noqa: PLR0913 - one parameter per option
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATTERN",
            help="Which targets, as in 'flask-*'; none: all.",
            show_default=False,
            autocompletion=complete_target,
        ),
    ] = None,
    table: Annotated[
        str, option("a: how many at once; b: how many per second.", metavar="a|b", default="[default: both]")
    ] = "",
    requests: Annotated[
        int | None, option("Requests of the bursts of table a.", metavar="N", default="[default: 1000]")
    ] = None,
    hold: Annotated[
        float | None, option("Seconds each of these is held.", metavar="SECONDS", default="[default: 2]")
    ] = None,
    duration: Annotated[
        float | None,
        option("Seconds of each closed loop of table b; 60 for the record.", metavar="SECONDS", default="[default: 5]"),
    ] = None,
    workers: Annotated[
        int | None,
        option(
            "Locust workers; more where the connections are too many for so few.", metavar="N", default="[default: 1]"
        ),
    ] = None,
    out: Annotated[
        Path | None, option("Suite folder.", metavar="FOLDER", default="[default: a new one under runs/]")
    ] = None,
    resume: Annotated[
        Path | None, option("Go on with the suite in this folder: what is done is not run again.", metavar="FOLDER")
    ] = None,
    report: Annotated[
        Path | None, option("Judge and show the suite in this folder again; nothing is run.", metavar="FOLDER")
    ] = None,
    markdown: Annotated[Path | None, option("Write the results as a Markdown page, too.", metavar="FILE")] = None,
    quiet: Annotated[
        bool, option("Print one line with how the rows came out, and nothing meanwhile.", "--quiet", "-q")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Measures many targets, one after another, beside what was published.

    Ctrl-C keeps what is done. Exit code 1: a row failed or is unlike what its target's file expects, or none was
    measured; 3: one does not count.
    """
    talk = talk_of(quiet=quiet, verbose=verbose)
    given = (table, requests, hold, duration, workers, out)
    prove_writable("--markdown", markdown)
    if resume is not None or report is not None:
        _prove_nothing_else(resume, report, patterns, given)
    if report is not None:
        raise typer.Exit(report_suite(report, markdown, talk=talk))
    prove_linux("a suite", "run it on a Linux host; `--report` shows here what one has measured")
    if resume is not None:
        raise typer.Exit(_resume(SuiteFolder(resume), markdown, talk))
    folder = SuiteFolder(out or new_suite_path())
    record = _begun(
        SuiteAsked(patterns=tuple(patterns or ()), tables=_tables(table), **_numbers(requests, hold, duration, workers))
    )
    folder.create()
    with folder.held():
        raise typer.Exit(_run(record, folder, markdown, talk))


def report_suite(path: Path, markdown: Path | None = None, *, json_to: str = "", talk: Talk) -> int:
    """Judges every run of a suite again from what it recorded, and shows the tables, or ``suite.json``.

    A suite that is running is shown as it is.
    """
    folder = SuiteFolder(path)
    record = folder.read()
    try:
        with folder.held():
            record = _judged_again(folder.read(), folder, talk)
            folder.write(record)
    except FolderInUseError as error:
        talk.err.print(f"{error}; nothing is judged again", highlight=False, soft_wrap=True, markup=False)
    if json_to == "-":
        print(folder.text(), end="")
        return exit_code_of(record)
    if json_to:
        write_file("--json", Path(json_to), folder.text())
    return _show(record, folder, markdown, talk)


def _resume(folder: SuiteFolder, markdown: Path | None, talk: Talk) -> int:
    folder.read()  # before anything is written into what may be no suite's folder
    with folder.held():
        record = folder.read()
        return _run(going_on(record, _specs(record), _machine()), folder, markdown, talk)


def _run(record: SuiteRecord, folder: SuiteFolder, markdown: Path | None, talk: Talk) -> int:
    raise_open_files_limit()
    known = known_servers()
    pending = tuple(row for row in record.rows if row.state is RowState.PENDING)
    words = f"{plan_words(pending)}, into {folder.path}" if pending else f"{plan_words(pending)} in {folder.path}"
    talk.err.print(words, highlight=False, soft_wrap=True)
    talk.detail("; ".join(f"{name}: {value}" for name, value in to_plain(record.asked).items()))
    try:
        with LocalShell() as shell, SuiteLive(talk.err) as view, talk.listening(folder.path):
            campaign = Suite(
                measure=lambda plan: Campaign(shell, view).run(plan),
                judge=lambda run: judge_row(run, known),
                settle=settle,
                store=folder,
                view=view,
            )
            record = campaign.run(record, _specs(record))
    except KeyboardInterrupt:
        _show(folder.read(), folder, markdown, talk)
        raise InterruptedRunError(
            f"interrupted; what is done is kept: `floodmark suite --resume {folder.path}` goes on"
        ) from None
    return _show(record, folder, markdown, talk)


def _show(record: SuiteRecord, folder: SuiteFolder, markdown: Path | None, talk: Talk) -> int:
    if talk.quiet:
        print(summary_words(record))
    else:
        print_suite(record, out_console(), folder=str(folder.path))
    if markdown is not None:
        write_page(record, folder.path, markdown)
    return exit_code_of(record)


def _judged_again(record: SuiteRecord, folder: SuiteFolder, talk: Talk) -> SuiteRecord:
    view, specs = JudgingView(talk.err), _specs(record)
    rows = tuple(refreshed(row, specs.get(row.target)) for row in record.rows)
    return replace(record, rows=judged_again(rows, folder.path, known_servers(), tell=view.tell, warn=view.warn))


def _specs(record: SuiteRecord) -> dict[str, TargetSpec]:
    """What the files of its targets say today."""
    return read_zoo().named({row.target for row in record.rows}).by_name


def _machine() -> Machine:
    facts = read_host_facts()
    return Machine(cores=facts.cores, files=facts.nofile_hard)


def _begun(asked: SuiteAsked) -> SuiteRecord:
    zoo = read_zoo().chosen(asked.patterns)
    rows = (*rows_of(zoo.specs, asked, _machine()), *unread_rows(zoo.unreadable, asked))
    if not rows:
        raise UsageError("none of these targets has a row in table b; `floodmark suite --table a` takes any target")
    return SuiteRecord(
        started_utc=dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        asked=asked,
        rows=rows,
        versions=versions_of(sorted({name for spec in zoo.specs for name in spec.needs.distributions})),
        host=host_facts() | machine_facts(),
        command=("floodmark", *sys.argv[1:]),
    )


def _tables(table: str) -> tuple[SuiteTable, ...]:
    if not table:
        return tuple(SuiteTable)
    try:
        return (SuiteTable(table),)
    except ValueError:
        raise UsageError(f"--table {table!r}: there are a (how many at once) and b (how many per second)") from None


def _numbers(requests: int | None, hold: float | None, duration: float | None, workers: int | None) -> dict[str, Any]:
    if workers is not None and not 1 <= workers <= 64:  # noqa: PLR2004 as for `floodmark run`
        raise UsageError(f"--workers {workers}: give a number from 1 to 64")
    named = {"requests": requests, "hold_s": hold, "duration_s": duration, "workers": workers}
    return {name: value for name, value in named.items() if value is not None}


def _prove_nothing_else(
    resume: Path | None, report: Path | None, patterns: list[str] | None, given: tuple[Any, ...]
) -> None:
    flag = "--resume" if resume is not None else "--report"
    if resume is not None and report is not None:
        raise UsageError("--resume and --report: give one of them; --resume shows the tables at its end")
    if patterns:
        raise UsageError(f"{flag} takes the targets of the suite in its folder: leave {patterns[0]!r} out")
    for name, value in zip(NEW_ONLY, given, strict=True):
        if value not in (None, ""):
            raise UsageError(f"{flag} goes by what the suite in its folder was asked for: leave {name} out")
