"""Which rows a suite has, and the run that each of them is. Nothing is started here."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from floodmark.campaign.plan import UNKNOWN_HOLD_S, RunPlan
from floodmark.core.asked import DEFAULTS, MOST_CONNECTIONS, Asked
from floodmark.core.profile import BurstProfile, ClosedProfile
from floodmark.core.published import PublishedRate
from floodmark.core.request_spec import RequestSpec
from floodmark.core.suite import TIMEOUT_S, RowState, SuiteAsked, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.target import TargetSpec
from floodmark_deploy.limits import FIRST_SOURCE, most_connections

BEAT_S = 0.05
"""Between two samples of the agent, as `floodmark run` has it."""

WORKER_RATE = 10_000.0
"""Requests per second that one worker surely makes beside a server on the same cores: more are shared out."""

SOURCES = 2
"""Addresses to send from, for each worker's worth of connections."""

SHARE_PERCENT = 4.0
"""Of a core, for the agent and each worker's worth of connections: twice its own default."""

NEARLY = 0.9
"""Where a process may not open as many files as a study had connections, this share of them is near enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What rows are fitted to: cores, and how many files one process may open (None: no limit)."""

    cores: int = 1
    files: int | None = None


def rows_of(specs: Iterable[TargetSpec], asked: SuiteAsked, machine: Machine = Machine()) -> tuple[SuiteRow, ...]:
    """The rows: in table A every target once, in table B a row for each that the target's file has."""
    specs = tuple(specs)
    rows = []
    if SuiteTable.CONCURRENCY in asked.tables:
        rows += [_concurrency_row(spec, asked) for spec in specs]
    if SuiteTable.THROUGHPUT in asked.tables:
        rows += [row for spec in specs for row in _throughput_rows(spec, asked, machine)]
    return tuple(rows)


def unread_rows(unreadable: Mapping[str, str], asked: SuiteAsked) -> tuple[SuiteRow, ...]:
    """A row that has failed for each target that cannot be read, with what is wrong with its file."""
    table = asked.tables[0]
    profile = (
        BurstProfile(requests=asked.requests, within_s=0.0, hold_s=asked.hold_s)
        if table is SuiteTable.CONCURRENCY
        else ClosedProfile(connections=1, duration_s=asked.duration_s, timeout_s=TIMEOUT_S)
    )
    return tuple(
        SuiteRow(table=table, target=name, profile=profile, state=RowState.FAILED, reason=words)
        for name, words in unreadable.items()
    )


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
        request=spec.request,
        ceilings=spec.suite.a,
        expect=spec.expect,
    )


def _throughput_rows(spec: TargetSpec, asked: SuiteAsked, machine: Machine) -> list[SuiteRow]:
    return [_throughput_row(spec, rate, asked, machine) for rate in spec.suite.b]


def _throughput_row(spec: TargetSpec, rate: PublishedRate, asked: SuiteAsked, machine: Machine) -> SuiteRow:
    connections = _connections(rate.connections, spec, machine)
    request = _rate_request(rate, spec)
    hold_s = _hold_s(rate, request)
    by_files = math.ceil(connections / MOST_CONNECTIONS)
    by_rate = math.ceil(connections / hold_s / WORKER_RATE) if hold_s else 1
    return SuiteRow(
        table=SuiteTable.THROUGHPUT,
        target=spec.name,
        profile=ClosedProfile(connections=connections, duration_s=asked.duration_s, timeout_s=TIMEOUT_S, hold_s=hold_s),
        workers=max(asked.workers, by_files, min(by_rate, machine.cores)),
        request=request,
        rate=rate,
        expect=spec.expect,
    )


def _rate_request(rate: PublishedRate, spec: TargetSpec) -> RequestSpec:
    return RequestSpec(path=rate.path, contains=rate.contains) if rate.path else spec.request


def _hold_s(rate: PublishedRate, request: RequestSpec) -> float:
    """What the row says; else the usual one where the server is told, and none that anybody knows of."""
    if rate.hold_s is not None:
        return rate.hold_s
    return float(DEFAULTS["closed"]["hold_s"]) if request.holds else 0.0


def _connections(published: int, spec: TargetSpec, machine: Machine) -> int:
    """As many as the study had, or nearly: in whole hundreds what the target's processes have files for."""
    room = most_connections(machine.files, spec.start.processes, machine.cores)
    if room is None or not NEARLY * published <= room < published:
        return published
    return room // 100 * 100


def refreshed(row: SuiteRow, spec: TargetSpec | None) -> SuiteRow:
    """The row with what its target's file says today: what is known of a target is no measurement.

    What was sent is kept of a row that was measured.
    """
    if spec is None:
        return row
    rate = next((rate for rate in spec.suite.b if row.rate and rate.row == row.rate.row), row.rate)
    row = replace(row, expect=spec.expect, ceilings=spec.suite.a if row.rate is None else (), rate=rate)
    is_kept = row.is_unread or (row.found is not None and row.request is not None)
    return row if is_kept else replace(row, request=request_of(row, spec))


def again(row: SuiteRow) -> SuiteRow:
    """The row as it is before it is run."""
    return replace(row, state=RowState.PENDING, reason="", folder="", took_s=None, found=None)


def going_on(record: SuiteRecord, specs: Mapping[str, TargetSpec], machine: Machine = Machine()) -> SuiteRecord:
    """The record with every row pending that is not done: failed, not run, or not valid.

    In the place of a target that could not be read stand its rows, where it can be read now.
    """
    rows: list[SuiteRow] = []
    for row in record.rows:
        spec = specs.get(row.target)
        if row.is_unread:
            rows += (row,) if spec is None else rows_of((spec,), record.asked, machine)
        else:
            row_today = refreshed(row, spec)
            rows.append(row_today if row_today.counts else again(row_today))
    return replace(record, rows=tuple(rows))


def plan_of(row: SuiteRow, spec: TargetSpec, folder: Path, command: tuple[str, ...]) -> RunPlan:
    """The run that a row is.

    With more connections than one worker takes, they come from several addresses of this machine, since the ports of
    one are soon all in use or in TIME_WAIT; and to count so many the agent gets as much more of a core.
    """
    shares = math.ceil(row.profile.most_connections / MOST_CONNECTIONS)
    return RunPlan(
        name=spec.name,
        spec=spec,
        address=None,
        request=request_of(row, spec),
        kind=row.profile.kind,
        asked=_asked(row, spec),
        workers=row.workers,
        port=0,
        beat_s=BEAT_S,
        folder=folder,
        command=command,
        source=f"{FIRST_SOURCE}-{FIRST_SOURCE + SOURCES * shares - 1}" if shares > 1 else "",
        cpu_budget_percent=SHARE_PERCENT * shares if shares > 1 else None,
    )


def request_of(row: SuiteRow, spec: TargetSpec) -> RequestSpec:
    """What a row sends: its published row's request where that has one, else its target's."""
    return spec.request if row.rate is None else _rate_request(row.rate, spec)


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
