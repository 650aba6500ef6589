"""Rows and intervals that never grow beyond a bound, and totals on the line between two points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.bounded import BoundedRows
from floodmark.core.intervals import CLASS_WIDTH, Intervals
from floodmark.core.tracks import Track

COUNTS = st.lists(st.integers(0, 10_000) | st.none(), max_size=200)


def rows_of(counts, limit=16):
    rows = BoundedRows(peaks=("depth",), totals=("answered",), limit=limit)
    for index, depth in enumerate(counts):
        rows.add(float(index), {"depth": depth, "answered": index})
    return rows


@given(COUNTS)
def test_there_are_never_more_rows_than_the_limit_and_the_peak_and_the_last_total_stay(counts):
    rows = rows_of(counts)
    known = [count for count in counts if count is not None]
    assert len(rows) <= 16
    assert max((value for value in rows.column("depth") if value is not None), default=None) == max(known, default=None)
    assert rows.column("answered")[-1:] == tuple([len(counts) - 1][: len(counts)])
    assert list(rows.times_s()) == sorted(set(rows.times_s()))


def test_rows_that_fit_stay_as_they_came():
    rows = rows_of([3, None, 5], limit=4)
    assert (rows.times_s(), rows.column("depth"), rows.per_row) == ((0.0, 1.0, 2.0), (3, None, 5), 1)


def test_each_row_of_a_long_series_stands_for_as_many():
    rows = rows_of(range(100), limit=4)
    assert rows.per_row == 32
    assert rows.times_s() == (0.0, 32.0, 64.0, 96.0)
    assert rows.column("depth") == (31, 63, 95, 99)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_limit_that_cannot_be_halved_is_refused(limit):
    with pytest.raises(ValueError, match="even number"):
        BoundedRows(peaks=(), totals=(), limit=limit)


def test_an_interval_has_its_rates_and_percentiles_within_a_class():
    intervals = Intervals()
    intervals.count(0.2, answered=100)
    intervals.time(0.2, [0.01 * number for number in range(1, 101)])
    intervals.count(1.5, failed=4)
    curves = intervals.curves(2.0)
    assert (curves.times_s, curves.answered_per_s, curves.failed_per_s) == ((0.0, 1.0), (100, 0), (0, 4))
    assert curves.p50_s[0] == pytest.approx(0.5, rel=CLASS_WIDTH - 1)
    assert curves.p99_s[0] == pytest.approx(0.99, rel=CLASS_WIDTH - 1)
    assert curves.max_s == (1.0, None)


@given(st.lists(st.floats(0, 5_000), max_size=60), st.floats(0, 100_000))
def test_there_are_never_more_intervals_than_the_limit_and_no_request_is_lost(ends_s, until_s):
    intervals = Intervals(limit=8)
    for end_s in ends_s:
        intervals.count(end_s, answered=1)
    curves = intervals.curves(max([until_s, *ends_s]))
    assert len(curves.times_s) <= 8
    assert sum(interval.answered for interval in intervals._intervals.values()) == len(ends_s)


def test_a_last_interval_that_has_only_begun_gives_no_rate_of_a_moment():
    intervals = Intervals()
    intervals.count(3.0, answered=10)
    assert intervals.curves(3.01).answered_per_s[-1] == 20


def test_at_the_end_of_an_interval_no_other_has_begun():
    intervals = Intervals(limit=2)
    intervals.count(0.5, answered=4)
    intervals.count(1.5, answered=2)
    assert intervals.curves(2.0).answered_per_s == (4, 2)
    assert intervals.width_s == 1.0


def test_a_total_is_on_the_line_between_two_points_and_stays_at_the_last():
    track = Track(keeps_s=10)
    track.add(0.0, 0)
    track.add(2.0, 100)
    track.add(1.0, 7)  # late, and left out
    assert [track.at(time_s) for time_s in (-1.0, 0.0, 1.0, 2.0, 9.0)] == [0, 0, 50, 100, 100]
    assert [track.reached(time_s) for time_s in (-1.0, 0.5, 9.0)] == [0, 100, 100]


def test_old_points_are_forgotten_but_for_one():
    track = Track(keeps_s=1)
    for second in range(1_000):
        track.add(float(second), second)
    assert len(track._times_s) <= 3
    assert track.at(999.0) == 999
