"""Runs whose hosts and processes go in the middle: nothing hangs, the result says why, and the next one works."""

import json
import subprocess

import pytest
from over_ssh import OverSsh, failed_checks, verdict_of, wait_until

LOAD = ("--requests", "200", "--hold", "4")


@pytest.fixture(scope="module")
def cluster(one_lab):
    """Up; afterwards the hosts are bare."""
    cluster = OverSsh(one_lab)
    cluster("up")
    yield cluster
    cluster("down")


class Lost:
    """What the user has of a run that lost somebody: exit code, lines, verdict, manifest."""

    def __init__(self, cluster, folder, breaks):
        before = cluster.run_folders()
        words = ("run", "fastapi-uvicorn-sync", "--cluster", str(cluster.hosts_toml), *LOAD, "--out", str(folder))
        with cluster.started(*words) as process:
            cluster.begins(process, before)
            breaks()
            self.stdout, self.stderr = process.communicate(timeout=180)
        assert "Traceback" not in self.stderr
        self.code = process.returncode
        self.manifest = json.loads((folder / "run.json").read_text())
        self.problems = "; ".join(self.manifest["problems"])
        if not (folder / "verdict.json").exists():
            cluster.run("report", str(folder), check=False)
        self.checks = failed_checks(verdict_of(folder))


def kill(cluster, host, unit):
    cluster.lab.ssh(host, f"sudo systemctl kill --signal=SIGKILL {cluster.unit(unit)}")


def cable(one_lab, name, state):
    host = next(host for host in one_lab.plan.hosts if host.name == name)
    subprocess.run(["ip", "link", "set", one_lab.plan.veth(host), state], check=True, timeout=20)


def next_one_works(cluster, folder):
    cluster.run(
        *("run", "fastapi-uvicorn-sync", "--cluster", str(cluster.hosts_toml), "--requests", "50", "--hold", "1"),
        *("--out", str(folder)),
    )


def test_a_worker_that_is_killed_is_named_and_the_run_does_not_count(cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: kill(cluster, "worker-2", "worker-1"))
    assert lost.code == 3, lost.stderr
    assert "worker-" in lost.problems
    assert "worker-" in lost.checks
    assert "worker-" in lost.stdout
    next_one_works(cluster, tmp_path / "next")


def test_a_worker_whose_network_is_cut_is_named_and_the_run_does_not_count(one_lab, cluster, tmp_path):
    try:
        lost = Lost(cluster, tmp_path / "lost", lambda: cable(one_lab, "worker-2", "down"))
    finally:
        cable(one_lab, "worker-2", "up")
    assert lost.code == 3, lost.stderr
    assert "worker-" in lost.problems
    assert "worker-" in lost.checks
    wait_until(cluster.whole, "the cluster is whole again", 120)


def test_an_agent_that_is_killed_is_a_gap_that_the_result_tells(cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: kill(cluster, "target-1", "agent"))
    assert lost.code == 3, lost.stderr
    assert lost.manifest["absences"], lost.manifest
    assert "agent" in lost.checks
    next_one_works(cluster, tmp_path / "next")


def test_a_master_that_is_killed_is_said_and_what_it_had_recorded_is_here(cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: kill(cluster, "master", "master"))
    assert lost.code == 1, lost.stderr
    assert "floodmark: master: Locust's master was lost in the middle of the run" in lost.stderr
    assert lost.manifest["status"] == "failed"
    assert "master was lost in the middle of the run" in lost.checks
    assert (tmp_path / "lost/pulses.jsonl").stat().st_size
    next_one_works(cluster, tmp_path / "next")


def test_a_target_host_that_reboots_is_said_and_the_next_run_starts_it_again(one_lab, cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: one_lab.ssh("target-1", "sudo reboot", check=False))
    assert lost.code == 3, lost.stderr
    assert "agent" in lost.checks
    wait_until(lambda: one_lab.ssh("target-1", "echo back", check=False) == "back", "the host is back")
    found = cluster("status", check=False)
    assert found.returncode == 1
    assert found.stdout.count("does not run") == 2
    next_one_works(cluster, tmp_path / "next")
    assert cluster.whole()
