"""The command line, and the composition root: what joins the rooms. It measures and decides nothing itself."""

import json
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

import floodmark
from floodmark.campaign.local import prove_sources
from floodmark.campaign.suite_targets import read_zoo
from floodmark.cli import cluster, exports, keys, lab, run, runs, suite, wheelhouse
from floodmark.cli.checks import usage_words
from floodmark.cli.groups import GroupedCommand
from floodmark.cli.streams import hold_numbers
from floodmark.cli.talk import out_console
from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, UsageError
from floodmark.core.source import parse_sources
from floodmark.core.system import prove_linux
from floodmark_deploy.limits import LimitFinding, LoadPlan, check_limits
from floodmark_deploy.zoo import availability

EXIT_CODES = """Exit codes: 0 measured and valid; 1 something failed, and the line says what; 2 usage; 3 the run is not
valid; 99 it missed a threshold; 130 interrupted."""

app = typer.Typer(
    help="How many requests does a web server handle at once, where do the others wait, and how does it fail?",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def main() -> None:
    """Runs the command line; every expected failure is one line on stderr and a documented exit code."""
    hold_numbers()
    # SIGTERM ends a run as Ctrl-C does: what was started is stopped, what was measured is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(app(standalone_mode=False))
    except FloodmarkError as error:
        print(f"floodmark: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        # Typer keeps its own errors, of words that are no option, to itself: they are told by what they have.
        if (words := usage_words(error)) is None:
            raise
        print(words, file=sys.stderr)
        sys.exit(UsageError.exit_code)


@app.callback(invoke_without_command=True)
def _version(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(f"floodmark {floodmark.__version__}")
        ctx.exit()


@app.command()
def targets(as_json: JsonFlag = False) -> None:
    """Lists the servers that come with Floodmark (the zoo)."""
    zoo = read_zoo()
    rows = [(spec, availability(spec)) for spec in zoo.specs]
    if as_json:
        listed: list[dict[str, Any]] = [
            {"name": spec.name, "summary": spec.summary, "available": not missing, "missing": to_plain(missing)}
            for spec, missing in rows
        ]
        listed += [{"name": name, "available": False, "problem": words} for name, words in zoo.unreadable.items()]
        print(json.dumps(listed, indent=2))
        raise typer.Exit(1 if zoo.unreadable else 0)
    table = Table(box=None, pad_edge=False)
    for column in ("target", "what it is", "here"):
        table.add_column(column, overflow="fold")
    for spec, missing in rows:
        words = "; ".join(f"needs {item.name}: {item.remedy}" for item in missing) or "ready"
        table.add_row(spec.name, spec.summary, words)
    out_console().print(table)
    for name, problem in zoo.unreadable.items():
        print(f"floodmark: target {name} cannot be read: {problem}", file=sys.stderr)
    raise typer.Exit(1 if zoo.unreadable else 0)


@app.command()
def doctor(
    connections: Annotated[int, typer.Option(min=1, help="Connections at once to be carried.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, help="Locust workers that open them.")] = 1,
    source: run.SourceOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Says what this machine lacks for 10,000 connections."""
    prove_linux("a load", "`floodmark doctor` on the Linux hosts says what they lack")
    sources = parse_sources(source)
    prove_sources(sources)
    findings = check_limits(LoadPlan(connections=connections, workers=workers, sources=max(1, len(sources))))
    short = [finding for finding in findings if not finding.ok and finding.blocking]
    if as_json:
        print(json.dumps(to_plain(list(findings)), indent=2))
        raise typer.Exit(1 if short else 0)
    table = Table(box=None, pad_edge=False)
    for column, justify in (("limit", "left"), ("here", "right"), ("needed", "right"), ("", "left")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type] # rich's literal type
    for finding in findings:
        table.add_row(finding.name, _shown(finding.have, "no limit"), _shown(finding.need, ""), _limit_words(finding))
    out_console().print(table)
    _print_remedies(findings)
    words = "carries" if not short else "does not carry"
    out_console().print(
        f"\nThis machine {words} {connections:,} connections from {workers} worker{'s' * (workers > 1)}."
    )
    raise typer.Exit(1 if short else 0)


app.command(cls=GroupedCommand)(run.run)
app.command()(run.report)
app.command()(runs.runs)
app.command()(runs.compare)
app.command()(runs.plot)
app.command()(exports.schema)
app.command()(suite.suite)
app.command()(keys.keys)
app.command()(wheelhouse.wheelhouse)
app.add_typer(cluster.app, name="cluster")
app.add_typer(lab.app, name="lab")


def _limit_words(finding: LimitFinding) -> str:
    if finding.ok:
        return "ok"
    return "short" if finding.blocking else "note"


def _print_remedies(findings: Sequence[LimitFinding]) -> None:
    """One line each and never wrapped, so that a command can be copied."""
    for finding in findings:
        if not finding.ok:
            out_console().print(f"\n{_limit_words(finding)}: {finding.name}\n  {finding.remedy}", soft_wrap=True)


def _shown(value: int | None, none: str) -> str:
    return none if value is None else f"{value:,}"


if __name__ == "__main__":
    main()
