import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts, Sample
from floodmark_agent.budget import Budget, DumpPace
from floodmark_agent.sampler import Glance, Sampler

COUNTS = ConnectionCounts(
    port=80,
    accept_queue=0,
    unread=0,
    read=0,
    half_open=0,
    abandoned=0,
    abandoned_queue=0,
    closing=0,
    time_wait=0,
)
BEAT_S = 0.125  # a binary fraction: exact in a float


class FakeTarget:
    """A clock, and a target whose readings take as long as the test says."""

    def __init__(self, costs_s: list[float]) -> None:
        self.now_s = 1000.0
        self.costs_s = list(costs_s)
        self.fails: Exception | None = None
        self.count_fails: Exception | None = None
        self.count_cost_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def glance(self) -> Glance:
        if self.costs_s:
            self.now_s += self.costs_s.pop(0)
        if self.fails is not None:
            raise self.fails
        return Glance(looked_s=self.now_s, listeners=(), processes=None, counters=None)

    def count(self) -> tuple[ConnectionCounts, ...]:
        self.now_s += self.count_cost_s
        if self.count_fails is not None:
            raise self.count_fails
        return (COUNTS,)


def run(target: FakeTarget, sampler: Sampler, count: int) -> list[Sample]:
    samples: list[Sample] = []
    while len(samples) < count:
        target.now_s = max(target.now_s, sampler.next_due_s)
        sample = sampler.take_due()
        assert sample is not None
        samples.append(sample)
    return samples


def begin(*costs_s: float) -> tuple[FakeTarget, Sampler]:
    target = FakeTarget(list(costs_s))
    return target, sampler_of(target, BEAT_S)


def sampler_of(target: FakeTarget, beat_s: float) -> Sampler:
    budget = Budget(0.02, clock=target.clock, cpu_clock=lambda: 7.0)
    return Sampler(target, beat_s=beat_s, pace=DumpPace(budget, clock=target.clock), clock=target.clock)


def test_the_first_sample_is_due_at_once_and_the_others_a_beat_apart() -> None:
    target, sampler = begin()

    assert [sample.due_s for sample in run(target, sampler, 3)] == [1000.0, 1000.125, 1000.25]


def test_nothing_is_taken_before_it_is_due() -> None:
    _, sampler = begin()

    assert sampler.take_due() is not None
    assert sampler.take_due() is None


def test_late_beats_do_not_push_the_grid() -> None:
    target, sampler = begin(0.0, 0.0, 0.0)
    run(target, sampler, 1)
    target.now_s = 1000.2

    late = sampler.take_due()

    assert late is not None
    assert (late.due_s, late.taken_s, late.missed) == (1000.125, 1000.2, 0)
    assert sampler.next_due_s == 1000.25


def test_beats_that_a_long_reading_ran_over_are_counted_once() -> None:
    target, sampler = begin(0.3, 0.0, 0.0)

    first, second, third = run(target, sampler, 3)

    assert (first.missed, first.cost_s) == (0, pytest.approx(0.3))
    assert (second.due_s, second.missed) == (1000.25, 1)
    assert (third.due_s, third.missed) == (1000.375, 0)


def test_a_reading_that_failed_is_missed_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    target, sampler = begin()
    target.fails = WireError("the dump is torn")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert sampler.take_due() is None
            target.now_s = sampler.next_due_s
    target.fails = None

    (sample,) = run(target, sampler, 1)

    assert (sample.sequence, sample.missed) == (0, 3)
    assert caplog.text.count("the dump is torn") == 1


def test_a_dump_that_failed_leaves_the_cheap_figures_and_no_counts(caplog: pytest.LogCaptureFixture) -> None:
    target, sampler = begin()
    target.count_fails = WireError("the dump is torn")
    with caplog.at_level(logging.WARNING):
        samples = run(target, sampler, 3)

    assert [(sample.connections, sample.missed) for sample in samples] == [((), 0)] * 3
    assert caplog.text.count("the dump is torn") == 1


def test_a_sample_says_when_its_connections_were_counted_and_the_agents_own_cpu_time() -> None:
    target, sampler = begin(0.01)
    target.count_cost_s = 0.5

    (sample,) = run(target, sampler, 1)

    assert (sample.connections, sample.agent_cpu_s) == ((COUNTS,), 7.0)
    assert sample.socket_s == pytest.approx(1000.26)
    assert sample.cost_s == pytest.approx(0.51)


def test_the_last_sample_is_taken_at_once_off_the_grid() -> None:
    target, sampler = begin()
    run(target, sampler, 2)
    target.now_s += 0.01

    last = sampler.take_last()

    assert last is not None
    assert (last.sequence, last.due_s) == (2, target.now_s)


def test_beats_skipped_to_keep_the_budget_are_told_from_late_ones() -> None:
    target, used = FakeTarget([0.0, 0.3]), [0.0]
    budget = Budget(0.02, clock=target.clock, cpu_clock=lambda: used[0] + target.now_s / 1000)
    sampler = Sampler(target, beat_s=BEAT_S, pace=DumpPace(budget, clock=target.clock), clock=target.clock)
    first, late = run(target, sampler, 2)
    used[0] += 5.0  # that is more than there was in hand
    taken: list[Sample] = []
    while not taken:
        target.now_s = max(target.now_s, sampler.next_due_s)
        taken += [sample for sample in (sampler.take_due(),) if sample is not None]

    assert (first.saved, late.saved) == (0, 0)
    assert taken[0].missed - taken[0].saved == 1  # due while the second one was taken
    assert taken[0].saved >= 5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_taken_and_missed_beats_together_are_the_whole_grid(costs_s: list[float]) -> None:
    target, sampler = begin(*costs_s)

    samples = run(target, sampler, len(costs_s))

    beats = [round((sample.due_s - 1000.0) / BEAT_S) for sample in samples]
    assert [sample.sequence for sample in samples] == list(range(len(samples)))
    assert beats[-1] + 1 == len(samples) + sum(sample.missed for sample in samples)
    assert all(sample.taken_s - sample.due_s < BEAT_S for sample in samples)


@given(st.floats(0.001, 60), st.integers(1, 200))
def test_the_grid_holds_for_any_beat(beat_s: float, count: int) -> None:
    target = FakeTarget([])
    sampler = sampler_of(target, beat_s)

    assert sum(sample.missed for sample in run(target, sampler, count)) == 0
