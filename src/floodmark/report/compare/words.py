"""A comparison's values as a table has them: short, and the same in the terminal and on the page. No layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from floodmark.analysis.compare.document import Basis, Change, CompareDocument, ComparedQuantity, Comparison, Side
from floodmark.analysis.compare.quantities import value_words
from floodmark.report.words import plural

EXACT = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRow:
    """One quantity as text. `before` and `after` are the middle of the runs, `*_all` also what they reach."""

    label: str
    before: str
    after: str
    before_all: str
    after_all: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The quantities of one outcome, and what it means."""

    change: Change
    title: str
    meaning: str
    rows: tuple[CompareRow, ...]


def sections_of(comparison: Comparison) -> list[Section]:
    """What changed, what cannot be told, and what did not; outcomes that none has are left out."""
    found = []
    for change in (Change.CHANGED, Change.UNTOLD, Change.NONE_SHOWN):
        # What is exact first; else as a run has them.
        rows = sorted((row for row in comparison.quantities if row.change is change), key=_rank)
        if rows:
            found.append(
                Section(
                    change=change,
                    title=f"{change.value[0].upper()}{change.value[1:]}",
                    meaning=_meaning(change, comparison, rows),
                    rows=tuple(_row(row) for row in rows),
                )
            )
    return found


def side_title(side: Side) -> str:
    """``A: command gunicorn -w 4``, or only the letter and how many runs where nothing is known to differ."""
    return f"{side.name}: {side.words}" if side.words else f"{side.name}: {plural(len(side.runs), 'run')}"


def how_words(document: CompareDocument) -> list[str]:
    """How it was told, in a few sentences, for who reads the table."""
    rows = [row for comparison in document.comparisons for row in comparison.quantities]
    said = ["Exact: a proven ceiling, who runs a request and the kernel's own limits; one run shows them for certain."]
    if any(row.basis is Basis.TEST for row in rows) and len(document.sides) > 1:
        said.append(
            "The others are tested: the runs are parted anew in every way there is, and p is how often runs that do not"
            " differ look so different, in any of the rows. Changed is p of 0.05 or less and a difference of"
            f" {100 * document.least_share:g} % or more. Behind it stands where it may lie, with 95 %; a range with"
            " 0 in it is no change."
        )
    if any(comparison.needed for comparison in document.comparisons):
        said.append(
            "Requests of one run are no repeats: they share its process, its memory, its minute. What differs from run"
            " to run is seen with several runs only."
        )
    return said


def values_words(values: Sequence[float | str | None], unit: str, *, spread: bool = True) -> str:
    """``40``; of several runs the median, and with `spread` what they reach from and to."""
    if not values:
        return ""
    texts = list(dict.fromkeys(_text(value, unit) for value in values))
    if len(texts) == 1:
        return texts[0]
    numbers = sorted(value for value in values if isinstance(value, float | int))
    if len(numbers) < len(values):
        return " or ".join(texts)
    reach = f" ({_text(numbers[0], unit)} to {_text(numbers[-1], unit)})" if spread else ""
    return f"{_text(median(numbers), unit)}{reach}"


def _rank(row: ComparedQuantity) -> bool:
    return row.basis is not Basis.EXACT


def _meaning(change: Change, comparison: Comparison, rows: Sequence[ComparedQuantity]) -> str:
    alone = comparison.side == comparison.against
    tested = any(row.basis is Basis.TEST for row in rows)
    if change is Change.UNTOLD and comparison.needed:
        if alone:
            return f"whether it drifts from run to run; with {comparison.needed} runs it can be"
        return f"what runs differ by anyhow is not known; with {comparison.needed} runs a side it can be"
    if change is Change.NONE_SHOWN and tested and not alone:
        return "no more than runs differ by anyhow; a range is what may hide in that"
    return ""


def _row(one: ComparedQuantity) -> CompareRow:
    words = [one.words]
    if one.basis is Basis.EXACT and one.change is Change.CHANGED:
        words.append(EXACT)
    if one.p is not None and one.change is Change.CHANGED:
        words.append(f"p {one.p:.2g}")
    return CompareRow(
        label=one.label,
        before=values_words(one.before, one.unit, spread=False),
        after=values_words(one.after, one.unit, spread=False),
        before_all=values_words(one.before, one.unit),
        after_all=values_words(one.after, one.unit),
        words=", ".join(words),
    )


def _text(value: float | str | None, unit: str) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else value_words(value, unit)
