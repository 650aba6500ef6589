"""What two runs must have in common to be compared, and what may be the knob that was turned. No statistics."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from floodmark.analysis.compare.document import Difference
from floodmark.analysis.document import Judged
from floodmark.core.codec import to_plain
from floodmark.core.errors import UsageError
from floodmark.core.run_folder import Manifest

OURS = ("python", "floodmark", "locust", "gevent", "pyzmq", "hdrhistogram")
"""What measured. Python runs both: with another Python the generator is another one, too."""

MIX = "mix"
VALIDITY = "validity"
NONE = "none"

TARGET = "target"
COMMAND = "command"
"""Two of the knobs: a target of another name, and its command line."""

LIMITS = {
    "open_files": "limit of open files",
    "processes": "limit of processes and threads",
    "somaxconn": "net.core.somaxconn",
    "tcp_max_syn_backlog": "net.ipv4.tcp_max_syn_backlog",
    "tcp_syncookies": "net.ipv4.tcp_syncookies",
    "tcp_abort_on_overflow": "net.ipv4.tcp_abort_on_overflow",
    "pids_max": "cgroup pids.max",
}
"""The limits in force that somebody sets; the others are what happened to run beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run to be compared: what it is called, its manifest, and its verdict."""

    name: str
    folder: str
    manifest: Manifest
    judged: Judged


def _load(manifest: Manifest) -> str:
    """The profile; a hold that was measured is a finding, and differs from run to run."""
    asked = {
        name.removesuffix("_s"): value
        for name, value in to_plain(manifest.profile).items()
        if name != "kind" and value is not None and (name != "hold_s" or manifest.hold_known)
    }
    return f"{manifest.profile.kind}: " + ", ".join(f"{name} {value:g}" for name, value in asked.items())


def _request(manifest: Manifest) -> str:
    request = manifest.request
    wanted = [f"status {request.status}"]
    wanted += [f"text {request.contains!r}"] if request.contains else []
    wanted += [f"match {request.matches!r}"] if request.matches else []
    return f"{request.path}, {', '.join(wanted)}"


def _agent(manifest: Manifest) -> str:
    return f"every {manifest.beat_s:g} s" if manifest.agent else NONE


def _listed(values: dict[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in names if name in values)


CONDITIONS: dict[str, Callable[[Manifest], str]] = {
    "load": _load,
    "request": _request,
    "workers": lambda manifest: str(manifest.workers),
    "source": lambda manifest: ", ".join(manifest.sources) or "the kernel's choice",
    "agent": _agent,
    "host": lambda manifest: _listed(manifest.host, sorted(manifest.host)),
    "generator": lambda manifest: _listed(manifest.versions, OURS),
}
"""What must be the same, by the name that `--despite` takes."""

DESPITE = (*CONDITIONS, VALIDITY, MIX)


def knobs_of(manifest: Manifest) -> dict[str, str]:
    """What the target was: its name, how it was started, its versions, the limits in force. Name to value."""
    found = {TARGET: manifest.target}
    found |= manifest.settings or _command_line(manifest)
    found |= {name: version for name, version in manifest.versions.items() if name not in OURS}
    if manifest.limits is not None:
        values = {words: getattr(manifest.limits, name) for name, words in LIMITS.items()}
        found |= {words: "none, or not known" if value is None else f"{value:,}" for words, value in values.items()}
    return found


def _command_line(manifest: Manifest) -> dict[str, str]:
    """That of the target's first process, without its port and folders, which are others in each run."""
    first = manifest.limits.pid if manifest.limits is not None else None
    lines = [line for line in manifest.commands if first in line.pids] or list(manifest.commands)
    if not lines:
        return {}
    port = re.search(r"//[^/]*:(\d+)", manifest.url)
    words = re.sub(rf"(?<!\d){port[1]}(?!\d)", "PORT", lines[0].words) if port else lines[0].words
    return {COMMAND: re.sub(r"\S*/scratch\b", "SCRATCH", words)}


def differences(tables: Sequence[dict[str, str]]) -> tuple[Difference, ...]:
    """What is not the same in all tables, in the order in which the names come first."""
    names = dict.fromkeys(name for table in tables for name in table)
    rows = (Difference(name=name, values=tuple(table.get(name, "not set") for table in tables)) for name in names)
    return tuple(row for row in rows if len(set(row.values)) > 1)


def short_values(values: Sequence[str]) -> tuple[str, ...]:
    """What sets values apart from each other: without the words that all begin or end with, an option's name kept."""
    words = [value.split() for value in values]
    least = min(len(one) for one in words)
    begin = next((place for place in range(least) if len({one[place] for one in words}) > 1), least)
    left = least - begin
    end = next((place for place in range(left) if len({one[-1 - place] for one in words}) > 1), left)
    if begin and words[0][begin - 1].startswith("-"):
        begin -= 1
    return tuple(" ".join(one[begin : len(one) - end]) or "without" for one in words)


def conditions_of(run: ComparedRun) -> dict[str, str]:
    """The run's conditions by name."""
    return {name: read(run.manifest) for name, read in CONDITIONS.items()}


def grouped(runs: Sequence[ComparedRun]) -> list[list[ComparedRun]]:
    """Runs whose target was the same in all that is known are repeats of each other; in the order of the first ones.

    Two runs are always two sides: who names just two asks for what differs.
    """
    if len(runs) == 2:  # noqa: PLR2004 - two, as said
        return [[run] for run in runs]
    groups: dict[tuple[tuple[str, str], ...], list[ComparedRun]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(knobs_of(run.manifest).items())), []).append(run)
    return list(groups.values())


def prove_comparable(sides: Sequence[Sequence[ComparedRun]], despite: Sequence[str]) -> tuple[Difference, ...]:
    """What differs and was let pass, a value per side. Raises `UsageError` naming what was not, and the option."""
    _prove_named(despite)
    runs = [run for side in sides for run in side]
    _prove_once(runs)
    if VALIDITY not in despite:
        _prove_valid(runs)
    if MIX not in despite:
        for side in sides:
            _prove_repeats(side)
    found = differences([conditions_of(run) for run in runs])
    for row in found:
        if row.name not in despite:
            raise UsageError(
                f"{_against(row, runs)}; the figures would not be of the same thing. "
                f"--despite {row.name} compares them all the same"
            )
    per_side = [{name: _joined(name, side) for name in CONDITIONS} for side in sides]
    return differences(per_side)


def _joined(name: str, side: Sequence[ComparedRun]) -> str:
    return " or ".join(dict.fromkeys(CONDITIONS[name](run.manifest) for run in side))


def _prove_named(despite: Sequence[str]) -> None:
    for name in despite:
        if name not in DESPITE:
            raise UsageError(f"--despite {name!r}: there are {', '.join(DESPITE)}")


def _prove_once(runs: Sequence[ComparedRun]) -> None:
    seen: set[str] = set()
    for run in runs:
        if run.folder in seen:
            raise UsageError(f"{run.name}: given twice; a run is no repeat of itself")
        seen.add(run.folder)


def _prove_valid(runs: Sequence[ComparedRun]) -> None:
    for run in runs:
        failed = [check for check in run.judged.document.validity.checks if check.ok is False]
        if failed:
            raise UsageError(
                f"{run.name}: not valid: {failed[0].name}: {failed[0].words}; leave it out, or take it with"
                f" --despite {VALIDITY}"
            )


def _prove_repeats(side: Sequence[ComparedRun]) -> None:
    for row in differences([knobs_of(run.manifest) for run in side]):
        raise UsageError(
            f"{_against(row, side)}: these are no repeats of each other; put them on sides of their own, or take them"
            f" as one with --despite {MIX}"
        )


def _against(row: Difference, runs: Sequence[ComparedRun]) -> str:
    """``the load differs: 'burst ...' of RUN, 'burst ...' of RUN``."""
    other = next(index for index, value in enumerate(row.values) if value != row.values[0])
    return f"{row.name} differs: {row.values[0]} ({runs[0].name}) against {row.values[other]} ({runs[other].name})"
