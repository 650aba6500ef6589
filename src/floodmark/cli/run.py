"""`floodmark run` and `floodmark report`: a plan from the options, the run, and what is made of it."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from floodmark.campaign.campaign import Campaign
from floodmark.campaign.plan import RunPlan
from floodmark.cli import groups, suite
from floodmark.cli.checks import (
    expecting,
    prove_insecure,
    prove_numbers,
    prove_writable,
    run_elsewhere,
    what_to_run,
)
from floodmark.cli.exports import ExportOption, OtlpOption, failure_handed_over, hand_over, outputs_of
from floodmark.cli.goals import AbortDelayOption, AbortOption, ThresholdOption
from floodmark.cli.groups import defaults_of
from floodmark.cli.plan import PlanOption
from floodmark.cli.talk import QuietOption, Talk, VerboseOption, out_console, settings_words, talk_of
from floodmark.cli.wheelhouse import cache_folder
from floodmark.core.asked import Asked
from floodmark.core.asked_file import write_file
from floodmark.core.errors import FloodmarkError, InterruptedRunError, UsageError
from floodmark.core.goals import goals_of
from floodmark.core.open_files import raise_open_files_limit
from floodmark.core.outputs import Outputs
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import REPORT, VERDICT, WATERLINE, RunFolder, new_run_path
from floodmark.core.suite_folder import SuiteFolder
from floodmark.core.system import prove_linux
from floodmark.report.build import build_report
from floodmark.report.exit_code import exit_code_of
from floodmark.report.formats.verdict_json import to_json
from floodmark.report.live.run import LiveView
from floodmark.report.run_list import find_run
from floodmark.report.terminal import print_sentence, print_verdict
from floodmark_deploy.hosts_file import HostsFile, read_hosts
from floodmark_deploy.local import LocalShell
from floodmark_deploy.zoo import known_servers

JsonPath = Annotated[
    str,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write verdict.json there too; - prints only it.",
        show_default=False,
        rich_help_panel=groups.RUN,
    ),
]


def _option(panel: str, words: str, *names: str, default: str = "", **more: Any) -> Any:
    return groups.option(words, *names, default=default, rich_help_panel=panel, **more)


def _count(name: str, words: str) -> Any:
    """One of the load's numbers: None where it is not given, so that each kind can have its own default."""
    return _option(groups.LOAD, words, default=defaults_of(name), metavar="N")


def _seconds(name: str, words: str) -> Any:
    return _option(groups.LOAD, words, default=defaults_of(name), metavar="SECONDS")


SourceOption = Annotated[
    str,
    _option(
        groups.REQUEST,
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
            rich_help_panel=groups.WHAT,
            autocompletion=groups.complete_target,
        ),
    ] = "",
    url: Annotated[
        str,
        _option(
            groups.WHAT,
            "A server of your own, running on this machine, or with --cluster on one of its hosts; http or https.",
            metavar="URL",
        ),
    ] = "",
    target_file: Annotated[
        Path | None,
        _option(groups.WHAT, "A target.toml of your own: Floodmark starts and stops the server.", metavar="FILE"),
    ] = None,
    plan_text: PlanOption = "",
    profile: Annotated[
        str,
        _option(
            groups.LOAD,
            "How the load is released: one of the profiles below.",
            "--profile",
            metavar="KIND",
            default="[default: burst]",
            autocompletion=groups.complete_profile,
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
    insecure: Annotated[bool, _option(groups.REQUEST, "With https: take any certificate.", "--insecure")] = False,
    expect_status: Annotated[
        int | None,
        _option(
            groups.REQUEST,
            "The status that counts as an answer.",
            metavar="STATUS",
            default="[default: the target's, or 200]",
        ),
    ] = None,
    expect_text: Annotated[
        str | None, _option(groups.REQUEST, "A text that the body must contain.", metavar="TEXT")
    ] = None,
    expect_match: Annotated[
        str | None, _option(groups.REQUEST, "A regular expression that must be found in the body.", metavar="REGEX")
    ] = None,
    threshold: ThresholdOption = None,
    abort_on_fail: AbortOption = False,
    abort_delay: AbortDelayOption = None,
    cluster: Annotated[
        Path | None,
        _option(groups.RUN, "A hosts.toml: load and server on these hosts instead of this machine.", metavar="HOSTS"),
    ] = None,
    workers: Annotated[
        int | None,
        _option(groups.RUN, "Locust workers.", metavar="N", default="[default: 1, of a cluster all that it has]"),
    ] = None,
    port: Annotated[
        int,
        _option(
            groups.RUN,
            "Port for the target.",
            metavar="PORT",
            default="[default: its own, a cluster's, or any free one]",
        ),
    ] = 0,
    beat: Annotated[
        float,
        _option(groups.RUN, "Seconds between two samples of the agent.", metavar="SECONDS", default="[default: 0.05]"),
    ] = 0.05,
    cpu_budget: Annotated[
        float | None,
        _option(groups.RUN, "What the agent may take of one core.", metavar="PERCENT", default="[default: 2]"),
    ] = None,
    out: Annotated[
        Path | None, _option(groups.RUN, "Run folder.", metavar="FOLDER", default="[default: a new one under runs/]")
    ] = None,
    json_to: JsonPath = "",
    exports: ExportOption = None,
    otlp: OtlpOption = "",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Floods a server and gives the verdict."""
    talk = talk_of(quiet=quiet, verbose=verbose)
    prove_writable("--json", json_to)
    outputs = outputs_of(exports, otlp)
    if out is not None and not str(out).strip("."):
        raise UsageError(f"--out {str(out)!r}: give the name of a new folder")
    prove_numbers(workers=workers, port=port, beat=beat, cpu_budget=cpu_budget)
    hosts = read_hosts(cluster) if cluster else None
    spec, address = what_to_run(target, url, target_file, elsewhere=hosts is not None)
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
        workers=workers or (hosts.workers if hosts else 1),
        port=port,
        beat_s=beat,
        folder=out or new_run_path(spec.name if spec else name.replace("[", "").replace("]", "").replace(":", "-")),
        command=("floodmark", *sys.argv[1:]),
        cpu_budget_percent=cpu_budget,
        goals=goals_of(profile, threshold or (), abort_on_fail=abort_on_fail, abort_delay_s=abort_delay),
        text=plan_text,
    )
    raise typer.Exit(_run_and_report(plan, json_to, outputs, hosts, talk))


def report(  # noqa: PLR0913 - one parameter per option
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run folder, or a name as `floodmark runs` lists it, or a part of one that only it has.",
            show_default=False,
            autocompletion=groups.complete_run,
        ),
    ],
    threshold: ThresholdOption = None,
    json_to: JsonPath = "",
    exports: ExportOption = None,
    otlp: OtlpOption = "",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Makes a run's verdict and report again; of a suite its tables."""
    talk = talk_of(quiet=quiet, verbose=verbose)
    outputs, wanted = outputs_of(exports, otlp), tuple(threshold or ())
    folder = Path(name) if Path(name).exists() else find_run(name)
    if SuiteFolder(folder).is_there:
        if of_one_run := (*outputs.words, *("--threshold" for _ in wanted)):
            raise UsageError(f"{of_one_run[0]} is of one run: give one of the run folders in {folder}")
        raise typer.Exit(suite.report_suite(folder, json_to=json_to, talk=talk))
    raise typer.Exit(_report(RunFolder(folder), json_to, outputs, talk, wanted))


def _run_and_report(plan: RunPlan, json_to: str, outputs: Outputs, hosts: HostsFile | None, talk: Talk) -> int:
    if hosts is None:
        prove_linux("a load", f"`{run_elsewhere(plan.command)}` runs it on Linux hosts")
        raise_open_files_limit()
    try:
        return _report(_measured(plan, outputs, hosts, talk), json_to, outputs, talk)
    except KeyboardInterrupt:
        with contextlib.suppress(FloodmarkError):
            _report(RunFolder(plan.folder), json_to, outputs, talk)
        raise InterruptedRunError(f"interrupted; what was measured is in {plan.folder}") from None


def _measured(plan: RunPlan, outputs: Outputs, hosts: HostsFile | None, talk: Talk) -> RunFolder:
    talk.detail(settings_words(plan))
    with (
        failure_handed_over(plan.name, outputs),
        LiveView(talk.err) as view,
        talk.listening(plan.folder),
    ):
        if hosts is not None:
            # Here, not above: SSH takes long to load, and most runs are on this machine.
            from floodmark.campaign.far import FarCampaign  # noqa: PLC0415  the reason is above

            return FarCampaign(hosts, cache_folder(), view).run(plan)
        with LocalShell() as shell:
            return Campaign(shell, view).run(plan)


def _report(run_folder: RunFolder, json_to: str, outputs: Outputs, talk: Talk, wanted: Sequence[str] = ()) -> int:
    with failure_handed_over(run_folder.path.name, outputs):
        whole, folder = run_folder.manifest(), _part_to_judge(run_folder)
    manifest = folder.manifest()
    # What a search is to meet is in its own manifest, and not in its bursts'.
    goals = wanted if folder is run_folder else (*whole.thresholds, *wanted)
    with failure_handed_over(whole.target, outputs):
        judged = build_report(folder, known_servers() if manifest.commands else (), goals)
    talk.detail(f"judged anew from the records in {folder.path}, and written there: {VERDICT}, {REPORT}, {WATERLINE}")
    if json_to == "-":
        print(to_json(judged.document), end="")
    elif talk.quiet:
        print_sentence(judged, manifest, out_console())
    else:
        print_verdict(judged, manifest, out_console(), folder=str(folder.path))
    if json_to not in ("", "-"):
        write_file("--json", Path(json_to), to_json(judged.document))
    hand_over(judged, folder, outputs)
    return exit_code_of(judged.document, whole)


def _part_to_judge(folder: RunFolder) -> RunFolder:
    """The run itself; of a search that was ended in its first burst, that burst, since nothing else is there."""
    steps = folder.manifest().steps
    if steps and not any(step.judged for step in steps):
        return RunFolder(folder.path / steps[-1].folder)
    return folder
