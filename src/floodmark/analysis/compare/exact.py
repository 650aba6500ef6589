"""What one run a side is enough for: how many at once, who runs a request, and the kernel's own numbers. No test."""

from collections.abc import Sequence

from floodmark.analysis.compare.document import Basis, Change, ComparedQuantity
from floodmark.analysis.compare.quantities import CEILING, EXACT, PROVEN, AtOnce, at_once_of, unit_of, values_of
from floodmark.analysis.document import VerdictDocument
from floodmark.analysis.estimates import agree

Documents = Sequence[VerdictDocument]
Words = tuple[str | None, ...]


def at_once(before: Documents, after: Documents) -> ComparedQuantity:
    """How many at once: changed where what the sides have shown cannot be one number.

    A proven ceiling is one number, a peak without one is "at least". Where no handler said when it ran, the number is
    right within what estimates may be apart.
    """
    first, second = [at_once_of(one) for one in before], [at_once_of(one) for one in after]
    change, words = _judged(first, second)
    return ComparedQuantity(
        name=CEILING,
        label="at once",
        unit="requests",
        before=tuple(_value(one) for one in first),
        after=tuple(_value(one) for one in second),
        change=change,
        basis=Basis.NOTHING if change is Change.UNTOLD else Basis.EXACT,
        words=words,
    )


def others(before: Documents, after: Documents, *, search: bool) -> list[ComparedQuantity]:
    """The rest of what is exact: who runs a request, processes where a ceiling is proven, limits of the lines."""
    found = [_same_or_not("model.unit", "run by", "", _texts(before), _texts(after))]
    proven = all(one.verdict.in_service.ceiling is not None for one in (*before, *after))
    values = [values_of(one) for one in before], [values_of(one) for one in after]
    for quantity in (*EXACT, *(PROVEN if proven else ())):
        if search and not quantity.of_search:
            continue
        texts = [
            tuple(None if (value := run[quantity.metric]) is None else f"{value:,.0f}" for run in side)
            for side in values
        ]
        found.append(_same_or_not(quantity.metric, quantity.label, quantity.unit, *texts))
    return [one for one in found if any(value is not None for value in (*one.before, *one.after))]


def _texts(documents: Documents) -> Words:
    return tuple(unit_of(one) for one in documents)


def _value(found: AtOnce) -> float | str:
    return float(found.least) if found.most is not None else found.words


def _judged(before: Sequence[AtOnce], after: Sequence[AtOnce]) -> tuple[Change, str]:
    if not after:
        return _among(before)
    pairs = [(early, late) for early in before for late in after]
    apart = [_apart(early, late) for early, late in pairs]
    if all(one is True for one in apart) and _one_way(pairs):
        return Change.CHANGED, _proof(pairs)
    if all(one is False for one in apart):
        return Change.NONE_SHOWN, "the same" if _identical(before, after) else "nearer than can be told apart"
    if not any(one.most is not None for one in (*before, *after)):
        return Change.UNTOLD, "no ceiling proven on either side; a larger load may find one"
    return Change.UNTOLD, _why_untold(before, after)


def _among(runs: Sequence[AtOnce]) -> tuple[Change, str]:
    """Runs of one setting: any two that cannot be one number differ."""
    pairs = [(early, late) for index, early in enumerate(runs) for late in runs[index + 1 :]]
    apart = [_apart(early, late) for early, late in pairs]
    if any(one is True for one in apart):
        return Change.CHANGED, f"not the same number in all runs: {', '.join(one.words for one in runs)}"
    if pairs and all(one is False for one in apart):
        return Change.NONE_SHOWN, "the same in every run"
    return Change.UNTOLD, "no ceiling was proven in some of the runs" if pairs else "one run has nothing beside it"


def _apart(one: AtOnce, other: AtOnce) -> bool | None:
    """True: they cannot be the same number; False: they are, as far as that can be told; None: it cannot be told."""
    if one.most is not None and other.most is not None:
        same = one.least == other.least if one.counted and other.counted else agree(one.least, other.least)
        return not same
    bounded, open_ended = (one, other) if one.most is not None else (other, one)
    if bounded.most is None:
        return None
    certain = bounded.counted and open_ended.counted
    beyond = open_ended.least > bounded.most and (certain or not agree(open_ended.least, bounded.most))
    return True if beyond else None


def _one_way(pairs: Sequence[tuple[AtOnce, AtOnce]]) -> bool:
    return len({early.least < late.least for early, late in pairs}) == 1


def _identical(before: Sequence[AtOnce], after: Sequence[AtOnce]) -> bool:
    return len({one.words for one in (*before, *after)}) == 1


def _all_words(runs: Sequence[AtOnce]) -> str:
    return " or ".join(dict.fromkeys(one.words for one in runs))


def _proof(pairs: Sequence[tuple[AtOnce, AtOnce]]) -> str:
    if all(early.most is not None and late.most is not None for early, late in pairs):
        return "both proven"
    return "one is proven to be the most, the other had more"


def _why_untold(before: Sequence[AtOnce], after: Sequence[AtOnce]) -> str:
    if any(one.most is None for one in (*before, *after)):
        return "no ceiling proven on a side, and no more at once than the other's"
    return f"the runs of a side do not agree: {_all_words(before)} against {_all_words(after)}"


def _same_or_not(name: str, label: str, unit: str, before: Words, after: Words) -> ComparedQuantity:
    change, words = _compared(before, after)
    return ComparedQuantity(
        name=name,
        label=label,
        unit=unit,
        before=before,
        after=after,
        change=change,
        basis=Basis.NOTHING if change is Change.UNTOLD else Basis.EXACT,
        words=words,
    )


def _compared(before: Words, after: Words) -> tuple[Change, str]:
    known = {*before, *after}
    if None in known:
        return Change.UNTOLD, "not known in every run"
    if len(known) == 1 and len(before) + len(after) > 1:
        return Change.NONE_SHOWN, "the same in every run" if not after else "the same"
    if not after:
        return (Change.CHANGED, "not the same in all runs") if len(known) > 1 else (Change.UNTOLD, "one run alone")
    if len(set(before)) == 1 and len(set(after)) == 1:
        return Change.CHANGED, "in every run"
    return Change.UNTOLD, "the runs of a side do not agree"
