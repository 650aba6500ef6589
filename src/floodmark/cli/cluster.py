"""`floodmark cluster`: joins the cluster on other hosts with the terminal. It starts nothing itself."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from floodmark.cli.cluster_run import HostsArgument, with_options_of_run
from floodmark.cli.groups import GroupedCommand
from floodmark.cli.talk import out_console, progress
from floodmark.cli.wheelhouse import cache_folder
from floodmark_deploy.hosts_file import read_hosts

if TYPE_CHECKING:
    from floodmark_deploy.remote_cluster import ClusterStatus, RemoteCluster

app = typer.Typer(
    help="A Locust cluster on other hosts, over SSH: it lives until you take it down.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def up(hosts: HostsArgument) -> None:
    """Puts Floodmark on the hosts and starts master, workers, agents and the server; does what is missing."""
    with _cluster(hosts, progress) as cluster:
        cluster.look()
        with cluster.alone():
            cluster.install(cache_folder())
            cluster.form()
        _print_status(cluster.status())
    print(f"\nLocust's web UI   floodmark cluster ui {hosts}")
    print(f"take it down      floodmark cluster down {hosts}")


@app.command()
def status(
    hosts: HostsArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Says what runs where. Exit code 0: everything does, and the master sees every worker."""
    with _cluster(hosts) as cluster:
        found = cluster.status()
    if as_json:
        print(json.dumps({"whole": found.whole, **asdict(found)}, indent=2))
    else:
        _print_status(found)
    raise typer.Exit(0 if found.whole else 1)


app.command("run", cls=GroupedCommand)(with_options_of_run())


@app.command()
def logs(
    hosts: HostsArgument,
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Only this one.", show_default=False)] = "",
    lines: Annotated[int, typer.Option("--lines", min=1, metavar="N", help="How many of each host.")] = 50,
) -> None:
    """Prints the last lines of what runs on the hosts."""
    with _cluster(hosts) as cluster:
        for name, text in cluster.logs(lines, host):
            for line in text.splitlines():
                print(f"{name}: {line}")


@app.command()
def ui(
    hosts: HostsArgument,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Of this machine.")] = 8089,
) -> None:
    """Brings Locust's web UI to this machine, until Ctrl-C."""
    with _cluster(hosts) as cluster, cluster.web_ui(port) as forward:
        print(f"http://127.0.0.1:{forward.port} until Ctrl-C", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(file=sys.stderr)


@app.command()
def down(hosts: HostsArgument) -> None:
    """Stops everything on the hosts and leaves nothing there."""
    with _cluster(hosts) as cluster:
        stopped = cluster.down()
    print(f"taken down: {len(stopped)} services" if stopped else "nothing was there")


def _cluster(hosts: Path, say: Callable[[str], None] | None = None) -> "RemoteCluster":
    # Here, not above: SSH takes long to load, and `floodmark --help` needs none.
    from floodmark_deploy.remote_cluster import RemoteCluster  # noqa: PLC0415  the reason is above

    file = read_hosts(hosts)
    return RemoteCluster(file) if say is None else RemoteCluster(file, say=say)


def _print_status(found: "ClusterStatus") -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("host", "role", "service", "state"):
        table.add_column(column)
    for row in found.services:
        table.add_row(row.host, row.role.value, row.unit, "runs" if row.runs else "does not run")
    out_console().print(table)
    for line in found.lost:
        print(line)
    seen: Any = "unknown" if found.workers is None else found.workers
    print(f"workers that the master sees: {seen} of {found.wanted_workers}")
