"""How many at once: claimed where it is proven, and nowhere else."""

from dataclasses import replace

import pytest
from simulated import Server, Simulation

from floodmark.analysis.axis import put_on_axis
from floodmark.analysis.ceiling import prove_ceiling
from floodmark.analysis.document import Unit
from floodmark.analysis.estimates import LITTLES_LAW
from floodmark.analysis.judge import judge
from floodmark.analysis.service import service_of
from floodmark.analysis.steps import StepCount
from floodmark.analysis.timeline import TimelineMaker
from floodmark.core.places import Place
from floodmark.core.run_folder import HoldProbe


def judged(server: Server, requests: int = 1000, hold_s: float = 5.0):
    return judge(Simulation(server=server, requests=requests, hold_s=hold_s).record()).document.verdict


@pytest.mark.parametrize("slots", [1, 2, 4, 10, 40, 200])
@pytest.mark.parametrize("evidence", [True, False])
@pytest.mark.parametrize("reads_at_once", [True, False])
def test_a_server_with_slots_has_that_ceiling_with_and_without_evidence(slots, evidence, reads_at_once):
    verdict = judged(Server(slots=slots, evidence=evidence, reads_at_once=reads_at_once))
    assert (verdict.in_service.peak, verdict.in_service.ceiling) == (slots, slots)


@pytest.mark.parametrize("slots", [1, 4, 40])
def test_all_three_estimates_are_made_and_agree_on_a_saturated_server(slots):
    estimates = judged(Server(slots=slots)).in_service.estimates
    assert [estimate.value for estimate in estimates] == pytest.approx([slots] * 3, rel=0.02)


def test_a_server_that_takes_all_at_once_has_a_peak_and_no_ceiling():
    in_service = judged(Server(slots=None, unit="loop")).in_service
    assert (in_service.peak, in_service.ceiling) == (1000, None)
    assert [e.value for e in in_service.estimates if e.method == LITTLES_LAW] == [None]


@pytest.mark.parametrize("evidence", [True, False])
def test_a_small_backlog_that_lets_the_flood_in_late_is_no_ceiling_of_the_server(evidence):
    verdict = judged(Server(slots=None, lets_in=710, late_s=1.1, evidence=evidence, reused=False), hold_s=2.0)
    assert verdict.in_service.ceiling is None
    assert verdict.in_service.peak >= 710


def test_a_small_backlog_held_back_for_longer_than_the_hold_is_no_ceiling_either():
    verdict = judged(Server(slots=None, lets_in=710, late_s=3.0, reused=False), hold_s=2.0)
    assert (verdict.in_service.peak, verdict.in_service.ceiling) == (710, None)


def test_fewer_requests_than_slots_prove_no_ceiling():
    in_service = judged(Server(slots=40), requests=30).in_service
    assert (in_service.peak, in_service.ceiling) == (30, None)


def test_without_an_agent_no_ceiling_is_claimed_and_the_evidence_says_why():
    recording = replace(Simulation(server=Server(slots=40), requests=1000).record(), samples=(), clocks=())
    in_service = judge(recording).document.verdict.in_service
    assert (in_service.peak, in_service.ceiling) == (40, None)
    assert "No agent" in in_service.evidence[0]


def test_a_run_too_short_for_an_answer_has_no_ceiling_and_says_that_none_was_answered():
    recording = Simulation(server=Server(slots=4), requests=100, hold_s=5.0, run_s=3.0).record()
    verdict = judge(recording).document.verdict
    assert verdict.in_service.ceiling is None
    assert "gave none of 100 requests the expected answer" in verdict.sentence


@pytest.mark.parametrize(("reads_at_once", "place"), [(True, Place.IN_PROCESS), (False, Place.ACCEPT_QUEUE)])
def test_the_others_are_found_in_the_place_where_they_wait(reads_at_once, place):
    verdict = judged(Server(slots=40, reads_at_once=reads_at_once))
    assert {found: waiting.peak for found, waiting in verdict.waiting.items() if waiting.peak} == {place: 960}


def test_the_accept_queues_limit_is_the_listeners():
    verdict = judged(Server(slots=4, reads_at_once=False, backlog=1024))
    assert verdict.waiting[Place.ACCEPT_QUEUE].limit == 1024
    assert [(line.address, line.depth_peak, line.limit) for line in verdict.lines] == [("127.0.0.1:8000", 996, 1024)]


@pytest.mark.parametrize(
    ("server", "unit", "reused"),
    [
        (Server(slots=40), Unit.THREAD, True),
        (Server(slots=10, unit="process", reads_at_once=False, reused=False), Unit.PROCESS, False),
        (Server(slots=4, unit="process", reads_at_once=False), Unit.PROCESS, True),
        (Server(slots=None, unit="loop"), Unit.EVENT_LOOP, True),
        (Server(slots=None, reused=False), Unit.THREAD, False),
    ],
)
def test_the_model_comes_from_unit_identities(server, unit, reused):
    model = judged(server).model
    assert (model.unit, model.reused) == (unit, reused)


@pytest.mark.parametrize(
    ("server", "unit", "reused"),
    [
        (Server(slots=8, evidence=False), Unit.THREAD, True),
        (Server(slots=8, evidence=False, pool_stands=False, reused=False), Unit.THREAD, False),
        (Server(slots=4, evidence=False, unit="process", reads_at_once=False), Unit.PROCESS, True),
        (Server(slots=None, evidence=False, unit="loop"), Unit.EVENT_LOOP, True),
    ],
)
def test_without_evidence_in_the_answers_the_model_comes_from_the_kernel(server, unit, reused):
    model = judged(server, requests=200).model
    assert (model.unit, model.reused) == (unit, reused)


def test_threads_that_were_listed_too_seldom_are_not_called_a_pool():
    recording = Simulation(server=Server(slots=8, evidence=False, pool_stands=False), requests=200, hold_s=2.0).record()

    def listed_every(beats):
        def listed(sample):
            (process,) = sample.processes
            return replace(sample, processes=(replace(process, threads_listed=sample.sequence % beats == 0),))

        return replace(recording, samples=tuple(listed(sample) for sample in recording.samples))

    models = [judge(one).document.verdict.model for one in (recording, listed_every(20), listed_every(100))]
    assert [(model.unit, model.reused) for model in models] == [
        (Unit.THREAD, True),
        (Unit.THREAD, True),
        (Unit.THREAD, None),
    ]


def test_a_pool_whose_units_served_once_each_is_told_from_new_units_by_the_probes():
    recording = Simulation(server=Server(slots=None, reused=True), requests=50).record()
    assert judge(recording).document.verdict.model.reused is True


def with_probes(recording, *units):
    return replace(recording, manifest=replace(recording.manifest, probe=HoldProbe(took_s=(5.0,), units=units)))


def test_a_unit_that_answered_a_probe_and_serves_the_burst_is_reused_though_each_served_once():
    recording = Simulation(server=Server(slots=None, reused=True), requests=50).record()
    assert judge(with_probes(recording, (100, 301), (100, 302))).document.verdict.model.reused is True
    assert judge(with_probes(recording, (100, 998), (100, 999))).document.verdict.model.reused is False


def test_units_that_served_twice_are_reused_without_any_probe():
    recording = with_probes(Simulation(server=Server(slots=40), requests=1000).record())
    assert judge(recording).document.verdict.model.reused is True


def test_what_was_read_before_the_server_was_full_did_not_wait_in_line():
    verdict = judged(Server(slots=40, warm_up_s=1.0))
    assert (verdict.in_service.ceiling, verdict.waiting[Place.IN_PROCESS].peak) == (40, 960)


def test_a_number_in_service_that_does_not_stand_still_while_others_wait_is_no_ceiling():
    axis = put_on_axis(Simulation(server=Server(slots=40), requests=1000).record())
    service = service_of(axis)
    timeline = TimelineMaker(axis, service, level_after=40).make()
    half_of_the_time = StepCount([(0.1, 2.5)] * 40 + [(2.5, 5.0)] * 20 + [(5.0, 7.5)] * 40 + [(7.5, 9.9)] * 20)
    proof = prove_ceiling(axis, replace(service, count=half_of_the_time), timeline, level=40)
    assert proof.share == pytest.approx(0.5, abs=0.02)
    assert not proof.holds
    assert prove_ceiling(axis, service, timeline, level=40).holds


def test_a_request_whose_handler_is_done_does_not_wait_in_process_while_its_answer_is_on_the_way():
    recording = Simulation(server=Server(slots=4, unit="loop"), requests=4, hold_s=1.0, run_s=4.0).record()
    late = tuple(replace(hit, ended_s=hit.ended_s + 1.0) for hit in recording.hits)
    counts = [replace(sample.connections[0], read=4) for sample in recording.samples]
    held = tuple(replace(s, connections=(c,)) for s, c in zip(recording.samples, counts, strict=True))
    axis = put_on_axis(replace(recording, hits=late, samples=held))
    timeline = TimelineMaker(axis, service_of(axis), level_after=None).make()
    at = next(index for index, time_s in enumerate(timeline.times_s) if time_s > 1.4)
    assert timeline.places[Place.IN_PROCESS][at] == 0
    assert timeline.places[Place.IN_SERVICE][at] == 4


def test_a_recording_says_the_same_on_any_nodes_clock():
    recording = Simulation(server=Server(slots=40), requests=1000).record()
    verdict = judge(recording).document.verdict
    assert verdict.in_service.ceiling == 40
    assert "40 requests at once, in 40 reused threads of one process" in verdict.sentence
    assert "the other 960 waited inside the process" in verdict.sentence


def test_threads_without_names_are_counted_and_none_is_shown():
    recording = Simulation(server=Server(slots=4), requests=40, hold_s=1.0).record()
    nameless = replace(recording, hits=tuple(replace(hit, thread=None) for hit in recording.hits))
    assert judge(nameless).document.verdict.model.words.endswith(" answers came from 4 threads in 1 process")
    assert "4 thread names, such as '" in judge(recording).document.verdict.model.words
