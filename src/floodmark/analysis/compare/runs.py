"""Runs side by side: what was changed, what changed by it, and whether that is more than noise. Pure, as `judge` is."""

from collections.abc import Sequence
from itertools import pairwise

from floodmark.analysis.compare.conditions import (
    COMMAND,
    TARGET,
    VALIDITY,
    ComparedRun,
    differences,
    grouped,
    knobs_of,
    prove_comparable,
    short_values,
)
from floodmark.analysis.compare.document import (
    COMPARE_FORMAT,
    Change,
    CompareDocument,
    ComparedQuantity,
    Comparison,
    Difference,
    Side,
    SideRun,
)
from floodmark.analysis.compare.exact import at_once, others
from floodmark.analysis.compare.quantities import CEILING
from floodmark.analysis.compare.sentence import among_sentence, overall_sentence, pair_sentence
from floodmark.analysis.compare.statistics import ALPHA, enough, enough_in_order, needed, needed_in_order
from floodmark.analysis.compare.tested import Against, drifting, tested
from floodmark.analysis.document import Judged
from floodmark.core.errors import UsageError

LEAST_SHARE = 0.05
"""A twentieth: of less nobody would turn a knob."""

MIXED = " or "
"""Between the values of a side that has several."""

MOST_SIDES = 26
"""Letters there are."""

Sides = Sequence[Sequence[ComparedRun]]


def compare(
    runs: Sequence[ComparedRun],
    sides: Sides = (),
    *,
    despite: Sequence[str] = (),
    least_share: float = LEAST_SHARE,
) -> CompareDocument:
    """The comparison of runs; `sides` where the caller says which are repeats of each other, the first to compare with.

    `despite` names what may differ besides the target. Raises `UsageError`: there is nothing to compare, or a
    condition is not the same in all.
    """
    parted = [list(side) for side in sides] or grouped(runs)
    _prove_enough(parted)
    conditions = prove_comparable(parted, despite)
    knobs = _knobs(parted)
    made = [_side(index, side, knobs) for index, side in enumerate(parted)]
    if len(parted) == 1:
        comparisons: tuple[Comparison, ...] = (_among(made[0], parted[0]),)
    else:
        against = Against(least_share=least_share, pairs=len(parted) - 1)
        comparisons = tuple(
            _pair(made[0], parted[0], made[index], parted[index], against) for index in range(1, len(parted))
        )
    change = _overall(comparisons)
    return CompareDocument(
        format=COMPARE_FORMAT,
        change=change,
        sentence=overall_sentence(comparisons),
        sides=tuple(made),
        knobs=knobs,
        conditions=conditions,
        comparisons=comparisons,
        notes=_notes(parted, despite, comparisons),
        least_share=least_share,
    )


def judged_sides(document: CompareDocument, runs: Sequence[ComparedRun]) -> list[list[Judged]]:
    """The verdicts of each side's runs, in the document's order: what pictures are drawn from."""
    by_folder = {run.folder: run.judged for run in runs}
    return [[by_folder[run.folder] for run in side.runs] for side in document.sides]


def _prove_enough(parted: Sides) -> None:
    number = sum(len(side) for side in parted)
    if number < 2 or not all(parted):  # noqa: PLR2004  one alone
        raise UsageError("there is nothing to compare: give two runs or more, and one at least on each side of vs")
    if len(parted) > MOST_SIDES:
        raise UsageError(f"{len(parted)} different settings: give {MOST_SIDES} at most")


def _knobs(parted: Sides) -> tuple[Difference, ...]:
    """What the sides' targets differ by, a value per side."""
    tables = []
    for side in parted:
        found: dict[str, dict[str, None]] = {}
        for run in side:
            for name, value in knobs_of(run.manifest).items():
                found.setdefault(name, {})[value] = None
        tables.append({name: MIXED.join(values) for name, values in found.items()})
    return differences(tables)


def _side(index: int, side: Sequence[ComparedRun], knobs: Sequence[Difference]) -> Side:
    own = [knob for knob in knobs if knob.name == TARGET] or knobs
    return Side(
        name=chr(ord("A") + index),
        words="; ".join(_set_to(knob, index) for knob in own),
        runs=tuple(_run(run) for run in _in_order(side)),
    )


def _set_to(knob: Difference, index: int) -> str:
    # A side of several settings has them joined: what all begin with is then no longer all of its begin.
    mixed = any(MIXED in value for value in knob.values)
    value = knob.values[index] if mixed else short_values(knob.values)[index]
    return value if knob.name in (TARGET, COMMAND) else f"{knob.name} {value}"


def _in_order(side: Sequence[ComparedRun]) -> list[ComparedRun]:
    """As they were made: names begin with the time, and decide where a second has two."""
    return sorted(side, key=lambda run: (run.manifest.started_utc, run.name))


def _run(run: ComparedRun) -> SideRun:
    document = run.judged.document
    return SideRun(
        name=run.name,
        folder=run.folder,
        target=run.manifest.target,
        started_utc=run.manifest.started_utc,
        sentence=document.verdict.sentence,
        invalid=tuple(check.name for check in document.validity.checks if check.ok is False),
    )


def _pair(
    first: Side, before: Sequence[ComparedRun], side: Side, after: Sequence[ComparedRun], against: Against
) -> Comparison:
    early = [run.judged.document for run in _in_order(before)]
    late = [run.judged.document for run in _in_order(after)]
    steady = any(one.profile.is_steady for one in (*early, *late))
    search = any(one.steps for one in (*early, *late))
    rows = [] if steady else [at_once(early, late)]
    rows += others(early, late, search=search)
    rows += [] if search else tested(early, late, against)
    too_few = 0 if search or enough(len(early), len(late), against.pairs) else needed(against.pairs)
    change = _of_rows(rows, too_few)
    return Comparison(
        side=side.name,
        against=first.name,
        change=change,
        sentence=pair_sentence(first, side, change, rows, too_few),
        quantities=tuple(rows),
        needed=too_few,
    )


def _among(side: Side, runs: Sequence[ComparedRun]) -> Comparison:
    """Repeats of one setting: whether what one run shows for certain is the same in all, and the rest drifts."""
    documents = [run.judged.document for run in _in_order(runs)]
    steady = any(one.profile.is_steady for one in documents)
    search = any(one.steps for one in documents)
    rows = [] if steady else [at_once(documents, ())]
    rows += others(documents, (), search=search)
    rows += [] if search else drifting(documents)
    too_few = 0 if search or enough_in_order(len(runs)) else needed_in_order()
    change = _of_rows(rows, too_few)
    return Comparison(
        side=side.name,
        against=side.name,
        change=change,
        sentence=among_sentence(side, change, rows, too_few),
        quantities=tuple(rows),
        needed=too_few,
    )


def _of_rows(rows: Sequence[ComparedQuantity], too_few: int) -> Change:
    """Changed where anything did. Else untold where more runs, or a larger load, could tell of something."""
    if any(row.change is Change.CHANGED for row in rows):
        return Change.CHANGED
    untold = [row for row in rows if row.change is Change.UNTOLD]
    open_ceiling = any(row.name == CEILING and _proven_somewhere(row) for row in untold)
    open_tests = too_few and any(row.name != CEILING and None not in (*row.before, *row.after) for row in untold)
    if open_ceiling or open_tests or len(untold) == len(rows):
        return Change.UNTOLD
    return Change.NONE_SHOWN


def _proven_somewhere(row: ComparedQuantity) -> bool:
    """A proven ceiling is a number; "at least" is a text."""
    return any(isinstance(value, float) for value in (*row.before, *row.after))


def _overall(comparisons: Sequence[Comparison]) -> Change:
    found = {one.change for one in comparisons}
    return next(change for change in (Change.CHANGED, Change.UNTOLD, Change.NONE_SHOWN) if change in found)


def _notes(parted: Sides, despite: Sequence[str], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    notes = []
    tests = [row for comparison in comparisons for row in comparison.quantities if row.p is not None]
    drifting_rows = [row.label for row in tests if len(parted) == 1 and row.p is not None and row.p <= ALPHA]
    if drifting_rows:
        notes.append(
            f"From one run to the next something drifts: {', '.join(drifting_rows)}. What builds up, on the machine or"
            " in the server? Repeats are to be alike."
        )
    if tests and len(parted) > 1 and not _took_turns(parted):
        notes.append(
            "All runs of one side were made before those of the other: what drifted on the machine meanwhile looks like"
            " a change. Runs that take turns (A, B, A, B, ...) rule that out."
        )
    if VALIDITY in despite and any(not run.judged.document.validity.ok for side in parted for run in side):
        notes.append("Runs that failed a check are among these: what they show need not be so.")
    if len(parted) > 1 and not _knobs(parted):
        notes.append(
            "Nothing that is known of the target differs between the sides: if a knob was turned, it is not in the"
            " target's file, its command line, its versions or its limits."
        )
    return tuple(notes)


def _took_turns(parted: Sides) -> bool:
    """No two sides lie apart in time."""
    spans = [sorted(run.manifest.started_utc for run in side) for side in parted]
    spans.sort()
    return all(late[0] < early[-1] for early, late in pairwise(spans))
