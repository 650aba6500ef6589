"""The command line, and the composition root: what joins the rooms. It measures and decides nothing itself."""

import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import floodmark
from floodmark import cli_cluster, cli_help, cli_keys, cli_lab, cli_suite, cli_wheelhouse
from floodmark.campaign.campaign import Campaign
from floodmark.campaign.local import prove_sources
from floodmark.campaign.plan import RunPlan
from floodmark.cli_checks import (
    expecting,
    prove_insecure,
    prove_numbers,
    prove_writable,
    usage_words,
    what_to_run,
)
from floodmark.cli_help import GroupedCommand, defaults_of
from floodmark.core.asked import Asked
from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, InterruptedRunError, InvalidRunError, UsageError
from floodmark.core.open_files import raise_open_files_limit
from floodmark.core.run_folder import RunFolder, RunStatus, new_run_path
from floodmark.core.source import parse_sources
from floodmark.core.suite_folder import SuiteFolder
from floodmark.core.target import RequestSpec
from floodmark.report.build import build_report
from floodmark.report.live import LiveView
from floodmark.report.terminal import print_verdict
from floodmark.report.verdict_json import to_json
from floodmark_deploy.limits import LimitFinding, LoadPlan, check_limits
from floodmark_deploy.local import LocalShell
from floodmark_deploy.zoo import availability, known_servers, list_targets

EXIT_CODES = """Exit codes: 0 measured and valid; 1 something failed, and the line says what; 2 usage; 3 the run is not
valid; 130 interrupted."""

app = typer.Typer(
    help="How many requests does a web server handle at once, where do the others wait, and how does it fail?",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
JsonPath = Annotated[
    str,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write verdict.json there too; - prints only it.",
        show_default=False,
        rich_help_panel=cli_help.RUN,
    ),
]


def _option(panel: str, words: str, *names: str, default: str = "", **more: Any) -> Any:
    """An option of `floodmark run` in its group; `default` says what holds where it is not given."""
    return typer.Option(*names, help=f"{words} {default}".rstrip(), rich_help_panel=panel, show_default=False, **more)


def _count(name: str, words: str) -> Any:
    """One of the load's numbers: None where it is not given, so that each kind can have its own default."""
    return _option(cli_help.LOAD, words, default=defaults_of(name), metavar="N")


def _seconds(name: str, words: str) -> Any:
    return _option(cli_help.LOAD, words, default=defaults_of(name), metavar="SECONDS")


SourceOption = Annotated[
    str,
    _option(
        cli_help.REQUEST,
        "Addresses of this machine to send from, as in 127.0.0.2-127.0.0.9,10.1.0.0/28.",
        metavar="ADDRESSES",
    ),
]


def main() -> None:
    """Runs the command line; every expected failure is one line on stderr and a documented exit code."""
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
    rows = [(spec, availability(spec)) for spec in list_targets()]
    if as_json:
        listed = [
            {"name": spec.name, "summary": spec.summary, "available": not missing, "missing": to_plain(missing)}
            for spec, missing in rows
        ]
        print(json.dumps(listed, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("target", "what it is", "here"):
        table.add_column(column, overflow="fold")
    for spec, missing in rows:
        words = "; ".join(f"needs {item.name}: {item.remedy}" for item in missing) or "ready"
        table.add_row(spec.name, spec.summary, words)
    _out().print(table)


@app.command()
def doctor(
    connections: Annotated[int, typer.Option(min=1, help="Connections at once to be carried.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, help="Locust workers that open them.")] = 1,
    source: SourceOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Says what this machine lacks for 10,000 connections."""
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
    _out().print(table)
    _print_remedies(findings)
    words = "carries" if not short else "does not carry"
    _out().print(f"\nThis machine {words} {connections:,} connections from {workers} worker{'s' * (workers > 1)}.")
    raise typer.Exit(1 if short else 0)


@app.command(cls=GroupedCommand)
def run(  # noqa: PLR0913 - one parameter per option
    target: Annotated[
        str,
        typer.Argument(
            help="A server that comes with Floodmark; `floodmark targets` lists them.",
            metavar="TARGET",
            show_default=False,
            rich_help_panel=cli_help.WHAT,
        ),
    ] = "",
    url: Annotated[
        str, _option(cli_help.WHAT, "A server of your own, running on this machine; http or https.", metavar="URL")
    ] = "",
    target_file: Annotated[
        Path | None,
        _option(cli_help.WHAT, "A target.toml of your own: Floodmark starts and stops the server.", metavar="FILE"),
    ] = None,
    profile: Annotated[
        str,
        _option(
            cli_help.LOAD,
            "How the load is released: one of the profiles below.",
            "--profile",
            metavar="KIND",
            default="[default: burst]",
            autocompletion=cli_help.complete_profile,
        ),
    ] = "burst",
    requests: Annotated[int | None, _count("requests", "How many requests; of a search, in its largest burst.")] = None,
    within: Annotated[
        float | None, _seconds("within_s", "Seconds over which they are released, evenly; 0: all at one instant.")
    ] = None,
    connections: Annotated[
        int | None, _count("connections", "Connections that are kept open; of arrivals, the most there may be.")
    ] = None,
    rate: Annotated[float | None, _count("rate", "Requests per second, over all workers.")] = None,
    duration: Annotated[float | None, _seconds("duration_s", "Seconds that the load lasts.")] = None,
    first: Annotated[
        int | None, _count("first", "Requests of a search's first burst; each after it has four times as many.")
    ] = None,
    hold: Annotated[
        float | None,
        _seconds(
            "hold_s",
            "Seconds the server takes for one request: fills {hold} in the path. Where there is none, bursts, ramps and"
            " searches measure it first.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        _seconds("timeout_s", "Seconds one request may take from its planned release; none: until the run ends."),
    ] = None,
    source: SourceOption = "",
    insecure: Annotated[bool, _option(cli_help.REQUEST, "With https: take any certificate.", "--insecure")] = False,
    expect_status: Annotated[
        int | None,
        _option(
            cli_help.REQUEST,
            "The status that counts as an answer.",
            metavar="STATUS",
            default="[default: the target's, or 200]",
        ),
    ] = None,
    expect_text: Annotated[
        str | None, _option(cli_help.REQUEST, "A text that the body must contain.", metavar="TEXT")
    ] = None,
    expect_match: Annotated[
        str | None, _option(cli_help.REQUEST, "A regular expression that must be found in the body.", metavar="REGEX")
    ] = None,
    workers: Annotated[int, _option(cli_help.RUN, "Locust workers.", metavar="N", default="[default: 1]")] = 1,
    port: Annotated[
        int,
        _option(cli_help.RUN, "Port for the target.", metavar="PORT", default="[default: its own, or any free one]"),
    ] = 0,
    beat: Annotated[
        float,
        _option(
            cli_help.RUN, "Seconds between two samples of the agent.", metavar="SECONDS", default="[default: 0.05]"
        ),
    ] = 0.05,
    cpu_budget: Annotated[
        float | None,
        _option(cli_help.RUN, "What the agent may take of one core.", metavar="PERCENT", default="[default: 2]"),
    ] = None,
    out: Annotated[
        Path | None, _option(cli_help.RUN, "Run folder.", metavar="FOLDER", default="[default: a new one under runs/]")
    ] = None,
    json_to: JsonPath = "",
) -> None:
    """Floods a server and gives the verdict."""
    prove_writable(json_to)
    if out is not None and not str(out).strip("."):
        raise UsageError(f"--out {str(out)!r}: give the name of a new folder")
    prove_numbers(workers=workers, port=port, beat=beat, cpu_budget=cpu_budget)
    spec, address = what_to_run(target, url, target_file)
    prove_insecure(address, insecure=insecure)
    request = spec.request if spec else RequestSpec(path=address.path if address else "/")
    name = spec.name if spec else (address.authority if address else "")
    plan = RunPlan(
        name=name,
        spec=spec,
        address=address,
        request=expecting(request, status=expect_status, contains=expect_text, matches=expect_match),
        kind=profile,
        asked=Asked(
            requests=requests,
            within_s=within,
            hold_s=hold,
            timeout_s=timeout,
            connections=connections,
            rate=rate,
            duration_s=duration,
            first=first,
        ),
        source=source,
        verify=not insecure,
        workers=workers,
        port=port,
        beat_s=beat,
        folder=out or new_run_path(spec.name if spec else name.replace("[", "").replace("]", "").replace(":", "-")),
        command=("floodmark", *sys.argv[1:]),
        cpu_budget_percent=cpu_budget,
    )
    raise typer.Exit(_run_and_report(plan, json_to))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json_to: JsonPath = "",
) -> None:
    """Makes a run's verdict and report again; of a suite its tables."""
    if SuiteFolder(folder).is_there:
        raise typer.Exit(cli_suite.report_suite(folder, json_to=json_to))
    raise typer.Exit(_report(RunFolder(folder), json_to))


app.command()(cli_suite.suite)
app.command()(cli_keys.keys)
app.command()(cli_wheelhouse.wheelhouse)
app.add_typer(cli_cluster.app, name="cluster")
app.add_typer(cli_lab.app, name="lab")


def _run_and_report(plan: RunPlan, json_to: str) -> int:
    raise_open_files_limit()
    err = Console(stderr=True)
    try:
        with LocalShell() as shell, LiveView(err) as view:
            folder = Campaign(shell, view).run(plan)
        return _report(folder, json_to)
    except KeyboardInterrupt:
        with contextlib.suppress(FloodmarkError):
            _report(RunFolder(plan.folder), json_to)
        raise InterruptedRunError(f"interrupted; what was measured is in {plan.folder}") from None


def _report(run_folder: RunFolder, json_to: str) -> int:
    folder = _part_to_judge(run_folder)
    manifest = folder.manifest()
    judged = build_report(folder, known_servers() if manifest.commands else ())
    if json_to == "-":
        print(to_json(judged.document), end="")
    else:
        print_verdict(judged, manifest, _out(), folder=str(folder.path))
    if json_to not in ("", "-"):
        _write(Path(json_to), to_json(judged.document))
    if manifest.status is RunStatus.INTERRUPTED:
        return InterruptedRunError.exit_code
    return 0 if judged.document.validity.ok else InvalidRunError.exit_code


def _part_to_judge(folder: RunFolder) -> RunFolder:
    """The run itself; of a search that was ended in its first burst, that burst, since nothing else is there."""
    steps = folder.manifest().steps
    if steps and not any(step.judged for step in steps):
        return RunFolder(folder.path / steps[-1].folder)
    return folder


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {error.strerror}") from None


def _limit_words(finding: LimitFinding) -> str:
    if finding.ok:
        return "ok"
    return "short" if finding.blocking else "note"


def _print_remedies(findings: Sequence[LimitFinding]) -> None:
    """One line each and never wrapped, so that a command can be copied."""
    for finding in findings:
        if not finding.ok:
            _out().print(f"\n{_limit_words(finding)}: {finding.name}\n  {finding.remedy}", soft_wrap=True)


def _shown(value: int | None, none: str) -> str:
    return none if value is None else f"{value:,}"


def _out() -> Console:
    return Console(soft_wrap=False, highlight=False)


if __name__ == "__main__":
    main()
