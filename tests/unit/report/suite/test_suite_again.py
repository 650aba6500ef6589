"""A suite judged again: verdicts, reports and pictures anew, and a spoiled folder spoils one row."""

import io
import json
from dataclasses import replace

import pytest
from export_cases import kept
from rich.console import Console
from simulated import Server, Simulation
from suite_found import FOUND_FOUR

from floodmark.core.command_line import CommandLine
from floodmark.core.profile import BurstProfile
from floodmark.core.recognise import RecogniseSpec
from floodmark.core.run_folder import RunFolder
from floodmark.core.suite import RowState, SuiteAsked, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.target import ExpectSpec, StartSpec, TargetSpec
from floodmark.report.suite.again import judged_again
from floodmark.report.suite.files import write_page
from floodmark.report.suite.live import JudgingView

OLD = replace(FOUND_FOUR, sentence="as it was found", planned=50, answered=50)
ROW = SuiteRow(
    table=SuiteTable.CONCURRENCY,
    target="ape",
    profile=BurstProfile(requests=50, within_s=0.0, hold_s=2.0),
    state=RowState.DONE,
    folder="a-ape",
    found=OLD,
)


@pytest.fixture(scope="module")
def recording():
    return Simulation(server=Server(slots=10), requests=50, hold_s=2.0).record()


def judged(rows, suite):
    told, warned = [], []
    found = judged_again(rows, suite, (), tell=lambda *numbers: told.append(numbers), warn=warned.append)
    return found, told, warned


def test_a_row_is_judged_again_and_its_report_and_picture_are_made_again(tmp_path, recording):
    kept(recording, RunFolder(tmp_path / "a-ape"))
    for name in ("verdict.json", "report.html", "waterline.svg"):
        (tmp_path / "a-ape" / name).write_text("old")
    (row,), told, warned = judged([ROW], tmp_path)
    assert (row.found.ceiling, told, warned) == (10, [(0, 1)], [])
    assert json.loads((tmp_path / "a-ape" / "verdict.json").read_text())["verdict"]["in_service"]["ceiling"] == 10
    assert "<html" in (tmp_path / "a-ape" / "report.html").read_text()
    record = SuiteRecord(started_utc="2026-01-01T00:00:00+00:00", asked=SuiteAsked(), rows=(row,))
    write_page(record, tmp_path, tmp_path / "page.md")
    assert "(page/ape.svg)" in (tmp_path / "page.md").read_text()
    assert (tmp_path / "page" / "ape.svg").read_text() == (tmp_path / "a-ape" / "waterline.svg").read_text() != "old"


def test_a_server_that_is_known_is_recognised(tmp_path, recording):
    line = CommandLine(words="gunicorn -w 3 app:app", pids=(1,))
    manifest = replace(recording.manifest, commands=(line,), expect=ExpectSpec())
    kept(replace(recording, manifest=manifest), RunFolder(tmp_path / "a-ape"))
    recognise = RecogniseSpec(server="the green unicorn", command=("gunicorn ",))
    known = TargetSpec(name="g", summary="", start=StartSpec(command=("x",)), recognise=recognise)
    judged_again([ROW], tmp_path, [known], tell=lambda *_: None, warn=pytest.fail)
    assert "the green unicorn" in (tmp_path / "a-ape" / "verdict.json").read_text()


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [
        ("run.json", b"{"),
        ("run.json", b"\xff\xfe"),
        ("run.json", b"[]"),
        ("hits.jsonl", b"\xff\xfe\n"),
        ("hits.jsonl", b'{"request": "many"}\n'),
        ("samples.jsonl", b"[1, 2]\n"),
    ],
)
def test_a_spoiled_folder_leaves_its_row_as_it_was_found_and_the_others_are_judged(tmp_path, recording, name, spoiled):
    kept(recording, RunFolder(tmp_path / "a-ape"))
    kept(recording, RunFolder(tmp_path / "a-bee"))
    assert (tmp_path / "a-ape" / name).exists()
    (tmp_path / "a-ape" / name).write_bytes(spoiled)
    ape, bee = judged([ROW, replace(ROW, target="bee", folder="a-bee")], tmp_path)[0]
    assert (ape.found, bee.found.ceiling) == (OLD, 10)


def test_of_a_spoiled_folder_a_warning_names_the_row_and_of_one_that_was_taken_away_nothing_is_said(tmp_path):
    (tmp_path / "a-ape").mkdir()
    (tmp_path / "a-ape" / "run.json").write_text("{")
    rows, _, warned = judged([ROW, replace(ROW, target="bee", folder="a-bee")], tmp_path)
    assert [row.found for row in rows] == [OLD, OLD]
    (words,) = warned
    assert words.startswith("a-ape cannot be judged again, and is shown as it was found: ")


def test_how_far_the_judging_is_is_said_after_some_seconds_and_then_now_and_again():
    file, now = io.StringIO(), [0.0]
    view = JudgingView(Console(file=file, width=80), clock=lambda: now[0])
    for number in range(20):
        now[0] = float(number)
        view.tell(number, 20)
    assert file.getvalue().splitlines() == [f"judged {number} of 20 runs again" for number in (2, 7, 12, 17)]
