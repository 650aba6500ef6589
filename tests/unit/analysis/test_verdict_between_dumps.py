"""The agent counts connections as often as its budget allows: verdicts where most beats have no count."""

from dataclasses import replace

import pytest
from simulated import BEAT_S, Server, Simulation
from simulated_steady import SteadySimulation

from floodmark.analysis.axis import put_on_axis
from floodmark.analysis.ceiling import waited_behind
from floodmark.analysis.counted import longest_uncounted_s, standing_pieces
from floodmark.analysis.document import AgentCost
from floodmark.analysis.judge import judge
from floodmark.analysis.steady.line import Flow, line_in_target
from floodmark.analysis.steady.way import Way
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, ClosedProfile

COMPLETE = "agent's samples complete"
AGREE = "both ends agree on the connections"
BUSY = Server(slots=10)
IN_THE_KERNEL = Server(slots=10, reads_at_once=False, backlog=50)
LOADS = [
    (BUSY, 100, 2.0),
    (IN_THE_KERNEL, 100, 2.0),
    (Server(slots=None), 100, 2.0),
    (Server(slots=8, unit="process"), 60, 3.0),
    (Server(slots=10, evidence=False), 100, 2.0),
]


def burst(server=BUSY, requests=100, hold_s=2.0):
    return Simulation(server=server, requests=requests, hold_s=hold_s).record()


def working(recording):
    """The target's CPU time rises at every beat."""
    return changed(recording, lambda sample: replace(sample, processes=_worked(sample)))


def _worked(sample):
    return tuple(replace(process, cpu_s=0.01 * sample.sequence) for process in sample.processes)


def counted_every(recording, beats):
    """Only each so many-th beat has a dump, and the last."""
    last = recording.samples[-1].sequence
    return changed(
        recording, lambda it: it if it.sequence % beats == 0 or it.sequence == last else replace(it, connections=())
    )


def changed(recording, change):
    return replace(recording, samples=tuple(change(sample) for sample in recording.samples))


def checks_of(recording):
    return {check.name: check for check in judge(recording).document.validity.checks}


@pytest.mark.parametrize("beats", [2, 5, 13])
@pytest.mark.parametrize(("server", "requests", "hold_s"), LOADS)
def test_a_burst_is_judged_the_same_where_only_some_beats_count(server, requests, hold_s, beats):
    recording = working(burst(server, requests, hold_s))
    whole, found = judge(recording).document, judge(counted_every(recording, beats)).document
    assert found.validity.ok
    assert found.verdict.sentence == whole.verdict.sentence
    assert found.verdict.in_service.ceiling == whole.verdict.in_service.ceiling
    assert found.verdict.lines == whole.verdict.lines
    for place, seen in whole.verdict.waiting.items():
        assert found.verdict.waiting[place].peak == pytest.approx(seen.peak, abs=1)


def test_the_places_are_told_at_the_counts_alone_and_no_line_falls_to_zero_between():
    recording = counted_every(burst(), 6)
    axis, timeline = put_on_axis(recording), judge(recording).timeline
    counts_s = [round(beat.at_s, 4) for beat in axis.beats if beat.sample.connections]
    assert timeline.times_s[:-1] == tuple(at_s for at_s in counts_s if -0.25 <= at_s <= axis.end_s)
    assert all(None not in series for series in timeline.places.values())
    waiting = [
        value
        for at_s, value in zip(timeline.times_s, timeline.places[Place.IN_PROCESS], strict=True)
        if 0.1 < at_s < axis.end_s
    ]
    assert min(waiting) > 50


def test_an_accept_queue_is_read_at_every_beat_so_its_peak_may_fall_between_two_counts():
    def fuller(sample):
        if sample.sequence != 21:
            return sample
        return replace(sample, listeners=tuple(replace(one, depth=49) for one in sample.listeners))

    found = judge(changed(counted_every(burst(Server(slots=10)), 10), fuller)).document.verdict
    assert found.waiting[Place.ACCEPT_QUEUE].peak == 49


def test_without_a_single_count_nothing_is_said_of_the_places_and_the_run_does_not_count():
    recording = changed(burst(), lambda sample: replace(sample, connections=()))
    judged, checks = judge(recording), checks_of(recording)
    assert set(judged.timeline.places[Place.UNREAD]) == {None}
    assert judged.document.verdict.in_service.ceiling is None
    assert judged.document.verdict.waiting[Place.IN_PROCESS].peak is None
    assert max(count or 0 for count in judged.timeline.threads) > 1
    assert checks[AGREE].ok is None
    assert checks[COMPLETE].ok is False
    assert "0 of them counted the connections" in checks[COMPLETE].words


def test_counts_rarer_than_holds_are_too_few_while_the_target_works():
    rare = counted_every(working(burst(hold_s=2.0)), 42)
    check = checks_of(rare)[COMPLETE]
    assert check.ok is False
    assert "too seldom: how these were was unknown for 2.1 s at most (bound 2 s)" in check.words
    assert "--cpu-budget" in check.words


def test_while_nothing_changes_a_count_holds():
    quiet = counted_every(burst(hold_s=2.0), 30)
    axis = put_on_axis(quiet)
    assert longest_uncounted_s(axis) < 2 * BEAT_S
    assert checks_of(quiet)[COMPLETE].ok


def test_a_count_holds_until_the_first_change_and_not_again_when_that_is_undone():
    def one_change(sample):
        return sample if sample.sequence != 12 else replace(sample, processes=_worked(sample))

    axis = put_on_axis(changed(counted_every(burst(), 30), one_change))
    assert longest_uncounted_s(axis) == pytest.approx(19 * BEAT_S)  # the count at beat 0 holds until 11, the next is 30


def test_beats_left_out_to_keep_the_budget_are_not_missing_samples_and_late_ones_are():
    def thinner(saved):
        kept = [it for it in burst().samples if it.sequence % 20 == 0 or it.sequence < 5]
        return replace(burst(), samples=tuple(replace(it, missed=19, saved=saved) for it in kept))

    assert checks_of(thinner(saved=19))[COMPLETE].ok
    assert checks_of(thinner(saved=5))[COMPLETE].ok is False
    late = checks_of(thinner(saved=0))[COMPLETE]
    assert late.ok is False
    assert "the longest gap 1 s" in late.words
    assert "--cpu-budget" not in late.words


def test_a_run_whose_every_beat_counted_says_nothing_of_counts():
    assert "counted" not in checks_of(burst())[COMPLETE].words


def test_strangers_are_seen_in_two_counts_in_a_row_whatever_lies_between():
    def more(sample):
        return replace(sample, connections=tuple(replace(one, read=one.read + 40) for one in sample.connections))

    rare = counted_every(burst(), 5)
    assert checks_of(rare)[AGREE].ok
    assert checks_of(changed(rare, more))[AGREE].ok is False
    once = changed(rare, lambda sample: more(sample) if sample.sequence == 20 else sample)
    assert checks_of(once)[AGREE].ok


def test_a_count_stands_for_a_beat_and_then_for_what_the_next_one_has_too():
    recording = counted_every(burst(), 10)
    axis, timeline = put_on_axis(recording), judge(recording).timeline
    values = [0] * len(timeline.times_s)
    values[2], values[3] = 8, 5
    pieces = [piece for piece in standing_pieces(axis, timeline, values) if piece[2]]
    assert [(round(end_s - begin_s, 3), value) for begin_s, end_s, value in pieces] == [
        (BEAT_S, 8),
        (9 * BEAT_S, 5),
        (BEAT_S, 5),
    ]


def test_how_it_was_while_the_agent_was_away_is_not_taken_from_the_counts_around():
    recording = burst()
    away = replace(recording, samples=tuple(it for it in recording.samples if not 20 < it.sequence < 30))
    axis, timeline = put_on_axis(away), judge(away).timeline
    pieces = standing_pieces(axis, timeline, [8] * len(timeline.times_s))
    assert max(end_s - begin_s for begin_s, end_s, _ in pieces) == pytest.approx(BEAT_S)


STEADY = [
    (ClosedProfile(connections=100, duration_s=10.0, timeout_s=5.0), {"slots": 40}),
    (ClosedProfile(connections=100, duration_s=10.0, timeout_s=5.0), {"slots": 40, "reads_at_once": False}),
    (ClosedProfile(connections=20, duration_s=10.0, timeout_s=5.0), {"slots": 40}),
    (ArrivalsProfile(rate=500.0, duration_s=8.0, timeout_s=5.0, connections=2000), {"slots": 40}),
]


@pytest.mark.parametrize("beats", [5, 25])
@pytest.mark.parametrize(("profile", "server"), STEADY)
def test_a_steady_load_is_judged_the_same_where_only_some_beats_count(profile, server, beats):
    recording = working(SteadySimulation(profile=profile, service_s=0.1, **server).record())
    whole, found = judge(recording).document, judge(counted_every(recording, beats)).document
    assert found.validity.ok
    assert found.verdict.in_service.peak == pytest.approx(whole.verdict.in_service.peak, abs=1)
    assert found.verdict.sentence.split(".")[0] == whole.verdict.sentence.split(".")[0]


def test_a_line_is_told_over_time_and_not_over_counts_which_are_more_at_the_loads_begin():
    """Of ten seconds nobody stood in line for the first three, when the agent had its budget in hand."""
    profile = ClosedProfile(connections=100, duration_s=10.0, timeout_s=5.0)
    recording = SteadySimulation(profile=profile, slots=40, service_s=0.1).record()
    fewer = [it for it in recording.samples if it.sequence < 60 or it.sequence % 20 == 0]
    judged = judge(replace(recording, samples=tuple(fewer)))
    times_s = judged.timeline.times_s
    places = {place: (0,) * len(times_s) for place in Place}
    places[Place.UNREAD] = tuple(60 * (at_s >= 3) for at_s in times_s)
    timeline = replace(judged.timeline, places=places)
    flow = Flow(duration_s=10.0, per_s=400.0, service_s=0.1, way=Way())
    assert line_in_target(timeline, judged.seconds, flow).waited
    assert not line_in_target(timeline, judged.seconds, replace(flow, duration_s=4.0)).waited


def test_who_waited_at_one_count_and_not_at_the_next_waited_for_a_beat():
    recording = counted_every(burst(), 10)
    axis, timeline = put_on_axis(recording), judge(recording).timeline
    series = [0] * len(timeline.times_s)
    series[2:4] = [8, 9]
    places = {place: (0,) * len(series) for place in Place} | {Place.IN_PROCESS: tuple(series)}
    ((begin_s, end_s), (again_s, until_s)) = waited_behind(axis, replace(timeline, places=places), level=10)
    assert (end_s - begin_s, again_s, until_s - again_s) == pytest.approx((10 * BEAT_S, end_s, BEAT_S), abs=1e-3)


def test_a_steady_load_with_too_few_counts_to_tell_its_middle_says_so():
    profile = ClosedProfile(connections=100, duration_s=10.0, timeout_s=5.0)
    recording = working(SteadySimulation(profile=profile, slots=40, service_s=0.1).record())
    check = checks_of(counted_every(recording, 50))[COMPLETE]
    assert (check.ok, "(bound 2 s)" in check.words) == (False, True)
    assert checks_of(counted_every(recording, 36))[COMPLETE].ok


def test_what_the_agent_took_and_how_often_it_counted_is_in_the_verdict():
    def spent(sample):
        return replace(sample, agent_cpu_s=5.0 + 0.02 * (sample.taken_s + sample.cost_s), saved=int(sample.missed > 0))

    recording = counted_every(burst(), 5)
    number = len(recording.samples)
    counted = sum(bool(sample.connections) for sample in recording.samples)
    assert judge(recording).document.agent == AgentCost(samples=number, counted=counted, saved=0, cpu_share=None)
    assert judge(changed(recording, spent)).document.agent.cpu_share == pytest.approx(0.02)
    assert judge(replace(recording, samples=())).document.agent is None


def test_an_agent_that_was_restarted_took_what_both_processes_did():
    recording = burst()
    half = len(recording.samples) // 2

    def spent(sample):
        at_s, is_second = sample.taken_s + sample.cost_s, sample.sequence >= half
        own_s = at_s - recording.samples[half].taken_s if is_second else at_s + 500.0
        return replace(sample, agent_cpu_s=0.02 * own_s, sequence=sample.sequence - half * is_second)

    assert judge(changed(recording, spent)).document.agent.cpu_share == pytest.approx(0.02)
