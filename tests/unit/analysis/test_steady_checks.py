"""Each check of a steady load fails for its own reason; an overloaded generator is found out, and said first."""

from dataclasses import replace

import pytest
from simulated_steady import SteadySimulation

from floodmark.analysis.judge import judge
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile, ClosedProfile
from floodmark.core.run_folder import RunStatus


def closed(**changes):
    return ClosedProfile(**{"connections": 100, "duration_s": 5.0, "timeout_s": 5.0, "hold_s": 0.1, **changes})


def arrivals(**changes):
    plan = {"rate": 200.0, "duration_s": 5.0, "timeout_s": 5.0, "connections": 2000, "hold_s": 0.1, **changes}
    return ArrivalsProfile(**plan)


def recorded(profile, **changes):
    return SteadySimulation(**{"profile": profile, "slots": 40, "service_s": 0.1, **changes}).record()


def failed_of(document):
    return [check.name for check in document.validity.checks if check.ok is False]


def changed(recording, which=lambda _: True, **changes):
    seconds = tuple(replace(second, **changes) if which(second) else second for second in recording.seconds)
    return replace(recording, seconds=seconds)


def check_of(recording, name):
    return next(check for check in judge(recording).document.validity.checks if check.name == name)


@pytest.mark.parametrize("profile", [closed(), arrivals()])
def test_a_sound_run_passes_every_check(profile):
    checks = judge(recorded(profile)).document.validity.checks
    assert all(check.ok for check in checks)


def test_checks_that_make_no_sense_for_a_kind_are_not_made():
    of_closed = {check.name for check in judge(recorded(closed(hold_s=0.0))).document.validity.checks}
    of_arrivals = {check.name for check in judge(recorded(arrivals())).document.validity.checks}
    assert of_arrivals - of_closed == {"released on time", "connections enough", "answers took the hold"}
    assert of_closed - of_arrivals == {"Little's law holds"}


@pytest.mark.parametrize("profile", [closed(), arrivals()])
@pytest.mark.parametrize("busy", [{"cpu_share": 0.97}, {"loop_lag_s": 0.3}])
def test_an_overloaded_generator_is_found_out_and_named_before_the_server(profile, busy):
    document = judge(recorded(profile, **busy)).document
    assert failed_of(document) == ["generator not overloaded"]
    assert "The generator was the limit, and not simulated" in document.verdict.sentence
    assert "the server was the limit" not in document.verdict.sentence
    assert "kept up" not in document.verdict.sentence
    assert "more --workers" in document.verdict.advice[0]


def test_one_busy_second_of_ten_is_a_hiccup_and_two_are_not():
    recording = recorded(closed(duration_s=10.0))
    assert not failed_of(judge(changed(recording, lambda s: s.second == 3, cpu_share=1.0)).document)
    two = changed(recording, lambda s: s.second in (3, 7), cpu_share=1.0)
    assert failed_of(judge(two).document) == ["generator not overloaded"]


def test_releases_that_come_late_are_the_generators():
    document = judge(recorded(arrivals(), late_s=0.04)).document
    assert failed_of(document) == ["released on time"]
    assert "The generator was late, and its lateness is in these times" in document.verdict.sentence


def test_a_cap_on_connections_is_the_generators_own_and_names_its_option():
    document = judge(recorded(arrivals(connections=10))).document
    assert failed_of(document) == ["connections enough"]
    assert "all 10 connections were busy" in document.verdict.sentence
    assert "--connections" in document.verdict.advice[0]
    assert document.outcomes["unsent"] > 0
    assert sum(document.outcomes.values()) == 1000
    assert "did not keep up" not in document.verdict.sentence


def test_a_lost_worker_leaves_its_requests_accounted_for():
    recording = recorded(arrivals(), workers=2)
    lost = replace(
        recording,
        workers=recording.workers[:1],
        seconds=tuple(s for s in recording.seconds if s.worker == "worker-1" or s.second < 2),
    )
    document = judge(lost).document
    assert failed_of(document) == ["workers present"]
    assert sum(document.outcomes.values()) == 1000
    assert document.outcomes["unsent"] > 200
    assert "their worker was lost" in document.verdict.sentence


def test_what_a_lost_worker_of_a_closed_loop_had_under_way_is_waiting():
    recording = recorded(closed(), workers=2)
    document = judge(replace(recording, workers=recording.workers[:1])).document
    assert failed_of(document) == ["workers present"]
    assert document.outcomes["waiting"] == 100
    assert document.outcomes["answered"] == sum(second.answered for second in recording.seconds)


def test_a_workers_total_that_its_seconds_do_not_add_up_to_is_noticed():
    recording = recorded(arrivals(), workers=2)
    missing = tuple(second for second in recording.seconds if (second.worker, second.second) != ("worker-2", 3))
    assert "every request accounted for" in failed_of(judge(replace(recording, seconds=missing)).document)


def test_requests_that_nobody_planned_are_noticed():
    recording = recorded(arrivals())
    report = recording.workers[0]
    told = replace(report, outcomes={**report.outcomes, "waiting": 5})
    assert failed_of(judge(replace(recording, workers=(told,))).document) == ["every request accounted for"]


def test_failures_on_the_generators_side_are_counted_from_all_and_not_from_the_sample():
    document = judge(recorded(closed(), fails=Outcome.OUT_OF_PORTS)).document
    assert failed_of(document) == ["generator's ports, files and memory"]
    (failure,) = document.verdict.failures
    assert failure.side == "generator"
    assert f"{failure.count:,} requests failed on the generator: simulated out_of_ports" in str(
        document.validity.checks
    )


@pytest.mark.parametrize(
    ("time_wait", "ports", "reuses", "ok"),
    [
        (10, 28_232, False, True),
        (25_000, 28_232, False, False),
        (25_000, 28_232, True, True),
        (None, 28_232, False, None),
    ],
)
def test_source_ports_near_their_end_are_seen_before_any_is_missing(time_wait, ports, reuses, ok):
    recording = changed(recorded(closed()), time_wait=time_wait, opened=5_000)
    told = replace(recording.workers[0], ports=ports, time_wait_max=time_wait, reuses_time_wait=reuses)
    check = check_of(replace(recording, workers=(told,)), "source ports left")
    assert check.ok is ok
    assert ok is not False or "--source" in check.words


def test_a_closed_loop_whose_latencies_do_not_make_its_rate_is_not_believed():
    recording = recorded(closed())
    slow = recorded(closed(connections=50), service_s=0.1).seconds
    wrong = tuple(replace(s, latency=o.latency) for s, o in zip(recording.seconds, slow, strict=True))
    assert "Little's law holds" in failed_of(judge(replace(recording, seconds=wrong)).document)


def test_littles_law_is_not_looked_into_where_the_load_was_shorter_than_ten_latencies():
    assert check_of(recorded(closed(duration_s=1.0), slots=10), "Little's law holds").ok is None


def reopening(recording, **changes):
    """As with `Connection: close`: at the end of a second many a connection is on its way to be made anew."""
    return changed(recording, **{"opened": 400, "in_flight": 57, "open_connections": 57, **changes})


def test_a_server_that_closes_every_connection_does_not_make_a_closed_loop_invalid():
    recording = reopening(recorded(closed()))
    document = judge(recording).document
    assert failed_of(document) == []
    law = check_of(recording, "Little's law holds")
    assert law.ok is None
    assert "1,900 requests opened a connection anew" in law.words


def test_a_closed_loop_that_reopens_cannot_have_more_in_flight_than_its_connections():
    recording = recorded(closed())
    slow = recorded(closed(connections=150)).seconds
    wrong = tuple(replace(s, latency=o.latency) for s, o in zip(recording.seconds, slow, strict=True))
    assert check_of(reopening(replace(recording, seconds=wrong)), "Little's law holds").ok is False


def test_few_connections_made_anew_leave_littles_law_and_the_strangers_as_they_are():
    few = changed(recorded(closed()), lambda second: second.second == 3, opened=5)
    assert check_of(few, "Little's law holds").ok is True
    assert "(bound 7)" in check_of(few, "both ends agree on the connections").words


def crowded(recording, number):
    def more(sample):
        (counts,) = sample.connections
        return replace(sample, connections=(replace(counts, read=counts.read + number),))

    return replace(recording, samples=tuple(more(s) if s.sequence > 5 else s for s in recording.samples))


def test_strangers_are_noticed_where_connections_are_made_anew_too():
    recording = reopening(recorded(closed()))
    assert failed_of(judge(crowded(recording, 100)).document) == ["both ends agree on the connections"]
    assert failed_of(judge(crowded(recording, 40)).document) == []


def test_an_open_load_that_reopens_allows_no_more_strangers_than_it_has_connections():
    recording = changed(recorded(arrivals()), opened=500)
    assert failed_of(judge(crowded(recording, 200)).document) == ["both ends agree on the connections"]


def test_answers_sooner_than_the_hold_say_that_it_is_not_the_hold():
    assert failed_of(judge(recorded(closed(hold_s=0.3))).document) == ["answers took the hold"]


def test_connections_of_somebody_else_are_noticed():
    crowd = crowded(recorded(closed()), 50)
    assert failed_of(judge(crowd).document) == ["both ends agree on the connections"]


def test_connections_that_are_gone_before_any_end_is_looked_at_are_no_sign_of_another_port():
    recording = recorded(arrivals(rate=1.0, hold_s=0.0), service_s=0.01)
    idle = tuple(replace(s, connections=(replace(s.connections[0], read=0, unread=0),)) for s in recording.samples)
    quick = changed(replace(recording, samples=idle), in_flight=0, open_connections=0)
    assert check_of(quick, "both ends agree on the connections").ok is None
    kept = changed(quick, open_connections=1)
    assert check_of(kept, "both ends agree on the connections").ok is False


def test_an_interrupted_run_is_not_valid_and_has_its_seconds():
    recording = recorded(closed())
    broken = replace(recording, manifest=replace(recording.manifest, status=RunStatus.INTERRUPTED))
    document = judge(broken).document
    assert failed_of(document) == ["run complete"]
    assert document.throughput.answered > 1000
