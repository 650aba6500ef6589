"""A suite's course with runs that are scripts: nothing that a row does can end it but the user."""

import json
import os
from dataclasses import replace

import pytest
from suite_found import FOUND_FOUR

from floodmark.campaign.suite import Suite
from floodmark.core.errors import (
    ClusterError,
    FolderInUseError,
    LimitError,
    MissingRuntimeError,
    RunFolderError,
    TargetError,
)
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import RunStatus
from floodmark.core.suite import RowState, SuiteAsked, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.suite_folder import SuiteFolder
from floodmark.core.target import StartSpec, TargetSpec

FOUND = replace(FOUND_FOUR, answered=4, unit="process", reused=True, processes=4)


class Watcher:
    """A view that keeps what it was told."""

    def __init__(self):
        self.begun, self.ended, self.said = [], [], []

    def begin(self, row, number, rows, left_s):
        self.begun.append((row.target, number, rows, left_s))

    def say(self, words):
        self.said.append(words)

    def end(self, row):
        self.ended.append((row.target, row.state))


class Script:
    """A suite whose runs are scripted: an error by target, or none; each takes ten seconds of a clock of its own."""

    def __init__(self, path, **errors):
        self.folder = SuiteFolder(path)
        self.errors = errors
        self.view = Watcher()
        self.ran, self.settled, self.kept, self.now_s = [], [], [], 0.0

    def measure(self, plan):
        self.ran.append(plan.name)
        plan.folder.mkdir()
        self.now_s += 10.0
        if error := self.errors.get(plan.name):
            raise error
        return plan.folder

    def judge(self, _):
        self.kept.append([row["state"] for row in json.loads((self.folder.path / "suite.json").read_text())["rows"]])
        return FOUND

    def settle(self, connections, *, say):
        self.settled.append(connections)
        say("quiet")
        return 0.0

    def run(self, record, specs=None):
        specs = specs if specs is not None else {row.target: spec_of(row.target) for row in record.rows}
        suite = Suite(
            measure=self.measure,
            judge=self.judge,
            settle=self.settle,
            store=self.folder,
            view=self.view,
            clock=lambda: self.now_s,
        )
        return suite.run(record, specs)


def spec_of(name):
    return TargetSpec(name=name, summary="", start=StartSpec(command=("x",)))


def record_of(*names):
    profile = BurstProfile(requests=10, within_s=0.0, hold_s=2.0)
    rows = tuple(SuiteRow(table=SuiteTable.CONCURRENCY, target=name, profile=profile) for name in names)
    return SuiteRecord(started_utc="2026-01-01T00:00:00+00:00", asked=SuiteAsked(), rows=rows)


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path)


def states(record):
    return [row.state for row in record.rows]


def test_rows_are_run_one_after_another_each_in_a_folder_of_its_own(script):
    record = script.run(record_of("ape", "bee"))
    assert (script.ran, script.settled) == (["ape", "bee"], [10, 10])
    assert [row.folder for row in record.rows] == ["a-ape", "a-bee"]
    assert [(row.found, row.took_s) for row in record.rows] == [(FOUND, 10.0)] * 2
    assert script.folder.read() == record
    assert record.status is RunStatus.COMPLETE


def test_a_row_is_kept_before_the_next_begins(script):
    script.run(record_of("ape", "bee"))
    assert script.kept == [["pending", "pending"], ["done", "pending"]]


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (
            TargetError("ape ended with exit code 1; its last lines:\n    boom"),
            RowState.FAILED,
            "ape ended with exit code 1",
        ),
        (ClusterError("the master ended; it printed nothing"), RowState.FAILED, "the master ended; it printed nothing"),
        (MissingRuntimeError("ape needs go: apt-get install go"), RowState.NOT_RUN, "ape needs go: apt-get install go"),
        (LimitError("20,000 connections need more files"), RowState.NOT_RUN, "20,000 connections need more files"),
    ],
)
def test_a_row_that_fails_says_so_in_one_line_and_the_next_is_run(tmp_path, error, state, reason):
    script = Script(tmp_path, ape=error)
    record = script.run(record_of("ape", "bee"))
    assert states(record) == [state, RowState.DONE]
    assert (record.rows[0].reason, record.rows[0].found) == (reason, None)
    assert script.view.ended == [("ape", state), ("bee", RowState.DONE)]


def test_a_run_that_cannot_be_judged_is_a_row_that_failed(tmp_path, monkeypatch):
    script = Script(tmp_path)

    def cannot(_):
        raise RunFolderError("hits.jsonl: is missing")

    monkeypatch.setattr(script, "judge", cannot)
    record = script.run(record_of("ape"))
    assert (record.rows[0].state, record.rows[0].reason) == (RowState.FAILED, "hits.jsonl: is missing")


def test_ctrl_c_keeps_what_is_done_and_leaves_the_row_under_way_to_be_run_again(tmp_path):
    script = Script(tmp_path, bee=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        script.run(record_of("ape", "bee", "cat"))
    record = script.folder.read()
    assert record.status is RunStatus.INTERRUPTED
    assert states(record) == [RowState.DONE, RowState.PENDING, RowState.PENDING]
    script.errors.clear()
    record = script.run(record)
    assert script.ran == ["ape", "bee", "bee", "cat"]
    assert [row.folder for row in record.rows] == ["a-ape", "a-bee-2", "a-cat"]
    assert (states(record), record.status) == ([RowState.DONE] * 3, RunStatus.COMPLETE)


def test_a_bug_ends_the_suite_and_what_was_done_is_kept(tmp_path):
    script = Script(tmp_path, bee=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        script.run(record_of("ape", "bee"))
    record = script.folder.read()
    assert (states(record), record.status) == ([RowState.DONE, RowState.PENDING], RunStatus.FAILED)


def test_a_row_that_the_machine_refuses_something_is_a_row_that_failed(tmp_path):
    script = Script(tmp_path, ape=OSError(28, "No space left on device", "hits.jsonl"))
    record = script.run(record_of("ape", "bee"))
    assert states(record) == [RowState.FAILED, RowState.DONE]
    assert record.rows[0].reason == "[Errno 28] No space left on device: 'hits.jsonl'"


def test_a_target_that_was_taken_away_is_not_run(script):
    record = script.run(record_of("ape"), specs={})
    assert record.rows[0].state is RowState.NOT_RUN
    assert script.ran == []


def test_the_time_left_is_guessed_first_and_then_learned_from_the_rows_done(script):
    script.run(record_of("ape", "bee", "cat"))
    # A burst of 2 s takes 6 s, and 6 s around it; the rows here take 10 s.
    assert script.view.begun == [("ape", 1, 3, 36.0), ("bee", 2, 3, 20.0), ("cat", 3, 3, 10.0)]


def test_a_record_is_the_same_when_it_is_read_again(tmp_path):
    folder = SuiteFolder(tmp_path)
    record = record_of("ape")
    record = record.with_row(0, replace(record.rows[0], state=RowState.DONE, found=FOUND))
    folder.write(record)
    assert folder.read() == record


def test_a_folder_without_a_suite_or_with_one_of_another_format_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match=r"it has no suite\.json"):
        SuiteFolder(tmp_path).read()
    (tmp_path / "suite.json").write_text('{"format": 99}')
    with pytest.raises(RunFolderError, match="of another format"):
        SuiteFolder(tmp_path).read()


def test_a_folder_has_one_writer_and_another_is_told_which(tmp_path):
    with (
        SuiteFolder(tmp_path).held(),
        pytest.raises(FolderInUseError, match=f"process {os.getpid()} is at work in it"),
        SuiteFolder(tmp_path).held(),
    ):
        pass
    with SuiteFolder(tmp_path).held():
        pass


def test_a_suite_of_an_earlier_version_is_read(tmp_path):
    folder = SuiteFolder(tmp_path)
    folder.write(record_of("ape"))
    data = json.loads(folder.text())
    del data["rows"][0]["request"], data["rows"][0]["expect"]["unbounded"]
    (tmp_path / "suite.json").write_text(json.dumps(data))
    assert folder.read() == record_of("ape")


def test_a_new_suite_does_not_write_into_a_folder_that_has_something_in_it(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(RunFolderError, match="go on with --resume"):
        SuiteFolder(tmp_path).create()
