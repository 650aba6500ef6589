"""`floodmark run` into a disk that is too small: one line that says so, and what was measured can be read."""

import os
import subprocess

import pytest
from command import floodmark, manifest

from floodmark.core.run_folder import RunFolder


@pytest.fixture
def disk(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "floodmark-test", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.live
def test_a_run_into_a_full_disk_says_so_in_one_line_and_loses_nothing_that_it_wrote(disk):
    words = ("--requests", "2000", "--hold", "0.5", "--out", str(disk / "run"))
    done = floodmark("run", "fastapi-uvicorn-async", *words, cwd=disk.parent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "make room, or give another --out" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert manifest(disk / "run")["target"] == "fastapi-uvicorn-async"
    hits = RunFolder(disk / "run").read().hits
    assert len({hit.id for hit in hits}) == len(hits) > 100
