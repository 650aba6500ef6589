"""`floodmark suite`: what it refuses before anything is started, and what it does where nothing can be."""

import json

import pytest
from typer.testing import CliRunner

from floodmark.cli.main import app
from floodmark.core.errors import FolderInUseError, UsageError
from floodmark.core.suite_folder import SuiteFolder
from floodmark_deploy.zoo import FOLDER_VARIABLE

MISSING = '[start]\ncommand = ["no-such"]\n[needs]\nexecutables = ["no-such"]\n'


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


def suite(*words):
    return CliRunner().invoke(app, ["suite", *words])


def add(zoo, name, text):
    (zoo / "zoo" / name).mkdir(exist_ok=True)
    (zoo / "zoo" / name / "target.toml").write_text(text)


def rows(folder):
    return [(row["target"], row["state"]) for row in json.loads((folder / "suite.json").read_text())["rows"]]


def test_a_suite_that_measured_nothing_exits_with_1_and_has_nothing_left_where_it_goes_on(zoo):
    add(zoo, "one", MISSING)
    done = suite("--out", "s")
    assert (done.exit_code, rows(zoo / "s")) == (1, [("one", "not_run")])
    assert "1 run, into s" in done.stderr
    assert suite("--report", "s").exit_code == 1


def test_an_unreadable_target_is_a_row_that_failed_only_where_it_was_asked_for_and_is_run_when_it_is_mended(zoo):
    add(zoo, "one", MISSING)
    add(zoo, "two", "[start")
    assert suite("one", "--out", "alone").exit_code == 1
    assert rows(zoo / "alone") == [("one", "not_run")]
    done = suite("--out", "both")
    assert rows(zoo / "both") == [("one", "not_run"), ("two", "failed")]
    assert "two/target.toml:notvalidTOML" in "".join(done.stdout.split())  # however it is folded
    add(zoo, "two", MISSING)
    suite("--resume", "both")
    assert rows(zoo / "both") == [("one", "not_run"), ("two", "not_run")]


def test_two_targets_of_one_name_are_refused_with_both_folders(zoo):
    add(zoo, "two", 'name = "one"\n' + MISSING)
    done = suite("one")
    assert isinstance(done.exception, UsageError)
    assert f"{zoo}/zoo/one and {zoo}/zoo/two are both named 'one'" in str(done.exception)
    add(zoo, "three", MISSING)
    assert suite("three", "--out", "s").exit_code == 1


def test_a_folder_that_a_suite_is_at_work_in_is_only_read(zoo):
    add(zoo, "one", MISSING)
    suite("--out", "s")
    before = (zoo / "s" / "suite.json").read_bytes()
    add(zoo, "one", MISSING + "[expect]\nceiling = 3\n")
    with SuiteFolder(zoo / "s").held():
        done = suite("--resume", "s")
        assert isinstance(done.exception, FolderInUseError)
        done = suite("--report", "s")
    assert (done.exit_code, (zoo / "s" / "suite.json").read_bytes()) == (1, before)
    assert "is at work in it" in done.stderr
    suite("--report", "s")
    assert (zoo / "s" / "suite.json").read_bytes() != before


def test_quiet_is_one_line_with_how_the_rows_came_out(zoo):
    add(zoo, "one", MISSING)
    done = suite("one", "--out", "suite", "-q")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "1 run: 1 not run.\n", "")
    assert suite("--report", "suite", "-q").stdout == done.stdout
