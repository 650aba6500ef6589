"""`python -m floodmark_deploy.serve`: one target in the foreground, as a service manager starts it."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytestmark = pytest.mark.live

SERVE = [sys.executable, "-m", "floodmark_deploy.serve"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_this_process_becomes_the_server_and_ends_as_it_does():
    port = free_port()
    with subprocess.Popen([*SERVE, "fastapi-uvicorn-sync", "--port", str(port)], stderr=subprocess.DEVNULL) as process:
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
            assert str(process.pid) in said
        finally:
            process.terminate()
    assert process.returncode is not None


@pytest.mark.parametrize(("name", "words"), [("no-such-target", "no target 'no-such-target'")])
def test_a_target_that_there_is_not_is_one_line(name, words):
    done = subprocess.run([*SERVE, name], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("floodmark: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
