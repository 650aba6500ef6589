"""`floodmark lab`: joins the lab with the terminal. It makes nothing itself."""

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from floodmark.cli.groups import option
from floodmark.cli.talk import out_console, progress
from floodmark.core.errors import UsageError
from floodmark.core.system import prove_linux
from floodmark_deploy.lab import HostState, Lab, LabStatus
from floodmark_deploy.lab_plan import DEFAULT_FOLDER, DEFAULT_NAME, RANGE, LabPlan

WORDS = {HostState.READY: "ready", HostState.SILENT: "runs, and nobody can log in", HostState.GONE: "gone"}

app = typer.Typer(
    help="Several hosts on this machine, to try things out: containers with systemd and SSH. Needs root.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


NameOption = Annotated[
    str, option("The lab's name: several may run side by side.", metavar="NAME", default=f"[default: {DEFAULT_NAME}]")
]
FolderOption = Annotated[
    Path,
    option("Where trees and labs are kept.", "--folder", metavar="FOLDER", default=f"[default: {DEFAULT_FOLDER}]"),
]


@app.command()
def up(  # noqa: PLR0913 - one parameter per option
    workers: Annotated[int, option("Hosts for load.", metavar="N", default="[default: 2]")] = 2,
    targets: Annotated[int, option("Hosts for servers under test.", metavar="N", default="[default: 1]")] = 1,
    network: Annotated[
        str, option(f"A /24 of {RANGE}.", metavar="NETWORK", default="[default: the first that is free]")
    ] = "",
    suite: Annotated[str, option("The Debian release.", metavar="NAME", default="[default: bookworm]")] = "bookworm",
    mirror: Annotated[
        str, option("Where debootstrap gets Debian from.", metavar="URL", default="[default: debootstrap's own]")
    ] = "",
    name: NameOption = DEFAULT_NAME,
    folder: FolderOption = DEFAULT_FOLDER,
) -> None:
    """Brings the hosts up, and says how to reach them. Does nothing where they are up."""
    lab = _lab(name, folder)
    wanted = LabPlan(name=name, folder=folder, workers=workers, targets=targets, suite=suite, mirror=mirror)
    plan = lab.up(wanted, _network(network))
    _print_hosts(lab.status())
    ssh = f"ssh -F {plan.ssh_config}"
    print(f"\nlog in            {ssh} {plan.hosts[0].name}")
    print(f"with Ansible      ansible-playbook -i {plan.inventory} ansible/site.yml")
    print(f"hosts.toml        {plan.hosts_toml}")
    print(f"take it away      floodmark lab down{_which(name, folder)}")


@app.command()
def down(
    trees: Annotated[bool, option("Also the Debian tree that is kept for the next lab.", "--trees")] = False,
    name: NameOption = DEFAULT_NAME,
    folder: FolderOption = DEFAULT_FOLDER,
) -> None:
    """Takes everything of a lab away, also what a killed command has left."""
    gone = _lab(name, folder).down(trees=trees)
    print(f"the lab {name!r} is gone: {len(gone)} things were taken away" if gone else f"there is no lab {name!r}")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    name: NameOption = DEFAULT_NAME,
    folder: FolderOption = DEFAULT_FOLDER,
) -> None:
    """Says what is there, as the machine and not a file has it. Exit code 0: every host lets one log in."""
    found = _lab(name, folder).status()
    if as_json:
        print(json.dumps(_plain(found), indent=2))
    else:
        _print_status(found, f"floodmark lab down{_which(name, folder)}")
    raise typer.Exit(0 if found.whole else 1)


def _lab(name: str, folder: Path) -> Lab:
    prove_linux("a lab on this machine", "bring it up on a Linux host, or name real hosts in a hosts.toml")
    return Lab(name, folder, say=progress)


def _print_status(found: LabStatus, remedy: str) -> None:
    if found.hosts:
        _print_hosts(found)
    if found.nothing:
        print(f"there is no lab {found.name!r}")
    elif not found.whole:
        print(f"\nThe lab is not whole. Of it there are, until `{remedy}`:")
        for thing in found.things:
            print(f"  {thing}")


def _print_hosts(found: LabStatus) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("host", "address", "for", "state"):
        table.add_column(column)
    for row in found.hosts:
        table.add_row(row.host.name, str(row.host.address), row.host.role.value, WORDS[row.state])
    out_console().print(table)


def _plain(found: LabStatus) -> dict[str, Any]:
    plan = found.plan
    return {
        "name": found.name,
        "whole": found.whole,
        "network": str(plan.network) if plan else None,
        "ssh_config": str(plan.ssh_config) if plan else None,
        "inventory": str(plan.inventory) if plan else None,
        "hosts_toml": str(plan.hosts_toml) if plan else None,
        "hosts": [
            {
                "name": row.host.name,
                "address": str(row.host.address),
                "role": row.host.role.value,
                "state": row.state.value,
            }
            for row in found.hosts
        ],
        "things": [{"kind": thing.kind.value, "name": thing.name} for thing in found.things],
    }


def _network(text: str) -> IPv4Network | None:
    if not text:
        return None
    try:
        return IPv4Network(text)
    except ValueError:
        raise UsageError(f"--network {text!r}: give a network, as in 198.18.7.0/24") from None


def _which(name: str, folder: Path) -> str:
    """The options that name this lab to the next command."""
    words = f" --name {name}" if name != DEFAULT_NAME else ""
    return words + (f" --folder {folder}" if folder != DEFAULT_FOLDER else "")
