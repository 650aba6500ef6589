"""Rows over time of which there are never more than so many: when full, neighbours become one. It measures nothing."""

from collections.abc import Mapping, Sequence

Value = int | float | None


class BoundedRows:
    """Of the rows that become one, a column of `peaks` keeps the highest value, one of `totals` the last.

    Each row then stands for the time up to the next: a column of `peaks` says how high it was at most, so that two of
    them may have been that high at different moments. None is no value; a row of values and None has the values.
    """

    def __init__(self, *, peaks: Sequence[str], totals: Sequence[str], limit: int) -> None:
        """`limit` is an even number of rows."""
        if limit < 2 or limit % 2:  # noqa: PLR2004 - two become one
            raise ValueError(f"a limit of {limit} rows: neighbours become one, so give an even number from 2")
        self._names = (*peaks, *totals)
        self._peaks = len(peaks)
        self._limit = limit
        self._rows: list[list[Value]] = []
        self._times_s: list[float] = []
        self._per_row = 1
        self._in_last = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def per_row(self) -> int:
        """How many of the rows that were added one row stands for."""
        return self._per_row

    def add(self, time_s: float, values: Mapping[str, Value]) -> None:
        """Adds a row, no earlier than the one before; a column that has no value in it is None."""
        row = [values.get(name) for name in self._names]
        if self._rows and self._in_last < self._per_row:
            self._merge(self._rows[-1], row)
            self._in_last += 1
            return
        if len(self._rows) == self._limit:
            self._halve()
        self._times_s.append(time_s)
        self._rows.append(row)
        self._in_last = 1

    def times_s(self) -> tuple[float, ...]:
        """When each row begins."""
        return tuple(self._times_s)

    def column(self, name: str) -> tuple[Value, ...]:
        """One column's values."""
        index = self._names.index(name)
        return tuple(row[index] for row in self._rows)

    def _halve(self) -> None:
        for row, follower in zip(self._rows[::2], self._rows[1::2], strict=True):
            self._merge(row, follower)
        del self._rows[1::2], self._times_s[1::2]
        self._per_row *= 2

    def _merge(self, row: list[Value], follower: list[Value]) -> None:
        for index, value in enumerate(follower):
            known = row[index]
            if value is not None and (known is None or index >= self._peaks or value > known):
                row[index] = value
