"""What the report says beside the verdict's own words: banner, key figures, rows of places. No HTML, no terminal."""

import re
from dataclasses import dataclass

from floodmark.analysis.document import Check, Judged, Judgement, Unit, VerdictDocument
from floodmark.analysis.estimates import agreement_words
from floodmark.analysis.steady.sentence import amount, seconds_words
from floodmark.core.outcomes import Outcome
from floodmark.core.places import WAITING_PLACES, Place
from floodmark.core.run_folder import Manifest, RunStatus
from floodmark.report.pictures.colours import FILL
from floodmark.report.words import (
    at_once,
    count,
    is_with_the_server,
    kind_words,
    place_meaning,
    place_name,
    waiting_place,
)

_ENDS = {
    RunStatus.INTERRUPTED: (
        "Interrupted",
        "The run was ended by hand before its time. This is what was measured until then.",
    ),
    RunStatus.FAILED: ("The run failed", "Something that the run needs broke. This is what was measured until then."),
    RunStatus.RUNNING: ("The run has no end", "It is still going on, or it was cut off. This is what is known so far."),
}
_ENDED_BY_GOAL = (
    "Threshold missed",
    "The load was ended when it missed what it was to meet. This is what was measured until then.",
)


_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|us|%|requests/s)(?![\w]))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """Why the result does not count, or not as a whole; stands above everything else."""

    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One key number and what it counts."""

    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """One row of the table of places; `peak_count` None where the place was not seen."""

    words: str
    colour: str
    peak_count: int | None
    peak: str
    limit: str
    meaning: str


def banner(judged: Judged, manifest: Manifest) -> Banner | None:
    """The banner of a run that is invalid, or has not come to its end; None for a run that counts."""
    document = judged.document
    titles, reasons = [], []
    if document.status in _ENDS:
        title, reason = _ENDED_BY_GOAL if manifest.missed_live else _ENDS[RunStatus(document.status)]
        titles.append(title)
        reasons.append(reason)
    if not document.validity.ok:
        titles.append("Not valid")
        reasons.append("This run must not be believed:")
        reasons += [f"{check.name}: {check.words}" for check in document.validity.checks if check.ok is False]
    reasons += [problem for problem in manifest.problems if not any(problem in reason for reason in reasons)]
    return Banner(title=". ".join(titles), reasons=tuple(reasons)) if titles else None


def lead(sentence: str) -> tuple[str, str]:
    """The verdict's first sentence, in which no number is parted from its unit by a line's end, and the rest of it."""
    first, stop, rest = sentence.partition(". ")
    return _UNIT.sub("\N{NO-BREAK SPACE}", first) + ("." if stop else ""), rest


def figures(document: VerdictDocument) -> list[Figure]:
    """The key numbers, the one that the run is about first: how many at once, or of a steady load how fast."""
    verdict = document.verdict
    in_service = verdict.in_service
    if document.profile.is_steady:
        return [*_pace(document), *_fullest(verdict), *_left_figures(document)]
    rest = [*_fullest(verdict), *_outcome_figures(document)]
    if in_service.ceiling is not None:
        return [Figure(value=f"{in_service.ceiling:,}", words="at once, the ceiling"), *rest]
    if in_service.peak:
        peak = f"\N{GREATER-THAN OR EQUAL TO} {in_service.peak:,}"
        return [Figure(value=peak, words="at once, no ceiling seen"), *rest]
    answered = next(figure for figure in rest if figure.words.startswith("answered of"))
    return [answered, *(figure for figure in rest if figure is not answered)]


def place_rows(document: VerdictDocument) -> list[PlaceRow]:
    """In service first, then the places where the others waited, from the server's core outwards."""
    in_service = document.verdict.in_service
    ceiling = "none seen" if in_service.ceiling is None else count(in_service.ceiling)
    limit = "" if document.profile.is_steady else ceiling
    rows = [_place_row(document, Place.IN_SERVICE, in_service.peak, limit)]
    for place in reversed(WAITING_PLACES):
        entry = waiting_place(document.verdict, place)
        rows.append(_place_row(document, place, entry.peak, "" if entry.limit is None else count(entry.limit)))
    return rows


def _place_row(document: VerdictDocument, place: Place, peak: int | None, limit: str) -> PlaceRow:
    return PlaceRow(
        words=place_name(document, place),
        colour=FILL[place],
        peak_count=peak,
        peak="not seen" if peak is None else count(peak),
        limit=limit,
        meaning=place_meaning(document, place),
    )


def model_words(verdict: Judgement) -> str:
    """Who runs a request, in the verdict's words, or in ours from its fields where it has none."""
    model = verdict.model
    if model.words:
        return model.words
    if model.unit is None:
        return "The evidence does not tell what runs a request."
    unit = {Unit.THREAD: "A thread", Unit.PROCESS: "A process", Unit.EVENT_LOOP: "An event loop"}[model.unit]
    reuse = {True: ", used again for the next", False: ", new for each request", None: ""}[model.reused]
    return f"{unit} runs a request{reuse}."


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


def outcome_words(document: VerdictDocument) -> str:
    """All outcomes in one phrase: ``80 answered, 920 waiting``."""
    shown = {kind: number for kind, number in document.outcomes.items() if number}
    return ", ".join(f"{number:,} {kind_words(kind)}" for kind, number in shown.items()) or "none"


def checks_in_order(document: VerdictDocument) -> list[Check]:
    """Failed checks first, then those not looked into, then those passed."""
    rank = {False: 0, None: 1, True: 2}
    return sorted(document.validity.checks, key=lambda check: rank[check.ok])


def failed_count(document: VerdictDocument) -> int:
    """How many requests failed, in whatever way."""
    others = {Outcome.ANSWERED, Outcome.WAITING, Outcome.UNSENT}
    return sum(number for kind, number in document.outcomes.items() if kind not in others)


def _fullest(verdict: Judgement) -> list[Figure]:
    peaks = [(entry.peak or 0, place) for place, entry in verdict.waiting.items()]
    peak, place = max(peaks, default=(0, None), key=lambda pair: pair[0])
    return [Figure(value=f"{peak:,}", words=f"waited at most: {place.words}")] if place and peak else []


def _pace(document: VerdictDocument) -> list[Figure]:
    """What a steady load is about: how fast, how late, how many at once."""
    shown = []
    if document.throughput is not None:
        shown.append(Figure(value=amount(document.throughput.answered_per_s), words="answered per second"))
    if document.latency is not None:
        shown.append(Figure(value=seconds_words(document.latency.p50_s), words="half within"))
        shown.append(Figure(value=seconds_words(document.latency.p99_s), words="99 % within"))
    if not is_with_the_server(document):
        shown.append(Figure(value=f"{at_once(document):,}", words="in service at once, about"))
    return shown


def _left_figures(document: VerdictDocument) -> list[Figure]:
    """What a steady load left: a closed loop always ends with a request on every connection, which says nothing."""
    failed = Figure(value=f"{failed_count(document):,}", words="failed")
    named = ((Outcome.WAITING, "still waiting at the end"), (Outcome.UNSENT, "never sent"))
    left = [(document.outcomes.get(kind, 0), words) for kind, words in named]
    shown = left if document.profile.rate is not None else left[1:]
    return [failed, *(Figure(value=f"{number:,}", words=words) for number, words in shown if number)]


def _outcome_figures(document: VerdictDocument) -> list[Figure]:
    outcomes = document.outcomes
    unsent = outcomes.get(Outcome.UNSENT, 0)
    total = sum(outcomes.values())
    shown = [
        Figure(value=f"{outcomes.get(Outcome.ANSWERED, 0):,}", words=f"answered of {total:,}"),
        Figure(value=f"{failed_count(document):,}", words="failed"),
        Figure(value=f"{outcomes.get(Outcome.WAITING, 0):,}", words="still waiting at the end"),
    ]
    return [*shown, Figure(value=f"{unsent:,}", words="never sent")] if unsent else shown
