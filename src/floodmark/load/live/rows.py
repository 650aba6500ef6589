"""Rows over time as samples come, with a gap where none came for long. What is in a row is its maker's business."""

from collections.abc import Mapping
from typing import Any

from floodmark.core.bounded import BoundedRows, Value
from floodmark.core.curves import MOST_POINTS, PEAK_SERIES, TOTAL_SERIES
from floodmark.load.master.roster import AGENT_SILENT_S

HOLDS_S = 0.25
"""As long as an agent takes from one live report to the next: so long a row holds before a gap."""

Columns = dict[str, tuple[Any, ...]]
"""Values by name."""


class LiveRows:
    """Times rise: a row that comes late is put where the newest is."""

    def __init__(self, *more: str) -> None:
        """`more`: columns of peaks beside those of `PlaceCurves`."""
        self._names = (*more, *PEAK_SERIES, *TOTAL_SERIES)
        self._rows = BoundedRows(peaks=(*more, *PEAK_SERIES), totals=TOTAL_SERIES, limit=MOST_POINTS)
        self.last_s = 0.0

    def add(self, at_s: float, row: Mapping[str, Value]) -> None:
        """Adds a row."""
        if len(self._rows):
            at_s = max(at_s, self.last_s)
            if at_s - self.last_s > AGENT_SILENT_S:
                self._rows.add(self.last_s + HOLDS_S, {})
        self._rows.add(at_s, row)
        self.last_s = at_s

    def until(self, end_s: float, totals: Mapping[str, Value]) -> tuple[tuple[float, ...], Columns]:
        """Times and columns; where nothing has come for long a last row has `totals` and no more."""
        times_s, columns = self._rows.times_s(), {name: self._rows.column(name) for name in self._names}
        if not times_s or end_s - self.last_s <= AGENT_SILENT_S:
            return times_s, columns
        gap_s = max(self.last_s + HOLDS_S, times_s[-1])
        return (*times_s, gap_s), {name: (*values, totals.get(name)) for name, values in columns.items()}
