"""A suite's row from its run's verdict, and whether it is what the target's file expects. Pure; no tables."""

from collections.abc import Iterable

from floodmark.analysis.document import Judgement, LimitKind, Memory, VerdictDocument
from floodmark.core.suite import FoundLine, FoundMemory, SuiteFound, SuiteRow, SuiteTable


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
    """In what a row that counts is unlike what the target's file expects: a phrase each; none where it is like it."""
    if not row.counts or row.found is None:
        return ()
    found, expect = row.found, row.expect
    known = (*expect.failures, *(row.rate.failures if row.rate else ()))
    words = []
    if row.table is SuiteTable.CONCURRENCY and found.ceiling != expect.ceiling:
        wanted = "no ceiling" if expect.ceiling is None else f"a ceiling of {expect.ceiling:,}"
        had = (
            f"none is proven (at least {found.peak:,} at once)" if found.ceiling is None else f"it is {found.ceiling:,}"
        )
        words.append(f"{wanted} was expected, and {had}")
    if strange := {kind: count for kind, count in found.failures.items() if kind not in known}:
        words.append(f"nobody expected {_listed(strange.items())}")
    if row.table is SuiteTable.CONCURRENCY and expect.failures and not set(found.failures) & set(expect.failures):
        words.append(
            f"it should fail by {' or '.join(kind.replace('_', ' ') for kind in expect.failures)}, and did not"
        )
    if row.table is SuiteTable.THROUGHPUT and not found.answered:
        words.append("nothing was answered")
    return tuple(words)


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in counts)
