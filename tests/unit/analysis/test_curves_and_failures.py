"""How times are spread and when requests failed, as a picture needs them."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.analysis.failure_times import INTERVALS, failure_times, failure_times_by_second, interval_s
from floodmark.analysis.latency_curve import curve_in, curve_of
from floodmark.analysis.percentiles import empty_histogram, percentiles_of
from floodmark.core.outcomes import Outcome

times = st.lists(st.floats(min_value=1e-6, max_value=3_600), min_size=1, max_size=300)


@given(times_s=times)
def test_a_curve_rises_from_the_shortest_to_the_longest_time(times_s):
    curve = curve_of("latency", times_s)
    assert curve.count == len(times_s)
    assert list(curve.shares) == sorted(curve.shares)
    assert list(curve.times_s) == sorted(curve.times_s)
    assert curve.times_s[0] == round(min(times_s), 6)
    assert curve.times_s[-1] == round(max(times_s), 6)
    assert curve.shares[0] == 0
    assert curve.shares[-1] == pytest.approx(1 - 0.5 / len(times_s), abs=1e-8)


@given(times_s=times)
def test_a_curve_has_the_percentiles_of_the_table(times_s):
    curve, table = curve_of("latency", times_s), percentiles_of(times_s)
    for share, time_s in ((0.5, table.p50_s), (0.9, table.p90_s), (0.99, table.p99_s)):
        before = max(index for index, known in enumerate(curve.shares) if known < share or index == 0)
        after = min(len(curve.times_s) - 1, before + 1)
        assert (
            curve.times_s[before] <= time_s <= max(curve.times_s[after], curve.times_s[before])
            or share > (curve.shares[-1])
        )


def test_a_histograms_curve_is_that_of_its_values():
    histogram, values = empty_histogram(), [1_000 * number for number in range(1, 1_001)]
    for value in values:
        histogram.record_value(value)
    exact, found = curve_of("latency", [value / 1e6 for value in values]), curve_in("latency", histogram)
    assert found.count == 1_000
    assert found.shares == exact.shares
    assert found.times_s == pytest.approx(exact.times_s, rel=3e-3, abs=1.1e-3)


def test_nothing_has_no_curve():
    assert curve_of("latency", []) is None
    assert curve_in("latency", empty_histogram()) is None


def test_a_curve_of_a_million_times_stays_small():
    assert len(curve_of("latency", range(1_000_000)).shares) < 600


@given(span_s=st.floats(min_value=0.001, max_value=100_000))
def test_an_interval_is_round_and_so_many_cover_the_span(span_s):
    width_s = interval_s(span_s)
    assert math.ceil(span_s / width_s * (1 - 1e-9)) <= INTERVALS
    assert width_s * 10 ** -math.floor(math.log10(width_s) + 1e-9) == pytest.approx(
        min((1, 2, 5), key=lambda step: abs(width_s * 10 ** -math.floor(math.log10(width_s) + 1e-9) - step))
    )


def test_failures_are_counted_where_they_happened_the_most_frequent_kind_first():
    found = failure_times(
        [
            (0.001, Outcome.RESET),
            (0.5, Outcome.REFUSED),
            (0.51, Outcome.REFUSED),
            (-0.06, Outcome.RESET),
            (3.9, Outcome.REFUSED),
        ],
        4.0,
    )
    assert list(found.counts) == [Outcome.REFUSED, Outcome.RESET]
    assert found.edges_s[1] == 0.05
    assert found.counts[Outcome.RESET][0] == 2
    assert found.counts[Outcome.REFUSED][10] == 2
    assert {kind: sum(counts) for kind, counts in found.counts.items()} == {Outcome.REFUSED: 3, Outcome.RESET: 2}


def test_a_failure_after_the_loads_end_still_has_its_interval():
    found = failure_times([(7.2, Outcome.RESET)], 4.0)
    assert found.edges_s[-1] >= 7.2
    assert sum(found.counts[Outcome.RESET]) == 1


def test_a_load_counted_by_the_second_keeps_its_seconds():
    found = failure_times_by_second([Counter(), Counter({Outcome.RESET: 3}), Counter({Outcome.REFUSED: 1})])
    assert found.edges_s == (0.0, 1.0, 2.0, 3.0)
    assert found.counts == {Outcome.RESET: (0, 3, 0), Outcome.REFUSED: (0, 0, 1)}


def test_nothing_that_failed_has_no_times():
    assert failure_times([], 4.0) is None
    assert failure_times_by_second([]) is None
    assert failure_times_by_second([Counter({Outcome.RESET: 0})]) is None
