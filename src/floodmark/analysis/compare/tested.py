"""What differs from run to run, side against side: tested where there are runs enough, and said where there are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from floodmark.analysis.compare.document import Basis, Change, ComparedQuantity
from floodmark.analysis.compare.quantities import PEAK, TESTED, Quantity, value_words, values_of
from floodmark.analysis.compare.statistics import (
    ALPHA,
    Shift,
    drift_p,
    enough,
    enough_in_order,
    joint_p,
    shift_of,
)
from floodmark.analysis.document import VerdictDocument

Documents = Sequence[VerdictDocument]
Values = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a test is made for: `least_share` is of interest at the least, and there are `pairs` comparisons in all."""

    least_share: float
    pairs: int = 1


def tested(before: Documents, after: Documents, against: Against) -> list[ComparedQuantity]:
    """Every quantity that any run has, side against side; a count that is 0 in all runs is left out."""
    found = _found(before, after)
    whole = [(quantity, early, late) for quantity, early, late in found if None not in (*early, *late)]
    if enough(len(before), len(after), against.pairs) and whole:
        chances = joint_p([early for _, early, _ in whole], [late for _, _, late in whole])  # type: ignore[misc] # known
    else:
        chances = []
    by_name = {quantity.metric: p for (quantity, _, _), p in zip(whole, chances, strict=False)}
    return [_row(quantity, early, late, by_name.get(quantity.metric), against) for quantity, early, late in found]


def drifting(runs: Documents) -> list[ComparedQuantity]:
    """The same for runs of one setting, in the order in which they were made.

    Nothing was turned between them, so none is called changed: that a figure drifts is told beside it.
    """
    found = [(quantity, early) for quantity, early, _ in _found(runs, ())]
    whole = [(quantity, values) for quantity, values in found if None not in values]
    chances = drift_p([values for _, values in whole]) if enough_in_order(len(runs)) and whole else []  # type: ignore[misc] # known
    by_name = {quantity.metric: p for (quantity, _), p in zip(whole, chances, strict=False)}
    return [_drift_row(quantity, values, by_name.get(quantity.metric)) for quantity, values in found]


def _found(
    before: Documents, after: Documents
) -> list[tuple[Quantity, tuple[float | None, ...], tuple[float | None, ...]]]:
    """What any run has. Where a ceiling is proven it says more than the peak; a steady load's peak is an estimate."""
    first, second = [values_of(one) for one in before], [values_of(one) for one in after]
    bounded = any(one.profile.is_steady or one.verdict.in_service.ceiling is not None for one in (*before, *after))
    rows = [
        (quantity, tuple(run[quantity.metric] for run in first), tuple(run[quantity.metric] for run in second))
        for quantity in TESTED
        if quantity.metric != PEAK or not bounded
    ]
    return [row for row in rows if any(row[1]) or any(row[2])]


def _row(
    quantity: Quantity,
    before: tuple[float | None, ...],
    after: tuple[float | None, ...],
    p: float | None,
    against: Against,
) -> ComparedQuantity:
    known = [value for value in before if value is not None], [value for value in after if value is not None]
    if len(known[0]) < len(before) or len(known[1]) < len(after):
        return _made(quantity, before, after, Change.UNTOLD, "not known in every run")
    shift, middle = shift_of(*known), median(known[0])
    if p is None:
        return _made(quantity, before, after, Change.UNTOLD, _more(shift.median, quantity, middle), shift=shift)
    p = min(1.0, p * against.pairs)
    least = max(quantity.least, against.least_share * abs(middle))
    if p > ALPHA or shift.may_be_none:
        change, words = Change.NONE_SHOWN, _none_words(known, shift, quantity.unit)
    elif abs(shift.median) < least:
        change, words = Change.NONE_SHOWN, f"{_more(shift.median, quantity, middle)}, too little to matter"
    else:
        change, words = Change.CHANGED, f"{_more(shift.median, quantity, middle)}{_range(shift, quantity)}"
    return _made(quantity, before, after, change, words, shift=shift, p=p)


def _drift_row(quantity: Quantity, values: tuple[float | None, ...], p: float | None) -> ComparedQuantity:
    known = sorted(value for value in values if value is not None)
    if len(known) < len(values):
        return _made(quantity, values, (), Change.UNTOLD, "not known in every run")
    spread = f"{value_words(known[0], quantity.unit)} to {value_words(known[-1], quantity.unit)}"
    if len(set(known)) == 1 and len(known) > 1:
        spread = f"{value_words(known[0], quantity.unit)} in every run"
    if p is None:
        return _made(quantity, values, (), Change.UNTOLD, spread)
    words = f"{spread}, drifting from run to run" if p <= ALPHA else spread
    return _made(quantity, values, (), Change.NONE_SHOWN, words, p=p)


def _made(  # noqa: PLR0913 - a row's parts
    quantity: Quantity,
    before: tuple[float | None, ...],
    after: tuple[float | None, ...],
    change: Change,
    words: str,
    *,
    shift: Shift | None = None,
    p: float | None = None,
) -> ComparedQuantity:
    return ComparedQuantity(
        name=quantity.metric,
        label=quantity.label,
        unit=quantity.unit,
        before=before,
        after=after,
        change=change,
        basis=Basis.NOTHING if p is None else Basis.TEST,
        words=words,
        difference=shift.median if shift else None,
        low=shift.low if shift else None,
        high=shift.high if shift else None,
        p=None if p is None else round(p, 5),
    )


def _none_words(known: tuple[list[float], list[float]], shift: Shift, unit: str) -> str:
    """What may hide in the noise."""
    if len({*known[0], *known[1]}) == 1:
        return "the same"
    if shift.low is None or shift.high is None:
        return "within the noise"
    return f"{_signed(shift.low, unit)} to {_signed(shift.high, unit)}"


def _more(difference: float, quantity: Quantity, middle: float) -> str:
    """``+0.31 s (+31 %)``; where there was nothing before, there is no share of it."""
    if not difference:
        return "the same"
    per_cent = round(100 * difference / middle) if middle else 0
    share = f" ({per_cent:+,} %)" if per_cent else ""
    return f"{_signed(difference, quantity.unit)}{share}"


def _range(shift: Shift, quantity: Quantity) -> str:
    if shift.low is None or shift.high is None or shift.low == shift.high:
        return ""
    return f", {_signed(shift.low, quantity.unit)} to {_signed(shift.high, quantity.unit)}"


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value > 0 else ''}{value_words(value, unit)}"
