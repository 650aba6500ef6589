"""`floodmark cluster`: joins the cluster on other hosts with the terminal. It starts nothing itself."""

import json
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from floodmark.cli_wheelhouse import cache_folder
from floodmark.core.asked import Asked
from floodmark.core.errors import InvalidRunError, UsageError
from floodmark.core.run_folder import RunFolder, new_run_path
from floodmark.report.build import build_report
from floodmark.report.terminal import print_verdict
from floodmark_deploy.hosts_file import read_hosts
from floodmark_deploy.remote_cluster import ClusterStatus, RemoteCluster
from floodmark_deploy.remote_run import RemoteLoad, RemoteRun
from floodmark_deploy.zoo import find_target

app = typer.Typer(
    help="A Locust cluster on other hosts, over SSH: it lives until you take it down.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

HostsArgument = Annotated[Path, typer.Argument(metavar="HOSTS", help="A hosts.toml.", show_default=False)]


@app.command()
def up(hosts: HostsArgument) -> None:
    """Puts Floodmark on the hosts and starts master, workers, agents and the server; does what is missing."""
    with RemoteCluster(read_hosts(hosts), say=_say) as cluster:
        cluster.up(cache_folder())
        _print_status(cluster.status())
    print(f"\nLocust's web UI   floodmark cluster ui {hosts}")
    print(f"take it down      floodmark cluster down {hosts}")


@app.command()
def status(
    hosts: HostsArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Says what runs where. Exit code 0: everything does, and the master sees every worker."""
    with RemoteCluster(read_hosts(hosts)) as cluster:
        found = cluster.status()
    if as_json:
        print(json.dumps({"whole": found.whole, **asdict(found)}, indent=2))
    else:
        _print_status(found)
    raise typer.Exit(0 if found.whole else 1)


def _number(words: str) -> Any:
    return typer.Option(help=words, show_default=False)


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    hosts: HostsArgument,
    requests: Annotated[int | None, _number("How many requests.")] = None,
    within: Annotated[float | None, _number("Seconds over which they are released.")] = None,
    connections: Annotated[int | None, _number("Connections that are kept open.")] = None,
    rate: Annotated[float | None, _number("Requests per second, over all workers.")] = None,
    duration: Annotated[float | None, _number("Seconds that the load lasts.")] = None,
    first: Annotated[int | None, _number("Requests of a search's first burst.")] = None,
    hold: Annotated[float | None, _number("Seconds the server takes for one request.")] = None,
    timeout: Annotated[float | None, _number("Seconds one request may take.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Run folder.", show_default=False)] = None,
) -> None:
    """Floods the cluster's server with the cluster's profile, fetches the run, and gives the verdict."""
    file = read_hosts(hosts)
    asked = Asked(
        requests=requests,
        within_s=within,
        hold_s=hold,
        timeout_s=timeout,
        connections=connections,
        rate=rate,
        duration_s=duration,
        first=first,
    )
    load = RemoteLoad(asked=asked, request=find_target(file.cluster.target).request)
    folder = out or new_run_path(file.cluster.target)
    if folder.exists():
        raise UsageError(f"--out {folder}: is there already; give the name of a new folder")
    with RemoteCluster(file, say=_say) as cluster:
        RemoteRun(cluster, file, say=_say).run(load, folder)
    judged = build_report(RunFolder(folder))
    print_verdict(judged, RunFolder(folder).manifest(), Console(highlight=False), folder=str(folder))
    raise typer.Exit(0 if judged.document.validity.ok else InvalidRunError.exit_code)


@app.command()
def logs(
    hosts: HostsArgument,
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Only this one.", show_default=False)] = "",
    lines: Annotated[int, typer.Option("--lines", min=1, metavar="N", help="How many of each host.")] = 50,
) -> None:
    """Prints the last lines of what runs on the hosts."""
    with RemoteCluster(read_hosts(hosts)) as cluster:
        for name, text in cluster.logs(lines, host):
            for line in text.splitlines():
                print(f"{name}: {line}")


@app.command()
def ui(
    hosts: HostsArgument,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Of this machine.")] = 8089,
) -> None:
    """Brings Locust's web UI to this machine, until Ctrl-C."""
    with RemoteCluster(read_hosts(hosts)) as cluster, cluster.web_ui(port) as forward:
        print(f"http://127.0.0.1:{forward.port} until Ctrl-C", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(file=sys.stderr)


@app.command()
def down(hosts: HostsArgument) -> None:
    """Stops everything on the hosts and leaves nothing there."""
    with RemoteCluster(read_hosts(hosts)) as cluster:
        stopped = cluster.down()
    print(f"taken down: {len(stopped)} services" if stopped else "nothing was there")


def _print_status(found: ClusterStatus) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("host", "role", "service", "state"):
        table.add_column(column)
    for row in found.services:
        table.add_row(row.host, row.role.value, row.unit, "runs" if row.runs else "does not run")
    Console(highlight=False).print(table)
    for line in found.lost:
        print(line)
    seen: Any = "unknown" if found.workers is None else found.workers
    print(f"workers that the master sees: {seen} of {found.wanted_workers}")


def _say(line: str) -> None:
    print(f"{line} ...", file=sys.stderr)
