"""What every form of report says beside the verdict's own words: the banner, the places, who runs it. No layout."""

from dataclasses import dataclass

from floodmark.analysis.document import Judged, Judgement, Unit, VerdictDocument
from floodmark.core.places import WAITING_PLACES, Place
from floodmark.core.run_folder import Manifest, RunStatus
from floodmark.report.measures import rate_words, release_words
from floodmark.report.memory_words import memory_words
from floodmark.report.pictures.colours import FILL
from floodmark.report.words import count, kind_words, place_meaning, place_name, waiting_place

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """Why the result does not count, or not as a whole; stands above everything else."""

    title: str
    reasons: tuple[str, ...]


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


def outcome_words(document: VerdictDocument) -> str:
    """All outcomes in one phrase: ``80 answered, 920 waiting``."""
    shown = {kind: number for kind, number in document.outcomes.items() if number}
    return ", ".join(f"{number:,} {kind_words(kind)}" for kind, number in shown.items()) or "none"


def fact_rows(document: VerdictDocument) -> list[tuple[str, str]]:
    """What is said in a phrase each, by name: how fast, how it was released, what became of all; known ones only."""
    named = [
        ("Rate", rate_words(document)),
        ("Released", release_words(document)),
        ("Outcomes", outcome_words(document)),
        ("Run by", model_words(document.verdict)),
        ("Memory", memory_words(document.memory)),
    ]
    return [(name, words) for name, words in named if words is not None]
