"""How the help of `floodmark run` is laid out: options in groups, and what each profile is. It decides nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from floodmark.campaign.suite_targets import read_zoo
from floodmark.core.asked import DEFAULTS
from floodmark.core.errors import UsageError
from floodmark.core.run_folder import RUNS_FOLDER
from floodmark.report.run_list import run_names

WHAT = "What to run, once"
LOAD = "The load; in brackets the profiles that have the option, and what it is where you do not say"
REQUEST = "From where, and which answer counts"
GOALS = "What it is to meet"
RUN = "The run"

PROFILES = {
    "burst": "N requests at one instant, or evenly over a few seconds: how many are handled at once, where do the"
    " others wait?",
    "ramp": "N requests spread over half a minute or more: what happens on the way up?",
    "closed": "C connections, each of which sends its next request when the last is answered, as wrk does: how many"
    " answers per second?",
    "arrivals": "R requests per second, whatever the answers do, as wrk2 and vegeta do: what does a client wait at that"
    " rate, and does the server keep up?",
    "search": "bursts of 16, 64, 256, ... requests until a ceiling is proven: how many at once, when nobody has an"
    " idea?",
}
"""Each kind of load, and the question that it answers."""


def option(words: str, *names: str, default: str = "", **more: Any) -> Any:
    """An option with its help; `default` says, in brackets, what holds where it is not given."""
    return typer.Option(*names, help=f"{words} {default}".rstrip(), show_default=False, **more)


class GroupedCommand(TyperCommand):
    """A command whose help has a section per `rich_help_panel`, in plain text, and one on the profiles."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override] # typer's own click
        """Writes the sections in the order in which their first options come."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                panel = getattr(parameter, "rich_help_panel", None) or "Other options"
                sections.setdefault(panel, []).append(record)
        for panel, records in sections.items():
            with formatter.section(panel):
                formatter.write_dl(records)
        with formatter.section("Profiles"):
            formatter.write_dl(list(PROFILES.items()))


def complete_profile(incomplete: str) -> Iterator[tuple[str, str]]:
    """For the shell: the kinds that begin so, with what they are."""
    for kind, words in PROFILES.items():
        if kind.startswith(incomplete):
            yield kind, words


def complete_target(incomplete: str) -> Iterator[tuple[str, str]]:
    """For the shell: the zoo's targets that begin so, with their own line; those that cannot be read by name alone."""
    try:
        zoo = read_zoo()
    except UsageError:
        return
    named = {spec.name: spec.summary for spec in zoo.specs} | dict.fromkeys(zoo.unreadable, "cannot be read")
    yield from ((name, named[name]) for name in sorted(named) if name.startswith(incomplete))


def complete_run(incomplete: str) -> Iterator[str]:
    """For the shell: the runs below ``runs/`` that begin so, by name or by path; any other path is the shell's own."""
    names = run_names(Path(RUNS_FOLDER))
    if incomplete.startswith(f"{RUNS_FOLDER}/"):
        names = [f"{RUNS_FOLDER}/{name}" for name in names]
    yield from (name for name in names if name.startswith(incomplete))


def defaults_of(name: str) -> str:
    """Which kinds have an option and what it is there, as ``[burst, ramp: 1000; search: 10000]``."""
    kinds: dict[str, list[str]] = {}
    for kind, options in DEFAULTS.items():
        if name in options:
            default = options[name]
            kinds.setdefault("none" if default is None else f"{default:g}", []).append(kind)
    return "[" + "; ".join(f"{', '.join(names)}: {default}" for default, names in kinds.items()) + "]"
