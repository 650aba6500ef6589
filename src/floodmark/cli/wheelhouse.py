"""`floodmark wheelhouse`: joins the wheelhouse with the command line. It builds nothing itself."""

import json
import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from floodmark.cli.groups import option
from floodmark_deploy.wheelhouse import EXTRAS, WheelhousePlan, make_wheelhouse

LINUX_NAMES = {"arm64": "aarch64", "AMD64": "x86_64"}
"""macOS' and Windows' words, and Linux'."""


def cache_folder() -> Path:
    """Where wheels are kept between two calls (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "floodmark" / "wheelhouses"


def linux_machine(name: str) -> str:
    """What `uname -m` says on a Linux host with this machine's processor: a Mac calls it otherwise."""
    return LINUX_NAMES.get(name, name)


def wheelhouse(
    extras: Annotated[
        str, option(f"What the hosts are for, with commas: {', '.join(EXTRAS)}.", default="[default: load]")
    ] = "load",
    python: Annotated[str, option("The hosts' Python.", metavar="VERSION", default="[default: this one's]")] = "",
    machine: Annotated[str, option("The hosts' processor.", metavar="NAME", default="[default: this one's]")] = "",
    out: Annotated[
        Path | None, option("Where archive and wheels are kept.", metavar="FOLDER", default="[default: a cache]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the archive's path.")] = False,
) -> None:
    """Makes one archive of wheels, Floodmark's own among them, for Linux hosts without a network."""
    plan = WheelhousePlan(
        extras=tuple(extras.split(",")),
        python=python or ".".join(platform.python_version_tuple()[:2]),
        machine=machine or linux_machine(platform.machine()),
    )
    made = make_wheelhouse(plan, out or cache_folder())
    if as_json:
        print(json.dumps({"archive": str(made.archive), "digest": made.digest, "requirement": made.requirement}))
    else:
        print(made.archive)
