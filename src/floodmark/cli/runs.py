"""`floodmark runs`, `compare` and `plot`: which runs there are, what differs between them, and pictures of them."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from floodmark.analysis.compare.conditions import DESPITE, ComparedRun
from floodmark.analysis.compare.runs import LEAST_SHARE, judged_sides
from floodmark.analysis.compare.runs import compare as compare_runs
from floodmark.cli.checks import prove_writable
from floodmark.cli.groups import complete_run
from floodmark.cli.talk import out_console
from floodmark.core.asked_file import write_file
from floodmark.core.codec import to_plain
from floodmark.core.errors import UsageError
from floodmark.core.run_folder import RUNS_FOLDER, RunFolder
from floodmark.core.suite_folder import SuiteFolder
from floodmark.report.compare.html import render_compare
from floodmark.report.compare.terminal import print_compare
from floodmark.report.judge_again import judge_again
from floodmark.report.run_list import find_run, list_runs
from floodmark.report.run_table import print_runs
from floodmark_deploy.zoo import known_servers

VS = "vs"
"""Stands between the runs of two sides."""


def complete_what(incomplete: str) -> Iterator[str]:
    """For the shell: the pictures that begin so."""
    yield from (name for name in PICTURE_NAMES if name.startswith(incomplete))


PICTURE_NAMES = ("waterline", "latency", "split", "failures", "rate", "at-once")
"""Of one run, and of several; written here because the drawing library takes a second to load."""

RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Run folders, or names as `floodmark runs` lists them, or parts of names that only one has.",
        show_default=False,
        autocompletion=complete_run,
    ),
]


def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the runs are.")] = Path(RUNS_FOLDER),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Lists the runs, newest last: when, of what, what was found, and whether it counts."""
    found = list_runs(folder) if folder != Path(RUNS_FOLDER) or folder.is_dir() else []
    if as_json:
        print(json.dumps(to_plain(found), indent=2))
        return
    if not found:
        print(f"no runs in {folder}/", file=sys.stderr)
        return
    print_runs(found, out_console())


def compare(
    names: RunsArgument,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures.", show_default=False)
    ] = None,
    json_to: Annotated[
        str, typer.Option("--json", metavar="FILE", help="Write it as JSON; - prints only it.", show_default=False)
    ] = "",
    despite: Annotated[
        list[str] | None,
        typer.Option(
            "--despite",
            metavar="WHAT",
            help=f"Compare although this differs: one of {', '.join(DESPITE)}. May be repeated.",
            show_default=False,
        ),
    ] = None,
    least: Annotated[
        float, typer.Option("--least", metavar="PERCENT", help="The least difference that is of interest.")
    ] = 100 * LEAST_SHARE,
) -> None:
    """Compares runs: what changed, and whether it is more than noise.

    Runs of the same setting are repeats; or say which are: `floodmark compare A1 A2 vs B1 B2`.
    """
    if not 0 <= least <= 100:  # noqa: PLR2004 - per cent
        raise UsageError(f"--least {least:g}: give per cent from 0 to 100")
    prove_writable("--html", html)
    prove_writable("--json", json_to)
    sides = _sides(names)
    document = compare_runs(
        [run for side in sides for run in side],
        sides if len(sides) > 1 else (),
        despite=tuple(despite or ()),
        least_share=least / 100,
    )
    text = json.dumps(to_plain(document), indent=2) + "\n"
    if html is not None:
        page = render_compare(document, judged_sides(document, [run for side in sides for run in side]))
        write_file("--html", html, page)
    if json_to not in ("", "-"):
        write_file("--json", Path(json_to), text)
    if json_to == "-":
        print(text, end="")
    else:
        print_compare(document, out_console())


def plot(
    names: RunsArgument,
    what: Annotated[
        str,
        typer.Option(
            "--what",
            metavar="PICTURE",
            help=f"One of {', '.join(PICTURE_NAMES[:-1])}; of several runs latency or at-once."
            " [default: waterline; of several: latency]",
            show_default=False,
            autocompletion=complete_what,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="An .svg, .png or .pdf. [default: an .svg here]", show_default=False
        ),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="On dark paper.")] = False,
) -> None:
    """Draws a picture of a run, or of several in one, into a file."""
    # Here, not above: the drawing library takes a second to load.
    from floodmark.report.pictures.file import (  # noqa: PLC0415  as above
        DEFAULT,
        OVERLAY_DEFAULT,
        picture_of_run,
        picture_of_runs,
        prove_ending,
        prove_picture,
    )
    from floodmark.report.pictures.overlay import Group  # noqa: PLC0415  the reason is above

    what = what or (DEFAULT if len(names) == 1 else OVERLAY_DEFAULT)
    prove_picture(what, len(names))
    read = [_read(name) for name in names]
    path = out or Path(f"{Path(read[0].folder).resolve().name}-{what}.svg")
    prove_ending(path)
    prove_writable("--out", path)
    ending = path.suffix.lower()
    if len(read) == 1:
        drawn = picture_of_run(what, read[0].judged, ending, dark=dark)
    else:
        drawn = picture_of_runs(what, [Group(name=run.name, runs=(run.judged,)) for run in read], ending, dark=dark)
    if drawn is None:
        raise UsageError(f"--what {what}: {read[0].name} has nothing to show in it")
    write_file("--out", path, drawn)
    print(path)


def _sides(names: Sequence[str]) -> list[list[ComparedRun]]:
    """The runs, parted where ``vs`` stands."""
    sides: list[list[str]] = [[]]
    for name in names:
        if name == VS:
            sides.append([])
        else:
            sides[-1].append(name)
    if not all(sides):
        raise UsageError("vs stands between runs: give one at least on each side of it")
    return [[_read(name) for name in side] for side in sides]


def _read(name: str) -> ComparedRun:
    path = find_run(name)
    if SuiteFolder(path).is_there:
        raise UsageError(f"{path}: a suite; give run folders of its rows, which are in it")
    folder = RunFolder(path)
    manifest, judged = judge_again(folder, known_servers() if folder.manifest().commands else ())
    whole = path.resolve()
    shown = os.path.relpath(whole)
    # One folder has one name here, however it was given: that is how it is found when it is given twice.
    return ComparedRun(
        name=whole.name, folder=str(whole) if shown.startswith("..") else shown, manifest=manifest, judged=judged
    )
