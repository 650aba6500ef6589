"""Steady loads that look like what they are not: each of these was once told wrong, of a server or of the generator."""

from dataclasses import replace

import pytest
from simulated_steady import SteadySimulation, histogram

from floodmark.analysis.judge import judge
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, ClosedProfile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import RunStatus

TWO_KINDS_S = (0.005, 0.4)


def closed(**changes):
    return ClosedProfile(**{"connections": 100, "duration_s": 5.0, "timeout_s": 5.0, "hold_s": 0.1, **changes})


def arrivals(**changes):
    plan = {"rate": 200.0, "duration_s": 5.0, "timeout_s": 5.0, "connections": 2000, "hold_s": 0.1, **changes}
    return ArrivalsProfile(**plan)


def recorded(profile, **changes):
    return SteadySimulation(**{"profile": profile, "slots": 40, "service_s": 0.1, **changes}).record()


def judged(profile, **changes):
    return judge(recorded(profile, **changes)).document


def law_of(document):
    (estimate,) = document.verdict.in_service.estimates
    return estimate.value


def failed_of(document):
    return [check.name for check in document.validity.checks if check.ok is False]


def ended_after(recording, seconds):
    """The run as it would be, had it been interrupted then."""
    kept = tuple(second for second in recording.seconds if second.second < seconds)
    reports = []
    for report in recording.workers:
        own = [second for second in kept if second.worker == report.worker]
        ended = sum(second.answered for second in own)
        outcomes = {
            "answered": ended,
            "waiting": own[-1].in_flight,
            "unsent": sum(report.outcomes.values()) - ended - own[-1].in_flight,
        }
        reports.append(replace(report, outcomes=outcomes, cut=True, ended_s=report.started_s + seconds))
    return replace(
        recording,
        manifest=replace(recording.manifest, status=RunStatus.INTERRUPTED),
        seconds=kept,
        hits=tuple(hit for hit in recording.hits if hit.ended_s - recording.workers[0].started_s < seconds),
        samples=tuple(s for s in recording.samples if s.sequence * 0.05 < seconds),
        workers=tuple(reports),
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_services_of_two_kinds_have_their_common_mean_and_fill_the_connections(workers):
    document = judged(closed(connections=200, duration_s=8.0), slots=1000, services_s=TWO_KINDS_S, workers=workers)
    assert law_of(document) == pytest.approx(200, rel=0.1)
    assert law_of(document) <= 200
    assert "the 200 connections were the limit" in document.verdict.sentence


def test_each_seconds_sample_counts_for_as_many_as_the_second_answered():
    recording = recorded(arrivals(rate=1000.0), slots=1000)
    slow = tuple(
        replace(hit, planned_s=hit.planned_s - 1.0, handler_begin_s=hit.handler_begin_s - 1.0)
        if hit.ended_s - recording.workers[0].started_s < 1
        else hit
        for hit in recording.hits
    )
    latency = histogram([1.1] * 50)
    few = tuple(replace(s, answered=50, latency=latency) if s.second == 0 else s for s in recording.seconds)
    document = judge(replace(recording, hits=slow, seconds=few)).document
    assert document.service.mean_s == pytest.approx(0.1 + 50 / 4150, rel=0.02)


def test_a_sample_of_the_first_answers_is_found_out_by_what_all_answers_took():
    document = judged(closed(connections=200, duration_s=1.0), slots=1000, services_s=TWO_KINDS_S, first_only=True)
    assert document.service.mean_s is None
    assert "does not stand for them" in document.service.words
    assert "the limit" not in document.verdict.sentence


def test_of_a_load_that_hardly_filled_the_server_no_limit_is_told():
    document = judged(closed(duration_s=1.0))
    assert "What the limit was cannot be told from so short a load" in document.verdict.sentence
    assert "was the limit" not in document.verdict.sentence
    assert "the others waited" not in document.verdict.sentence


@pytest.mark.parametrize("evidence", [True, False])
def test_requests_on_their_way_through_the_network_do_not_wait_in_the_server(evidence):
    profile = closed(hold_s=0.005)
    document = judged(profile, slots=1000, service_s=0.005, way_s=0.025, evidence=evidence)
    if evidence:
        assert law_of(document) == pytest.approx(9, rel=0.1)
        assert document.verdict.in_service.peak == pytest.approx(9, abs=2)
        assert "about 90 were on their way there or back (50 ms)" in document.verdict.sentence
        assert "the 100 connections were the limit" in document.verdict.sentence
    assert "the server was the limit" not in document.verdict.sentence
    assert document.verdict.waiting[Place.IN_PROCESS].peak <= 5


def test_answers_that_lie_unread_at_the_generator_do_not_wait_in_the_server():
    document = judged(closed(), slots=1000, read_late_s=0.05)
    assert "was the limit" not in document.verdict.sentence
    assert "were the limit" not in document.verdict.sentence
    assert "the network, the generator and the server may each have been it" in document.verdict.sentence


@pytest.mark.parametrize("agent", [True, False])
def test_an_overload_that_fills_all_connections_is_the_servers_and_counts(agent):
    document = judged(arrivals(rate=80.0, duration_s=10.0, timeout_s=10.0, connections=100), slots=4, agent=agent)
    assert document.validity.ok, failed_of(document)
    assert "did not keep up with 80 requests/s for 10 s: it answered 39" in document.verdict.sentence
    assert "on, 100 connections and the requests that waited for one)" in document.verdict.sentence
    assert "generator was the limit" not in document.verdict.sentence


@pytest.mark.parametrize("agent", [True, False])
def test_too_few_connections_for_a_server_with_room_are_the_generators(agent):
    document = judged(arrivals(connections=10), agent=agent)
    assert failed_of(document) == ["connections enough"]
    assert "The generator was the limit" in document.verdict.sentence


def test_an_interrupted_load_was_neither_kept_up_with_nor_not():
    document = judge(ended_after(recorded(arrivals(duration_s=10.0)), 3)).document
    assert document.outcomes["unsent"] > 1000
    assert "answered 193/s of 200 requests/s for 10 s until it was ended" in document.verdict.sentence
    assert "keep up" not in document.verdict.sentence
    assert "kept up" not in document.verdict.sentence


def test_an_interrupted_closed_loop_says_so():
    document = judge(ended_after(recorded(closed()), 3)).document
    assert "over 3 s until it was ended" in document.verdict.sentence


def test_a_load_that_lost_a_worker_was_neither_kept_up_with_nor_not():
    recording = recorded(arrivals(), workers=2)
    seconds = tuple(s for s in recording.seconds if s.worker == "worker-1" or s.second < 2)
    document = judge(replace(recording, workers=recording.workers[:1], seconds=seconds)).document
    assert "until a worker was lost" in document.verdict.sentence
    assert "keep up" not in document.verdict.sentence
    assert "short of workers: 1 of 2 workers reported their end" in document.verdict.sentence


@pytest.mark.parametrize("services_s", [(), TWO_KINDS_S])
def test_requests_that_are_never_answered_are_no_line_that_grows(services_s):
    document = judged(arrivals(duration_s=10.0), never=25, slots=400, services_s=services_s)
    assert document.outcomes["response_timeout"] == 80
    assert "did not keep up" not in document.verdict.sentence
    assert "of 200 requests/s for 10 s" in document.verdict.sentence


@pytest.mark.parametrize("timeout_s", [0.5, 3.0])
def test_clients_that_give_up_in_a_line_that_grows_are_still_told_as_one(timeout_s):
    document = judged(arrivals(rate=300.0, timeout_s=timeout_s, duration_s=10.0), slots=10)
    assert "did not keep up with 300 requests/s" in document.verdict.sentence


def test_those_in_service_for_clients_that_gave_up_are_not_taken_for_idle():
    given_up = judged(arrivals(rate=300.0, timeout_s=0.5, duration_s=10.0), slots=10).verdict.sentence
    assert "Of those that were answered, about" in given_up
    assert "in service at once" in given_up
    assert "beside requests that had timed out by then" in given_up
    assert "beside requests" not in judged(arrivals(rate=50.0), slots=10).verdict.sentence


def test_a_hold_that_the_server_was_never_told_is_no_service_time():
    recording = recorded(closed(), slots=4, service_s=0.02, evidence=False)
    manifest = replace(recording.manifest, request=RequestSpec(path="/"), hold_known=False)
    document = judge(replace(recording, manifest=manifest)).document
    assert document.service.mean_s is None
    assert document.profile.hold_s == 0.0
    assert "How many were in service at once is not known" in document.verdict.sentence
    assert "answers took the hold" not in {check.name for check in document.validity.checks}


@pytest.mark.parametrize(("hold_s", "known"), [(0.02, True), (0.1, False)])
def test_a_hold_that_was_said_and_not_told_counts_until_an_answer_comes_sooner(hold_s, known):
    recording = recorded(closed(hold_s=hold_s), service_s=0.02, evidence=False)
    manifest = replace(recording.manifest, request=RequestSpec(path="/"))
    document = judge(replace(recording, manifest=manifest)).document
    assert (document.service.mean_s == pytest.approx(0.02)) is known


def test_a_generator_out_of_ports_is_not_told_as_the_servers_limit():
    document = judged(closed(), fails=Outcome.OUT_OF_PORTS)
    assert "The generator was the limit, and not simulated" in document.verdict.sentence
    assert "the server was the limit" not in document.verdict.sentence


def worn(recording, **of_worker):
    """Source ports in TIME_WAIT, and connections opened anew: the second fields by worker."""
    seconds = tuple(replace(second, **of_worker.get(second.worker, {})) for second in recording.seconds)
    return replace(recording, seconds=seconds)


def test_ports_that_are_nearly_gone_take_the_servers_limit_back():
    recording = worn(recorded(closed()), **{"worker-1": {"opened": 5_000, "time_wait": 24_000}})
    document = judge(recording).document
    assert failed_of(document) == ["source ports left"]
    assert "The generator was near its own limit" in document.verdict.sentence
    assert "the server was the limit" not in document.verdict.sentence


def test_sockets_in_time_wait_that_this_load_did_not_leave_are_somebody_elses():
    document = judge(worn(recorded(closed()), **{"worker-1": {"time_wait": 27_000}})).document
    assert document.validity.ok, failed_of(document)


def test_each_of_two_hosts_has_its_own_ports_to_run_out_of():
    recording = worn(recorded(closed(), workers=2), **{"worker-2": {"opened": 5_000, "time_wait": 24_000}})
    reports = tuple(replace(report, ports=28_232) for report in recording.workers)
    check = next(
        check
        for check in judge(replace(recording, workers=reports)).document.validity.checks
        if check.name == "source ports left"
    )
    assert check.ok is False
    assert "28,232 of worker-2's source ports" in check.words
