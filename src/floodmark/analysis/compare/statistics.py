"""Whether runs of two settings differ by more than runs of one setting do. Arrays in, figures out: docs/decisions/0017.

The runs are what is repeated, not the requests: those of one run share its process, its memory, its minute.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from statistics import median
from typing import Any

ALPHA = 0.05
"""One comparison in twenty of runs that do not differ says that something changed; in all its quantities together."""

ARRANGEMENTS = 20_000
"""Up to so many ways to part the runs all are looked at: 8 against 8 are 12,870. Of more, so many by chance."""

BATCH = 1_000
"""Arrangements at a time: 25 quantities of 100 runs take 20 MB so."""

SEED = 17
"""Of that chance: the same runs are always compared with the same result."""

TIE = 1e-9
"""Two shares of a variance that differ by less are the same number, summed up in another order."""

EXACT_PAIRS = 400
"""20 against 20: from there on the normal approximation of Mann and Whitney's U is right to the third digit."""

MOST_NEEDED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How much more one side has than the other: the median of all pairs' differences (Hodges and Lehmann).

    `low` to `high` has it with 95 % or more, None where there are too few runs for any such statement.
    """

    median: float
    low: float | None
    high: float | None

    @property
    def may_be_none(self) -> bool:
        """True where the range does not tell which side has more."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high


def joint_p(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> list[float]:
    """For each quantity how often runs that do not differ look so different, in any quantity (Westfall and Young).

    A row per quantity, a column per run; at least one run a side. Whole runs are parted anew in every possible way, so
    that quantities that go together count once. The statistic is the share of a quantity's variance that lies between
    the sides.
    """
    if not before:
        return []
    found = _arranged(_standardized(before, after), _between, "independent")
    return _step_down(found.statistic, found.null_distribution, exact=_ways(len(before[0]), len(after[0])))


def drift_p(values: Sequence[Sequence[float]]) -> list[float]:
    """The same for runs of one setting in the order in which they were made: whether figures rise or fall with it."""
    if not values:
        return []
    found = _arranged((_array(values),), _with_order, "pairings")
    return _step_down(found.statistic, found.null_distribution, exact=math.factorial(len(values[0])))


def _arranged(samples: tuple[Any, ...], statistic: Callable[..., Any], kind: str) -> Any:
    """The statistic, and what it is in other arrangements of the runs; `kind` says of which (scipy's words)."""
    # Here, not above: the library takes a second to load, and most commands test nothing.
    from scipy.stats import permutation_test  # noqa: PLC0415  the reason is above

    return permutation_test(
        samples,
        statistic,
        permutation_type=kind,
        alternative="greater",
        n_resamples=ARRANGEMENTS,
        batch=BATCH,
        axis=-1,
        vectorized=True,
        rng=SEED,
    )


def shift_of(before: Sequence[float], after: Sequence[float]) -> Shift:
    """How much more the later side has; at least one run a side."""
    rising = sorted(late - early for early, late in product(before, after))
    cut = _critical(len(before), len(after))
    if cut is None:
        return Shift(median=median(rising), low=None, high=None)
    return Shift(median=median(rising), low=rising[cut], high=rising[-1 - cut])


def enough(before: int, after: int, pairs: int = 1) -> bool:
    """True where so many runs could show a difference at all, in one of `pairs` comparisons."""
    return before > 0 and after > 0 and 2 * pairs / _ways(before, after) <= ALPHA


def enough_in_order(number: int) -> bool:
    """True where so many runs of one setting could show a drift."""
    return 2 / math.factorial(number) <= ALPHA


def needed(pairs: int = 1) -> int:
    """How many runs each side needs for a test."""
    return next(number for number in range(2, MOST_NEEDED) if enough(number, number, pairs))


def needed_in_order() -> int:
    """How many runs of one setting it takes to test them for a drift."""
    return next(number for number in range(2, MOST_NEEDED) if enough_in_order(number))


def _ways(before: int, after: int) -> int:
    return math.comb(before + after, before)


def _array(values: Any) -> Any:
    import numpy as np  # noqa: PLC0415  it comes with the library above

    return np.asarray(values, dtype=float)


def _standardized(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> tuple[Any, Any]:
    """Each quantity around its mean, in units in which its squares add up to 1."""
    import numpy as np  # noqa: PLC0415  as above

    first, second = _array(before), _array(after)
    together = np.concatenate([first, second], axis=-1)
    mean = together.mean(axis=-1, keepdims=True)
    length = np.sqrt(((together - mean) ** 2).sum(axis=-1, keepdims=True))
    length[length == 0] = 1.0
    return (first - mean) / length, (second - mean) / length


def _between(first: Any, second: Any, axis: int) -> Any:
    """The share of the variance that lies between two parts of standardized values."""
    parts = (first, second)
    return sum(part.sum(axis=axis) ** 2 / part.shape[axis] for part in parts)


def _with_order(values: Any, axis: int) -> Any:
    """The share of the variance that goes with the runs' order: the square of the correlation."""
    import numpy as np  # noqa: PLC0415  as above

    order = np.arange(values.shape[axis], dtype=float)
    order -= order.mean()
    centred = values - values.mean(axis=axis, keepdims=True)
    spread = (centred**2).sum(axis=axis) * (order**2).sum()
    return (centred @ order) ** 2 / np.where(spread == 0, 1.0, spread)


def _step_down(observed: Any, null: Any, *, exact: int) -> list[float]:
    """Each quantity against the greatest of itself and all that look less different, over all arrangements."""
    import numpy as np  # noqa: PLC0415  as above

    falling = np.argsort(-observed)
    # By chance, what was observed counts as one of the arrangements (Phipson and Smyth): no p is 0.
    more = 0 if exact <= ARRANGEMENTS else 1
    greatest, shares = np.full(null.shape[0], -np.inf), {}
    for index in falling[::-1]:
        greatest = np.maximum(greatest, null[:, index])
        hits = int((greatest >= observed[index] - TIE).sum())
        shares[int(index)] = (hits + more) / (null.shape[0] + more)
    found, least = [0.0] * len(observed), 0.0
    for index in falling:
        least = max(least, shares[int(index)])
        found[int(index)] = least
    return found


def _critical(before: int, after: int) -> int | None:
    """How many of the ordered differences lie outside on each end; None where even the whole range is no 95 %."""
    pairs = before * after
    if pairs > EXACT_PAIRS:
        deviation = math.sqrt(pairs * (before + after + 1) / 12)
        return max(0, math.floor(pairs / 2 - 1.96 * deviation))
    half, reached, cut = ALPHA / 2 * _ways(before, after), 0, None
    for rank in range(pairs):
        reached += _arrangements(before, after, rank)
        if reached > half:
            return cut
        cut = rank
    return cut


@cache
def _arrangements(before: int, after: int, rank: int) -> int:
    """In how many ways the runs can be parted so that U is `rank` (Mann and Whitney's recursion)."""
    if rank < 0:
        return 0
    if not before or not after:
        return int(rank == 0)
    return _arrangements(before - 1, after, rank - after) + _arrangements(before, after - 1, rank)
