"""`floodmark cluster run`: `floodmark run --cluster` for one target after another, with the same options."""

import inspect
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from floodmark.analysis.document import VerdictDocument
from floodmark.cli.run import run as run_one
from floodmark.cli.talk import out_console, progress
from floodmark.cli.wheelhouse import cache_folder
from floodmark.core.codec import from_plain
from floodmark.core.errors import FloodmarkError, InterruptedRunError, UsageError
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import VERDICT, new_run_path
from floodmark.report.words import short_words
from floodmark_deploy.hosts_file import HostRole, HostsFile, read_hosts
from floodmark_deploy.zoo import find_target

HostsArgument = Annotated[Path, typer.Argument(metavar="HOSTS", help="A hosts.toml.", show_default=False)]

NOT_HERE = ("target", "cluster")
"""Options of `floodmark run` that are arguments here."""

FOR_ONE = {
    "url": "--url",
    "target_file": "--target-file",
    "json_to": "--json",
    "exports": "--export",
    "otlp": "--otlp",
}
"""Options of `floodmark run` that are for one run: of several the last would be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One target's run. `error` empty: it was measured."""

    target: str
    folder: Path
    code: int
    error: str = ""


def run(hosts: Path, targets: list[str], **options: Any) -> None:
    """Floods servers on a cluster one after another, gives a verdict each, and ends with a table.

    The options are those of `floodmark run`. A cluster that does not stand is brought up first, and taken down at the
    end.
    """
    file = read_hosts(hosts)
    options["profile"] = options["profile"] or file.cluster.profile
    if not targets and not options.get("url") and not options.get("target_file"):
        targets = [_own_target(file, hosts)]
    if len(targets) < 2:  # noqa: PLR2004 - a table of one is none
        run_one(target=next(iter(targets), ""), cluster=hosts, **options)
        return
    _prove_several(targets, options)
    out, rows = options.pop("out", None), list[Row]()
    with _standing(file):
        for target in targets:
            rows.append(_measured(target, hosts, out / target if out else new_run_path(target), options))
    _print_table(rows)
    codes = {row.code for row in rows}
    raise typer.Exit(1 if 1 in codes else max(codes))


def with_options_of_run() -> Any:
    """`run` with a signature of its own: that of `floodmark run`, as typer reads it."""
    known = inspect.signature(run_one)
    options = [one for one in known.parameters.values() if one.name not in NOT_HERE]
    changed = [one.replace(default="") if one.name == "profile" else one for one in options]
    named = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in changed]
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    arguments = [
        inspect.Parameter(
            "hosts",
            plain,
            annotation=HostsArgument,
        ),
        inspect.Parameter(
            "targets",
            plain,
            default=None,
            annotation=Annotated[
                list[str] | None,
                typer.Argument(
                    metavar="TARGETS",
                    help="Servers that come with Floodmark. [default: the file's]",
                    show_default=False,
                ),
            ],
        ),
    ]

    def command(**words: Any) -> None:
        run(words.pop("hosts"), words.pop("targets") or [], **words)

    command.__doc__ = run.__doc__
    command.__signature__ = known.replace(parameters=[*arguments, *named])  # type: ignore[attr-defined] # a function may have one (PEP 362)
    return command


@contextmanager
def _standing(file: HostsFile) -> Iterator[None]:
    """Up for all targets together; one that stood before stands afterwards."""
    # Here, not above: SSH takes long to load, and `floodmark --help` needs none.
    from floodmark_deploy.remote_cluster import RemoteCluster  # noqa: PLC0415  the reason is above

    with RemoteCluster(file, say=progress) as cluster:
        cluster.look()
        stood = cluster.stands()
        if not stood:
            with cluster.alone():
                cluster.install(cache_folder())
                cluster.form()
    try:
        yield
    finally:
        if not stood:
            with RemoteCluster(file, say=progress) as cluster:
                progress("taking the cluster down")
                cluster.down()


def _measured(target: str, hosts: Path, folder: Path, options: dict[str, Any]) -> Row:
    print(f"\n{target}", flush=True)
    try:
        run_one(target=target, cluster=hosts, out=folder, **options)
    except typer.Exit as end:
        return Row(target=target, folder=folder, code=end.exit_code)
    except InterruptedRunError:
        raise
    except FloodmarkError as error:  # of this target: the next one may do
        print(f"floodmark: {error}", file=sys.stderr)
        return Row(target=target, folder=folder, code=error.exit_code, error=str(error))
    return Row(target=target, folder=folder, code=0)


def _own_target(file: HostsFile, path: Path) -> str:
    if not file.of(HostRole.TARGET):
        raise UsageError(f"{path}: no host has the role target: say what to flood with --url")
    return file.cluster.target


def _prove_several(targets: list[str], options: dict[str, Any]) -> None:
    for name, flag in FOR_ONE.items():
        if options.get(name):
            raise UsageError(f"{flag} is for one run, and here are {len(targets)} targets: run them one by one with it")
    for target in targets:
        find_target(target)
    if len(set(targets)) < len(targets) and options.get("out"):
        raise UsageError("--out: a target that is there twice would have one folder: give each once")


def _print_table(rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("target", "at once", "answered", "run"):
        table.add_column(column, overflow="fold")
    for row in rows:
        at_once, answered = _words_of(row)
        table.add_row(row.target, at_once, answered, str(row.folder) if row.folder.exists() else "")
    print()
    out_console().print(table)


def _words_of(row: Row) -> tuple[str, str]:
    """How many at once, and of how many how many were answered; why neither is known was told in its place."""
    if row.error:
        return "failed", ""
    document = from_plain(VerdictDocument, json.loads((row.folder / VERDICT).read_bytes()), str(row.folder))
    answered, planned = document.outcomes.get(Outcome.ANSWERED, 0), sum(document.outcomes.values())
    words = short_words(document) if document.validity.ok else "not valid"
    return words, f"{answered:,} of {planned:,}"
