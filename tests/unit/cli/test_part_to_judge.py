"""Which folder of a run has something to judge."""

from floodmark.cli.run import _part_to_judge
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import Manifest, RunFolder, RunStatus, SearchStep

FIRST = SearchStep(folder="steps/01-16", requests=16)
SECOND = SearchStep(folder="steps/02-64", requests=64)


def folder_with(path, *steps):
    folder = RunFolder(path)
    folder.create()
    folder.write_manifest(
        Manifest(
            run_id="run",
            status=RunStatus.INTERRUPTED,
            started_utc="2026-01-01T00:00:00+00:00",
            target="t",
            url="http://127.0.0.1:1/",
            profile=SearchProfile(first=16, most=64, hold_s=1.0),
            hold_known=True,
            workers=1,
            beat_s=0.05,
            steps=steps,
        )
    )
    return folder


def test_a_search_that_was_ended_in_its_first_burst_is_judged_by_that(tmp_path):
    folder = folder_with(tmp_path / "run", FIRST)
    assert _part_to_judge(folder).path == tmp_path / "run" / "steps" / "01-16"


def test_a_search_with_a_whole_burst_is_judged_as_a_search(tmp_path):
    judged = SearchStep(folder="steps/01-16", requests=16, judged=True)
    folder = folder_with(tmp_path / "run", judged, SECOND)
    assert _part_to_judge(folder) is folder


def test_a_run_without_bursts_is_judged_itself(tmp_path):
    folder = folder_with(tmp_path / "run")
    assert _part_to_judge(folder) is folder
