"""Verdicts on steady loads against simulated servers whose rate, slots and lines are known."""

from dataclasses import replace

import pytest
from simulated_steady import SteadySimulation

from floodmark.analysis.document import Unit
from floodmark.analysis.estimates import LITTLES_LAW
from floodmark.analysis.judge import judge
from floodmark.core.errors import RunFolderError
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, ClosedProfile, SearchProfile
from floodmark.core.run_folder import RunStatus
from floodmark.core.second import Second


def closed(**changes):
    return ClosedProfile(**{"connections": 100, "duration_s": 5.0, "timeout_s": 5.0, "hold_s": 0.1, **changes})


def arrivals(**changes):
    plan = {"rate": 200.0, "duration_s": 5.0, "timeout_s": 5.0, "connections": 2000, "hold_s": 0.1, **changes}
    return ArrivalsProfile(**plan)


def judged(profile=None, *, slots=40, service_s=0.1, **changes):
    return judge(SteadySimulation(profile=profile or closed(), slots=slots, service_s=service_s, **changes).record())


def law_of(document):
    (estimate,) = document.verdict.in_service.estimates
    assert estimate.method == LITTLES_LAW
    return estimate.value


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("evidence", [True, False])
def test_a_closed_loop_on_forty_slots_has_their_rate_and_about_forty_in_service(workers, evidence):
    document = judged(workers=workers, evidence=evidence).document
    assert document.throughput.answered_per_s == pytest.approx(400, rel=0.03)
    assert law_of(document) == pytest.approx(40, rel=0.03)
    assert document.verdict.in_service.ceiling is None
    assert document.latency.p50_s == pytest.approx(0.2, rel=0.02)
    assert document.validity.ok
    assert "the others waited, up to 59 inside the process: the server was the limit" in document.verdict.sentence


def test_the_service_time_comes_from_the_sampled_handlers_not_from_the_hold():
    document = judged(closed(hold_s=0.05), service_s=0.1).document
    assert document.service.mean_s == pytest.approx(0.1)
    assert "sampled answers" in document.service.words


def test_a_closed_loop_with_fewer_connections_than_slots_was_itself_the_limit():
    document = judged(closed(connections=20)).document
    assert "no line stood in the server: the 20 connections were the limit" in document.verdict.sentence
    assert document.throughput.answered_per_s == pytest.approx(200, rel=0.03)


def test_those_that_lie_unread_are_told_from_those_in_the_process():
    waiting = judged(reads_at_once=False).document.verdict.waiting
    assert waiting[Place.UNREAD].peak == 60
    assert waiting[Place.IN_PROCESS].peak < 10


def test_without_a_service_time_all_that_was_read_is_with_the_server():
    document = judged(closed(hold_s=0.0), evidence=False).document
    assert document.service.mean_s is None
    assert law_of(document) is None
    assert document.verdict.waiting[Place.IN_PROCESS].peak is None
    assert "Up to 99 were with the server" in document.verdict.sentence
    assert document.validity.ok


def test_without_an_agent_nobody_knows_where_the_others_were_and_the_run_counts():
    document = judged(agent=False).document
    assert "no agent saw where the others were" in document.verdict.sentence
    assert document.verdict.waiting[Place.UNREAD].peak is None
    assert document.validity.ok


def test_a_service_time_longer_than_a_second_is_counted_over_its_whole_length():
    document = judged(closed(connections=60, hold_s=2.0, duration_s=20.0), service_s=2.0).document
    assert law_of(document) == pytest.approx(36, rel=0.15)
    assert document.verdict.in_service.peak == pytest.approx(40, abs=2)
    assert document.verdict.waiting[Place.IN_PROCESS].peak == pytest.approx(20, abs=3)


def test_an_open_load_that_the_server_keeps_up_with():
    document = judged(arrivals(), workers=2).document
    assert document.verdict.sentence.startswith("simulated kept up with 200 requests/s for 5 s: half within 102 ms")
    assert document.outcomes == {"answered": 1000}
    assert document.release.workers == 2
    assert document.release.spread_s < 0.001
    assert document.validity.ok


def test_an_open_load_that_the_server_does_not_keep_up_with():
    document = judged(arrivals(rate=500.0)).document
    assert "did not keep up with 500 requests/s for 5 s: it answered 392/s" in document.verdict.sentence
    assert "the line grew to 540" in document.verdict.sentence
    assert document.latency.max_s == pytest.approx(1.35, rel=0.03)
    assert document.throughput.answered < document.outcomes["answered"] == 2500


@pytest.mark.parametrize(
    ("rate", "duration_s", "answered", "least"),
    [(1.0, 1.0, 1, 1), (50.0, 2.0, 100, 50), (20.0, 2.5, 50, 20), (1.0, 1.5, 2, 1), (0.4, 5.0, 2, 0)],
)
def test_quick_arrivals_are_counted_over_the_planned_duration(rate, duration_s, answered, least):
    profile = arrivals(rate=rate, duration_s=duration_s, hold_s=0.0)
    throughput = judged(profile, service_s=0.01).document.throughput
    assert (throughput.duration_s, throughput.answered) == (duration_s, answered)
    assert throughput.answered_per_s == pytest.approx(answered / duration_s, abs=0.001)
    assert throughput.least_per_s == least


def test_answers_after_the_end_of_a_plan_that_ends_within_a_second_do_not_make_its_rate():
    throughput = judged(arrivals(rate=1000.0, duration_s=1.5)).document.throughput
    assert throughput.answered_per_s == pytest.approx(360, abs=41)
    assert throughput.duration_s == 1.0


def test_arrivals_that_were_ended_before_are_counted_until_then():
    end_s, plan = 1.5, arrivals(rate=20.0, duration_s=1.5, hold_s=0.0)
    recording = SteadySimulation(profile=plan, slots=40, service_s=0.01).record()
    manifest = replace(recording.manifest, status=RunStatus.INTERRUPTED, profile=arrivals(rate=20.0, hold_s=0.0))
    ended = replace(recording.workers[0], ended_s=recording.workers[0].started_s + end_s)
    throughput = judge(replace(recording, manifest=manifest, workers=(ended,))).document.throughput
    assert throughput.duration_s == end_s
    assert throughput.answered_per_s == pytest.approx(20)
    assert throughput.least_per_s == 20


def test_clients_that_give_up_keep_the_line_short_and_do_not_hide_that_the_server_did_not_keep_up():
    document = judged(arrivals(rate=300.0, timeout_s=0.5), slots=10).document
    assert "did not keep up with 300 requests/s" in document.verdict.sentence
    assert document.outcomes["response_timeout"] > 900


def test_a_server_that_fails_every_tenth_in_time_is_not_said_to_keep_up_nor_to_be_slow():
    document = judged(arrivals(), fails=Outcome.SERVER_ERROR).document
    assert "simulated answered 176 of 200 requests/s" in document.verdict.sentence
    assert "100 failed: 100 server error (target)" in document.verdict.sentence
    (failure,) = document.verdict.failures
    assert (failure.count, failure.example) == (100, "simulated server_error")
    assert document.latency.count == 900


def test_percentiles_come_from_all_requests_together_and_not_from_the_workers_percentiles():
    simulation = SteadySimulation(profile=closed(connections=40), slots=40, service_s=0.1, workers=2)
    recording = simulation.record()
    fast = [second for second in recording.seconds if second.worker == "worker-1"]
    slow = SteadySimulation(profile=closed(connections=40), slots=40, service_s=0.9, workers=2).record().seconds
    mixed = [*fast, *(second for second in slow if second.worker == "worker-2")]
    document = judge(replace(recording, seconds=tuple(mixed))).document
    assert document.latency.p50_s == pytest.approx(0.102, rel=0.01)
    assert document.latency.p99_s == pytest.approx(0.902, rel=0.01)
    assert document.latency.count == sum(second.answered for second in mixed)


def test_the_seconds_of_two_workers_are_added_by_their_index():
    found = judged(workers=2)
    assert [point.second for point in found.seconds] == [0, 1, 2, 3, 4]
    assert sum(point.answered for point in found.seconds) == found.document.outcomes["answered"]
    assert {point.in_flight for point in found.seconds} == {100}


def test_the_places_add_up_to_the_requests_in_flight_at_every_beat():
    found = judged(arrivals(rate=500.0), reads_at_once=False)
    columns = list(zip(*found.timeline.places.values(), strict=True))
    assert all(value >= 0 for column in columns for value in column)
    at_ends = {point.second + 1: point.in_flight for point in found.seconds}
    for at_s, column in zip(found.timeline.times_s, columns, strict=True):
        if round(at_s, 2) in at_ends:
            assert sum(column) == at_ends[round(at_s, 2)]


def test_in_a_closed_loop_every_connection_has_its_request_from_the_release_on():
    found = judged()
    columns = list(zip(*found.timeline.places.values(), strict=True))
    assert {sum(column) for at_s, column in zip(found.timeline.times_s, columns, strict=True) if at_s > 0} == {100}


def test_a_worker_that_released_later_than_the_plan_is_apart_from_the_other_by_that():
    recording = SteadySimulation(profile=arrivals(), slots=40, service_s=0.1, workers=2).record()
    late_s = {"worker-1": 0.1, "worker-2": 0.35}
    late = tuple(replace(hit, released_s=hit.released_s + late_s[hit.worker]) for hit in recording.hits)
    assert judge(replace(recording, hits=late)).document.release.spread_s == pytest.approx(0.25, abs=0.001)


@pytest.mark.parametrize(("unit", "slots", "found"), [("thread", 40, Unit.THREAD), ("loop", 400, Unit.EVENT_LOOP)])
def test_a_unit_that_comes_again_in_the_sample_is_reused(unit, slots, found):
    model = judged(unit=unit, slots=slots).document.verdict.model
    assert (model.unit, model.reused, model.processes) == (found, True, 1)
    assert "of a sample" in model.words


def test_a_loop_is_found_even_where_no_two_of_the_sample_met_in_it():
    recording = SteadySimulation(profile=closed(), slots=400, service_s=0.1, unit="loop").record()
    apart = {}
    for hit in recording.hits:
        if hit.handler_begin_s is not None:
            apart.setdefault(int(hit.handler_begin_s * 5), hit)
    document = judge(replace(recording, hits=tuple(apart.values()))).document
    assert document.verdict.model.unit is Unit.EVENT_LOOP


def test_a_search_is_not_judged_as_a_load():
    recording = SteadySimulation(profile=closed(), slots=40, service_s=0.1).record()
    search = replace(recording.manifest, profile=SearchProfile(first=16, most=64, hold_s=1.0))
    with pytest.raises(RunFolderError, match="burst by burst"):
        judge(replace(recording, manifest=search))


@pytest.mark.parametrize(
    "changes", [{"latency": "HISTFAAAAA"}, {"latency": "\u2665"}, {"failed": {"tired": 1}}, {"second": 10**9}]
)
def test_a_second_that_cannot_be_read_is_named(changes):
    recording = SteadySimulation(profile=closed(duration_s=1.0), slots=40, service_s=0.1).record()
    broken: Second = replace(recording.seconds[0], **changes)
    with pytest.raises(RunFolderError, match=r"seconds\.jsonl: worker-1"):
        judge(replace(recording, seconds=(broken,)))


def test_a_load_of_which_nothing_was_answered_still_has_a_verdict():
    document = judged(closed(timeout_s=0.5), service_s=60.0).document
    assert "gave none of" in document.verdict.sentence
    assert document.latency is None
    assert not document.validity.ok
