"""Which requests of a second are in the sample: any of them, with the same chance."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.hit_sample import HITS_PER_SECOND, HitSample, Reservoir


def hit_of(number: int) -> Hit:
    return Hit(id=number, worker="w", planned_s=0.0, outcome=Outcome.ANSWERED)


def reservoir_of(seed: int) -> Reservoir:
    return Reservoir(Random(seed))  # noqa: S311 - no secret


def pass_by(reservoir: Reservoir, count: int) -> int:
    """Lets requests 0, 1, ... go by as a load does; how many of them it had to look at."""
    looked_at = 0
    for number in range(count):
        if reservoir.room:
            reservoir.room -= 1
        else:
            looked_at += 1
            reservoir.add(hit_of(number))
    return looked_at


def test_each_request_has_the_same_chance() -> None:
    count, seconds, parts = 1_000, 400, 10
    reservoir, found = reservoir_of(1), Counter[int]()
    for _ in range(seconds):
        pass_by(reservoir, count)
        found.update(hit.id * parts // count for hit in reservoir.empty())
    expected = seconds * HITS_PER_SECOND / parts  # 2,000 of each tenth, give or take 45
    assert found.total() == seconds * HITS_PER_SECOND
    assert all(abs(found[part] - expected) < 5 * expected**0.5 for part in range(parts)), found


def test_the_first_of_a_second_have_no_better_chance_than_the_last() -> None:
    count, seconds = 100, 2_000
    reservoir, found = reservoir_of(2), Counter[int]()
    for _ in range(seconds):
        pass_by(reservoir, count)
        found.update(hit.id for hit in reservoir.empty())
    first, last = (sum(found[number] for number in part) for part in (range(10), range(90, 100)))
    assert first == pytest.approx(10 * seconds / 2, abs=500)
    assert last == pytest.approx(10 * seconds / 2, abs=500)


def test_only_few_of_many_are_looked_at() -> None:
    reservoir = reservoir_of(3)
    assert HITS_PER_SECOND < pass_by(reservoir, 50_000) < 600
    assert len(reservoir.empty()) == HITS_PER_SECOND


@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 300), max_size=5), seed=st.integers())
def test_a_second_has_all_it_can_in_order_and_none_of_another(counts: list[int], seed: int) -> None:
    sample = HitSample(seed)
    for count in counts:
        pass_by(sample.answered, count)
        assert sample.take(None) == []
        sample.turn()
        ids = [hit.id for hit in sample.take(None)]
        assert ids == sorted(set(ids))
        assert len(ids) == min(count, HITS_PER_SECOND)
        assert all(number < count for number in ids)


def test_the_same_seed_takes_the_same_and_another_takes_others() -> None:
    found = []
    for seed in (1, 1, 2):
        sample = HitSample(seed)
        pass_by(sample.answered, 5_000)
        pass_by(sample.failed, 5_000)
        sample.turn()
        found.append([hit.id for hit in sample.take(None)])
    assert found[0] == found[1] != found[2]
    assert found[0][:HITS_PER_SECOND] != found[0][HITS_PER_SECOND:]


def test_failures_are_not_displaced_by_what_never_ended() -> None:
    for failures in (0, 3, HITS_PER_SECOND, 1_000):
        sample = HitSample(7)
        pass_by(sample.unended, 100_000)
        for number in range(failures):
            if sample.failed.room:
                sample.failed.room -= 1
            else:
                sample.failed.add(replace(hit_of(number), outcome=Outcome.RESET))
        sample.turn()
        found = Counter(hit.outcome for hit in sample.take(None))
        assert found.total() == HITS_PER_SECOND
        assert found[Outcome.RESET] == min(failures, HITS_PER_SECOND)


def test_a_hit_whose_turn_it_is_not_is_refused() -> None:
    reservoir = reservoir_of(4)
    reservoir.room = 1
    with pytest.raises(ValueError, match="1 more requests are to go by first"):
        reservoir.add(hit_of(1))


def test_hits_are_taken_a_few_at_a_time() -> None:
    sample = HitSample(5)
    pass_by(sample.answered, 5)
    sample.turn()
    assert [hit.id for hit in sample.take(2)] == [0, 1]
    assert [hit.id for hit in sample.take(None)] == [2, 3, 4]
