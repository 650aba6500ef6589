"""Which rows a suite has, and the run that each of them is. Nothing is started here."""

import fnmatch
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from floodmark.campaign.plan import UNKNOWN_HOLD_S, RunPlan
from floodmark.core.asked import MOST_CONNECTIONS, Asked
from floodmark.core.errors import UsageError
from floodmark.core.profile import BurstProfile, ClosedProfile
from floodmark.core.published import PublishedRate
from floodmark.core.suite import TIMEOUT_S, RowState, SuiteAsked, SuiteRow, SuiteTable
from floodmark.core.target import RequestSpec, TargetSpec
from floodmark_deploy.limits import most_connections

BEAT_S = 0.05
"""Between two samples of the agent, as `floodmark run` has it."""

HEALTH_HOLD_S = 0.1
"""How long the zoo's applications hold ``GET /health`` unless they are told."""

WORKER_RATE = 10_000.0
"""Requests per second that one worker surely makes beside a server on the same cores: more are shared out."""

NEARLY = 0.9
"""Where a process may not open as many files as a study had connections, this share of them is near enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What rows are fitted to: cores, and how many files one process may open (None: no limit)."""

    cores: int = 1
    files: int | None = None


def chosen(specs: Sequence[TargetSpec], patterns: Iterable[str]) -> tuple[TargetSpec, ...]:
    """The targets that any of the patterns (shell globs) names, in their own order; without a pattern all.

    Raises `UsageError` for a pattern that names none.
    """
    patterns = tuple(patterns)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(spec.name, pattern) for spec in specs):
            raise UsageError(f"no target is named by {pattern!r}; `floodmark targets` lists them")
    return tuple(
        spec for spec in specs if not patterns or any(fnmatch.fnmatchcase(spec.name, pattern) for pattern in patterns)
    )


def rows_of(specs: Iterable[TargetSpec], asked: SuiteAsked, machine: Machine = Machine()) -> tuple[SuiteRow, ...]:
    """The rows: in table A every target once, in table B a row for each that the target's file has."""
    specs = tuple(specs)
    rows = []
    if SuiteTable.CONCURRENCY in asked.tables:
        rows += [_concurrency_row(spec, asked) for spec in specs]
    if SuiteTable.THROUGHPUT in asked.tables:
        rows += [row for spec in specs for row in _throughput_rows(spec, asked, machine)]
    return tuple(rows)


def _concurrency_row(spec: TargetSpec, asked: SuiteAsked) -> SuiteRow:
    hold_s = spec.suite.hold_s or asked.hold_s
    return SuiteRow(
        table=SuiteTable.CONCURRENCY,
        target=spec.name,
        profile=BurstProfile(
            requests=spec.suite.requests or asked.requests,
            within_s=spec.suite.within_s,
            hold_s=hold_s if spec.request.holds else UNKNOWN_HOLD_S,
            timeout_s=spec.suite.timeout_s,
        ),
        workers=asked.workers,
        ceilings=spec.suite.a,
        expect=spec.expect,
    )


def _throughput_rows(spec: TargetSpec, asked: SuiteAsked, machine: Machine) -> list[SuiteRow]:
    return [_throughput_row(spec, rate, asked, machine) for rate in spec.suite.b]


def _throughput_row(spec: TargetSpec, rate: PublishedRate, asked: SuiteAsked, machine: Machine) -> SuiteRow:
    connections = _connections(rate.connections, spec, machine)
    by_files = math.ceil(connections / MOST_CONNECTIONS)
    by_rate = math.ceil(connections / rate.hold_s / WORKER_RATE) if rate.hold_s else 1
    return SuiteRow(
        table=SuiteTable.THROUGHPUT,
        target=spec.name,
        profile=ClosedProfile(
            connections=connections, duration_s=asked.duration_s, timeout_s=TIMEOUT_S, hold_s=rate.hold_s
        ),
        workers=max(asked.workers, by_files, min(by_rate, machine.cores)),
        rate=rate,
        expect=spec.expect,
    )


def _connections(published: int, spec: TargetSpec, machine: Machine) -> int:
    """As many as the study had, or nearly: in whole hundreds what the target's processes have files for."""
    room = most_connections(machine.files, spec.start.processes, machine.cores)
    if room is None or not NEARLY * published <= room < published:
        return published
    return room // 100 * 100


def refreshed(row: SuiteRow, spec: TargetSpec | None) -> SuiteRow:
    """The row with what its target's file says today: what is known of a target is no measurement."""
    if spec is None:
        return row
    rate = next((rate for rate in spec.suite.b if row.rate and rate.row == row.rate.row), row.rate)
    return replace(row, expect=spec.expect, ceilings=spec.suite.a if row.rate is None else (), rate=rate)


def again(row: SuiteRow) -> SuiteRow:
    """The row as it is before it is run."""
    return replace(row, state=RowState.PENDING, reason="", folder="", took_s=None, found=None)


def plan_of(row: SuiteRow, spec: TargetSpec, folder: Path, command: tuple[str, ...]) -> RunPlan:
    """The run that a row is."""
    return RunPlan(
        name=spec.name,
        spec=spec,
        address=None,
        request=_request(row, spec),
        kind=row.profile.kind,
        asked=_asked(row, spec),
        workers=row.workers,
        port=0,
        beat_s=BEAT_S,
        folder=folder,
        command=command,
    )


def _request(row: SuiteRow, spec: TargetSpec) -> RequestSpec:
    if row.rate is None:
        return spec.request
    is_usual = math.isclose(row.rate.hold_s, HEALTH_HOLD_S)
    return RequestSpec(path="/health" if is_usual else f"/health?hold={row.rate.hold_s:g}", contains="ok")


def _asked(row: SuiteRow, spec: TargetSpec) -> Asked:
    """The profile's own numbers; the hold of a server that cannot be told is left to be measured."""
    profile = row.profile
    if isinstance(profile, BurstProfile):
        hold_s = profile.hold_s if spec.request.holds else None
        return Asked(requests=profile.requests, within_s=profile.within_s, hold_s=hold_s, timeout_s=profile.timeout_s)
    return Asked(
        connections=profile.connections,
        duration_s=profile.duration_s,
        hold_s=profile.hold_s,
        timeout_s=profile.timeout_s,
    )
