"""The run folder: what was measured stays readable, whatever happened to the process that wrote it."""

import json

import pytest
from run_records import RUNNING

from floodmark.core.clock import ClockReading
from floodmark.core.errors import RunFolderError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import CLOCKS, HITS, MANIFEST, RunFolder
from floodmark.core.tail import LineTail

HIT_RECORDS = tuple(Hit(id=number, worker="w", planned_s=1.0, outcome=Outcome.WAITING) for number in (1, 2, 3))


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_manifest(RUNNING)
    folder.append_hits(list(HIT_RECORDS))
    folder.append(CLOCKS, [ClockReading(node="agent", offset_s=1.0, bound_s=0.1)])
    yield folder
    folder.close()


def test_what_was_written_is_read_again_while_the_run_goes_on(folder):
    recording = RunFolder(folder.path).read()
    assert recording.manifest == RUNNING
    assert recording.hits == HIT_RECORDS
    assert recording.clocks[0].node == "agent"
    assert recording.samples == ()


def test_appending_goes_on_after_a_pause_without_a_second_header(folder):
    folder.close()
    folder.append_hits(list(HIT_RECORDS[:1]))
    assert len(RunFolder(folder.path).read().hits) == 4


def test_a_last_line_that_was_cut_short_is_left_out(folder):
    folder.close()
    path = folder.path / HITS
    path.write_bytes(path.read_bytes()[:-5])
    assert RunFolder(folder.path).read().hits == HIT_RECORDS[:2]


def test_a_broken_line_in_the_middle_is_named(folder):
    folder.close()
    path = folder.path / HITS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "{broken\n", *lines[2:]]))
    with pytest.raises(RunFolderError, match=r"hits\.jsonl, line 3: not JSON"):
        RunFolder(folder.path).read()


def test_columns_of_another_format_are_refused(folder):
    folder.close()
    path = folder.path / HITS
    path.write_text(path.read_text().replace('"worker"', '"server"', 1))
    with pytest.raises(RunFolderError, match="the columns are not those of format 1"):
        RunFolder(folder.path).read()


def test_a_folder_that_holds_a_run_is_not_written_over(folder):
    with pytest.raises(RunFolderError, match="holds a run already"):
        RunFolder(folder.path).create()


def test_a_folder_without_a_manifest_is_no_run_folder(tmp_path):
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunFolder(tmp_path).read()


def test_a_manifest_of_another_format_is_refused(folder):
    path = folder.path / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(RunFolderError, match="another format"):
        RunFolder(folder.path).manifest()


def test_a_manifest_is_replaced_whole_and_leaves_nothing_beside(folder):
    folder.write_manifest(RUNNING)
    assert sorted(path.name for path in folder.path.iterdir()) == [CLOCKS, HITS, MANIFEST]


def test_a_tail_gives_each_whole_line_once(tmp_path):
    path = tmp_path / "lines"
    tail = LineTail(path)
    assert tail.new_lines() == []
    path.write_text('{"a":1}\n{"a":2')
    assert tail.new_lines() == [{"a": 1}]
    with path.open("a") as file:
        file.write('}\n{"a":3}\n')
    assert tail.new_lines() == [{"a": 2}, {"a": 3}]
    assert tail.new_lines() == []
