"""A search's bursts as the rows of a table: the same for the terminal and the page. No layout."""

from dataclasses import dataclass

from floodmark.analysis.document import VerdictDocument
from floodmark.report.words import count


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One burst of a search, as its row says it."""

    requests: str
    folder: str
    ceiling: str
    at_once: str
    answered: str
    result: str


def step_rows(document: VerdictDocument) -> list[StepRow]:
    """A search's bursts in their order; none for another load."""
    return [
        StepRow(
            requests=count(step.requests),
            folder=step.folder,
            ceiling="" if not step.judged else "none proven" if step.ceiling is None else count(step.ceiling),
            at_once=count(step.peak) if step.judged else "",
            answered=count(step.answered) if step.judged else "",
            result="not judged" if not step.judged else "valid" if step.valid else "not valid",
        )
        for step in document.steps
    ]
