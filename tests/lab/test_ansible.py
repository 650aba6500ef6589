"""ansible/, followed on a real lab: from bare hosts to verdicts, with keys and a firewall, and back to bare hosts.

The tests follow each other as a user's commands do; each begins with what the one before has left.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from functools import partial

import pytest
from playbook import ANSIBLE, AT_MASTER, ROOT, Playbooks

from floodmark_deploy.keys import make_keys

pytestmark = pytest.mark.skipif(
    not ANSIBLE.exists() or shutil.which("ssh") is None,
    reason="ansible-core is not installed: pip install ansible-core",
)

BUS, SERVER, WEB = 5557, 8000, 8089
UNITS = {
    "master": "floodmark-master",
    "worker-1": "floodmark-worker@1",
    "worker-2": "floodmark-worker@1",
    "target-1": "floodmark-target-fastapi-uvicorn-sync",
}

CAP_SYS_NICE = 1 << 23
"""A worker's one right: it releases a burst ahead of all else on its host."""

FLOOD_USER = """
from locust import constant, task

from floodmark.load import FloodUser, secure_bus

secure_bus()


class Visitor(FloodUser):
    wait_time = constant(0.05)

    @task
    def look(self):
        self.client.get("/health?hold=0", name="/health")
"""


def wait_until(true, what, timeout_s=60):
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.2)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "cluster"
    make_keys(folder)
    return folder


@pytest.fixture(scope="module")
def books(one_lab, keys):
    books = Playbooks(one_lab, {"floodmark_keys_folder": str(keys), "floodmark_firewall": True})
    yield books
    if not books.is_bare:
        books.play("teardown.yml", "-e", "floodmark_remove_runs=true")


@pytest.fixture(scope="module")
def checked(books):
    """A check of bare hosts, before anything else."""
    return books.play("site.yml", "--check", "--diff")


@pytest.fixture(scope="module")
def cluster(books, checked):
    """The first real run; `checked` came before."""
    assert checked
    return books.play("site.yml")


def ours(one_lab, host):
    """Every trace of Floodmark that a host has, but for the folder of files that Ansible has on their way."""
    places = "/opt /etc /home /root /tmp /var/lib /var/cache /run/systemd/system"
    asked = (
        f"sudo find {places} -iname '*floodmark*' -not -path '/etc/ssh/*' -not -path '*/.ansible/floodmark';"
        " getent passwd floodmark; sudo nft list tables; ps -eo args | grep -E '^(/opt/|python3 -m)';"
        " systemctl list-units --all --plain --no-legend 'floodmark*'; true"
    )
    return one_lab.ssh(host, asked).splitlines()


def on_their_way(one_lab, host):
    return one_lab.ssh(host, "sudo find ~lab/.ansible/floodmark ~root/.ansible/floodmark 2>/dev/null", check=False)


def all_ours(one_lab):
    return {host.name: ours(one_lab, host.name) for host in one_lab.plan.hosts}


def bare(one_lab):
    return {host.name: [] for host in one_lab.plan.hosts}


def journal(one_lab, host, unit):
    return one_lab.ssh(host, f"sudo journalctl --quiet --no-pager --output=cat --unit={unit}")


def test_a_check_of_bare_hosts_says_what_would_change_and_changes_nothing(one_lab, checked):
    assert checked.total("changed") > 0
    assert "+ExecStart=" in checked.text
    assert all_ours(one_lab) == bare(one_lab)


def test_a_second_run_changes_nothing(books, cluster):
    """Neither would a check, of all hosts: see the one that reboots."""
    assert cluster.total("changed") > 0
    again = books.play("site.yml")
    assert again.total("changed") == 0, again.text


def test_every_service_is_a_users_of_its_own_and_is_confined(one_lab, cluster):
    assert cluster
    for host, unit in UNITS.items():
        asked = f"pid=$(systemctl show --property=MainPID --value {unit}); id -u floodmark; sudo cat /proc/$pid/status"
        uid, *status = one_lab.ssh(host, asked).splitlines()
        fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        assert fields["Uid"].split() == [uid] * 4
        assert int(fields["CapBnd"], 16) == (CAP_SYS_NICE if host.startswith("worker") else 0)
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"
    limits = one_lab.ssh("worker-1", "sudo cat /proc/$(systemctl show -p MainPID --value floodmark-worker@1)/limits")
    soft, hard = re.search(r"Max open files +(\d+) +(\d+)", limits).groups()
    assert soft == hard


def test_a_host_has_the_keys_of_its_role_and_no_server_can_read_them(one_lab, cluster):
    assert cluster
    roles = {"master": "master", "worker-1": "worker", "worker-2": "worker", "target-1": "agent"}
    for host, role in roles.items():
        assert one_lab.ssh(host, "sudo find /etc/floodmark/keys -type f -printf '%f %m %U\\n'") == f"{role}.toml 600 0"
    read = "cat /etc/floodmark/keys/agent.toml /run/credentials/floodmark-agent.service/agent.toml"
    said = one_lab.ssh("target-1", f"sudo -u floodmark {read} 2>&1", check=False)
    assert said.count("Permission denied") == 2


@pytest.mark.parametrize("role", ["limits", "worker"])
def test_a_tag_reaches_its_role_and_the_keys_that_it_needs(books, role):
    tasks = subprocess.run(
        books.words("site.yml", "--tags", role, "--list-tasks"), capture_output=True, text=True, check=True, timeout=120
    ).stdout
    named = {line.split(" : ")[0].strip() for line in tasks.splitlines() if " : " in line and "TAGS:" in line}
    assert named == ({"worker", "keys"} if role == "worker" else {role})


def reaches(host, port):
    """Whether this machine, which is none of the cluster's hosts, gets a connection."""
    try:
        socket.create_connection((str(host.address), port), timeout=2).close()
    except OSError:
        return False
    return True


def host_reaches(one_lab, host, other, port):
    asked = f"timeout 5 bash -c ': </dev/tcp/{other.address}/{port}' && echo yes"
    return one_lab.ssh(host, asked, check=False) == "yes"


def test_bus_and_server_are_reached_from_the_cluster_only_and_the_web_ui_from_nowhere(one_lab, cluster):
    assert cluster
    master, worker, _, target = one_lab.plan.hosts
    assert host_reaches(one_lab, "worker-1", master, BUS)
    assert host_reaches(one_lab, "target-1", master, BUS)
    assert host_reaches(one_lab, "worker-2", target, SERVER)
    assert reaches(master, 22)  # the host answers, and nothing but the ports is shut
    assert not any(reaches(host, port) for host, port in ((master, BUS), (master, WEB), (target, SERVER)))
    assert not host_reaches(one_lab, worker.name, master, WEB)
    assert one_lab.ssh("master", f"timeout 5 bash -c ': </dev/tcp/127.0.0.1/{WEB}' && echo yes") == "yes"


def test_a_web_ui_on_the_network_is_for_those_who_are_named(one_lab, books, cluster):
    assert cluster
    master = one_lab.plan.hosts[0]
    shown = {"floodmark_web_host": "0.0.0.0", "floodmark_web_from": [str(one_lab.plan.gateway)]}
    books.play("site.yml", "--limit", "master", "--tags", "firewall,master", "-e", json.dumps(shown))
    # The play waits for the bus; Locust listens there first.
    wait_until(lambda: reaches(master, WEB), "the web UI listens")
    assert not host_reaches(one_lab, "worker-1", master, WEB)
    books.play("site.yml", "--limit", "master", "--tags", "firewall,master")
    assert not reaches(master, WEB)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (False, "has no key, or speaks another language"),
        (True, "holds the key of another master"),
    ],
    ids=["without keys", "with those of another cluster"],
)
def test_a_stranger_is_refused_and_named(one_lab, cluster, tmp_path, given, words):
    """An agent, on a host of the cluster: the firewall lets it in, the bus does not."""
    assert cluster
    text = ""
    if given:
        make_keys(tmp_path / "other")
        text = (tmp_path / "other/agent.toml").read_text()
    one_lab.ssh("target-1", "sudo install -m 600 /dev/stdin /run/stranger.toml", text_in=text)
    setting = f"--setenv=FLOODMARK_KEYS={'/run/stranger.toml' if given else ''}"
    agent = f"/opt/floodmark/bin/floodmark-agent --master {one_lab.plan.hosts[0].address}:{BUS} --port {SERVER}"
    one_lab.ssh("target-1", f"sudo systemd-run --quiet --collect --unit=stranger {setting} {agent} --name stranger")
    line = re.compile(rf"A stranger on the bus: {one_lab.plan.hosts[-1].address}:\d+ {words}")
    try:
        wait_until(lambda: line.search(journal(one_lab, "master", "floodmark-master")), f"the master names who {words}")
    finally:
        one_lab.ssh("target-1", "sudo systemctl stop stranger; sudo rm /run/stranger.toml")
    assert "Agent stranger" not in journal(one_lab, "master", "floodmark-master")


def burst_that_counts(one_lab, books, **form):
    """All hosts share this machine's cores: a run that says that it does not count is made again, as a user would.

    With a fresh server each time: one that was flooded works on for clients that have given up.
    """
    for _ in range(3):
        one_lab.ssh("target-1", "sudo systemctl restart 'floodmark-target-*'")
        wait_until(partial(one_lab.ssh, "target-1", f"ss --no-header -tl sport = :{SERVER}"), "the server listens")
        found = books.burst(**form)
        if found["verdict"]["validity"]["ok"]:
            break
    checks = [check for check in found["verdict"]["validity"]["checks"] if check["ok"] is False]
    assert found["verdict"]["validity"]["ok"], checks
    return found


@pytest.mark.alone
@pytest.mark.parametrize(
    ("target", "ceiling"),
    [("fastapi-uvicorn-sync", 40), ("flask-gunicorn-sync-4", 4), ("fastapi-uvicorn-async", None)],
)
def test_ten_thousand_at_one_instant_from_two_hosts_have_the_local_verdict(one_lab, books, cluster, target, ceiling):
    assert cluster
    books.settings["floodmark_targets"] = [{"name": target, "port": SERVER}]
    books.play("site.yml", "--limit", "floodmark_targets", "--tags", "target")
    found = burst_that_counts(one_lab, books, requests=10_000)
    verdict, release = found["verdict"], found["verdict"]["release"]
    assert verdict["verdict"]["in_service"]["ceiling"] == ceiling
    assert found["ids"] == list(range(1, 10_001))
    assert found["workers"] == ["worker-1", "worker-2"]
    assert found["ahead"] == [True, True]
    assert sum(verdict["outcomes"].values()) == 10_000
    if ceiling is None:
        assert verdict["outcomes"] == {"answered": 10_000}
    # What this machine's two cores can hold; on hosts of their own it is the clocks' bound.
    assert release["workers"] == 2
    assert release["clock_bound_s"] < 0.05
    assert release["skew_median_s"] <= release["skew_p99_s"] < 1.0


def test_workers_join_and_leave_between_runs_and_the_master_stays(one_lab, books, cluster):
    assert cluster
    ask = "systemctl show --property=MainPID --value floodmark-master"
    before = one_lab.ssh("master", ask)
    for each, workers in ((2, 3), (1, 2)):
        more = json.dumps({"floodmark_workers_per_host": each})
        books.play("site.yml", "--limit", "worker-1", "--tags", "worker", "-e", more)
        found = books.burst(workers=workers, requests=90, hold=1)
        assert found["workers"] == [f"worker-{number}" for number in range(1, workers + 1)]
        assert found["ids"] == list(range(1, 91))
        assert found["verdict"]["release"]["workers"] == workers
    assert one_lab.ssh("master", ask) == before


def test_a_target_host_that_reboots_in_a_run_is_back_for_the_next(one_lab, books, cluster):
    assert cluster
    boot = "cat /proc/sys/kernel/random/boot_id; systemctl show --property=UserspaceTimestampMonotonic"
    before = one_lab.ssh("target-1", boot)
    with started_burst(books):
        held = f"ss --no-header --tcp state established sport = :{SERVER} | wc -l"
        wait_until(lambda: int(one_lab.ssh("target-1", held)) >= 100, "the server holds the requests")
        one_lab.ssh("target-1", "sudo reboot", check=False)
        # A server that waits for the answers that it holds would keep its host for the 90 s that systemd has.
        wait_until(lambda: one_lab.ssh("target-1", boot, check=False) not in {"", before}, "the host boots again")
    states = "systemctl is-active floodmark-agent 'floodmark-target-*' floodmark-firewall"
    wait_until(lambda: one_lab.ssh("target-1", states, check=False).split() == ["active"] * 3, "its services are back")
    assert books.play("site.yml", "--check", "--diff").total("changed") == 0
    found = burst_that_counts(one_lab, books, requests=200, hold=1)
    assert found["verdict"]["agent"]["counted"] > 0


@contextmanager
def started_burst(books):
    """A burst under way; afterwards it has come to an end."""
    words = books.load_words("burst", requests=100, within=0, hold=25)
    with (
        AT_MASTER.open() as script,
        subprocess.Popen(words, stdin=script, stdout=subprocess.PIPE, text=True) as process,
    ):
        yield
        assert process.wait(150) == 0
        found = json.loads(process.stdout.read())
    assert not found["verdict"]["validity"]["ok"]


def test_new_keys_and_a_locustfile_of_ones_own_spread_users_over_two_hosts(books, cluster, tmp_path):
    assert cluster
    make_keys(tmp_path / "new")
    (tmp_path / "mine.py").write_text(FLOOD_USER)
    books.settings |= {
        "floodmark_keys_folder": str(tmp_path / "new"),
        "floodmark_locustfile": str(tmp_path / "mine.py"),
    }
    books.play("site.yml", "--tags", "master,worker,agent")
    seen = books.load("users", user_count=10, spawn_rate=10)
    assert seen == {"spread": [5, 5], "failures": 0}
    del books.settings["floodmark_locustfile"]


def test_a_teardown_leaves_nothing_but_what_was_measured(one_lab, books, cluster):
    assert cluster
    books.play("teardown.yml")
    assert all_ours(one_lab) == {**bare(one_lab), "master": ["/var/lib/floodmark"]}
    assert one_lab.ssh("worker-1", "cat /proc/sys/net/ipv4/ip_local_port_range").split() == ["32768", "60999"]
    books.play("teardown.yml", "-e", "floodmark_remove_runs=true", "--limit", "master")
    assert all_ours(one_lab) == bare(one_lab)
    assert [on_their_way(one_lab, host.name) for host in one_lab.plan.hosts] == [""] * 4


def test_a_teardown_takes_away_what_a_killed_playbook_has_left_and_left_at_work(one_lab, books, cluster):
    assert cluster
    at_work = "systemctl is-active --quiet floodmark-install && ls -d /opt/floodmark/bin/pip && echo yes"
    with subprocess.Popen(
        books.words("site.yml", "--limit", "worker-1"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        wait_until(
            lambda: "yes" in one_lab.ssh("worker-1", at_work, check=False), "the wheels are being installed", 120
        )
        os.killpg(process.pid, signal.SIGKILL)
    books.play("teardown.yml", "-e", "floodmark_remove_runs=true")
    assert all_ours(one_lab) == bare(one_lab)
    assert [on_their_way(one_lab, host.name) for host in one_lab.plan.hosts] == [""] * 4
