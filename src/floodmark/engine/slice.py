"""A piece of a steady load's record: what happened in one second, as far as it was not taken yet. No histogram."""

from collections import Counter
from dataclasses import dataclass, field

from floodmark.core.outcomes import Outcome


@dataclass(slots=True, kw_only=True)
class Slice:
    """Counts and times of `second` (0 begins with the first planned release). Several of one second add up.

    Times in seconds: `latencies_s` of answered requests from their planned release to the last byte; `transfers_s` from
    the first byte to the last, of those answers that did not come in one piece; `lates_s` from planned to released,
    where there is a plan (not in a closed loop); `connects_s` of connections that were opened. `lag_s` is the longest
    that the loop was away. `received_bytes` is all that came, `body_bytes` the whole bodies of complete answers.
    """

    second: int
    planned: int = 0
    released: int = 0
    answered: int = 0
    received_bytes: int = 0
    body_bytes: int = 0
    failed: Counter[Outcome] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    transfers_s: list[float] = field(default_factory=list)
    lates_s: list[float] = field(default_factory=list)
    connects_s: list[float] = field(default_factory=list)
    lag_s: float = 0.0
