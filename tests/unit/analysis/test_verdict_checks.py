"""Every check fails for its own reason, and a run that fails one is not valid."""

from dataclasses import replace

import pytest
from simulated import BEAT_S, FIRED_S, Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.core.absence import Absence
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import RunStatus
from floodmark.core.sample import TargetLimits


@pytest.fixture
def recording():
    return Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()


def failed_checks(recording):
    validity = judge(recording).document.validity
    assert validity.ok == (not [check for check in validity.checks if check.ok is False])
    return [check.name for check in validity.checks if check.ok is False]


def changed_hits(recording, count, **changes):
    hits = [replace(hit, **changes) if index < count else hit for index, hit in enumerate(recording.hits)]
    return replace(recording, hits=tuple(hits))


def changed_workers(recording, **changes):
    return replace(recording, workers=tuple(replace(report, **changes) for report in recording.workers))


def changed_samples(recording, change):
    return replace(recording, samples=tuple(change(sample) for sample in recording.samples))


def test_a_sound_run_passes_every_check(recording):
    assert failed_checks(recording) == []
    assert all(check.ok for check in judge(recording).document.validity.checks)


@pytest.mark.parametrize("status", [RunStatus.INTERRUPTED, RunStatus.FAILED, RunStatus.RUNNING])
def test_a_run_without_a_proper_end_is_not_valid(recording, status):
    assert failed_checks(replace(recording, manifest=replace(recording.manifest, status=status))) == ["run complete"]


def test_a_problem_that_the_master_noted_is_repeated(recording):
    noted = replace(recording, manifest=replace(recording.manifest, problems=("worker-2 was lost",)))
    (check,) = [check for check in judge(noted).document.validity.checks if check.ok is False]
    assert check.words == "worker-2 was lost"


def test_a_request_told_of_twice_is_noticed(recording):
    assert failed_checks(replace(recording, hits=(*recording.hits, recording.hits[0])))[0] == (
        "every request accounted for"
    )


def test_hits_that_never_came_count_as_unsent_and_add_up(recording):
    short = replace(recording, hits=recording.hits[:90])
    outcomes = judge(short).document.outcomes
    assert outcomes["unsent"] == 10
    assert sum(outcomes.values()) == 100


def test_a_worker_that_did_not_report_is_missed(recording):
    assert "workers present" in failed_checks(replace(recording, workers=()))


def test_a_late_generator_is_not_believed(recording):
    late = changed_hits(recording, 100, released_s=recording.hits[0].planned_s + 0.6)
    assert "released on time" in failed_checks(late)


@pytest.mark.parametrize("changes", [{"loop_lag_max_s": 0.5}, {"cpu_share": 0.99}])
def test_a_generator_without_breath_is_not_believed(recording, changes):
    assert failed_checks(changed_workers(recording, **changes)) == ["generator not overloaded"]


@pytest.mark.parametrize("outcome", [Outcome.OUT_OF_PORTS, Outcome.OUT_OF_FILES, Outcome.OUT_OF_MEMORY])
def test_what_ran_out_on_the_generator_is_not_the_targets_fault(recording, outcome):
    short = changed_hits(recording, 5, outcome=outcome, ended_s=recording.hits[0].planned_s, error="none left")
    document = judge(short).document
    assert "generator's ports, files and memory" in failed_checks(short)
    assert [(failure.side, failure.count) for failure in document.verdict.failures] == [("generator", 5)]


def test_a_gap_in_the_agents_samples_is_noticed(recording):
    kept = [sample for sample in recording.samples if not 20 < sample.sequence < 40]
    assert "agent's samples complete" in failed_checks(replace(recording, samples=tuple(kept)))


def test_a_clock_worse_than_the_beat_is_noticed(recording):
    clocks = tuple(replace(clock, bound_s=BEAT_S * 2) for clock in recording.clocks)
    assert failed_checks(replace(recording, clocks=clocks)) == ["clocks aligned"]


@pytest.mark.parametrize(("moved_s", "failed"), [(10 * BEAT_S, ["clocks aligned"]), (0.0005, [])])
def test_a_clock_that_jumps_fails_the_check_and_one_that_drifts_does_not(recording, moved_s, failed):
    before = tuple(replace(clock, at_s=FIRED_S - 1.0) for clock in recording.clocks)
    after = tuple(replace(clock, at_s=FIRED_S + 9.0, offset_s=clock.offset_s + moved_s) for clock in before)
    changed = replace(recording, clocks=(*before, after[1]))
    judged = judge(changed).document
    assert failed_checks(changed) == failed
    assert [node.drift_s for node in judged.clock] == [None, pytest.approx(moved_s)]
    words = next(check.words for check in judged.validity.checks if check.name == "clocks aligned")
    assert ("the clock of agent jumped" in words) == bool(failed)
    assert ("agent drifted by 0.5 ms (+50 ppm)" in words) == (not failed)


def test_a_run_that_lost_its_agent_says_when_in_the_check_on_samples(recording):
    absence = Absence(agent="web:8000", from_s=FIRED_S + 0.5)
    limits = TargetLimits(**dict.fromkeys(TargetLimits.__slots__) | {"pid": 7})
    manifest = replace(recording.manifest, limits=limits, absences=(absence,))
    lost = replace(recording, manifest=manifest, samples=recording.samples[: len(recording.samples) // 3])
    document = judge(lost).document
    words = next(check.words for check in document.validity.checks if check.name == "agent's samples complete")
    assert "agent web:8000 was lost 0.5 s after the release, and did not come back" in words
    assert "agent's samples complete" in failed_checks(lost)
    none = judge(replace(lost, samples=())).document
    words = next(check.words for check in none.validity.checks if check.name == "agent's samples complete")
    assert "samples.jsonl is missing or empty; agent web:8000 was lost" in words


def test_connections_of_a_stranger_on_the_port_are_noticed(recording):
    def more(sample):
        counts = sample.connections[0]
        return replace(sample, connections=(replace(counts, read=counts.read + 50),))

    assert "both ends agree on the connections" in failed_checks(changed_samples(recording, more))


def test_a_target_that_was_restarted_is_noticed(recording):
    def reborn(sample):
        if sample.sequence < 60:
            return sample
        return replace(sample, processes=tuple(replace(process, pid=999) for process in sample.processes))

    assert failed_checks(changed_samples(recording, reborn)) == ["target not restarted"]


def test_without_an_agent_its_checks_are_not_made_rather_than_passed(recording):
    alone = replace(recording, samples=())
    checks = {check.name: check.ok for check in judge(alone).document.validity.checks}
    assert checks["agent's samples complete"] is None
    assert checks["both ends agree on the connections"] is None
    assert checks["target not restarted"] is None


def test_failures_are_counted_by_kind_with_their_side_and_an_example(recording):
    start_s = recording.hits[0].planned_s
    mixed = changed_hits(recording, 30, outcome=Outcome.RESET, ended_s=start_s + 0.1, error="reset after 0 bytes")
    mixed = changed_hits(mixed, 10, outcome=Outcome.SERVER_ERROR, ended_s=start_s + 0.1, error="HTTP 500", status=500)
    verdict = judge(mixed).document.verdict
    assert [(failure.kind, failure.side, failure.count, failure.example) for failure in verdict.failures] == [
        ("reset", "target", 20, "reset after 0 bytes"),
        ("server_error", "target", 10, "HTTP 500"),
    ]
    assert "30 failed: 20 reset (target) and 10 server error (target)" in verdict.sentence
    assert any("reset" in advice for advice in verdict.advice)


def test_a_run_in_which_everything_failed_is_still_judged(recording):
    refused = tuple(
        Hit(
            id=hit.id,
            worker=hit.worker,
            planned_s=hit.planned_s,
            released_s=hit.released_s,
            ended_s=hit.planned_s + 0.001,
            outcome=Outcome.REFUSED,
            error="Connection refused",
        )
        for hit in recording.hits
    )
    document = judge(replace(recording, hits=refused)).document
    assert document.outcomes == {"answered": 0, "refused": 100}
    assert (document.verdict.in_service.peak, document.verdict.in_service.ceiling) == (0, None)
    assert "gave none of 100 requests the expected answer" in document.verdict.sentence
