"""The key numbers of a report's page, the one that the run is about first. Numbers and words only."""

from dataclasses import dataclass

from floodmark.analysis.document import InService, Judgement, VerdictDocument
from floodmark.analysis.steady.sentence import amount, seconds_words
from floodmark.core.outcomes import Outcome
from floodmark.report.words import at_once, is_with_the_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One key number and what it counts."""

    value: str
    words: str


def figures(document: VerdictDocument) -> list[Figure]:
    """The key numbers, the one that the run is about first: how many at once, or of a steady load how fast."""
    fullest = _fullest(document.verdict)
    if document.profile.is_steady:
        return [*_pace(document), *fullest, *_left_figures(document)]
    answered, *others = _outcome_figures(document)
    first = _ceiling(document.verdict.in_service)
    return [*first, *fullest, answered, *others] if first else [answered, *fullest, *others]


def _ceiling(in_service: InService) -> list[Figure]:
    if in_service.ceiling is not None:
        return [Figure(value=f"{in_service.ceiling:,}", words="at once, the ceiling")]
    if in_service.peak:
        return [Figure(value=f"\N{GREATER-THAN OR EQUAL TO} {in_service.peak:,}", words="at once, no ceiling seen")]
    return []


def _failed(document: VerdictDocument) -> Figure:
    failed = sum(number for kind, number in document.outcomes.items() if Outcome(kind).failed)
    return Figure(value=f"{failed:,}", words="failed")


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
    named = ((Outcome.WAITING, "still waiting at the end"), (Outcome.UNSENT, "never sent"))
    left = [(document.outcomes.get(kind, 0), words) for kind, words in named]
    shown = left if document.profile.rate is not None else left[1:]
    return [_failed(document), *(Figure(value=f"{number:,}", words=words) for number, words in shown if number)]


def _outcome_figures(document: VerdictDocument) -> list[Figure]:
    outcomes = document.outcomes
    unsent = outcomes.get(Outcome.UNSENT, 0)
    total = sum(outcomes.values())
    shown = [
        Figure(value=f"{outcomes.get(Outcome.ANSWERED, 0):,}", words=f"answered of {total:,}"),
        _failed(document),
        Figure(value=f"{outcomes.get(Outcome.WAITING, 0):,}", words="still waiting at the end"),
    ]
    return [*shown, Figure(value=f"{unsent:,}", words="never sent")] if unsent else shown
