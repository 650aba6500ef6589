"""Memory per request: a truth that was put in comes out again, and none is claimed where the figures do not tell."""

from dataclasses import replace

import pytest
from simulated import Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.core.run_folder import STEPS

RUNNING, WAITING = 60_000, 20_000
POOL = Server(slots=40, warm_up_s=1.0, running_bytes=RUNNING, waiting_bytes=WAITING)
"""Its slots open one by one, so that those in service and those waiting do not come in step."""

JITTER = (0, 90_000, -60_000, 30_000, -110_000, 70_000)


def recording_of(server, requests=400):
    return Simulation(server=server, requests=requests, hold_s=2.0).record()


def memory_of(recording):
    return judge(recording).document.memory


def with_rss(recording, change):
    def changed(sample):
        processes = tuple(replace(process, rss_bytes=change(sample, process)) for process in sample.processes)
        return replace(sample, processes=processes)

    return replace(recording, samples=tuple(map(changed, recording.samples)))


def jittering(recording):
    return with_rss(recording, lambda sample, process: process.rss_bytes + JITTER[sample.sequence % len(JITTER)])


@pytest.mark.parametrize("shaken", [False, True])
def test_what_runs_and_what_waits_inside_are_told_apart(shaken):
    recording = recording_of(POOL)
    memory = memory_of(jittering(recording) if shaken else recording)
    for found, truth in ((memory.running, RUNNING), (memory.waiting, WAITING)):
        assert found.each_bytes == pytest.approx(truth, abs=found.within_bytes)
        assert found.within_bytes < truth / 2
    assert not memory.shared


def test_where_all_run_the_growth_is_divided_by_their_number():
    memory = memory_of(recording_of(Server(slots=None, running_bytes=RUNNING)))
    assert memory.before_bytes == 1 << 20
    assert memory.peak_bytes == (1 << 20) + 400 * RUNNING
    assert memory.running.each_bytes == RUNNING
    assert memory.waiting.each_bytes is None


def test_those_in_the_accept_queue_cost_the_process_nothing_and_nothing_is_claimed_of_them():
    server = Server(slots=40, reads_at_once=False, running_bytes=RUNNING, waiting_bytes=WAITING)
    memory = memory_of(recording_of(server))
    assert memory.running.each_bytes == RUNNING
    assert (memory.waiting.each_bytes, memory.waiting.words) == (None, "none was waiting inside while the load came in")


def test_where_all_came_between_two_beats_the_two_are_not_told_apart():
    memory = memory_of(recording_of(replace(POOL, warm_up_s=0.0)))
    assert (memory.running.each_bytes, memory.waiting.each_bytes) == (None, None)
    assert "in step" in memory.running.words


def test_what_grows_in_step_is_not_told_apart_however_many_beats_saw_it():
    recording = recording_of(replace(POOL, warm_up_s=0.0, lets_in=200, late_s=1.0))
    assert memory_of(recording).waiting.each_bytes is None


@pytest.mark.parametrize(("each_bytes", "words"), [(500, "too little to be seen"), (0, "too little to be seen")])
def test_what_is_smaller_than_the_readings_own_error_is_not_claimed(each_bytes, words):
    memory = memory_of(jittering(recording_of(Server(slots=40, reads_at_once=False, running_bytes=each_bytes))))
    assert memory.running.each_bytes is None
    assert words in memory.running.words


def test_a_few_tell_nothing():
    memory = memory_of(recording_of(Server(slots=4, reads_at_once=False, running_bytes=RUNNING)))
    assert (memory.running.each_bytes, memory.running.words) == (None, "too few to tell")


def test_memory_that_grows_by_itself_is_not_put_down_to_requests():
    memory = memory_of(with_rss(recording_of(POOL), lambda sample, _: (1 << 20) + 3_000_000 * (sample.sequence % 7)))
    assert (memory.running.each_bytes, memory.waiting.each_bytes) == (None, None)


def test_what_is_kept_after_the_first_answer_changes_nothing():
    def kept(sample, process):
        return process.rss_bytes if sample.sequence < 45 else 500_000_000

    assert memory_of(with_rss(recording_of(POOL), kept)).waiting.each_bytes == WAITING


def test_with_several_processes_the_figures_are_upper_bounds_and_less_sure():
    recording = recording_of(Server(slots=None, running_bytes=RUNNING))
    other = replace(recording.samples[0].processes[0], pid=101)
    samples = tuple(replace(sample, processes=(*sample.processes, other)) for sample in recording.samples)
    one, two = memory_of(recording), memory_of(replace(recording, samples=samples))
    assert (one.shared, two.shared) == (False, True)
    assert two.running.within_bytes == pytest.approx(2 * one.running.within_bytes, abs=2)


def test_nothing_is_said_of_a_burst_in_a_search_whose_target_had_others_before():
    recording = recording_of(POOL)
    assert memory_of(replace(recording, path=f"runs/one/{STEPS}/2")) is None


def test_nothing_is_said_where_no_process_was_seen():
    recording = recording_of(POOL)
    unseen = tuple(replace(sample, processes=None) for sample in recording.samples)
    assert memory_of(replace(recording, samples=unseen)) is None
    assert memory_of(replace(recording, samples=())) is None
