"""A run folder's derived files, made from its raw ones: of steady loads, and of a search with its bursts' folders."""

import json
from dataclasses import replace

import pytest
from export_cases import kept
from simulated import Server, Simulation
from simulated_steady import SteadySimulation
from steady_cases import search_manifest

from floodmark.core.errors import RunFolderError
from floodmark.core.profile import ClosedProfile, SearchProfile
from floodmark.core.run_folder import RunFolder, RunStatus, SearchStep
from floodmark.report.build import build_report

SEARCH = SearchProfile(first=16, most=10_000, hold_s=5.0)


def searched(path, *steps, status=RunStatus.COMPLETE):
    folder = RunFolder(path)
    folder.create()
    folder.write_manifest(search_manifest(SEARCH, status, steps=steps))
    return folder


def step_of(path, name, requests):
    kept(Simulation(server=Server(slots=40), requests=requests).record(), RunFolder(path / "steps" / name))
    return SearchStep(folder=f"steps/{name}", requests=requests, judged=True)


def test_a_steady_loads_folder_gets_its_verdict_report_and_picture(tmp_path):
    profile = ClosedProfile(connections=100, duration_s=3.0, timeout_s=2.0, hold_s=0.1)
    recording = SteadySimulation(profile=profile, slots=40, service_s=0.1, workers=2).record()
    folder = kept(recording, RunFolder(tmp_path / "run"))
    judged = build_report(folder)
    document = json.loads((folder.path / "verdict.json").read_text())
    assert document["throughput"]["answered"] == judged.document.throughput.answered
    assert document["latency"]["p99_9_s"] == judged.document.latency.p99_9_s
    assert "requests per second" in (folder.path / "waterline.svg").read_text()
    assert "How long an answer took" in (folder.path / "report.html").read_text()


def test_a_search_has_the_verdict_of_its_decisive_burst_and_every_judged_burst_its_own(tmp_path):
    path = tmp_path / "search"
    path.mkdir()
    steps = (step_of(path, "01-16", 16), step_of(path, "02-64", 64))
    (path / "run.json").write_text("")
    folder = RunFolder(path)
    folder.write_manifest(search_manifest(SEARCH, steps=steps))
    judged = build_report(folder)
    document = json.loads((path / "verdict.json").read_text())
    assert [(step["requests"], step["judged"], step["ceiling"]) for step in document["steps"]] == [
        (16, True, None),
        (64, True, 40),
    ]
    assert document["verdict"]["sentence"].startswith("A search over bursts of 16 and 64 requests: the ceiling of 40")
    assert judged.document.verdict.in_service.ceiling == 40
    for step in steps:
        own = json.loads((path / step.folder / "verdict.json").read_text())
        assert own["profile"]["requests"] == step.requests
        assert (path / step.folder / "report.html").exists()
    assert "The bursts of the search" in (path / "report.html").read_text()


def test_a_search_that_was_interrupted_in_its_second_burst_keeps_the_first(tmp_path):
    path = tmp_path / "search"
    path.mkdir()
    first = step_of(path, "01-16", 16)
    folder = RunFolder(path)
    cut = SearchStep(folder="steps/02-64", requests=64)
    folder.write_manifest(search_manifest(SEARCH, RunStatus.INTERRUPTED, steps=(first, cut)))
    document = build_report(folder).document
    assert document.status == "interrupted"
    assert [step.judged for step in document.steps] == [True, False]
    assert "not judged" in (path / "report.html").read_text()


@pytest.mark.parametrize("steps", [(), (SearchStep(folder="steps/01-16", requests=16),)])
def test_a_search_of_which_no_burst_was_judged_says_so_in_one_line(tmp_path, steps):
    folder = searched(tmp_path / "search", *steps, status=RunStatus.INTERRUPTED)
    with pytest.raises(RunFolderError, match="the search ended before its first burst was judged; run it again"):
        build_report(folder)


def test_a_steady_load_that_was_never_released_says_so(tmp_path):
    profile = ClosedProfile(connections=10, duration_s=1.0, timeout_s=2.0, hold_s=0.1)
    recording = SteadySimulation(profile=profile, slots=40, service_s=0.1).record()
    unfired = replace(recording, manifest=replace(recording.manifest, fired_s=None), hits=(), seconds=())
    with pytest.raises(RunFolderError, match="never released"):
        build_report(kept(unfired, RunFolder(tmp_path / "run")))
