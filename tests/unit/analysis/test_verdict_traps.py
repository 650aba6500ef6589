"""Servers and plans that have fooled a verdict: each must be told apart."""

from dataclasses import replace

import pytest
from simulated import AGENT_OFFSET_S, FIRED_S, WORKER_OFFSET_S, Server, Simulation

from floodmark.analysis.document import Unit
from floodmark.analysis.estimates import RECONSTRUCTION, agree
from floodmark.analysis.judge import judge
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import RunStatus
from floodmark.core.sample import TargetLimits


def check(document, name):
    return next(check for check in document.validity.checks if check.name == name)


@pytest.mark.parametrize("told_s", [3.0, 5.0])
def test_a_hold_that_is_told_too_long_gives_no_false_ceiling_and_fails_its_check(told_s):
    simulation = Simulation(server=Server(slots=3, evidence=False), requests=40, hold_s=1.0, run_s=15.0)
    simulation.told_hold_s = told_s
    document = judge(simulation.record()).document
    assert document.verdict.in_service.ceiling in (3, None)
    assert check(document, "answers took the hold").ok is False
    assert not document.validity.ok
    (rebuilt,) = [e for e in document.verdict.in_service.estimates if e.method == RECONSTRUCTION]
    assert rebuilt.value == 3
    assert "quickest answer" in rebuilt.words


@pytest.mark.parametrize("evidence", [True, False])
def test_a_server_that_takes_requests_in_at_a_rate_has_no_ceiling(evidence):
    server = Server(slots=None, reads_at_once=False, accept_every_s=0.02, evidence=evidence, reused=False)
    in_service = judge(Simulation(server=server, requests=150, hold_s=1.0).record()).document.verdict.in_service
    assert in_service.ceiling is None
    assert "at a rate" in in_service.evidence[0]


def test_answers_that_were_errors_were_in_service_all_the_same():
    recording = Simulation(server=Server(slots=10, evidence=False), requests=100, hold_s=2.0).record()
    hits = tuple(
        replace(hit, outcome=Outcome.SERVER_ERROR, status=500, error="HTTP 500")
        if hit.outcome is Outcome.ANSWERED and hit.id % 3 == 0
        else hit
        for hit in recording.hits
    )
    assert judge(replace(recording, hits=hits)).document.verdict.in_service.ceiling == 10


def test_an_instant_error_was_not_in_service():
    recording = Simulation(server=Server(slots=10, evidence=False), requests=100, hold_s=2.0).record()
    start_s = FIRED_S + WORKER_OFFSET_S
    hits = tuple(
        replace(hit, outcome=Outcome.SERVER_ERROR, status=503, ended_s=start_s + 0.01)
        if hit.outcome is Outcome.WAITING and hit.id % 2
        else hit
        for hit in recording.hits
    )
    assert judge(replace(recording, hits=hits)).document.verdict.in_service.peak == 10


@pytest.mark.parametrize("evidence", [True, False])
def test_requests_that_ran_into_their_time_limit_do_not_hide_a_ceiling(evidence):
    recording = Simulation(server=Server(slots=10, evidence=evidence), requests=100, hold_s=2.0, run_s=5.0).record()
    end_s = FIRED_S + WORKER_OFFSET_S + 5.0
    hits = tuple(
        replace(hit, outcome=Outcome.RESPONSE_TIMEOUT, ended_s=end_s) if hit.outcome is Outcome.WAITING else hit
        for hit in recording.hits
    )
    assert judge(replace(recording, hits=hits)).document.verdict.in_service.ceiling == 10


def test_two_processes_of_which_one_was_not_seen_full_prove_no_ceiling():
    server = Server(slots=55, processes=2)
    in_service = judge(Simulation(server=server, requests=60).record()).document.verdict.in_service
    assert (in_service.peak, in_service.ceiling) == (55, None)
    assert "several processes" in in_service.evidence[0]


def test_two_processes_that_were_both_full_twice_do_and_share_it_evenly():
    verdict = judge(Simulation(server=Server(slots=80, processes=2), requests=600).record()).document.verdict
    assert (verdict.in_service.ceiling, verdict.model.per_process) == (80, 40)
    uneven = judge(Simulation(server=Server(slots=81, processes=2), requests=600).record()).document.verdict
    assert (uneven.in_service.ceiling, uneven.model.per_process) == (81, None)


def test_jitter_over_many_batches_does_not_raise_the_ceiling():
    recording = Simulation(server=Server(slots=8, evidence=False), requests=1500, hold_s=0.2, run_s=20.0).record()
    late = tuple(
        replace(hit, ended_s=hit.ended_s + (0.02 if hit.id % 8 == 0 else 0.0)) if hit.ended_s else hit
        for hit in recording.hits
    )
    assert judge(replace(recording, hits=late)).document.verdict.in_service.ceiling == 8


def test_threads_that_came_with_the_load_are_no_event_loop():
    recording = Simulation(server=Server(slots=None, evidence=False, unit="loop"), requests=20, hold_s=2.0).record()

    def with_threads(sample):
        (process,) = sample.processes
        return replace(sample, processes=(replace(process, threads_started=1 if sample.sequence % 20 == 9 else 0),))

    seen = replace(recording, samples=tuple(with_threads(sample) for sample in recording.samples))
    assert judge(recording).document.verdict.model.unit is Unit.EVENT_LOOP
    assert judge(seen).document.verdict.model.unit is None


def test_a_hold_shorter_than_the_beats_shows_no_unit():
    recording = Simulation(server=Server(slots=None, evidence=False, unit="loop"), requests=20, hold_s=0.05).record()
    assert judge(recording).document.verdict.model.unit is None


def test_a_dead_target_is_not_unchanged():
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()
    dead = tuple(replace(s, processes=()) if s.sequence > 60 else s for s in recording.samples)
    assert check(judge(replace(recording, samples=dead)).document, "target not restarted").ok is False


def test_a_target_that_was_busy_before_the_load_is_not_believed():
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()

    def busy(sample):
        (counts,) = sample.connections
        return replace(sample, connections=(replace(counts, abandoned=40),))

    document = judge(replace(recording, samples=tuple(map(busy, recording.samples)))).document
    assert check(document, "target idle before the load").ok is False


@pytest.mark.parametrize(
    ("held", "ok"), [((400, 90, 0, 0), True), ((0, 0, 60, 0), False), ((400, 300, 200, 90), False)]
)
def test_what_was_gone_when_the_load_was_released_is_not_held_against_it(held, ok):
    """The master waits for connections of before; those that come after that are somebody's, and those that stay."""
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()
    first = next(s.sequence for s in recording.samples if s.connections[0].established)
    left = dict.fromkeys(range(first), held[0]) | dict(zip(range(first - len(held), first), held, strict=True))

    def busy(sample):
        (counts,) = sample.connections
        return replace(sample, connections=(replace(counts, abandoned=left.get(sample.sequence, 0)),))

    document = judge(replace(recording, samples=tuple(map(busy, recording.samples)))).document
    assert check(document, "target idle before the load").ok is ok


@pytest.mark.parametrize(
    ("middle_s", "ok"),
    [(-0.0002, True), (-0.00255, True), (-0.003, False)],
    ids=["under way", "by its clock", "before"],
)
def test_a_count_that_was_under_way_at_the_release_is_none_of_before(middle_s, ok):
    """It takes 5 ms here, and has some of the load's connections though its middle is before them."""
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()
    first = next(s.sequence for s in recording.samples if s.connections[0].established)

    def last_before(sample):
        if sample.sequence != first - 1:
            return sample
        (counts,) = sample.connections
        shift_s = AGENT_OFFSET_S + FIRED_S + middle_s
        full = (replace(counts, accept_queue=13),)
        return replace(sample, taken_s=shift_s - 0.0025, socket_s=shift_s, cost_s=0.005, connections=full)

    document = judge(replace(recording, samples=tuple(map(last_before, recording.samples)))).document
    assert check(document, "target idle before the load").ok is ok


def test_an_agent_that_saw_no_connection_watched_something_else():
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()

    def blind(sample):
        (counts,) = sample.connections
        return replace(sample, connections=(replace(counts, accept_queue=0, unread=0, read=0),))

    document = judge(replace(recording, samples=tuple(map(blind, recording.samples)))).document
    assert check(document, "both ends agree on the connections").ok is False


def test_a_limit_on_open_files_is_named_before_any_pool():
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()
    limits = TargetLimits(
        pid=100,
        open_files=10,
        processes=None,
        somaxconn=4096,
        tcp_max_syn_backlog=None,
        tcp_syncookies=None,
        tcp_abort_on_overflow=None,
        pids_max=None,
    )
    advice = judge(replace(recording, manifest=replace(recording.manifest, limits=limits))).document.verdict.advice
    assert "RLIMIT_NOFILE" in advice[0]
    assert not any("pool" in words for words in advice)


@pytest.mark.parametrize(
    ("run_s", "status", "said"),
    [(1.5, RunStatus.COMPLETE, True), (1.5, RunStatus.INTERRUPTED, False), (3.0, RunStatus.COMPLETE, False)],
    ids=["none in three holds", "cut by the user", "some"],
)
def test_a_server_that_takes_all_and_answers_none_may_be_at_work_for_a_run_before(run_s, status, said):
    server = Server(slots=10, evidence=False)
    recording = Simulation(server=server, requests=100, hold_s=2.0, told_hold_s=0.5, run_s=run_s).record()
    document = judge(replace(recording, manifest=replace(recording.manifest, status=status))).document
    advice = [words for words in document.verdict.advice if "what a run before has left" in words]
    assert len(advice) == said
    assert check(document, "the server answered").ok is (run_s > 2.0)


@pytest.mark.parametrize(
    ("one", "other", "near"), [(1, 0.17, False), (4, 3.2, True), (40, 36.5, True), (40, 30, False)]
)
def test_estimates_agree_within_a_tenth_or_within_one_of_a_few(one, other, near):
    assert agree(one, other) is near


def overflowing(recording):
    """The kernel's counter of the target's namespace, rising while the flood came."""
    counted = [
        replace(s, counters=replace(s.counters, listen_overflows=min(s.sequence, 40))) for s in recording.samples
    ]
    return replace(recording, samples=tuple(counted))


@pytest.mark.parametrize("hold_s", [2.0, 6.0])
def test_those_who_came_late_behind_a_small_backlog_are_told_of_though_all_ran_in_the_end(hold_s):
    server = Server(slots=None, lets_in=140, late_s=1.0, backlog=128, reused=False)
    recording = Simulation(server=server, requests=500, hold_s=hold_s).record()
    sentence = judge(overflowing(recording)).document.verdict.sentence
    assert "Up to 360 of them got in late: the accept queue (limit 128) was full when they came." in sentence
    assert "got in late" not in judge(recording).document.verdict.sentence


def test_where_every_answer_was_an_error_nothing_is_said_to_have_been_in_service():
    recording = Simulation(server=Server(slots=10, evidence=False), requests=100, hold_s=2.0).record()
    hits = tuple(
        replace(hit, outcome=Outcome.SERVER_ERROR, status=500, error="HTTP 500")
        if hit.outcome is Outcome.ANSWERED
        else hit
        for hit in recording.hits
    )
    verdict = judge(replace(recording, hits=hits)).document.verdict
    assert (verdict.in_service.peak, verdict.in_service.ceiling, verdict.model.unit) == (0, None, None)
    assert "gave none of 100 requests the expected answer" in verdict.sentence
    assert "in service" not in verdict.sentence
