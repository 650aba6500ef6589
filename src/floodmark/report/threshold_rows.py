"""What a run was to meet as the rows of a table: the same for the terminal and the page. No layout."""

from dataclasses import dataclass

from floodmark.analysis.document import VerdictDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRow:
    """One threshold, as its row says it."""

    ok: bool
    mark: str
    threshold: str
    words: str


def threshold_rows(document: VerdictDocument) -> list[ThresholdRow]:
    """The thresholds in the order in which they were asked for; none where nothing was."""
    return [
        ThresholdRow(
            ok=result.ok, mark="met" if result.ok else "MISSED", threshold=result.threshold, words=result.words
        )
        for result in document.thresholds
    ]


def threshold_title(document: VerdictDocument) -> str:
    """How many were met, and whether that counts."""
    met = sum(result.ok for result in document.thresholds)
    title = f"What the run was to meet: {met} of {len(document.thresholds)} met"
    if any(result.ended_load for result in document.thresholds):
        return f"{title}; a missed one ended the load"
    return title if document.validity.ok else f"{title}, in a run that does not count"
