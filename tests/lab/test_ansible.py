"""ansible/, followed on a real lab: from bare hosts to a verdict, and back to bare hosts."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ANSIBLE = Path(sys.executable).with_name("ansible-playbook")

pytestmark = pytest.mark.skipif(
    not ANSIBLE.exists() or shutil.which("ssh") is None,
    reason="ansible-core is not installed: pip install ansible-core",
)

BURST = """
import json, pathlib, time, urllib.parse, urllib.request
form = dict(user_count=2, spawn_rate=2, host="http://{server}", requests="1000", within="0", hold="2")
asked = urllib.request.urlopen("http://127.0.0.1:8089/swarm", urllib.parse.urlencode(form).encode(), timeout=30)
assert json.load(asked)["success"]
deadline_s = time.monotonic() + 90
while not (found := list(pathlib.Path("/var/lib/floodmark/runs").glob("*/verdict.json"))):
    assert time.monotonic() < deadline_s, "no verdict"
    time.sleep(0.2)
hits = [json.loads(line) for line in found[0].with_name("hits.jsonl").read_text().splitlines()[1:]]
print(json.dumps(dict(verdict=json.loads(found[0].read_text()), hits=hits)))
"""


class Played:
    """What a playbook did: the recap, host by host."""

    def __init__(self, done):
        self.text = done.stdout + done.stderr
        recap = re.findall(r"^(\S+) +: (ok=.*)$", self.text.partition("PLAY RECAP")[2], re.MULTILINE)
        self.hosts = {name: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", counts)} for name, counts in recap}

    def total(self, word):
        return sum(counts[word] for counts in self.hosts.values())


@pytest.fixture(scope="module")
def play(one_lab):
    def run(book, *words):
        command = [str(ANSIBLE), "-i", str(one_lab.plan.inventory), str(ROOT / "ansible" / book), *words]
        played = Played(subprocess.run(command, capture_output=True, text=True, check=False, timeout=400, cwd=ROOT))
        assert set(played.hosts) == {host.name for host in one_lab.plan.hosts}, played.text
        assert played.total("failed") == played.total("unreachable") == 0, played.text
        return played

    return run


@pytest.fixture(scope="module")
def checked(play):
    """A check of bare hosts, before anything else."""
    return play("site.yml", "--check", "--diff")


@pytest.fixture(scope="module")
def cluster(play, checked):
    """The cluster; `checked` came before."""
    assert checked
    return play("site.yml")


def ours(one_lab, host):
    """Every trace of Floodmark that a host has."""
    places = "/opt /etc /var/lib /var/cache /run/systemd/system"
    asked = f"sudo find {places} -iname '*floodmark*' -not -path '/etc/ssh/*'; getent passwd floodmark; true"
    return one_lab.ssh(host, asked).splitlines()


def test_a_check_of_bare_hosts_says_what_would_change_and_changes_nothing(one_lab, checked):
    assert checked.total("changed") > 0
    assert "+ExecStart=" in checked.text
    assert [ours(one_lab, host.name) for host in one_lab.plan.hosts] == [[]] * len(one_lab.plan.hosts)


def test_a_second_run_changes_nothing(cluster, play):
    assert cluster.total("changed") > 0
    again = play("site.yml")
    assert again.total("changed") == 0, again.text


def test_every_service_is_a_users_of_its_own_and_is_confined(one_lab, cluster):
    assert cluster
    units = {
        "master": "floodmark-master",
        "worker-1": "floodmark-worker@1",
        "worker-2": "floodmark-worker@1",
        "target-1": "floodmark-target-fastapi-uvicorn-sync",
    }
    for host, unit in units.items():
        pid = one_lab.ssh(host, f"systemctl show --property=MainPID --value {unit}")
        status = one_lab.ssh(host, f"sudo cat /proc/{pid}/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        uid = one_lab.ssh(host, "id -u floodmark")
        assert fields["Uid"].split() == [uid] * 4
        assert int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"
    limits = one_lab.ssh("worker-1", "sudo cat /proc/$(systemctl show -p MainPID --value floodmark-worker@1)/limits")
    soft, hard = re.search(r"Max open files +(\d+) +(\d+)", limits).groups()
    assert soft == hard


def test_tags_reach_one_role_alone(play, cluster):
    assert cluster
    played = play("site.yml", "--tags", "limits", "--check")
    assert "limits : Set the kernel's limits" in played.text
    assert "worker : " not in played.text


@pytest.mark.alone
def test_a_burst_from_two_hosts_at_a_third_has_the_local_verdict(one_lab, cluster):
    assert cluster
    script = BURST.format(server=f"{one_lab.plan.hosts[-1].address}:8000")
    words = ["ssh", "-F", str(one_lab.plan.ssh_config), "master", "sudo", "python3", "-"]
    done = subprocess.run(words, input=script, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["verdict"]["verdict"]["in_service"]["ceiling"] == 40
    assert said["verdict"]["outcomes"]["answered"] + said["verdict"]["outcomes"]["waiting"] == 1000
    ids, workers = [hit[0] for hit in said["hits"]], {hit[1] for hit in said["hits"]}
    assert sorted(ids) == sorted(set(ids))
    assert workers == {"worker-1", "worker-2"}


def test_a_teardown_leaves_nothing_but_what_was_measured(one_lab, play, cluster):
    assert cluster
    play("teardown.yml")
    kept = ours(one_lab, "master")
    assert kept in ([], ["/var/lib/floodmark"])
    assert [ours(one_lab, name) for name in ("worker-1", "worker-2", "target-1")] == [[], [], []]
    assert one_lab.ssh("worker-1", "cat /proc/sys/net/ipv4/ip_local_port_range").split() == ["32768", "60999"]
    play("teardown.yml", "-e", "floodmark_remove_runs=true")
    assert ours(one_lab, "master") == []
    assert one_lab.ssh("worker-1", "ps -eo args | grep '[f]loodmark'", check=False) == ""
