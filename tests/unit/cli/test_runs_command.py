"""`floodmark runs`, `compare` and `plot` from the command line: what they print, write and refuse."""

import json

import pytest
from typer.testing import CliRunner

from floodmark.cli import runs
from floodmark.cli.main import app
from floodmark.core.clock import ClockReading
from floodmark.core.errors import RunFolderError, UsageError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import CLOCKS, Manifest, RunFolder, RunStatus
from floodmark.report.pictures.catalogue import PICTURES
from floodmark.report.pictures.overlay import OVERLAYS


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, threads in enumerate((4, 4, 8)):
        record(tmp_path / "runs" / f"2026010{number}T000000Z-shop-{number}", threads, number)
    return tmp_path


def record(path, threads, number):
    """A small run, kept by hand: 20 requests, all answered, no agent."""
    folder = RunFolder(path)
    folder.create()
    folder.write_manifest(
        Manifest(
            run_id=path.name,
            status=RunStatus.COMPLETE,
            started_utc=f"2026-01-0{number + 1}T00:00:00+00:00",
            target="shop",
            url="http://127.0.0.1:1/",
            profile=BurstProfile(requests=20, within_s=0, hold_s=1),
            hold_known=True,
            workers=1,
            beat_s=0.05,
            fired_s=100.0,
            cut_s=110.0,
            settings={"command": f"serve --threads {threads}"},
        )
    )
    folder.append_hits(
        [
            Hit(
                id=id_,
                worker="worker-1",
                planned_s=100.0,
                released_s=100.0,
                connected_s=100.001,
                sent_s=100.001,
                first_byte_s=101.0 + id_ // threads,
                ended_s=101.01 + id_ // threads,
                outcome=Outcome.ANSWERED,
                status=200,
            )
            for id_ in range(1, 21)
        ]
    )
    folder.append(CLOCKS, [ClockReading(node="worker-1", offset_s=0.0, bound_s=0.0001)])
    folder.close()


def call(*words):
    return CliRunner().invoke(app, list(words))


@pytest.mark.usefixtures("here")
def test_runs_are_listed_and_as_json():
    assert "20260100T000000Z-shop-0" in call("runs").stdout
    listed = json.loads(call("runs", "--json").stdout)
    assert [one["name"][-1] for one in listed] == ["0", "1", "2"]
    assert listed[0]["problem"].startswith("not judged; `floodmark report")


def test_where_there_are_no_runs_nothing_is_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("runs").stdout == ""
    assert json.loads(call("runs", "--json").stdout) == []
    assert isinstance(call("runs", "nowhere").exception, UsageError)


def test_runs_are_compared_by_a_part_of_their_name_and_written_as_a_page_and_json(here):
    done = call("compare", "shop-0", "shop-2", "--despite", "validity", "--html", "c.html", "--json", "c.json")
    assert done.exit_code == 0, done.exception
    assert done.stdout.startswith(("Cannot be told", "Changed"))
    assert "--threads 8" in (here / "c.html").read_text()
    document = json.loads((here / "c.json").read_text())
    assert [side["words"] for side in document["sides"]] == ["--threads 4", "--threads 8"]
    assert json.loads(call("compare", "shop-0", "shop-2", "--despite", "validity", "--json", "-").stdout) == document


@pytest.mark.usefixtures("here")
def test_runs_of_one_setting_are_one_side_and_vs_makes_two():
    words = ("--despite", "validity", "--json", "-")
    three = json.loads(call("compare", "shop-0", "shop-1", "shop-2", *words).stdout)
    assert [len(side["runs"]) for side in three["sides"]] == [2, 1]
    parted = json.loads(call("compare", "shop-0", "vs", "shop-1", *words).stdout)
    assert [len(side["runs"]) for side in parted["sides"]] == [1, 1]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("compare shop-0", "nothing to compare"),
        ("compare shop", "fits 3 runs"),
        ("compare nginx shop-0", "no run in runs/ is named so"),
        ("compare vs shop-0", "vs stands between runs"),
        ("compare shop-0 runs/20260100T000000Z-shop-0 --despite validity", "given twice"),
        ("compare shop-0 shop-1 --html nowhere/c.html", "--html nowhere/c.html: nowhere is no folder"),
        ("compare shop-0 shop-1 --json nowhere/c.json", "--json nowhere/c.json: nowhere is no folder"),
        ("compare shop-0 shop-1 --least 101", "--least 101"),
        ("plot shop-0 --what latencies", "--what 'latencies': of one run there are waterline"),
        ("plot shop-0 shop-1 --what waterline", "of several runs there are latency"),
        ("plot shop-0 --out x.jpg", "--out x.jpg: the name ends in none of .svg"),
        ("plot shop-0 --what failures", "has nothing to show in it"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(words, refusal):
    done = call(*words.split())
    assert isinstance(done.exception, UsageError), done.exception
    assert refusal in str(done.exception)


def test_a_run_that_is_damaged_is_refused_with_the_file(here):
    (here / "runs" / "20260100T000000Z-shop-0" / "run.json").write_text("{")
    done = call("compare", "shop-0", "shop-1")
    assert isinstance(done.exception, RunFolderError)
    assert "run.json" in str(done.exception)


@pytest.mark.parametrize(("words", "begins"), [("--out p.png", b"\x89PNG"), ("--out p.pdf", b"%PDF"), ("", b"<?xml")])
def test_a_picture_is_written_into_a_file_whose_name_is_printed(here, words, begins):
    done = call("plot", "shop-0", *words.split())
    assert done.exit_code == 0, done.exception
    assert (here / done.stdout.strip()).read_bytes().startswith(begins)


def test_several_runs_are_drawn_into_one_picture(here):
    done = call("plot", "shop-0", "shop-2", "--out", "both.svg", "--dark")
    assert done.exit_code == 0, done.exception
    assert "20260102T000000Z-shop-2" in (here / "both.svg").read_text()


@pytest.mark.usefixtures("here")
def test_the_shell_completes_names_of_runs_and_pictures():
    assert list(runs.complete_run("20260101")) == ["20260101T000000Z-shop-1"]
    assert list(runs.complete_what("la")) == ["latency"]


def test_every_picture_that_there_is_can_be_asked_for():
    assert set(runs.PICTURE_NAMES) == {*PICTURES, *OVERLAYS}
