from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark_agent.budget import EARNED_SHARE, WINDOW_S, Budget, DumpPace

SHARE = 0.02
BEAT_S = 0.05


class Host:
    """The time, and the CPU time that the agent uses."""

    def __init__(self, share: float = SHARE, owed_s: float = 0.0) -> None:
        self.now_s = 500.0
        self.used_s = 3.0
        self.spent: list[tuple[float, float]] = []
        self.beats: list[float] = []
        self.budget = Budget(share, clock=lambda: self.now_s, cpu_clock=lambda: self.used_s, spent_s=owed_s)
        self.pace = DumpPace(self.budget, clock=lambda: self.now_s)

    def spend(self, cost_s: float) -> None:
        self.used_s += cost_s
        self.spent.append((self.now_s, cost_s))

    def run(self, duration_s: float, *, dump_s: float, glance_s: float = 0.0004, busy: bool = True) -> list[float]:
        """Beats as the sampler has them; when there was a dump."""
        end_s, dumps = self.now_s + duration_s, []
        while self.now_s < end_s:
            if self.pace.beat_is_due():
                self.beats.append(self.now_s)
                self.spend(glance_s)
                self.pace.note_beat(glance_s)
                if self.pace.is_due(self.now_s if busy else "still"):
                    self.spend(dump_s)
                    self.pace.note(dump_s)
                    dumps.append(self.now_s)
            self.now_s += BEAT_S
        return dumps

    def spent_between(self, begin_s: float, end_s: float) -> float:
        return sum(cost_s for at_s, cost_s in self.spent if begin_s <= at_s < end_s)


def gaps(dumps: list[float]) -> list[float]:
    return [later - sooner for sooner, later in pairwise(dumps)]


def test_a_dump_that_costs_little_is_made_on_every_beat() -> None:
    host = Host()

    assert len(host.run(10.0, dump_s=0.0004)) == 200


def test_ten_thousand_connections_are_counted_often_at_first_and_seldom_later() -> None:
    host = Host()

    dumps = host.run(60.0, dump_s=0.008)

    begin_s = dumps[0]
    assert max(gaps([at_s for at_s in dumps if at_s < begin_s + 2])) < 0.28
    assert max(gaps([at_s for at_s in dumps if at_s < begin_s + 5])) < 0.45
    assert min(gaps([at_s for at_s in dumps if at_s > begin_s + 40])) > 0.5
    assert max(gaps(dumps)) < 2.0


def test_what_a_quiet_target_saves_is_there_when_it_begins_to_work() -> None:
    host = Host()
    host.run(5.0, dump_s=0.008)
    host.run(120.0, dump_s=0.0004, busy=False)

    dumps = host.run(5.0, dump_s=0.008)

    assert max(gaps(dumps)[:10]) < 0.25


def test_a_quiet_target_leaves_something_in_hand_and_one_at_work_does_not() -> None:
    quiet, busy = Host(), Host()
    for host, is_busy in ((quiet, False), (busy, True)):
        host.run(60.0, dump_s=0.008, busy=is_busy)

    assert quiet.budget.in_hand_s() > 2 * busy.budget.in_hand_s()


def test_requests_that_are_held_and_change_nothing_are_counted_twice_a_second_at_first() -> None:
    host = Host()
    dumps = host.run(10.0, dump_s=0.008, busy=False)

    assert max(gaps([at_s for at_s in dumps if at_s < dumps[0] + 9])) < 0.6
    assert max(gaps(dumps)) < 0.9


def test_a_mark_makes_the_next_dump_due_at_once() -> None:
    host = Host()
    host.run(30.0, dump_s=0.05, busy=False)
    host.pace.note(0.05)
    assert not host.pace.is_due("still")

    host.pace.mark()

    assert host.pace.is_due("still")
    host.pace.note(0.05)
    assert not host.pace.is_due("still")


def test_rest_earns_what_is_in_hand_back_and_no_more() -> None:
    host = Host()
    first_s = host.budget.in_hand_s()
    host.spend(0.3)
    host.now_s += 10 * WINDOW_S

    assert host.budget.in_hand_s() == first_s


def test_an_agent_rests_for_a_load_like_the_last_one_and_no_longer() -> None:
    host = Host()
    at_first_s = host.budget.rest_s()
    host.run(10.0, dump_s=0.009)
    dear_s = host.budget.rest_s()
    host.now_s += dear_s + 1e-6
    rested_s = host.budget.rest_s()
    host.run(10.0, dump_s=0.0005)

    assert (at_first_s, rested_s, host.budget.rest_s()) == (0.0, 0.0, 0.0)
    assert 5.0 < dear_s < 15.0


def test_a_dear_load_is_rested_from_also_where_a_cheap_one_came_in_between() -> None:
    host = Host()
    host.run(10.0, dump_s=0.009)
    host.pace = DumpPace(host.budget, clock=lambda: host.now_s)
    host.run(1.0, dump_s=0.0005)

    assert host.budget.rest_s() > 5.0


def idle(host: Host, duration_s: float, cost_per_s: float) -> None:
    """Time passes at rest, and the loop takes its part."""
    host.now_s += duration_s
    host.used_s += duration_s * cost_per_s


@pytest.mark.parametrize("owed_s", [0.0, 10.0])
def test_what_the_idle_loop_and_the_start_take_makes_the_rest_longer(owed_s: float) -> None:
    host = Host(owed_s=owed_s)
    host.run(10.0, dump_s=0.009)
    host.budget.begin_rest()
    at_once_s = host.budget.rest_s()
    idle(host, 1.0, 0.004)
    rest_s = host.budget.rest_s()
    idle(host, rest_s - 0.1, 0.004)
    nearly_s = host.budget.rest_s()
    idle(host, 0.2, 0.004)

    assert rest_s > at_once_s > 5.0
    assert (nearly_s > 0.0, host.budget.rest_s()) == (True, 0.0)


def test_a_budget_that_the_idle_loop_uses_up_is_not_waited_for() -> None:
    host = Host(0.002)
    host.run(10.0, dump_s=0.009)
    host.budget.begin_rest()
    idle(host, 1.0, 0.0015)

    assert host.budget.in_hand_s() < 0.0
    assert host.budget.rest_s() == 0.0


def test_debts_end_after_some_time_however_large() -> None:
    host = Host()
    host.spend(100.0)

    assert host.budget.in_hand_s() < 0
    host.now_s += WINDOW_S
    assert host.budget.in_hand_s() > 0


def test_usual_beats_are_all_had_in_the_first_seconds_and_at_least_every_other_one_later() -> None:
    host = Host()

    host.run(300.0, dump_s=0.008)

    began_s = host.beats[0]
    assert max(gaps([at_s for at_s in host.beats if at_s < began_s + 8])) < 1.5 * BEAT_S
    assert max(gaps(host.beats)) < 2.5 * BEAT_S


def test_a_quiet_target_has_every_beat_of_the_grid() -> None:
    host = Host()

    host.run(300.0, dump_s=0.008, busy=False)

    assert max(gaps(host.beats)) < 1.5 * BEAT_S


def test_beats_that_cost_many_times_the_budget_leave_dumps_their_half() -> None:
    host = Host()

    dumps = host.run(120.0, dump_s=0.010, glance_s=0.004)

    # 10 ms of half of 12 ms a second are 1.7 s; and dumps fall on beats, 0.6 s apart by the same rule.
    assert max(gaps(dumps)) < 2.3
    settled = [at_s for at_s in dumps if at_s > dumps[0] + 60]
    assert 0.010 * len(settled) > 0.4 * (EARNED_SHARE * SHARE * 60)


def test_beats_dearer_than_any_that_are_usual_leave_dumps_something_too() -> None:
    host = Host()

    dumps = host.run(120.0, dump_s=0.010, glance_s=0.02)

    assert max(gaps([*dumps, host.now_s])) < 10.0


def test_beats_that_are_skipped_are_skipped_evenly() -> None:
    host = Host()

    host.run(120.0, dump_s=0.010, glance_s=0.002)

    began_s = host.beats[0]
    assert max(gaps([at_s for at_s in host.beats if at_s < began_s + 1])) < 2.5 * BEAT_S
    assert max(gaps([at_s for at_s in host.beats if at_s > began_s + 60])) < 0.4


def test_one_dear_beat_makes_no_gap() -> None:
    host = Host()
    host.run(60.0, dump_s=0.008)
    host.run(2 * BEAT_S, dump_s=0.008, glance_s=0.02)

    host.run(10.0, dump_s=0.008)

    assert 0.02 in {cost_s for _, cost_s in host.spent}
    assert max(gaps(host.beats)) < 0.4


def test_an_agent_in_debt_has_a_beat_every_second_and_a_mark_has_one_at_once() -> None:
    host = Host()
    host.run(1.0, dump_s=0.008)
    host.spend(0.9)
    host.beats.clear()

    assert host.run(10.0, dump_s=0.008) == []
    assert len(host.beats) in {9, 10, 11}
    host.pace.mark()
    assert host.run(BEAT_S, dump_s=0.008)


@given(
    st.floats(0.005, 0.2),
    st.lists(st.tuples(st.floats(0.1, 60.0), st.floats(0.0001, 0.08), st.booleans()), min_size=1, max_size=6),
)
def test_no_half_minute_or_longer_sees_more_spent_than_its_budget(
    share: float, spells: list[tuple[float, float, bool]]
) -> None:
    host = Host(share)
    for duration_s, dump_s, busy in spells:
        host.run(duration_s, dump_s=dump_s, busy=busy)

    # A dump is begun while there is something in hand, and may cost more than that; the first is made in any case.
    one_too_many_s = 2 * (0.08 + 0.0004)
    for begin_s, _ in host.spent[::50]:
        for window_s in (WINDOW_S, 1.3 * WINDOW_S, 3 * WINDOW_S):
            assert host.spent_between(begin_s, begin_s + window_s) <= share * window_s + one_too_many_s


def test_what_the_agents_start_took_is_paid_back_in_its_first_minute() -> None:
    host, start_s, first_s = Host(), 0.12, 45.0
    host.budget = Budget(SHARE, clock=lambda: host.now_s, cpu_clock=lambda: host.used_s, spent_s=start_s)
    host.pace = DumpPace(host.budget, clock=lambda: host.now_s)
    began_s = host.now_s

    dumps = host.run(first_s, dump_s=0.008)

    assert start_s + host.spent_between(began_s, began_s + first_s) <= SHARE * first_s
    # All that is in hand is there at first, when a load begins.
    assert max(gaps([at_s for at_s in dumps if at_s < began_s + 2])) < 0.28


def test_a_loop_that_costs_something_between_beats_is_paid_for_too() -> None:
    host = Host()
    began_s, used_s = host.now_s, host.used_s
    while host.now_s < began_s + 40:
        host.used_s += 0.0003  # 6 ms a second, that nobody has measured apart
        host.run(BEAT_S, dump_s=0.009)

    assert host.used_s - used_s <= SHARE * (host.now_s - began_s)
