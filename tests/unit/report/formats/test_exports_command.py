"""`--export` of `floodmark report`: files, refusals, what CI asks for by itself, and what is left of a failure."""

import json
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from export_cases import burst_recording, judged, kept
from judged_builder import manifest_for
from markdown_it import MarkdownIt
from simulated import Server, Simulation
from steady_cases import search_manifest

from floodmark.cli.exports import failure_handed_over
from floodmark.cli.main import main
from floodmark.core.outputs import OTLP_ENDPOINTS, STEP_SUMMARY, ExportFormat, Outputs, parse_outputs
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import RunFolder, RunStatus, SearchStep
from floodmark.report.formats.exports import export, export_as_environment_asks, render
from floodmark.report.formats.no_verdict import main as no_verdict

FILES = (
    "junit.xml",
    "summary.md",
    "verdict.json",
    "metrics.csv",
    "series.csv",
    "seconds.csv",
    "latency.hgrm",
    "m.prom",
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    for name in (STEP_SUMMARY, *OTLP_ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path):
    return kept(burst_recording(), RunFolder(tmp_path / "run")).path


@pytest.fixture
def said(monkeypatch, capsys):
    """Runs `floodmark` with these words; its exit code, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["floodmark", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return call


def exports(*names):
    return [word for name in names for word in ("--export", name)]


def error_in(path):
    """What the one error in a JUnit file says."""
    (error,) = ET.parse(path).getroot().iter("error")  # noqa: S314 - our own
    return error.get("message")


def test_every_format_is_written_and_the_verdict_is_printed_as_ever(said, run, tmp_path):
    code, out, err = said("report", run, *exports(*FILES))
    assert (code, err) == (0, "")
    assert "40 requests at once" in " ".join(out.split())
    assert {path.name for path in tmp_path.iterdir()} == {"run", *FILES}
    assert (tmp_path / "verdict.json").read_text() == (run / "verdict.json").read_text()
    assert "floodmark_target_in_service_ceiling_requests" in (tmp_path / "m.prom").read_text()
    assert (tmp_path / "latency.hgrm").read_text().startswith("       Value")


def test_a_searchs_distribution_is_that_of_its_decisive_burst(tmp_path):
    folder = RunFolder(tmp_path / "run")
    steps = tuple(SearchStep(folder=f"steps/{size}", requests=size, judged=True, answered=size) for size in (16, 64))
    for step in steps:
        (folder.path / "steps").mkdir(parents=True, exist_ok=True)
        recording = Simulation(server=Server(slots=40), requests=step.requests, hold_s=2.0).record()
        kept(recording, RunFolder(folder.path / step.folder))
    folder.write_manifest(search_manifest(SearchProfile(first=16, most=10_000, hold_s=2.0), steps=steps))
    assert "Total count    =           64]" in render(ExportFormat.HGRM, judged("search"), folder)


@pytest.mark.parametrize("words", [("results.txt",), ("nowhere/junit.xml",), ("a.xml", "junit:./a.xml")])
def test_what_cannot_be_written_is_refused_before_anything_is_judged(said, run, words):
    code, out, err = said("report", run, *exports(*words))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("floodmark: --export ")
    assert not (run / "verdict.json").exists()


@pytest.mark.parametrize("command", ["run", "report"])
def test_both_commands_refuse_alike(said, command):
    code, _, err = said(command, "fastapi-uvicorn-sync", "--export", "xunit:a.xml")
    assert code == 2
    assert err.startswith("floodmark: --export xunit:a.xml: no format 'xunit'; there are junit (.xml)")


def test_a_threshold_that_is_none_is_refused_before_anything_is_started(said, tmp_path):
    code, out, err = said("run", "fastapi-uvicorn-sync", "--threshold", "http_req_duratoin: p(95)<1")
    assert (code, out) == (2, "")
    words = "threshold 'http_req_duratoin: p(95)<1', column 1: no metric 'http_req_duratoin'; near it are"
    assert err.startswith(f"floodmark: {words} http_req_duration")
    assert list(tmp_path.iterdir()) == []


def test_a_suites_folder_has_no_one_run_to_export(said, tmp_path):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "suite.json").write_text("{}")
    code, _, err = said("report", tmp_path / "suite", "--export", "junit.xml")
    assert code == 2
    assert err.startswith("floodmark: --export is of one run: give one of the run folders in ")


def test_githubs_summary_is_appended_to_without_being_asked(said, run, tmp_path, monkeypatch):
    summary = tmp_path / "summary"
    summary.write_text("what was there\n")
    monkeypatch.setenv(STEP_SUMMARY, str(summary))
    assert said("report", run)[0] == 0
    text = summary.read_text()
    assert text.startswith("what was there\n## ")
    assert "### Where the requests were" in text


def test_githubs_summary_says_why_a_run_has_no_verdict(said, run, tmp_path, monkeypatch):
    summary = tmp_path / "summary"
    summary.write_text("what was there\n")
    monkeypatch.setenv(STEP_SUMMARY, str(summary))
    (run / "run.json").unlink()
    code, _, err = said("report", run)
    assert code == 1
    assert as_read(summary) == ["what was there", "run: no verdict", err.strip().removeprefix("floodmark: ")]


def test_the_summary_of_an_interrupted_run_is_left_to_its_verdict(tmp_path, monkeypatch):
    summary = tmp_path / "summary"
    monkeypatch.setenv(STEP_SUMMARY, str(summary))
    for error, is_told in ((KeyboardInterrupt(), False), (ZeroDivisionError("no server"), True)):
        with pytest.raises(type(error)), failure_handed_over("server", Outputs()):
            raise error
        assert summary.exists() == is_told
    assert as_read(summary) == ["server: no verdict", "ZeroDivisionError('no server')"]


def as_read(page):
    """The texts of a page of Markdown, as its reader sees them."""
    return [
        "".join(child.content for child in token.children)
        for token in MarkdownIt().parse(page.read_text())
        if token.type == "inline"
    ]


def test_what_cannot_be_written_after_all_is_told_and_the_rest_is_written(said, run, tmp_path, monkeypatch):
    monkeypatch.setenv(STEP_SUMMARY, "/dev/null/summary")
    code, out, err = said("report", run, *exports("prometheus:/dev/full", "junit.xml"))
    assert (code, out == "") == (1, False)
    assert err.splitlines() == [
        "floodmark: GITHUB_STEP_SUMMARY=/dev/null/summary: cannot be written: Not a directory",
        "floodmark: --export prometheus:/dev/full: cannot be written: No space left on device",
    ]
    assert (tmp_path / "junit.xml").exists()


def test_what_goes_to_a_closed_stdout_goes_into_no_other_file(run, tmp_path):
    """`Path` opens the run's files one after another: the first would get the number that stdout had."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    program = (
        "import sys; from floodmark.cli import main, run; held = []; judged = run.build_report\n"
        f"run.build_report = lambda *of: held.append(open({str(victim)!r}, 'r+')) or judged(*of)\n"
        f"sys.argv = ['floodmark', 'report', {str(run)!r}, '--export', 'junit:/dev/stdout']; main.main()"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, program]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert victim.read_text() == "precious"


def test_a_summary_that_cannot_be_written_is_no_reason_to_fail(tmp_path):
    found, folder = judged("fastapi-uvicorn-sync"), RunFolder(tmp_path)
    folder.write_manifest(manifest_for(found))
    assert export(found, folder, Outputs()) == []
    (warning,) = export_as_environment_asks(found, folder, {STEP_SUMMARY: str(tmp_path)})
    assert warning == f"GITHUB_STEP_SUMMARY={tmp_path}: cannot be written: Is a directory"


def test_of_a_run_without_a_verdict_junit_has_an_error_in_place_of_an_older_file(said, tmp_path):
    recording = burst_recording()
    never = replace(recording, manifest=replace(recording.manifest, fired_s=None, problems=("the target died",)))
    folder = kept(never, RunFolder(tmp_path / "run"))
    (tmp_path / "junit.xml").write_text("old")
    code, _, err = said("report", folder.path, *exports("junit.xml", "summary.md"))
    assert code == 1
    assert f"floodmark: {error_in(tmp_path / 'junit.xml')}\n" == err
    assert "the target died" in err
    assert not (tmp_path / "summary.md").exists()


def test_of_a_search_whose_only_burst_nobody_judged_the_burst_is_judged_by_the_searchs_thresholds(said, tmp_path):
    """It is no result of the search's, however good: the search ended on an error."""
    recording = Simulation(server=Server(slots=40), requests=64, hold_s=2.0).record()
    step = SearchStep(folder="steps/01-64", requests=64)
    (tmp_path / "run" / "steps").mkdir(parents=True)
    burst = kept(recording, RunFolder(tmp_path / "run" / step.folder))
    goals = {"steps": (step,), "thresholds": ("requests.answered == 64",), "status": RunStatus.FAILED}
    RunFolder(tmp_path / "run").write_manifest(
        search_manifest(SearchProfile(first=64, most=1_000, hold_s=2.0), **goals)
    )
    code, out, _ = said("report", tmp_path / "run")
    assert code == 3
    assert "What the run was to meet: 1 of 1 met" in out
    assert json.loads((burst.path / "verdict.json").read_text())["validity"]["ok"]


def test_a_folder_that_is_no_run_leaves_an_error_in_place_of_an_older_file(said, run, tmp_path):
    (tmp_path / "junit.xml").write_text("old")
    (run / "run.json").unlink()
    code, _, err = said("report", run, *exports("junit.xml"))
    assert code == 1
    assert err == f"floodmark: {error_in(tmp_path / 'junit.xml')}\n"


@pytest.mark.parametrize("bug", [ZeroDivisionError("no server"), KeyboardInterrupt()])
def test_whatever_keeps_a_run_from_its_verdict_junit_has_an_error(tmp_path, bug):
    with pytest.raises(type(bug)), failure_handed_over("server", parse_outputs(["junit.xml"])):
        raise bug
    assert error_in(tmp_path / "junit.xml") == repr(bug)


def test_locusts_master_has_junit_and_the_summary_say_that_there_is_no_verdict(tmp_path, monkeypatch):
    no_verdict(["http://127.0.0.1:1", "the agent never came", "junit:results", "metrics.csv"])
    assert error_in(tmp_path / "results") == "the agent never came"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    monkeypatch.setenv(STEP_SUMMARY, str(tmp_path / "summary"))
    no_verdict(["http://127.0.0.1:1", "the agent never came"])
    assert as_read(tmp_path / "summary") == ["http://127.0.0.1:1: no verdict", "the agent never came"]


def test_the_schema_is_printed(said):
    code, out, err = said("schema")
    assert (code, err, json.loads(out)["title"]) == (0, "", "verdict.json")
