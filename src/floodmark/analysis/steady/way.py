"""How long a steady load's requests are under way to the server and back: in flight, and in no line. No places."""

from dataclasses import dataclass
from typing import Any

from floodmark.analysis.percentiles import US_PER_S

QUICKEST_RANK = 5.0
"""The twentieth part of the way up: what nothing stood in the way of, but for a lucky few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`round_trip_s`: the network's, without a line. `back_s`: from a handler's end to the answer's, where known.

    An answer that takes longer on its way back than half a round trip is held up by the server's loop or by the
    generator's: which of them is not known. `doubt_s`: what the mean service time beside it may be wrong by.
    """

    round_trip_s: float = 0.0
    back_s: float = 0.0
    doubt_s: float = 0.0

    @property
    def there_and_back_s(self) -> float:
        """What a request spends in no line and with no handler."""
        return self.round_trip_s + self.held_up_s

    @property
    def held_up_s(self) -> float:
        """What an answer needed for its way back beyond the network's part."""
        return max(0.0, self.back_s - self.round_trip_s / 2)


def round_trip_s(connect: Any) -> float:
    """What the quickest twentieth of the connections took to be made at most: a round trip (RFC 9293); 0 with none.

    Not the median: where an accept queue was full, that has the kernel's retries.
    """
    if not connect.get_total_count():
        return 0.0
    return float(connect.get_value_at_percentile(QUICKEST_RANK) / US_PER_S)
