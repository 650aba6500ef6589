"""The command line, and the composition root: what joins the rooms. It measures and decides nothing itself."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import floodmark
from floodmark.campaign.campaign import Campaign
from floodmark.campaign.plan import RunPlan
from floodmark.core.address import Address, parse_url
from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, InterruptedRunError, InvalidRunError, UsageError
from floodmark.core.open_files import raise_open_files_limit
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import RunFolder, RunStatus, new_run_path
from floodmark.core.target import RequestSpec, TargetSpec, read_target
from floodmark.report.build import build_report
from floodmark.report.live import LiveView
from floodmark.report.terminal import print_verdict
from floodmark.report.verdict_json import to_json
from floodmark_deploy.limits import LimitFinding, check_limits
from floodmark_deploy.local import LocalShell
from floodmark_deploy.zoo import availability, find_target, list_targets

DEFAULT_HOLD_S = 5.0
"""For targets that are told how long to hold: three of them, and a run is over in a quarter of a minute."""

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
    str, typer.Option("--json", metavar="FILE", help="Write verdict.json there too; - prints only it.")
]


def main() -> None:
    """Runs the command line; every expected failure is one line on stderr and a documented exit code."""
    # SIGTERM ends a run as Ctrl-C does: what was started is stopped, what was measured is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except FloodmarkError as error:
        print(f"floodmark: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


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
    as_json: JsonFlag = False,
) -> None:
    """Says what this machine lacks for 10,000 connections."""
    findings = check_limits(connections, workers)
    short = [finding for finding in findings if not finding.ok and finding.blocking]
    if as_json:
        print(json.dumps(to_plain(list(findings)), indent=2))
        raise typer.Exit(1 if short else 0)
    table = Table(box=None, pad_edge=False)
    for column, justify in (("limit", "left"), ("here", "right"), ("needed", "right"), ("", "left")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type] # rich's literal type
    for finding in findings:
        table.add_row(finding.name, _number(finding.have, "no limit"), _number(finding.need, ""), _limit_words(finding))
    _out().print(table)
    _print_remedies(findings)
    words = "carries" if not short else "does not carry"
    _out().print(f"\nThis machine {words} {connections:,} connections from {workers} worker{'s' * (workers > 1)}.")
    raise typer.Exit(1 if short else 0)


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    target: Annotated[
        str, typer.Argument(help="A server that comes with Floodmark; `floodmark targets` lists them.")
    ] = "",
    url: Annotated[str, typer.Option(help="A server of your own that is running on this machine.")] = "",
    target_file: Annotated[
        Path | None, typer.Option(help="A target.toml of your own: Floodmark starts and stops the server.")
    ] = None,
    requests: Annotated[int, typer.Option(help="How many requests.")] = 1000,
    within: Annotated[float, typer.Option(help="Seconds over which they are released; 0: all at one instant.")] = 0.0,
    hold: Annotated[
        float | None,
        typer.Option(help="Seconds the server takes for one request. [default: 5; with --url measured first]"),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds one request may take. [default: until the run ends, after 3 holds]")
    ] = None,
    workers: Annotated[int, typer.Option(help="Locust workers.")] = 1,
    port: Annotated[
        int, typer.Option(help="Port for the target. [default: its own, or any free one]", show_default=False)
    ] = 0,
    beat: Annotated[float, typer.Option(help="Seconds between two samples of the agent.")] = 0.05,
    out: Annotated[Path | None, typer.Option(help="Run folder. [default: a new one under runs/]")] = None,
    json_to: JsonPath = "",
) -> None:
    """Floods a server and gives the verdict."""
    _prove_writable(json_to)
    if out is not None and not str(out).strip("."):
        raise UsageError(f"--out {str(out)!r}: give the name of a new folder")
    _check_numbers(requests, within, hold, timeout, workers=workers, port=port, beat=beat)
    spec, address = _what_to_run(target, url, target_file)
    request = spec.request if spec else RequestSpec(path=address.path if address else "/")
    name = spec.name if spec else (address.authority if address else "")
    plan = RunPlan(
        name=name,
        spec=spec,
        address=address,
        request=request,
        requests=requests,
        within_s=within,
        hold_s=hold if hold is not None or not request.holds else DEFAULT_HOLD_S,
        timeout_s=timeout,
        workers=workers,
        port=port,
        beat_s=beat,
        folder=out or new_run_path(spec.name if spec else name.replace("[", "").replace("]", "").replace(":", "-")),
        command=("floodmark", *sys.argv[1:]),
    )
    raise typer.Exit(_run_and_report(plan, json_to))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json_to: JsonPath = "",
) -> None:
    """Makes a run's verdict and report again."""
    raise typer.Exit(_report(RunFolder(folder), json_to))


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


def _report(folder: RunFolder, json_to: str) -> int:
    manifest = folder.manifest()
    judged = build_report(folder)
    if json_to == "-":
        print(to_json(judged.document), end="")
    else:
        print_verdict(judged, manifest, _out(), folder=str(folder.path))
    if json_to not in ("", "-"):
        _write(Path(json_to), to_json(judged.document))
    if manifest.status is RunStatus.INTERRUPTED:
        return InterruptedRunError.exit_code
    return 0 if judged.document.validity.ok else InvalidRunError.exit_code


def _what_to_run(target: str, url: str, target_file: Path | None) -> tuple[TargetSpec | None, Address | None]:
    given = [words for words in (target, url, target_file) if words]
    if len(given) != 1:
        raise UsageError("say what to run, once: a TARGET of the zoo, or --url, or --target-file")
    if url:
        address = parse_url(url)
        _prove_local(address)
        return None, address
    return (read_target(target_file) if target_file else find_target(target)), None


def _prove_local(address: Address) -> None:
    """The agent reads the kernel of the target's host, so with one command that must be this one."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise UsageError(f"{address.host!r} has no address: {error.strerror}; check the name") from None
    for family, kind, protocol, _, sockaddr in found:
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as trial:
            trial.bind((sockaddr[0], 0))
            return
    raise UsageError(
        f"{address.host} is not an address of this machine; run `floodmark-agent` on that host and Locust here:"
        " docs/howto/by-hand.md"
    )


def _check_numbers(  # noqa: PLR0913 - one parameter per option
    requests: int, within: float, hold: float | None, timeout: float | None, *, workers: int, port: int, beat: float
) -> None:
    """Refuses numbers that cannot be meant before anything is started."""
    BurstProfile(requests=requests, within_s=within, hold_s=0.001 if hold is None else hold, timeout_s=timeout)
    for flag, value, low, high in (
        ("--workers", workers, 1, 64),
        ("--port", port, 0, 65535),
        ("--beat", beat, 0.005, 5),
    ):
        if not low <= value <= high:
            raise UsageError(f"{flag} {value:g}: give a number from {low:g} to {high:g}")


def _prove_writable(json_to: str) -> None:
    """Before anything is measured: a verdict that cannot be written at the end is a run lost."""
    folder = Path(json_to).parent
    if json_to not in ("", "-") and (not folder.is_dir() or not os.access(folder, os.W_OK)):
        raise UsageError(f"--json {json_to}: {folder} is no folder that can be written to")


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


def _number(value: int | None, none: str) -> str:
    return none if value is None else f"{value:,}"


def _out() -> Console:
    return Console(soft_wrap=False, highlight=False)


if __name__ == "__main__":
    main()
