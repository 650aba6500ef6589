"""Who steers a cluster may sit at a Mac: no command needs what only Linux has, or one line says where to run it."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from floodmark.cli.main import app
from floodmark.core.run_folder import CLOCKS, SAMPLES, WORKERS, RunFolder

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "analysis"))

from simulated import Server, Simulation  # noqa: E402 - it is in the folder named above

HOSTS = """
[ssh]
config = "ssh_config"
[cluster]
plain_bus = true
[[hosts]]
name = "m"
roles = ["master"]
[[hosts]]
name = "w"
address = "192.0.2.1"
roles = ["worker"]
"""
ELSEWHERE = "needs Linux, and this machine runs Darwin: "


def all_commands(group, name):
    """Every command's words, those of groups and their parts."""
    yield name
    for part, command in getattr(group, "commands", {}).items():
        yield from all_commands(command, f"{name} {part}")


HELPS = [f"{name} --help" for name in all_commands(typer.main.get_command(app), "floodmark")]
STEERED = [f"floodmark cluster {part} hosts.toml" for part in ("up", "status", "logs", "ui", "down")]
REFUSED = {
    "floodmark run fastapi-uvicorn-sync --hold 2": f"floodmark: a load {ELSEWHERE}`floodmark run fastapi-uvicorn-sync"
    " --hold 2 --cluster hosts.toml` runs it on Linux hosts",
    "floodmark doctor": f"floodmark: a load {ELSEWHERE}`floodmark doctor` on the Linux hosts says what they lack",
    "floodmark suite": f"floodmark: a suite {ELSEWHERE}run it on a Linux host;",
    "floodmark lab up": f"floodmark: a lab on this machine {ELSEWHERE}bring it up on a Linux host",
    "floodmark lab status": f"floodmark: a lab on this machine {ELSEWHERE}bring it up on a Linux host",
    "floodmark-agent --once --port 8000": f"floodmark-agent: the agent {ELSEWHERE}start it on the server's own host",
}
OTHERS = [
    "floodmark report run",
    "floodmark report run --json -",
    "floodmark keys keys",
    "floodmark targets --json",
    "floodmark wheelhouse --extras nonsense",
]


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """A folder with a recorded run, and a hosts.toml whose hosts are not there."""
    path = tmp_path_factory.mktemp("mac")
    recording = Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()
    folder = RunFolder(path / "run")
    folder.create()
    folder.write_manifest(recording.manifest)
    folder.append_hits(list(recording.hits))
    for name, records in ((SAMPLES, recording.samples), (WORKERS, recording.workers), (CLOCKS, recording.clocks)):
        folder.append(name, list(records))
    folder.close()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        (path / "ssh_config").write_text(f"Host m w\n  HostName 127.0.0.1\n  Port {port}\n  User nobody\n")
        (path / "hosts.toml").write_text(HOSTS)
        yield path


@pytest.fixture(scope="module")
def said(cwd):
    """Exit code, stdout and stderr by command; all in one process, since its start takes the most time."""
    commands = [*HELPS, *STEERED, *REFUSED, *OTHERS]
    script = [sys.executable, str(HERE / "as_on_a_mac.py"), json.dumps([command.split() for command in commands])]
    done = subprocess.run(script, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(commands, json.loads(done.stdout), strict=True))


def test_no_command_ends_in_a_traceback(said):
    assert {command: err for command, (code, _, err) in said.items() if code is None or "Traceback" in err} == {}


def test_the_help_of_every_command_is_there(said):
    assert len(HELPS) > 15
    assert [command for command in HELPS if said[command][0] or "Usage: " not in said[command][1]] == []


def test_a_recorded_run_is_judged_keys_are_made_and_targets_are_listed(said, cwd):
    judged, verdict, keys, targets, refused = (said[command] for command in OTHERS)
    assert (judged[0], judged[2]) == (0, "")
    assert "10 requests at once" in judged[1]
    assert (cwd / "run" / "report.html").exists()
    assert json.loads(verdict[1])["verdict"]["in_service"]["ceiling"] == 10
    assert keys[0] == 0, keys[2]
    assert {path.name for path in (cwd / "keys").iterdir()} == {"master.toml", "worker.toml", "agent.toml"}
    assert targets[0] == 0, targets[2]
    assert len(json.loads(targets[1])) > 30
    assert (refused[0], refused[2].count("\n")) == (2, 1)


@pytest.mark.parametrize("command", STEERED)
def test_a_cluster_is_steered_as_far_as_its_hosts_can_be_reached(said, command):
    code, out, err = said[command]
    assert code == 1, out + err
    assert "m: [127.0.0.1]:" in out + err
    assert "cannot be reached" in out + err


@pytest.mark.parametrize("command", REFUSED)
def test_what_only_linux_can_do_is_one_line_that_says_what_to_do(said, command):
    code, out, err = said[command]
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert err.startswith(REFUSED[command])
