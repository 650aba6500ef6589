"""`floodmark suite`: what it refuses before anything is started, and what its exit code says."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from floodmark.cli import app
from floodmark.cli_suite import exit_code_of
from floodmark.core.errors import UsageError
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import RunStatus
from floodmark.core.suite import RowState, SuiteAsked, SuiteFound, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.target import ExpectSpec
from floodmark_deploy.zoo import FOLDER_VARIABLE


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    (tmp_path / "zoo" / "one").mkdir(parents=True)
    (tmp_path / "zoo" / "one" / "target.toml").write_text('[start]\ncommand = ["x"]\n')
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "zoo"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("flsk-*", "no target is named by 'flsk-*'"),
        ("--table c", "--table 'c': there are a (how many at once) and b"),
        ("--table b", "none of these targets has a row in table b"),
        ("--resume x --report y", "give one of them"),
        ("--resume x one", "--resume takes the targets of the suite in its folder: leave 'one' out"),
        ("--report x --hold 3", "leave --hold out"),
        ("--markdown nowhere/results.md", "nowhere is no folder"),
        ("--requests 0", "--requests 0: give a whole number"),
        ("--hold 0", "--hold 0: give seconds above 0"),
        ("--workers 0", "--workers 0: give a number from 1 to 64"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_started(zoo, words, refusal):
    done = CliRunner().invoke(app, ["suite", *words.split()])
    assert isinstance(done.exception, UsageError)
    assert refusal in str(done.exception)
    assert not (zoo / "runs").exists()


FOUND = SuiteFound(
    sentence="",
    invalid=(),
    planned=10,
    answered=10,
    ceiling=4,
    peak=4,
    unit=None,
    reused=None,
    processes=None,
    lines=(),
    failures={},
)
ROW = SuiteRow(
    table=SuiteTable.CONCURRENCY,
    target="one",
    profile=BurstProfile(requests=10, within_s=0.0, hold_s=2.0),
    expect=ExpectSpec(ceiling=4),
    state=RowState.DONE,
    found=FOUND,
)
UNLIKE = replace(ROW, found=replace(FOUND, ceiling=5))
INVALID = replace(ROW, found=replace(FOUND, ceiling=5, invalid=("released on time: late",)))
FAILED = replace(ROW, state=RowState.FAILED, found=None)
NOT_RUN = replace(ROW, state=RowState.NOT_RUN, found=None)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([ROW], 0),
        ([ROW, NOT_RUN], 0),
        ([ROW, UNLIKE], 1),
        ([ROW, FAILED], 1),
        ([ROW, INVALID], 3),
        ([ROW, INVALID, UNLIKE], 1),
    ],
)
def test_the_exit_code_is_1_for_another_finding_and_3_for_a_run_that_does_not_count(rows, code):
    record = SuiteRecord(
        started_utc="2026-01-01T00:00:00+00:00", status=RunStatus.COMPLETE, asked=SuiteAsked(), rows=tuple(rows)
    )
    assert exit_code_of(record) == code
    assert exit_code_of(replace(record, status=RunStatus.INTERRUPTED)) == 130
