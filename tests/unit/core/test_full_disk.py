"""A disk that is full: one clear line, no torn line, nothing lost as long as the process lives."""

import contextlib
import os
import subprocess
from dataclasses import replace

import pytest
from run_records import RUNNING

from floodmark.core.errors import RunFolderError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import MANIFEST, RunFolder, RunStatus

FIRED = replace(RUNNING, fired_s=1.0)
DISK_BYTES = 128 << 10


def hits(first, count):
    return [
        Hit(id=number, worker="w", planned_s=1.0, outcome=Outcome.WAITING) for number in range(first, first + count)
    ]


@pytest.fixture
def disk(tmp_path):
    """A small one of its own."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "floodmark-test", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@contextlib.contextmanager
def full(disk):
    """Somebody else takes all the room for a while."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    yield
    ballast.unlink()


@pytest.fixture
def folder(disk):
    folder = RunFolder(disk / "run")
    folder.create()
    folder.write_manifest(FIRED)
    return folder


def test_a_manifest_that_cannot_be_written_is_one_line_and_the_one_of_before_stays(disk, folder):
    later = replace(FIRED, status=RunStatus.COMPLETE, problems=("x" * 8192,))
    with full(disk), pytest.raises(RunFolderError, match=r"run\.json: cannot be written: No space left.*make room"):
        folder.write_manifest(later)
    assert folder.manifest() == FIRED
    assert [path.name for path in folder.path.iterdir()] == [MANIFEST]
    folder.write_manifest(later)
    assert folder.manifest() == later


def test_what_could_not_be_written_is_written_with_the_next_and_no_line_is_torn(disk, folder):
    folder.append_hits(hits(1, 30))
    with full(disk):
        for first in range(31, 331, 100):
            with pytest.raises(RunFolderError, match=r"hits\.jsonl: cannot be written: No space left"):
                folder.append_hits(hits(first, 100))
        # A part of them has found room in the last page; a line that was begun is not read yet.
        meanwhile = [hit.id for hit in RunFolder(folder.path).read().hits]
        assert meanwhile == list(range(1, len(meanwhile) + 1))
        assert 30 <= len(meanwhile) < 330
    folder.append_hits(hits(331, 1))
    folder.close()
    assert [hit.id for hit in RunFolder(folder.path).read().hits] == list(range(1, 332))


def test_lines_that_wait_are_written_at_the_end_or_said_to_be_lost(disk, folder):
    with full(disk), pytest.raises(RunFolderError):
        folder.append_hits(hits(1, 300))
    folder.close()
    assert len(RunFolder(folder.path).read().hits) == 300
    with full(disk):
        with pytest.raises(RunFolderError):
            folder.append_hits(hits(301, 300))
        with pytest.raises(RunFolderError, match=r"hits\.jsonl: cannot be written"):
            folder.close()
    found = [hit.id for hit in RunFolder(folder.path).read().hits]
    assert found == list(range(1, len(found) + 1))
