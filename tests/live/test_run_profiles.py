"""The other profiles on real servers: what each is for comes out of it."""

import json

import command
import pytest
from command import floodmark, living, manifest, run_folder

pytestmark = [pytest.mark.live, pytest.mark.alone]


def whole(*words, cwd):
    """The verdict of a run that is complete and has left nothing behind."""
    found = command.measured(*words, cwd=cwd)
    assert living(run_folder(cwd).name) == []
    assert manifest(run_folder(cwd))["status"] == "complete"
    return found


def test_a_closed_loop_goes_as_fast_as_the_server_answers_and_no_faster(tmp_path):
    words = ("--profile", "closed", "--connections", "20", "--duration", "1", "--workers", "2")
    found = whole("fastapi-uvicorn-async", *words, cwd=tmp_path)
    assert found["profile"]["kind"] == "closed"
    assert 0 < found["throughput"]["answered_per_s"] <= 20 / 0.1
    assert found["latency"]["count"] == found["outcomes"]["answered"] > 20
    assert set(found["outcomes"]) <= {"answered", "waiting"}
    assert found["outcomes"].get("waiting", 0) <= 20


def test_arrivals_that_are_more_than_a_server_handles_show_that_it_does_not_keep_up(tmp_path):
    # 40 threads at half a second each: 80 answers a second at the most.
    words = ("--profile", "arrivals", "--rate", "300", "--duration", "1", "--hold", "0.5", "--timeout", "1.2")
    found = whole("fastapi-uvicorn-sync", *words, cwd=tmp_path)
    assert sum(found["outcomes"].values()) == 300
    assert 0 < found["throughput"]["answered_per_s"] <= 80
    assert found["outcomes"]["response_timeout"] > 0
    assert "did not keep up" in found["verdict"]["sentence"]


def test_a_ramp_is_released_over_its_time(tmp_path):
    words = ("--profile", "ramp", "--requests", "20", "--within", "1", "--hold", "0.5")
    found = whole("flask-gunicorn-sync-4", *words, cwd=tmp_path)
    assert (found["profile"]["kind"], found["profile"]["within_s"]) == ("ramp", 1.0)
    assert found["verdict"]["in_service"]["ceiling"] == 4
    header, *rows = map(json.loads, (run_folder(tmp_path) / "hits.jsonl").read_text().splitlines())
    planned = sorted(row[header["columns"].index("planned_s")] for row in rows)
    assert planned[-1] - planned[0] == pytest.approx(19 / 20)


def test_a_search_stops_at_the_first_burst_that_proves_the_ceiling(tmp_path):
    words = ("--profile", "search", "--first", "2", "--requests", "500", "--hold", "0.4")
    found = whole("flask-gunicorn-sync-4", *words, cwd=tmp_path)
    assert found["verdict"]["in_service"]["ceiling"] == 4
    *before, last = found["steps"]
    assert [step["requests"] for step in (*before, last)] == [2 * 4**number for number in range(len(found["steps"]))]
    assert (last["ceiling"], {step["ceiling"] for step in before}) == (4, {None})
    for step in found["steps"]:
        assert (run_folder(tmp_path) / step["folder"] / "report.html").is_file()
    # Each burst's release is told to the agent, which then counts the connections at once.
    assert (run_folder(tmp_path) / "agent.log").read_text().count("mark: the release") == len(found["steps"])
    again = floodmark("report", str(run_folder(tmp_path)), cwd=tmp_path)
    assert " ".join(again.stdout.split()).startswith(found["verdict"]["sentence"])
