"""A suite's row from its run's verdict, whether it is what the target's file expects, and the suite's exit code.

Pure; no tables.
"""

from collections.abc import Iterable

from floodmark.analysis.document import Judgement, LimitKind, VerdictDocument
from floodmark.analysis.memory_records import Memory
from floodmark.core.errors import FloodmarkError, InterruptedRunError, InvalidRunError
from floodmark.core.run_folder import RunStatus
from floodmark.core.suite import FoundLine, FoundMemory, RowState, SuiteFound, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.target import ExpectSpec


def found_of(document: VerdictDocument) -> SuiteFound:
    """The verdict as far as the tables show it."""
    verdict = document.verdict
    lines = sorted(verdict.lines, key=lambda line: not line.outer)
    return SuiteFound(
        sentence=verdict.sentence,
        invalid=tuple(f"{check.name}: {check.words}" for check in document.validity.checks if check.ok is False),
        planned=sum(document.outcomes.values()),
        answered=document.outcomes.get("answered", 0),
        ceiling=verdict.in_service.ceiling,
        peak=verdict.in_service.peak,
        unit=None if verdict.model.unit is None else verdict.model.unit.value,
        reused=verdict.model.reused,
        processes=verdict.model.processes,
        lines=tuple(FoundLine(outer=line.outer, depth_peak=line.depth_peak, limit=line.limit) for line in lines),
        failures={failure.kind: failure.count for failure in verdict.failures},
        requests_per_s=None if document.throughput is None else document.throughput.answered_per_s,
        mean_s=None if document.latency is None else document.latency.mean_s,
        max_s=None if document.latency is None else document.latency.max_s,
        limits=_limits(verdict),
        memory=_memory(document.memory),
    )


def _limits(verdict: Judgement) -> tuple[str, ...]:
    """Those that explain a failure, and those that no line's column shows."""
    kinds = {failure.kind for failure in verdict.failures}
    shown = [
        limit.short for limit in verdict.limits if kinds & {*limit.explains} or limit.kind is not LimitKind.ACCEPT_QUEUE
    ]
    return tuple(dict.fromkeys(shown))


def _memory(memory: Memory | None) -> FoundMemory | None:
    if memory is None:
        return None
    return FoundMemory(
        before_bytes=memory.before_bytes,
        peak_bytes=memory.peak_bytes,
        running_bytes=memory.running.each_bytes,
        waiting_bytes=memory.waiting.each_bytes,
        shared=memory.shared,
    )


def unlike_expected(row: SuiteRow) -> tuple[str, ...]:
    """In what a row that counts is unlike what the target's file expects: a phrase each; none where it is like it.

    Nothing is unlike where nothing is expected, but that nothing was answered at all.
    """
    if not row.counts or row.found is None:
        return ()
    found, expect = row.found, row.expect
    words = [*_unlike_ceiling(found, expect)] if row.table is SuiteTable.CONCURRENCY else []
    if says_something(row) and (
        strange := {kind: count for kind, count in found.failures.items() if kind not in _known_failures(row)}
    ):
        words.append(f"nobody expected {_listed(strange.items())}")
    if row.table is SuiteTable.CONCURRENCY and expect.failures and not set(found.failures) & set(expect.failures):
        words.append(
            f"it should fail by {' or '.join(kind.replace('_', ' ') for kind in expect.failures)}, and did not"
        )
    if row.table is SuiteTable.THROUGHPUT and not found.answered:
        words.append("nothing was answered")
    return tuple(words)


def says_something(row: SuiteRow) -> bool:
    """The target's file says what is to come of this row."""
    return row.expect.ceiling is not None or row.expect.unbounded or bool(_known_failures(row))


def _known_failures(row: SuiteRow) -> tuple[str, ...]:
    return (*row.expect.failures, *row.expect.may_fail, *(row.rate.failures if row.rate else ()))


def _unlike_ceiling(found: SuiteFound, expect: ExpectSpec) -> Iterable[str]:
    if expect.ceiling is not None and found.ceiling is None:
        yield f"a ceiling of {expect.ceiling:,} was expected, and none is proven (at least {found.peak:,} at once)"
    elif expect.ceiling is not None and found.ceiling != expect.ceiling:
        yield f"a ceiling of {expect.ceiling:,} was expected, and it is {found.ceiling:,}"
    elif expect.unbounded and found.ceiling is not None:
        yield f"no ceiling was expected, and it is {found.ceiling:,}"


def exit_code_of(record: SuiteRecord) -> int:
    """130 interrupted; 1 where a row failed, is unlike expected or is still to be run, or none was measured.

    Else 3 where a run does not count.
    """
    if record.status is RunStatus.INTERRUPTED:
        return InterruptedRunError.exit_code
    if any(row.state is RowState.FAILED or unlike_expected(row) for row in record.rows) or not _has_end(record):
        return FloodmarkError.exit_code
    return InvalidRunError.exit_code if any(row.found and not row.found.valid for row in record.rows) else 0


def _has_end(record: SuiteRecord) -> bool:
    """It came to its end, and measured something."""
    is_over = record.status is RunStatus.COMPLETE and all(row.state is not RowState.PENDING for row in record.rows)
    return is_over and any(row.found is not None for row in record.rows)


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in counts)
