"""The workflow in docs, tried: its own commands against a real server, and what CI gets of them."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from command import SERVERS
from junit_file import cases

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "docs" / "howto" / "floodmark.yml"
TARGET = f"""
[start]
command = ["{{python}}", "{SERVERS / "pool_server.py"}", "{{port}}", "8", "0.25", "{{host}}"]
[ready]
path = "/"
[request]
path = "/"
contains = "done"
"""


def steps():
    """The steps of the workflow's one job, by their names."""
    # YAML 1.1 reads the key `on` as true; GitHub does not, and nothing here needs it.
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    assert job["env"] == {"REQUESTS": "1000"}
    return {step.get("name", step.get("uses")): step for step in job["steps"]}


def ran(step, cwd, **environ):
    """Runs one step as GitHub does: `bash -e` on its lines, in the checkout."""
    found = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environ}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(words, cwd=cwd, env=found, capture_output=True, text=True, timeout=120, check=False)


def test_its_first_steps_install_what_there_is_and_find_the_machine_large_enough(tmp_path):
    (line,) = steps()["Install"]["run"].splitlines()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert line.split()[2].strip("'") in {f"floodmark[{extra}]" for extra in extras}
    assert ran(steps()["Look at the machine"], tmp_path, REQUESTS="128").returncode == 0


@pytest.mark.alone
def test_its_commands_gate_on_a_real_server(tmp_path):
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "target.toml").write_text(TARGET)
    summary = tmp_path / "summary"
    done = ran(steps()["Load test"], tmp_path, REQUESTS="128", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 99, done.stdout + done.stderr
    found = cases(tmp_path / "junit.xml")
    assert found["requests.waiting == 0"] == ["failure"]
    assert found["http_req_failed: rate<0.01"] == found["target.accept_queue.max < 1000"] == []
    assert "error" not in [tag for tags in found.values() for tag in tags]
    assert "### 4 thresholds, 1 missed" in summary.read_text()
    kept = [tmp_path / name for name in steps()["Keep what was measured"]["with"]["path"].split()]
    assert [path.exists() for path in kept] == [True, True]
    plain = json.loads((tmp_path / "load-run" / "verdict.json").read_text())
    assert sum(plain["outcomes"].values()) == 128
    assert plain["outcomes"]["waiting"] > 0
    assert plain["verdict"]["in_service"]["ceiling"] == 8
