"""Rows of the page's tables: who runs it, failures and their sides, limits in force, checks, how it was measured."""

from collections import Counter
from dataclasses import dataclass

from floodmark.analysis.document import Check, Judged, Judgement, VerdictDocument
from floodmark.analysis.estimates import agreement_words
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import Manifest
from floodmark.report.findings import banner
from floodmark.report.measures import clock_words, release_words
from floodmark.report.pictures.colours import FAILURE
from floodmark.report.words import count, duration, kind_words, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """One kind of failure, in the colour that it has in the picture."""

    words: str
    colour: str
    count: int
    side: str
    example: str


def model_facts(verdict: Judgement) -> list[tuple[str, str]]:
    """The model as names and values, known ones only."""
    model = verdict.model
    facts = [
        ("unit", None if model.unit is None else model.unit.value.replace("-", " ")),
        ("used again", {True: "yes", False: "no", None: None}[model.reused]),
        ("processes that ran requests", None if model.processes is None else count(model.processes)),
        ("at once per process", None if model.per_process is None else count(model.per_process)),
    ]
    return [(name, value) for name, value in facts if value is not None]


def other_evidence(verdict: Judgement) -> list[str]:
    """The evidence without the sentence on the estimates, which stands above their table."""
    agreement = agreement_words(verdict.in_service.estimates)
    return [evidence for evidence in verdict.in_service.evidence if evidence != agreement]


def failure_rows(verdict: Judgement) -> list[FailureRow]:
    """The failures, most frequent first."""
    return [
        FailureRow(
            words=kind_words(failure.kind),
            colour=FAILURE[Outcome(failure.kind)],
            count=failure.count,
            side=failure.side,
            example=failure.example,
        )
        for failure in verdict.failures
    ]


def side_words(verdict: Judgement) -> str:
    """``300 failed: 299 by the target's doing, 1 by the generator's.``; empty where none failed."""
    totals: Counter[str] = Counter()
    for failure in verdict.failures:
        totals[failure.side] += failure.count
    if not totals:
        return ""
    sides = totals.most_common()
    parts = [f"{number:,} by the {side}'s{'' if index else ' doing'}" for index, (side, number) in enumerate(sides)]
    return f"{totals.total():,} failed: {', '.join(parts)}."


def limit_rows(document: VerdictDocument, manifest: Manifest) -> list[tuple[str, str]]:
    """What bounds the target, as its kernel said; none without an agent."""
    limits = manifest.limits
    if limits is None:
        return []
    backlogs = [(f"backlog of {line.address}", line.limit) for line in document.verdict.lines]
    named = [
        *backlogs,
        ("open files per process (nofile)", limits.open_files),
        ("processes and threads of the user", limits.processes),
        ("cgroup pids.max", limits.pids_max),
        ("net.core.somaxconn", limits.somaxconn),
        ("net.ipv4.tcp_max_syn_backlog", limits.tcp_max_syn_backlog),
        ("net.ipv4.tcp_syncookies", limits.tcp_syncookies),
        ("net.ipv4.tcp_abort_on_overflow", limits.tcp_abort_on_overflow),
    ]
    return [(name, count(value)) for name, value in named]


def checks_in_order(document: VerdictDocument) -> list[Check]:
    """Failed checks first, then those not looked into, then those passed."""
    rank = {False: 0, None: 1, True: 2}
    return sorted(document.validity.checks, key=lambda check: rank[check.ok])


def measured_rows(document: VerdictDocument, manifest: Manifest) -> list[tuple[str, str]]:
    """Who sent what from where, which answer counted, and how well the times are known."""
    request, timeout_s = manifest.request, manifest.profile.timeout_s
    wanted = [
        f"status {request.status}",
        *([f"a body with {request.contains!r}"] if request.contains else []),
        *([f"a body that matches {request.matches!r}"] if request.matches else []),
    ]
    waits = "no limit on the time of one" if timeout_s is None else f"one fails after {duration(timeout_s)}"
    verified = "" if manifest.verify or not manifest.url.startswith("https") else "; any certificate was taken"
    rows = [
        ("requests", f"GET {request.path}; {waits}"),
        ("an answer is", f"{', '.join(wanted)}{verified}"),
        (
            "generator",
            f"{plural(manifest.workers, 'Locust worker')}, from {', '.join(manifest.sources) or 'one address'}",
        ),
        ("agent", _agent(document, manifest)),
        ("released", release_words(document)),
        ("clocks", f"{words}, read before the load and after it" if (words := clock_words(document)) else None),
    ]
    return [(name, value) for name, value in rows if value]


def _agent(document: VerdictDocument, manifest: Manifest) -> str | None:
    if manifest.limits is None or document.agent is None:
        return None
    name = f"{manifest.agent}: " if manifest.agent else ""
    return f"{name}{plural(document.agent.samples, 'sample')}, one every {duration(manifest.beat_s)} where it could"


def note_words(judged: Judged, manifest: Manifest) -> list[str]:
    """What the agent could not see, who was not heard, and problems that no banner tells."""
    strangers = [f"A stranger on the bus, who was not heard: {stranger}." for stranger in manifest.strangers]
    problems = () if banner(judged, manifest) else manifest.problems
    return [*manifest.agent_notes, *strangers, *problems]


def section_names(document: VerdictDocument) -> list[tuple[str, str]]:
    """The page's sections: the id of each, and its name in the list of them."""
    verdict = document.verdict
    named = [
        ("thresholds", "Thresholds", bool(document.thresholds)),
        ("where", "Waterline", True),
        ("why", "Why", bool(verdict.advice)),
        ("steps", "Bursts", bool(document.steps)),
        ("places", "Places", True),
        ("model", "Who runs it", True),
        ("latency", "Latency", document.latency is not None),
        ("outcomes", "Failures" if verdict.failures else "Outcomes", True),
        ("at-once", "How many at once", True),
        ("system", "System", True),
        ("checks", "Checks", True),
        ("measured", "How measured", True),
        ("again", "Raw data", True),
    ]
    return [(id_, name) for id_, name, is_there in named if is_there]
