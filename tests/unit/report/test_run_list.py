"""The list of runs: everything is listed as what it is, and a folder that is broken never stands in the way."""

import dataclasses
import json

import pytest
from simulated import Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.core.codec import to_plain
from floodmark.core.errors import UsageError
from floodmark.core.profile import BurstProfile, SearchProfile
from floodmark.core.run_folder import VERDICT, RunFolder, RunStatus
from floodmark.core.suite import RowState, SuiteAsked, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.suite_folder import SuiteFolder
from floodmark.report.run_list import RunKind, find_run, list_runs, run_names

RECORDING = Simulation(server=Server(slots=40), requests=100, hold_s=1.0).record()
DOCUMENT = judge(RECORDING).document


def put(folder, name, *, document=DOCUMENT, **changes):
    run = RunFolder(folder / name)
    run.create()
    run.write_manifest(dataclasses.replace(RECORDING.manifest, **changes))
    if document is not None:
        run.write_text(VERDICT, json.dumps(to_plain(document)))
    return run


def suite(folder, name, states):
    rows = tuple(
        SuiteRow(
            table=SuiteTable.CONCURRENCY,
            target=f"t{number}",
            profile=BurstProfile(requests=10, within_s=0, hold_s=1),
            state=state,
        )
        for number, state in enumerate(states)
    )
    kept = SuiteFolder(folder / name)
    kept.create()
    kept.write(SuiteRecord(started_utc="2026-01-03T00:00:00+00:00", asked=SuiteAsked(), rows=rows))


def only(folder):
    (found,) = list_runs(folder)
    return found


def test_runs_are_listed_as_they_began_with_what_was_found(tmp_path):
    put(tmp_path, "b", started_utc="2026-01-01T10:00:00+00:00")
    put(tmp_path, "a", started_utc="2026-01-02T10:00:00+00:00")
    found = list_runs(tmp_path)
    assert [one.name for one in found] == ["b", "a"]
    assert (found[0].kind, found[0].ceiling, found[0].valid, found[0].profile) == (RunKind.RUN, 40, True, "burst 100")
    assert found[0].sentence.startswith("simulated handles 40 requests at once")


def test_suites_and_searches_are_listed_as_what_they_are(tmp_path):
    put(tmp_path, "s", profile=SearchProfile(first=16, most=10_000, hold_s=1))
    suite(tmp_path, "suite", [RowState.DONE, RowState.FAILED, RowState.PENDING])
    search, whole = list_runs(tmp_path)
    assert (search.kind, search.profile) == (RunKind.SEARCH, "search to 10,000")
    assert (whole.kind, whole.rows, whole.done, whole.problem) == (RunKind.SUITE, 3, 1, "1 of its rows failed")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": RunStatus.RUNNING}, "it is still going on, or it was cut off"),
        ({"status": RunStatus.FAILED, "fired_s": None, "problems": ("the target died",)}, "the target died"),
        ({"status": RunStatus.COMPLETE}, "not judged; `floodmark report"),
    ],
)
def test_a_run_without_a_verdict_says_why(tmp_path, changes, problem):
    put(tmp_path, "r", document=None, **changes)
    assert only(tmp_path).problem.startswith(problem)
    assert only(tmp_path).valid is None


def test_a_run_that_does_not_count_names_the_checks_that_failed(tmp_path):
    check = dataclasses.replace(DOCUMENT.validity.checks[0], ok=False, name="released on time")
    broken = dataclasses.replace(DOCUMENT, validity=dataclasses.replace(DOCUMENT.validity, ok=False, checks=(check,)))
    put(tmp_path, "r", document=broken)
    assert (only(tmp_path).valid, only(tmp_path).problem) == (False, "not valid: released on time")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("run.json", "{", "run.json: cannot be read"),
        ("run.json", '{"format": 99}', "run.json: a run of another format"),
        ("run.json", '{"format": 1}', "run.json: needs the field"),
        ("suite.json", "[]", "suite.json: a suite of another format"),
        ("hits.jsonl", "", "it has no run.json"),
    ],
)
def test_a_damaged_folder_is_listed_with_what_is_wrong(tmp_path, name, text, problem):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / name).write_text(text)
    put(tmp_path, "whole")
    found = {one.name: one for one in list_runs(tmp_path)}
    assert found["broken"].kind is RunKind.DAMAGED
    assert found["broken"].problem.startswith(problem)
    assert found["whole"].valid


def test_a_verdict_that_cannot_be_read_leaves_the_run_listed(tmp_path):
    put(tmp_path, "r", document=None)
    (tmp_path / "r" / VERDICT).write_text('{"format": 1}')
    assert "`floodmark report" in only(tmp_path).problem
    assert only(tmp_path).kind is RunKind.RUN


def test_folders_that_are_no_runs_are_left_out(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    assert list_runs(tmp_path) == []


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        list_runs(tmp_path / "none")


def test_a_run_is_found_by_its_path_its_name_and_any_part_that_only_one_has(tmp_path):
    for name in ("20260101T000000Z-flask-1", "20260101T000001Z-flask-2", "20260102T000000Z-fastapi-3"):
        put(tmp_path, name)
    assert find_run(str(tmp_path / "20260101T000000Z-flask-1"), tmp_path / "elsewhere").name.endswith("flask-1")
    assert find_run("20260101T000001Z-flask-2", tmp_path) == tmp_path / "20260101T000001Z-flask-2"
    assert find_run("20260102", tmp_path).name.endswith("fastapi-3")
    assert find_run("flask-2", tmp_path).name.endswith("flask-2")
    with pytest.raises(UsageError, match=r"flask: fits 2 runs in .*: 20260101T000000Z-flask-1, 2026.*; give more"):
        find_run("flask", tmp_path)
    with pytest.raises(UsageError, match=r"nginx: no run folder, and no run in .* is named so"):
        find_run("nginx", tmp_path)


def test_names_for_the_shell_are_those_of_runs_only(tmp_path):
    put(tmp_path, "r")
    (tmp_path / "notes").mkdir()
    assert run_names(tmp_path) == ["r"]
    assert run_names(tmp_path / "none") == []
