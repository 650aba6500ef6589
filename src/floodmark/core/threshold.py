"""What a run is to meet: one limit on one metric. Reading it is `threshold_grammar`'s, judging a run ``analysis``'."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import isnan

from floodmark.core.metric_names import BYTES, BYTES_PER_S, RATIO, SECONDS

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "===": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
"""How a value is held against the limit: k6's, the longer of two that begin alike first."""

_SIZES = {
    "B": Decimal(1),
    "kB": Decimal(1_000),
    "KB": Decimal(1_000),
    "MB": Decimal(1_000_000),
    "GB": Decimal(1_000_000_000),
    "KiB": Decimal(1 << 10),
    "MiB": Decimal(1 << 20),
    "GiB": Decimal(1 << 30),
}

LIMIT_UNITS: dict[str, dict[str, Decimal]] = {
    SECONDS: {
        "": Decimal("0.001"),
        "us": Decimal("0.000001"),
        "\N{MICRO SIGN}s": Decimal("0.000001"),
        "ms": Decimal("0.001"),
        "s": Decimal(1),
        "m": Decimal(60),
        "h": Decimal(3600),
    },
    RATIO: {"": Decimal(1), "%": Decimal("0.01")},
    BYTES: {"": Decimal(1), **_SIZES},
    BYTES_PER_S: {"": Decimal(1), **_SIZES, **{f"{name}/s": size for name, size in _SIZES.items()}},
}
"""What may stand behind a limit, by the metric's unit, and how many of that it is. k6 counts times in milliseconds."""

PLAIN = {"": Decimal(1)}
"""For what is counted: no unit may stand there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One limit. `text` is it as it was asked for; `limit` is in `unit`, the metric's own.

    `limit_unit` is what was written behind the limit, `rank` that of a percentile.
    """

    text: str
    metric: str
    operator: str
    limit: float
    unit: str
    limit_unit: str
    rank: float | None = None

    def is_met_by(self, value: float | None) -> bool:
        """Whether a value in the metric's unit is on the right side; one that is not known, or no number, is not."""
        return value is not None and not isnan(value) and OPERATORS[self.operator](value, self.limit)

    def is_missed_between(self, at_least: float | None, at_most: float | None) -> bool:
        """Whether no value from `at_least` to `at_most` would be met; None: there is no such bound."""
        low, high = at_least, at_most
        if self.operator in ("<", "<="):
            return low is not None and not OPERATORS[self.operator](low, self.limit)
        if self.operator in (">", ">="):
            return high is not None and not OPERATORS[self.operator](high, self.limit)
        if self.operator == "!=":
            return low is not None and low == high == self.limit
        return (low is not None and low > self.limit) or (high is not None and high < self.limit)

    def shown(self, value: float) -> str:
        """A value as the limit is written: in milliseconds where that is; not rounded beyond what was measured."""
        scale = LIMIT_UNITS.get(self.unit, PLAIN)[self.limit_unit]
        number = f"{round(float(Decimal(repr(value)) / scale), 6):,.12g}"
        unit = self.limit_unit or ("ms" if self.unit == SECONDS else "")
        if not unit:
            unit = "" if self.unit == RATIO else self.unit
        return f"{number}%" if unit == "%" else f"{number} {unit}".rstrip()
