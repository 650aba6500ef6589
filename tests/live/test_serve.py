"""`python -m floodmark_deploy.serve`: one target in the foreground, as a service manager starts it."""

import subprocess
import sys
import time
import urllib.request

import pytest

from floodmark_deploy.port import free_port

pytestmark = pytest.mark.live

SERVE = [sys.executable, "-m", "floodmark_deploy.serve"]

WRITES = """
summary = "says where it may write, and ends"
[start]
command = ["/bin/sh", "-c", "echo \\"$0\\" | tee \\"$0/a\\"", "{scratch}"]
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where its temporary files would be; it is no service manager's."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    return folder


@pytest.fixture
def writes(tmp_path, monkeypatch):
    """Begins the words for a target that writes a file."""
    (tmp_path / "zoo" / "writes").mkdir(parents=True)
    (tmp_path / "zoo" / "writes" / "target.toml").write_text(WRITES)
    monkeypatch.setenv("FLOODMARK_TARGETS", str(tmp_path / "zoo"))
    return [*SERVE, "writes"]


def test_this_process_becomes_the_server_and_ends_as_it_does_with_nothing_left(tmp_path, temporary):
    port = free_port("127.0.0.1")
    words = [*SERVE, "fastapi-uvicorn-sync", "--port", str(port)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            deadline_s = time.monotonic() + 60
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/?id=7&hold=0", timeout=5) as answer:
                        said = answer.headers["Server-Timing"]
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline_s
                    time.sleep(0.05)
            assert str(process.pid) in said
        finally:
            process.terminate()
    assert process.returncode is not None
    assert list(tmp_path.iterdir()) == [temporary]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("by", ["option", "service manager"])
def test_a_server_writes_into_the_folder_that_it_is_given_and_nowhere_else(
    tmp_path, temporary, writes, by, monkeypatch
):
    given = tmp_path / "given"
    if by == "option":
        writes += ["--folder", "given"]
    else:
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(given))
    done = subprocess.run(writes, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{given / 'scratch'}\n"
    assert [path.relative_to(given).as_posix() for path in given.rglob("*")] == ["scratch", "scratch/a"]
    assert list(temporary.iterdir()) == []


def test_a_server_that_writes_is_refused_without_a_folder_and_none_is_made(temporary, writes, tmp_path):
    done = subprocess.run(writes, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "writes writes files: give --folder FOLDER" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(temporary.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(temporary, writes, tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run(
        [*writes, "--folder", "file"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"floodmark: --folder file: {tmp_path}/file/scratch cannot be made: ")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("name", "words"), [("no-such-target", "no target 'no-such-target'")])
def test_a_target_that_there_is_not_is_one_line(name, words):
    done = subprocess.run([*SERVE, name], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("floodmark: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
