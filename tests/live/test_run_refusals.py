"""Bad input gets one clear line and a non-zero exit, and nothing is left running or on disk."""

import json
import signal
import socket
import sys
from pathlib import Path

import pytest
from command import (
    SERVERS,
    floodmark,
    free_port,
    interrupt,
    living,
    manifest,
    own_server,
    run_folder,
    started,
    wait_until,
)

SERVER = """
summary = "broken on purpose"
[start]
command = [{command}]
[ready]
path = "/"
timeout_s = 3
[request]
path = "/"
"""


def refused(*words, cwd, code):
    """The one line on stderr; nothing on stdout, and nothing left running."""
    done = floodmark(*words, cwd=cwd)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for folder in (cwd / "runs").glob("*"):
        assert living(folder.name) == []
        assert manifest(folder)["status"] == "failed"
    return done.stderr


def target_file(cwd, *command):
    path = cwd / "target.toml"
    path.write_text(SERVER.format(command=", ".join(f"'''{word}'''" for word in command)))
    return str(path)


def test_an_unknown_target_is_answered_with_the_nearest_name(tmp_path):
    line = refused("run", "fastapi-uvicorn-sink", cwd=tmp_path, code=2)
    assert "no target 'fastapi-uvicorn-sink': did you mean 'fastapi-uvicorn-sync'?" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--requests", "0"), "--requests 0: give a whole number from 1"),
        (("--requests", "-3"), "--requests -3"),
        (("--within", "-1"), "--within -1"),
        (("--hold", "0"), "--hold 0: give seconds above 0"),
        (("--workers", "0"), "--workers 0: give a number from 1 to 64"),
        (("--port", "-1"), "--port -1: give a number from 0 to 65535"),
        (("--hold", "5", "--timeout", "4"), "--hold 5 is not shorter than --timeout 4"),
        (("--beat", "0"), "--beat 0"),
        (("--cpu-budget", "0"), "--cpu-budget 0"),
        (("--rate", "5"), "--rate: the burst profile has none; it has --requests, --within, --hold, --timeout"),
        (("--profile", "wrk"), "--profile 'wrk': there are burst, ramp, closed, arrivals, search"),
        (("--source", "127.0.0.9-127.0.0.2"), "--source '127.0.0.9-127.0.0.2': the range ends before it begins"),
        (("--source", "203.0.113.9"), "--source 203.0.113.9: not an address of this machine"),
        (("--expect-match", "("), "--expect-match '(': not a regular expression"),
        (("--expect-status", "99"), "--expect-status 99: give an HTTP status from 200 to 599"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused_before_anything_starts(tmp_path, words, expected):
    line = refused("run", "fastapi-uvicorn-sync", *words, cwd=tmp_path, code=2)
    assert expected in line
    assert not (tmp_path / "runs").exists()


def test_words_that_are_no_option_are_a_usage_error(tmp_path):
    done = floodmark("run", "fastapi-uvicorn-sync", "--requets", "5", cwd=tmp_path)
    assert done.returncode == 2
    assert "--requests" in done.stderr


def test_nothing_or_two_things_to_run_is_a_usage_error(tmp_path):
    assert "say what to run, once" in refused("run", cwd=tmp_path, code=2)
    assert "say what to run, once" in refused("run", "x", "--url", "http://h/", cwd=tmp_path, code=2)


def test_a_port_that_is_taken_is_named_with_the_process_that_has_it(tmp_path):
    with own_server("loop_server.py", "1", cwd=tmp_path) as port:
        line = refused("run", "fastapi-uvicorn-sync", "--port", str(port), cwd=tmp_path, code=1)
    assert f"port {port} is taken by process" in line
    assert "loop_server.py" in line


def test_a_target_that_dies_at_its_start_shows_its_last_lines(tmp_path):
    path = target_file(tmp_path, sys.executable, "-c", 'import sys; print("no database here"); sys.exit(7)')
    line = refused("run", "--target-file", path, cwd=tmp_path, code=1)
    assert "ended with exit code 7" in line
    assert "no database here" in line


def test_a_target_that_never_gets_ready_says_what_was_seen(tmp_path):
    path = target_file(tmp_path, sys.executable, "-c", "import time; time.sleep(60)")
    line = refused("run", "--target-file", path, cwd=tmp_path, code=1)
    assert "was not ready within 3 s" in line
    assert "no listener on 127.0.0.1:" in line


def test_a_missing_runtime_is_named_with_what_to_install(tmp_path):
    path = target_file(tmp_path, "serve")
    with Path(path).open("a") as file:
        file.write('[needs]\ndistributions = ["no-such-framework"]\ninstall = "pip install no-such-framework"\n')
    line = refused("run", "--target-file", path, cwd=tmp_path, code=1)
    assert "needs the Python distribution 'no-such-framework'" in line
    assert "pip install no-such-framework" in line


def test_limits_too_low_for_the_plan_are_found_before_any_load(tmp_path):
    line = refused("run", "fastapi-uvicorn-sync", "--requests", "900000", cwd=tmp_path, code=1)
    assert "open files of a worker" in line
    assert "floodmark doctor" in line
    assert not (tmp_path / "runs").exists()


def test_a_url_that_cannot_be_reached_is_named_with_the_reason(tmp_path):
    port = free_port("127.0.0.1")
    line = refused("run", "--url", f"http://127.0.0.1:{port}/", cwd=tmp_path, code=1)
    assert f"http://127.0.0.1:{port}/ cannot be reached: connection refused" in line


def test_a_url_that_answers_with_an_error_is_refused_with_what_it_said(tmp_path):
    script = tmp_path / "teapot.py"
    script.write_text(
        "import http.server, sys\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_error(404)\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
    )
    port = free_port("127.0.0.1")
    with started(sys.executable, str(script), str(port), cwd=tmp_path):
        wait_until(lambda: _listens(port), "the server")
        line = refused("run", "--url", f"http://127.0.0.1:{port}/nowhere", cwd=tmp_path, code=1)
    assert "did not answer as expected" in line
    assert "404" in line


def _listens(port):
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("url", ["https://192.0.2.1/", "ftp://127.0.0.1/", "127.0.0.1:80", "http://192.0.2.1/"])
def test_a_url_that_is_not_for_this_command_is_refused(tmp_path, url):
    assert "floodmark: " in refused("run", "--url", url, cwd=tmp_path, code=2)


def test_an_unreadable_target_file_is_named_with_its_place(tmp_path):
    (tmp_path / "target.toml").write_text('[start]\ncommand = "serve"\n')
    line = refused("run", "--target-file", str(tmp_path / "target.toml"), cwd=tmp_path, code=2)
    assert "target.toml: start: command: expected a list" in line
    assert "no such file" in refused("run", "--target-file", "nowhere.toml", cwd=tmp_path, code=2)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    assert "not a run folder" in refused("report", str(tmp_path), cwd=tmp_path, code=1)


def test_a_run_folder_that_is_taken_is_not_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.json").write_text("{}")
    line = refused("run", "fastapi-uvicorn-sync", "--out", "mine", cwd=tmp_path, code=1)
    assert "holds a run already" in line
    assert (tmp_path / "mine" / "run.json").read_text() == "{}"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the run has its temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


PHASES = {
    "while the target starts": "starting fastapi",
    "while the cluster starts": "starting a Locust master",
    "while workers and agent gather": "gathering workers",
    "while the load is on": "load is on",
}


@pytest.mark.live
@pytest.mark.parametrize(
    ("phase", "number"),
    [*((phase, signal.SIGINT) for phase in PHASES.values()), ("load is on", signal.SIGTERM)],
    ids=[*PHASES.keys(), "by SIGTERM while the load is on"],
)
def test_ctrl_c_at_any_moment_ends_everything_and_leaves_a_readable_run(tmp_path, temporary, phase, number):
    words = (sys.executable, "-m", "floodmark", "run", "fastapi-uvicorn-sync", "--requests", "200", "--hold", "4")
    with started(*words, cwd=tmp_path, temporary=temporary) as process:
        wait_until(lambda: phase in (tmp_path / "printed.txt").read_text(), phase)
        assert interrupt(process, number) == 130
    folder = run_folder(tmp_path)
    assert living(folder.name) == []
    assert list(temporary.iterdir()) == []
    assert manifest(folder)["status"] == "interrupted"
    printed = (tmp_path / "printed.txt").read_text()
    assert "Traceback" not in printed
    assert "interrupted" in printed
    if phase == "load is on":
        again = floodmark("report", str(folder), cwd=tmp_path)
        assert again.returncode == 130
        assert "interrupted" in again.stdout.lower()
        outcomes = json.loads((folder / "verdict.json").read_text())["outcomes"]
        assert outcomes["answered"] + outcomes["waiting"] == 200


@pytest.mark.live
def test_kill_9_of_floodmark_leaves_neither_process_nor_key_behind(tmp_path, temporary):
    words = (sys.executable, "-m", "floodmark", "run", "flask-gunicorn-sync-4", "--requests", "50", "--hold", "4")
    with started(*words, cwd=tmp_path, temporary=temporary) as process:
        wait_until(lambda: "load is on" in (tmp_path / "printed.txt").read_text(), "the load")
        marker = run_folder(tmp_path).name
        assert len(living(marker)) >= 4
        assert list(temporary.glob("*/master.toml"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not living(marker), "every process of the run to end")
    wait_until(lambda: not list(temporary.iterdir()), "the keys to go")
    assert SERVERS.is_dir()


WRITES = "import pathlib, sys, time; pathlib.Path(sys.argv[1], 'file').touch(); time.sleep(60)"


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_what_a_server_wrote_goes_with_it_also_when_floodmark_is_killed(tmp_path, temporary, number):
    file = target_file(tmp_path, sys.executable, "-c", WRITES, "{scratch}")
    words = (sys.executable, "-m", "floodmark", "run", "--target-file", file)
    with started(*words, cwd=tmp_path, temporary=temporary) as process:
        wait_until(lambda: list(tmp_path.glob("runs/*/scratch/file")), "the server to write")
        process.send_signal(number)
        process.wait()
        folder = run_folder(tmp_path)
        wait_until(lambda: not living(folder.name), "every process of the run to end")
    wait_until(lambda: not (folder / "scratch").exists(), "the server's folder to go")
    assert (folder / "run.json").exists()
    assert list(temporary.iterdir()) == []
