"""The comparison's statistic: right against the library's, honest over many quantities, clear on what is too few."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, permutation_test

from floodmark.analysis.compare.statistics import (
    ALPHA,
    drift_p,
    enough,
    enough_in_order,
    joint_p,
    needed,
    needed_in_order,
    shift_of,
)


def noise(seed, quantities, runs):
    """Runs of one setting: quantities that go together, some skewed, some whole numbers."""
    random = np.random.default_rng(seed)
    common = random.normal(size=(1, runs))
    rows = random.normal(size=(quantities, runs)) + common
    rows[1::3] = np.exp(rows[1::3])
    rows[2::3] = np.round(rows[2::3] * 2)
    return rows


def parted(rows, first):
    return rows[:, :first].tolist(), rows[:, first:].tolist()


def test_of_one_quantity_p_is_that_of_the_exact_permutation_test():
    before, after = parted(noise(3, 1, 9), 4)
    theirs = permutation_test(
        (before[0], after[0]),
        lambda first, second: abs(np.mean(first) - np.mean(second)),
        alternative="greater",
        n_resamples=np.inf,
    )
    assert joint_p(before, after) == [pytest.approx(theirs.pvalue)]


def test_sides_that_are_apart_have_the_least_p_that_there_is():
    assert joint_p([[1, 2, 3, 4, 5]], [[11, 12, 13, 14, 15]]) == [pytest.approx(2 / 252)]


def test_quantities_that_go_together_count_once():
    before, after = [1.0, 2.0, 3.0, 5.0, 4.0], [4.5, 6.0, 7.0, 8.0, 3.5]
    alone = joint_p([before], [after])
    doubled = joint_p([before] * 6, [after] * 6)
    assert doubled == alone * 6


def test_a_quantity_among_many_needs_more_than_alone():
    rows = noise(5, 30, 10)
    rows[0, 5:] += 1.7
    before, after = parted(rows, 5)
    assert joint_p(before[:1], after[:1])[0] < joint_p(before, after)[0]


def test_a_change_is_found_beside_others_that_did_not_change():
    rows = noise(11, 20, 10)
    rows[4, 5:] += 40
    found = joint_p(*parted(rows, 5))
    assert found[4] <= ALPHA
    assert sum(p <= ALPHA for p in found) == 1


def test_runs_of_one_setting_differ_in_no_more_than_one_comparison_in_twenty():
    trials = 300
    wrong = sum(min(joint_p(*parted(noise(seed, 20, 10), 5))) <= ALPHA for seed in range(trials))
    # 15 are expected; 27 or more, or fewer than 5, would come by chance once in 300 such tests.
    assert 5 <= wrong < 27


def test_constant_quantities_say_nothing():
    assert joint_p([[7.0] * 5, [1, 2, 3, 4, 5]], [[7.0] * 5, [11, 12, 13, 14, 15]]) == [1.0, pytest.approx(2 / 252)]
    assert joint_p([], []) == []


def test_of_very_many_runs_some_arrangements_are_drawn_and_always_the_same_ones():
    rows = noise(2, 3, 40)
    rows[0, 20:] += 4
    found = joint_p(*parted(rows, 20))
    assert found[0] == pytest.approx(1 / 20_001)
    assert found == joint_p(*parted(rows, 20))


def test_three_a_side_can_never_show_a_change_and_four_can():
    assert not enough(3, 3)
    assert enough(4, 4)
    assert needed() == 4
    assert min(joint_p([[1, 2, 3]], [[11, 12, 13]])) > ALPHA
    assert min(joint_p([[1, 2, 3, 4]], [[11, 12, 13, 14]])) <= ALPHA


def test_more_comparisons_need_more_runs_and_one_run_needs_many_on_the_other_side():
    assert needed(pairs=5) == 5
    assert not enough(1, 38)
    assert enough(1, 39)


def test_a_figure_that_rises_from_run_to_run_drifts():
    rising, other = drift_p([[1.0, 2.1, 2.9, 4.2, 5.0], [3, 1, 5, 2, 4]])
    assert rising <= ALPHA < other
    assert drift_p([[5.0, 4.0, 3.0, 2.0, 1.0]]) == [pytest.approx(2 / 120)]
    assert not enough_in_order(4)
    assert enough_in_order(5)
    assert needed_in_order() == 5


def test_repeats_drift_in_no_more_than_one_in_twenty():
    wrong = sum(min(drift_p(noise(seed, 12, 5).tolist())) <= ALPHA for seed in range(300))
    assert wrong < 27


def test_a_shift_is_told_with_the_range_it_may_have():
    shift = shift_of([10, 11, 12, 13, 14], [20, 21, 22, 23, 24])
    assert (shift.median, shift.low, shift.high) == (10, 7, 13)
    assert (shift_of([1], [4]).median, shift_of([1], [4]).low) == (3, None)
    assert shift_of([1, 2, 3], [4, 5, 6]).low is None


@pytest.mark.parametrize(("before", "after"), [(4, 4), (5, 5), (6, 4), (7, 9), (1, 45)])
def test_a_range_begins_where_mann_and_whitneys_test_would_see_the_difference(before, after):
    random = np.random.default_rng(before)
    first, second = random.normal(size=before), random.normal(size=after)
    shift = shift_of(first.tolist(), second.tolist())
    for edge, inwards in ((shift.low, 1e-6), (shift.high, -1e-6)):
        inside = mannwhitneyu(second - (edge + inwards), first, method="exact").pvalue
        outside = mannwhitneyu(second - (edge - inwards), first, method="exact").pvalue
        assert inside > ALPHA >= outside


def test_a_range_has_the_true_shift_19_times_in_20():
    random = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        shift = shift_of(random.normal(size=6).tolist(), (random.normal(size=6) + 2).tolist())
        held += shift.low <= 2 <= shift.high
    assert held >= 0.93 * 400
