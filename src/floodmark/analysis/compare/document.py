"""The records a comparison consists of: what ``floodmark compare --json`` writes is `CompareDocument`. No judging."""

from dataclasses import dataclass
from enum import StrEnum

COMPARE_FORMAT = 1


class Change(StrEnum):
    """What two sides' runs say of one quantity, or of all."""

    CHANGED = "changed"
    NONE_SHOWN = "no difference shown"
    UNTOLD = "cannot be told"
    """There are too few runs, or a run does not know it."""


class Basis(StrEnum):
    """What the answer rests on."""

    EXACT = "exact"
    """A count that one run proves, or the kernel's own number: it needs no repeats."""
    TEST = "test"
    """The runs against each other: what differs between the sides, beside what differs from run to run."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not the same on all sides: `values` has what it is on each, in words."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRun:
    """One run: `sentence` is its verdict's, `invalid` are the names of the checks that it failed."""

    name: str
    folder: str
    target: str
    started_utc: str
    sentence: str
    invalid: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Runs of one setting. `name` is a letter, `words` say what sets it apart; empty where nothing is known to."""

    name: str
    words: str
    runs: tuple[SideRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedQuantity:
    """One number or word of the runs, and whether it changed.

    `before` and `after` have a value per run, in the runs' order; texts for what is no number, None: not known.
    `difference` is the median of the differences between any run of the one side and any of the other, `low` to `high`
    where it may lie (95 %, for this quantity alone); None where it cannot be told. `p` is how often runs that do not
    differ look so or more so, in any quantity (family-wise); None without a test. `words` give the answer's reason.
    """

    name: str
    label: str
    unit: str
    before: tuple[float | str | None, ...]
    after: tuple[float | str | None, ...]
    change: Change
    basis: Basis
    words: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One side against the first; of a single side its runs among themselves, in `before`, and `after` is empty.

    `needed` is how many runs a side needs for a test, where there are fewer; else 0.
    """

    side: str
    against: str
    change: Change
    sentence: str
    quantities: tuple[ComparedQuantity, ...]
    needed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareDocument:
    """A comparison. `knobs` is what was changed, `conditions` what differs besides and was let pass.

    `change` is that of any comparison that has one. `least_share` is the least difference of interest.
    """

    format: int
    change: Change
    sentence: str
    sides: tuple[Side, ...]
    knobs: tuple[Difference, ...]
    conditions: tuple[Difference, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    least_share: float
