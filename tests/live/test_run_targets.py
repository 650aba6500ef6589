"""The main job on the zoo's servers: real Locust, a real agent, real servers, exact figures."""

import pytest
from command import floodmark, living, manifest, measured, run_folder, verdict

pytestmark = [pytest.mark.live, pytest.mark.alone]

HOLD_S = "1.5"
"""Long against the start of a flood on a busy machine; three of them are the run."""


def judged(target, cwd, *words, hold_s=HOLD_S):
    found = verdict(target, "--requests", "1000", "--within", "0", "--hold", hold_s, *words, cwd=cwd)
    assert sum(found["outcomes"].values()) == 1000
    assert found["validity"]["ok"]
    folder = run_folder(cwd)
    assert living(folder.name) == []
    return found["verdict"]


def peaks(judgement):
    return {place: waiting["peak"] for place, waiting in judgement["waiting"].items()}


def test_gunicorns_four_sync_workers_take_four_and_996_wait_in_the_accept_queue(tmp_path):
    found = judged("flask-gunicorn-sync-4", tmp_path)
    assert found["in_service"]["ceiling"] == 4
    assert found["waiting"]["accept_queue"] == {"peak": 996, "limit": 2048}
    assert (found["model"]["unit"], found["model"]["reused"], found["model"]["processes"]) == ("process", True, 4)
    assert found["sentence"].startswith(
        "flask-gunicorn-sync-4 handles 4 requests at once, one in each of 4 reused processes."
        " Of 1,000 sent together the other 996 waited in the accept queue (limit 2,048)."
    )


def test_fastapis_thread_pool_takes_40_and_960_wait_inside_the_process(tmp_path):
    # Who is in the accept queue after a quarter of the hold has waited there: uvicorn takes 1,000 in sooner than that.
    found = judged("fastapi-uvicorn-sync", tmp_path, "--workers", "2", hold_s="4")
    assert found["in_service"]["ceiling"] == 40
    assert peaks(found)["in_process"] == 960
    assert (found["model"]["unit"], found["model"]["reused"], found["model"]["per_process"]) == ("thread", True, 40)
    assert found["sentence"].startswith(
        "fastapi-uvicorn-sync handles 40 requests at once, in 40 reused threads of one process."
        " Of 1,000 sent together the other 960 waited inside the process."
    )


def test_an_event_loop_takes_all_and_no_ceiling_is_claimed(tmp_path):
    found = judged("fastapi-uvicorn-async", tmp_path)
    assert (found["in_service"]["peak"], found["in_service"]["ceiling"]) == (1000, None)
    assert (found["model"]["unit"], found["model"]["processes"]) == ("event-loop", 1)
    assert found["failures"] == []


def test_flasks_ten_processes_take_ten_and_the_small_backlog_keeps_the_rest_outside(tmp_path):
    found = judged("flask-dev-processes-10", tmp_path)
    assert found["in_service"]["ceiling"] == 10
    assert found["waiting"]["accept_queue"] == {"peak": 129, "limit": 128}
    assert peaks(found)["half_open"] > 0
    assert peaks(found)["connecting"] > 0
    assert (found["model"]["unit"], found["model"]["reused"]) == ("process", False)


def test_uwsgis_two_lines_are_named_outer_and_inner(tmp_path):
    found = judged("flask-uwsgi-threads-10", tmp_path)
    assert found["in_service"]["ceiling"] == 10
    assert [(line["outer"], line["limit"]) for line in found["lines"]] == [(True, 100), (False, 100)]
    assert found["lines"][1]["depth_peak"] == 101
    assert (found["model"]["unit"], found["model"]["reused"]) == ("thread", True)


def test_a_thread_per_request_server_behind_a_small_backlog_is_given_no_false_ceiling(tmp_path):
    found = judged("flask-dev-threaded", tmp_path)
    assert found["in_service"]["ceiling"] is None
    assert (found["model"]["unit"], found["model"]["reused"]) == ("thread", False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("target", "ceiling"), [("fastapi-uvicorn-async", None), ("fastapi-uvicorn-sync", 40)])
def test_ten_thousand_requests_in_ten_seconds_from_one_worker_are_all_accounted_for(tmp_path, target, ceiling):
    words = ("--requests", "10000", "--within", "10", "--hold", HOLD_S)
    found = measured(target, *words, cwd=tmp_path)
    assert sum(found["outcomes"].values()) == 10_000
    assert found["verdict"]["failures"] == []
    assert found["verdict"]["in_service"]["ceiling"] == ceiling


def test_a_target_whose_every_answer_is_an_error_is_measured_and_the_run_counts(tmp_path):
    found = verdict("fastapi-gunicorn-sync", "--requests", "50", "--hold", "1", cwd=tmp_path)
    assert found["outcomes"]["server_error"] == 50
    assert found["verdict"]["in_service"]["ceiling"] is None
    assert [failure["kind"] for failure in found["verdict"]["failures"]] == ["server_error"]
    assert found["validity"]["ok"]


def test_a_limit_on_threads_shows_as_failures_and_not_as_a_ceiling(tmp_path):
    found = verdict("flask-dev-async-blocking-nproc", "--requests", "400", "--hold", "2", cwd=tmp_path)
    assert found["verdict"]["in_service"]["peak"] == 127
    assert {failure["kind"] for failure in found["verdict"]["failures"]} <= {"server_error", "closed", "reset"}
    assert found["verdict"]["failures"]


def test_a_report_is_made_again_from_the_run_folder_and_says_the_same(tmp_path):
    found = verdict("fastapi-uvicorn-sync", "--requests", "100", "--hold", "1", cwd=tmp_path)
    folder = run_folder(tmp_path)
    assert manifest(folder)["status"] == "complete"
    before = (folder / "verdict.json").read_text()
    (folder / "verdict.json").unlink()
    (folder / "report.html").unlink()
    again = floodmark("report", str(folder), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert " ".join(again.stdout.split()).startswith(found["verdict"]["sentence"])
    assert (folder / "verdict.json").read_text() == before
    assert "<svg" in (folder / "report.html").read_text()
