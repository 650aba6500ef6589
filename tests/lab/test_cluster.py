"""`floodmark cluster` on a real lab: hosts that will not do, a load from two hosts, and what becomes of a run whose
hosts go. The hosts are bare when this begins."""

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

FLOODMARK = [sys.executable, "-m", "floodmark"]


def wait_until(true, what, timeout_s=60):
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(one_lab):
    """The command line with the lab's hosts.toml; afterwards nothing is left on the hosts."""

    def run(word, *words, hosts=None, check=True):
        command = [*FLOODMARK, "cluster", word, str(hosts or one_lab.plan.hosts_toml), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    yield run
    run("down")


@pytest.fixture(scope="module")
def up(cluster):
    return cluster("up")


def hosts_file(one_lab, folder, config=None, old="", new=""):
    """The lab's hosts.toml with another ssh_config, or another word."""
    (folder / "ssh_config").write_text(config or one_lab.plan.ssh_config.read_text())
    path = folder / "hosts.toml"
    path.write_text(one_lab.plan.hosts_toml.read_text().replace(old, new))
    return path


@contextmanager
def broken(one_lab, host, breaks, mends):
    one_lab.ssh(host, breaks)
    try:
        yield
    finally:
        one_lab.ssh(host, mends)


def refusal(cluster, hosts=None):
    done = cluster("up", hosts=hosts, check=False)
    assert done.returncode in {1, 2}, done.stderr
    return done.stderr.replace("floodmark: ", "")


def test_a_host_whose_key_is_not_known_is_refused_and_never_added(one_lab, cluster, tmp_path):
    (tmp_path / "known").write_text("")
    config = one_lab.plan.ssh_config.read_text().replace(str(one_lab.plan.known_hosts), str(tmp_path / "known"))
    said = refusal(cluster, hosts_file(one_lab, tmp_path, config))
    for host in one_lab.plan.hosts:
        assert f"{host.name}: the key of {host.address} is not known: check it and log in once with ssh" in said
    assert (tmp_path / "known").read_text() == ""


def test_a_host_with_another_key_than_the_known_one_is_refused(one_lab, cluster, tmp_path):
    lines = one_lab.plan.known_hosts.read_text().splitlines()
    swapped = [f"{lines[0].split()[0]} {' '.join(lines[1].split()[1:])}", *lines[1:]]
    (tmp_path / "known").write_text("\n".join(swapped) + "\n")
    config = one_lab.plan.ssh_config.read_text().replace(str(one_lab.plan.known_hosts), str(tmp_path / "known"))
    said = refusal(cluster, hosts_file(one_lab, tmp_path, config))
    assert said.count("\n") == 1
    assert "master: its key is not the one in known_hosts" in said


def test_a_wrong_key_of_the_users_is_one_line_per_host(one_lab, cluster, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True, timeout=20)
    config = one_lab.plan.ssh_config.read_text().replace(str(one_lab.plan.key), str(tmp_path / "key"))
    said = refusal(cluster, hosts_file(one_lab, tmp_path, config))
    assert len(said.splitlines()) == len(one_lab.plan.hosts)
    assert f"worker-2: lab may not log in with {tmp_path / 'key'}" in said


def test_a_host_that_is_not_there_is_named(one_lab, cluster, tmp_path):
    config = one_lab.plan.ssh_config.read_text().replace("HostName 198", "HostName 203.0.113.1\n  # 198", 1)
    said = refusal(cluster, hosts_file(one_lab, tmp_path, config.replace("ConnectTimeout 5", "ConnectTimeout 1")))
    assert said.startswith("master: ")
    assert "203.0.113.1" in said


def test_two_hosts_of_one_name_are_refused_in_the_file_and_on_the_hosts(one_lab, cluster, tmp_path):
    said = refusal(cluster, hosts_file(one_lab, tmp_path, old='"worker-2"', new='"worker-1"'))
    assert "2 hosts have the name 'worker-1'" in said
    with broken(one_lab, "worker-2", "sudo hostname worker-1", "sudo hostname worker-2"):
        assert "worker-2: calls itself 'worker-1', and so does worker-1" in refusal(cluster)


def test_a_host_without_sudo_is_one_line_before_anything_is_put_anywhere(one_lab, cluster):
    # A second login keeps sudo, to mend it.
    rules, aside = "/etc/sudoers.d/lab", "/etc/sudoers.d.lab"
    with broken(
        one_lab,
        "worker-1",
        f"echo 'lab ALL=(ALL) NOPASSWD: /bin/mv {aside} {rules}' | sudo tee /etc/sudoers.d/mend >/dev/null;"
        f" sudo mv {rules} {aside}",
        f"sudo mv {aside} {rules}; sudo rm /etc/sudoers.d/mend",
    ):
        said = refusal(cluster)
    assert said.splitlines()[-1] == (
        "worker-1: its user may not use sudo without a password: add a line to /etc/sudoers.d"
    )
    assert one_lab.ssh("worker-2", "ls -d /var/lib/floodmark-*", check=False) == ""


def test_a_full_disk_is_one_line(one_lab, cluster):
    full = "sudo mount -t tmpfs -o size=20m full /var/lib"
    with broken(one_lab, "target-1", full, "sudo umount /var/lib"):
        assert "target-1: has 21 MB free in /var/lib, 1,000 MB are needed" in refusal(cluster)


def test_a_host_without_python_is_one_line(one_lab, cluster):
    aside = "sudo mv /usr/bin/python3 /usr/bin/python3.aside"
    with broken(one_lab, "worker-2", aside, "sudo mv /usr/bin/python3.aside /usr/bin/python3"):
        assert "worker-2: has no python3: apt-get install python3 python3-venv" in refusal(cluster)


def test_up_again_starts_nothing_anew(one_lab, cluster, up):
    assert "2 of 2" in up.stdout
    ask = "systemctl show --property=MainPID --value floodmark-fmstand-master floodmark-fmstand-worker-1"
    before = [one_lab.ssh(host, ask) for host in ("master", "worker-1")]
    cluster("up")
    assert [one_lab.ssh(host, ask) for host in ("master", "worker-1")] == before
    status = json.loads(cluster("status", "--json").stdout)
    assert status["whole"]
    assert {row["role"] for row in status["services"]} == {"master", "worker", "target", "agent"}


@pytest.mark.alone
def test_ten_thousand_requests_from_two_hosts_have_the_local_verdict(cluster, up, tmp_path):
    assert up
    out = tmp_path / "run"
    done = cluster("run", "--requests", "10000", "--hold", "5", "--out", str(out), check=False)
    verdict = json.loads((out / "verdict.json").read_text())
    found = verdict["verdict"]["in_service"]
    # All hosts share this machine's cores: where it was too busy, the run says so and claims nothing.
    assert (done.returncode, found["ceiling"]) == (0, 40) or (found["ceiling"] is None and found["peak"] <= 40)
    hits = [json.loads(line) for line in (out / "hits.jsonl").read_text().splitlines()[1:]]
    assert len({hit[0] for hit in hits}) == len(hits)
    assert {hit[1] for hit in hits} == {"worker-1", "worker-2"}
    assert sum(verdict["outcomes"].values()) == 10_000


def in_the_middle(one_lab, cluster, folder, breaks):
    """A run of some ten seconds; `breaks` is done when it has begun."""
    runs = "/var/lib/floodmark-fmstand/state/runs"
    before = one_lab.ssh("master", f"ls {runs} 2>/dev/null | wc -l")
    result = []
    words = ("--requests", "200", "--hold", "5", "--out", str(folder))
    thread = threading.Thread(target=lambda: result.append(cluster("run", *words, check=False)))
    thread.start()
    begun = f"ls {runs} 2>/dev/null | wc -l; cat {runs}/*/pulses.jsonl 2>/dev/null | tail -1"
    wait_until(
        lambda: one_lab.ssh("master", begun).split("\n")[0] != before or not thread.is_alive(), "a run begins", 150
    )
    breaks()
    thread.join(180)
    assert not thread.is_alive(), "the command hangs"
    return result[0]


def kill(one_lab, host, unit):
    one_lab.ssh(host, f"sudo systemctl kill --signal=SIGKILL floodmark-fmstand-{unit}")


def cut(one_lab, host, state):
    number = next(found.number for found in one_lab.plan.hosts if found.name == host)
    subprocess.run(["ip", "link", "set", f"{one_lab.plan.bridge}-{number}", state], check=True, timeout=20)


@pytest.mark.parametrize(
    "victim", [("worker-2", "worker-1"), ("target-1", "agent"), ("master", "master")], ids=["worker", "agent", "master"]
)
def test_a_run_that_loses_one_says_so_and_the_next_one_works(one_lab, cluster, up, tmp_path, victim):
    assert up
    done = in_the_middle(one_lab, cluster, tmp_path / "lost", lambda: kill(one_lab, *victim))
    assert done.returncode in {1, 3}, (victim, done.stdout, done.stderr)
    wait_until(lambda: cluster("status", check=False).returncode == 0, "the cluster is whole again")
    cluster("run", "--requests", "50", "--hold", "2", "--out", str(tmp_path / "next"))


def test_a_worker_whose_network_is_cut_makes_the_run_invalid(one_lab, cluster, up, tmp_path):
    assert up
    try:
        done = in_the_middle(one_lab, cluster, tmp_path / "cut", lambda: cut(one_lab, "worker-2", "down"))
    finally:
        cut(one_lab, "worker-2", "up")
    assert done.returncode in {1, 3}, done.stdout + done.stderr
    wait_until(lambda: cluster("status", check=False).returncode == 0, "the cluster is whole again", 120)


def test_a_target_host_that_reboots_is_said_and_up_mends_it(one_lab, cluster, up, tmp_path):
    assert up
    reboot = lambda: one_lab.ssh("target-1", "sudo reboot", check=False)  # noqa: E731 - it is handed on as one
    done = in_the_middle(one_lab, cluster, tmp_path / "reboot", reboot)
    assert done.returncode in {1, 3}, done.stdout + done.stderr
    wait_until(lambda: one_lab.ssh("target-1", "echo back", check=False) == "back", "the host is back")
    found = cluster("status", check=False)
    assert found.returncode == 1
    assert "does not run" in found.stdout
    cluster("up")
    cluster("run", "--requests", "50", "--hold", "2", "--out", str(tmp_path / "next"))


def test_down_leaves_nothing_on_any_host(one_lab, cluster, up):
    assert up
    cluster("down")
    for host in one_lab.plan.hosts:
        asked = "sudo find / -xdev -iname '*floodmark*' -not -path '/etc/ssh/*' -not -path '/proc/*'; "
        assert one_lab.ssh(host.name, asked + "systemctl list-units --all --no-legend 'floodmark*'") == ""
    assert cluster("down").stdout == "nothing was there\n"
