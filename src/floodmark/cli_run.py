"""`floodmark run` and `floodmark report`: a plan from the options, the run, and what is made of it."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from floodmark import cli_help, cli_suite
from floodmark.campaign.campaign import Campaign
from floodmark.campaign.plan import RunPlan
from floodmark.cli_checks import expecting, prove_insecure, prove_numbers, prove_writable, what_to_run
from floodmark.cli_help import defaults_of
from floodmark.core.asked import Asked
from floodmark.core.errors import FloodmarkError, InterruptedRunError, InvalidRunError, UsageError
from floodmark.core.open_files import raise_open_files_limit
from floodmark.core.run_folder import RunFolder, RunStatus, new_run_path
from floodmark.core.suite_folder import SuiteFolder
from floodmark.core.target import RequestSpec
from floodmark.report.build import build_report
from floodmark.report.live import LiveView
from floodmark.report.terminal import print_verdict
from floodmark.report.verdict_json import to_json
from floodmark_deploy.local import LocalShell
from floodmark_deploy.zoo import known_servers

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


def option(panel: str, words: str, *names: str, default: str = "", **more: Any) -> Any:
    """An option of `floodmark run` in its group; `default` says what holds where it is not given."""
    return typer.Option(*names, help=f"{words} {default}".rstrip(), rich_help_panel=panel, show_default=False, **more)


def _count(name: str, words: str) -> Any:
    """One of the load's numbers: None where it is not given, so that each kind can have its own default."""
    return option(cli_help.LOAD, words, default=defaults_of(name), metavar="N")


def _seconds(name: str, words: str) -> Any:
    return option(cli_help.LOAD, words, default=defaults_of(name), metavar="SECONDS")


SourceOption = Annotated[
    str,
    option(
        cli_help.REQUEST,
        "Addresses of this machine to send from, as in 127.0.0.2-127.0.0.9,10.1.0.0/28.",
        metavar="ADDRESSES",
    ),
]


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
        str, option(cli_help.WHAT, "A server of your own, running on this machine; http or https.", metavar="URL")
    ] = "",
    target_file: Annotated[
        Path | None,
        option(cli_help.WHAT, "A target.toml of your own: Floodmark starts and stops the server.", metavar="FILE"),
    ] = None,
    profile: Annotated[
        str,
        option(
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
    insecure: Annotated[bool, option(cli_help.REQUEST, "With https: take any certificate.", "--insecure")] = False,
    expect_status: Annotated[
        int | None,
        option(
            cli_help.REQUEST,
            "The status that counts as an answer.",
            metavar="STATUS",
            default="[default: the target's, or 200]",
        ),
    ] = None,
    expect_text: Annotated[
        str | None, option(cli_help.REQUEST, "A text that the body must contain.", metavar="TEXT")
    ] = None,
    expect_match: Annotated[
        str | None, option(cli_help.REQUEST, "A regular expression that must be found in the body.", metavar="REGEX")
    ] = None,
    workers: Annotated[int, option(cli_help.RUN, "Locust workers.", metavar="N", default="[default: 1]")] = 1,
    port: Annotated[
        int,
        option(cli_help.RUN, "Port for the target.", metavar="PORT", default="[default: its own, or any free one]"),
    ] = 0,
    beat: Annotated[
        float,
        option(cli_help.RUN, "Seconds between two samples of the agent.", metavar="SECONDS", default="[default: 0.05]"),
    ] = 0.05,
    cpu_budget: Annotated[
        float | None,
        option(cli_help.RUN, "What the agent may take of one core.", metavar="PERCENT", default="[default: 2]"),
    ] = None,
    out: Annotated[
        Path | None, option(cli_help.RUN, "Run folder.", metavar="FOLDER", default="[default: a new one under runs/]")
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


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json_to: JsonPath = "",
) -> None:
    """Makes a run's verdict and report again; of a suite its tables."""
    if SuiteFolder(folder).is_there:
        raise typer.Exit(cli_suite.report_suite(folder, json_to=json_to))
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


def _report(run_folder: RunFolder, json_to: str) -> int:
    folder = _part_to_judge(run_folder)
    manifest = folder.manifest()
    judged = build_report(folder, known_servers() if manifest.commands else ())
    if json_to == "-":
        print(to_json(judged.document), end="")
    else:
        print_verdict(judged, manifest, Console(soft_wrap=False, highlight=False), folder=str(folder.path))
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
