"""A comparison in a sentence: whether it changed, by what most, and what is missing to tell. Words only."""

from collections.abc import Sequence

from floodmark.analysis.compare.document import Basis, Change, ComparedQuantity, Comparison, Side

NAMED = 3
"""How many changes a sentence names; the table has them all."""


def overall_sentence(comparisons: Sequence[Comparison]) -> str:
    """Of one comparison its own sentence; of several, which sides differ from the first."""
    if len(comparisons) == 1:
        return comparisons[0].sentence
    first = comparisons[0].against
    named = {
        kind: [one.side for one in comparisons if one.change is kind]
        for kind in (Change.CHANGED, Change.NONE_SHOWN, Change.UNTOLD)
    }
    words = {
        Change.CHANGED: f"changed against {first}",
        Change.NONE_SHOWN: f"no difference from {first} shown",
        Change.UNTOLD: f"cannot be told from {first}",
    }
    return "; ".join(f"{', '.join(sides)}: {words[kind]}" for kind, sides in named.items() if sides) + "."


def pair_sentence(first: Side, side: Side, change: Change, rows: Sequence[ComparedQuantity], needed: int) -> str:
    """Whether the side changed against the first, and by what."""
    pair = f"{first.name} ({_runs(first)}) against {side.name} ({_runs(side)})"
    parts = [f"{_begin(change)}: {pair}{_what_changed(rows)}."]
    if change is Change.NONE_SHOWN:
        parts.append(_none(rows))
    return " ".join([*parts, *_missing(rows, needed, len(first.runs), len(side.runs))])


def among_sentence(side: Side, change: Change, rows: Sequence[ComparedQuantity], needed: int) -> str:
    """Whether repeats of one setting are alike."""
    changed = [row.label for row in rows if row.change is Change.CHANGED]
    runs = f"{_runs(side)} of one setting"
    if change is Change.CHANGED:
        return f"Changed: {runs} are not alike in {_list(changed)}."
    if change is Change.NONE_SHOWN:
        if not _same(rows):
            return f"No difference shown: {runs}."
        return f"No difference shown: {runs}. The same in all: {_list(_same(rows))}."
    same = _same(rows)
    known = f" The same in all: {_list(same)}." if same else ""
    more = f" With {needed} runs it can be told whether the others drift." if needed else ""
    return f"Cannot be told: {runs}.{known}{more}"


def _same(rows: Sequence[ComparedQuantity]) -> list[str]:
    """What is certain and the same in all, as far as a sentence has room."""
    same = [row for row in rows if row.change is Change.NONE_SHOWN and row.basis is Basis.EXACT]
    return [f"{row.label} {_text(row)}" for row in same[:NAMED]]


def _begin(change: Change) -> str:
    return f"{change.value[0].upper()}{change.value[1:]}"


def _what_changed(rows: Sequence[ComparedQuantity]) -> str:
    changed = sorted((row for row in rows if row.change is Change.CHANGED), key=lambda row: row.basis is Basis.TEST)
    if not changed:
        return ""
    named = [f"{row.label} {_moved(row)}" for row in changed[:NAMED]]
    more = f", and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return f"; {'; '.join(named)}{more}"


def _none(rows: Sequence[ComparedQuantity]) -> str:
    tests = sum(row.basis is Basis.TEST for row in rows)
    exact = [f"{row.label} {_text(row)}" for row in rows if row.basis is Basis.EXACT][:NAMED]
    words = f"The same on both: {_list(exact)}." if exact else ""
    tested = f" {tests} figures differ by no more than runs do anyhow." if tests else ""
    return f"{words}{tested}".strip()


def _missing(rows: Sequence[ComparedQuantity], needed: int, before: int, after: int) -> list[str]:
    """What runs of that number cannot tell, and how many could."""
    if not needed or not any(row.change is Change.UNTOLD and row.difference is not None for row in rows):
        return []
    whose = "One run a side says" if before == after == 1 else "So few runs say"
    words = (
        f"{whose} nothing of how much times, rates and counts differ from run to run: with {needed} on each side it can"
        " be told whether they changed."
    )
    return [words]


def _moved(row: ComparedQuantity) -> str:
    """From where to where, or by how much; the range behind it is the table's."""
    return row.words.partition(", ")[0] if row.basis is Basis.TEST else _from_to(row)


def _from_to(row: ComparedQuantity) -> str:
    return f"{_joined(row.before)} to {_joined(row.after)}"


def _text(row: ComparedQuantity) -> str:
    return _joined((*row.before, *row.after))


def _joined(values: Sequence[float | str | None]) -> str:
    texts = (f"{value:,.4g}" if isinstance(value, float | int) else str(value) for value in values)
    return " or ".join(dict.fromkeys(texts))


def _runs(side: Side) -> str:
    return "1 run" if len(side.runs) == 1 else f"{len(side.runs)} runs"


def _list(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if words[1:] else "") + words[-1] if words else ""
