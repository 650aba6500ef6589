"""`floodmark lab`, with real hosts: what they are, what becomes of them, and that nothing is ever left."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from floodmark.core.errors import LabError
from floodmark_deploy.lab import HostState, Lab
from floodmark_deploy.lab_ledger import FILE_NAME, Ledger
from floodmark_deploy.lab_plan import DEFAULT_FOLDER, LabPlan
from floodmark_deploy.lab_things import NAMESPACES, cgroup_folders, inhabitants, marked
from floodmark_deploy.lab_tree import tree_path


def small(name):
    return LabPlan(name=name, workers=0, targets=1)


def wait_until(true, what, timeout_s=60):
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


def remains(name):
    """What is left on the machine, asked of the machine and not of the lab's own functions."""
    links = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run(["ip", "-json", "rule"], capture_output=True, text=True, check=True).stdout
    return [
        *(link["ifname"] for link in json.loads(links) if link["ifname"].startswith(f"fm-{name}")),
        *(rule["iif"] for rule in json.loads(rules) if rule.get("iif", "").startswith(f"fm-{name}")),
        *(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"labs/{name}/" in line),
        *(str(path) for path in Path("/run/netns").glob(f"floodmark-{name}-*")),
        # os.walk passes by what ends while it looks; a recursive glob does not.
        *(path for path, _, _ in os.walk("/sys/fs/cgroup") if path.endswith(f"/floodmark-lab/{name}")),
        *(str(path) for path in Path("/run/systemd").glob(f"nspawn/*/{name}-*")),
        *(str(path) for path in (DEFAULT_FOLDER / "labs").glob(name)),
        *(str(path) for path in DEFAULT_FOLDER.glob(f"{name}.lock")),
        *map(str, marked(name).find()),
        *commands_with(f"labs/{name}/"),
    ]


def commands_with(words):
    """Command lines of this machine's processes that have these words in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [line] if words in line else []
    return found


def test_every_host_is_a_machine_of_its_own_that_runs_systemd(one_lab):
    names = [host.name for host in one_lab.plan.hosts]
    assert names == ["master", "worker-1", "worker-2", "target-1"]
    asked = [one_lab.ssh(name, "hostname; cat /etc/machine-id; systemctl is-system-running --wait") for name in names]
    assert [answer.splitlines()[0] for answer in asked] == names
    assert len({answer.splitlines()[1] for answer in asked}) == len(names)
    assert {answer.splitlines()[2] for answer in asked} == {"running"}


def test_the_hosts_keys_are_their_own_and_are_known(one_lab):
    keys = {line.split()[2] for line in one_lab.plan.known_hosts.read_text().splitlines()}
    assert len(keys) == len(one_lab.plan.hosts)
    assert "yes" in one_lab.plan.ssh_config.read_text().partition("StrictHostKeyChecking")[2].splitlines()[0]
    asked = {one_lab.ssh(host.name, "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub") for host in one_lab.plan.hosts}
    assert asked == keys


def test_a_stranger_without_the_key_is_not_let_in(one_lab, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True, timeout=20)
    options = ["BatchMode=yes", "IdentityAgent=none", "IdentitiesOnly=yes", f"IdentityFile={tmp_path / 'key'}"]
    options.append(f"UserKnownHostsFile={one_lab.plan.known_hosts}")
    words = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option))]
    address = str(one_lab.plan.hosts[0].address)
    done = subprocess.run([*words, f"lab@{address}", "true"], capture_output=True, text=True, check=False, timeout=30)
    assert "Permission denied (publickey)" in done.stderr


def test_the_hosts_reach_each_other_and_have_no_way_out(one_lab):
    one_lab.ssh("worker-1", "ping -c 1 -W 5 target-1")
    assert "default" not in one_lab.ssh("worker-1", "ip route")
    # Not even a host that makes itself a route, on a machine that forwards: nothing from the bridge is passed on.
    host = one_lab.plan.hosts[1]
    Path(f"/proc/sys/net/ipv4/conf/{one_lab.plan.bridge}/forwarding").write_text("1")
    asked = ["ip", "route", "get", "192.0.2.77", "from", str(host.address), "iif", one_lab.plan.bridge]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)
    assert "Permission denied" in done.stderr


def test_a_host_may_set_its_network_and_become_root(one_lab):
    one_lab.ssh("target-1", "sudo sysctl -w net.core.somaxconn=3210")
    assert one_lab.ssh("target-1", "cat /proc/sys/net/core/somaxconn") == "3210"
    assert one_lab.ssh("master", "cat /proc/sys/net/core/somaxconn") != "3210"


def test_a_host_that_reboots_comes_back_with_what_it_has_written(one_lab):
    one_lab.ssh("worker-2", "echo kept | sudo tee /opt/kept")
    before = one_lab.ssh("worker-2", "systemctl show --property=UserspaceTimestampMonotonic")
    one_lab.ssh("worker-2", "sudo reboot", check=False)
    asked = "systemctl show --property=UserspaceTimestampMonotonic"
    wait_until(lambda: one_lab.ssh("worker-2", asked, check=False) not in {"", before}, "the host boots again")
    assert one_lab.ssh("worker-2", "cat /opt/kept") == "kept"
    wait_until(lambda: one_lab.lab.status().whole, "the lab is whole again")


def test_status_tells_a_host_that_is_silent_from_one_that_is_gone(one_lab, floodmark):
    plan = one_lab.plan
    worker, target = plan.hosts[2], plan.hosts[3]
    one_lab.ssh(worker.name, "sudo systemctl stop ssh.service ssh.socket", check=False)
    one_lab.ssh(target.name, "sudo poweroff", check=False)
    wait_until(lambda: not inhabitants(NAMESPACES / plan.namespace(target)), "the target powers off")
    states = {row.host.name: row.state for row in one_lab.lab.status().hosts}
    assert states == {
        "master": HostState.READY,
        "worker-1": HostState.READY,
        "worker-2": HostState.SILENT,
        "target-1": HostState.GONE,
    }
    done = floodmark("lab", "status", "--name", plan.name, check=False)
    assert done.returncode == 1
    assert "not whole" in done.stdout
    one_lab.plan = one_lab.lab.up(plan)  # which takes the rest away and makes it anew
    assert one_lab.lab.status().whole


def test_up_does_nothing_where_the_lab_is_up_and_refuses_another_size(one_lab):
    before = {note.pid for note in marked(one_lab.plan.name).find()}
    assert one_lab.lab.up(LabPlan(name=one_lab.plan.name)) == one_lab.plan
    assert {note.pid for note in marked(one_lab.plan.name).find()} == before
    with pytest.raises(LabError, match=r"runs with 2 workers and 1 targets .*, not 5 workers"):
        one_lab.lab.up(LabPlan(name=one_lab.plan.name, workers=5))


def test_two_labs_stand_side_by_side_and_down_takes_one(one_lab, lab_name):
    lab = Lab(lab_name)
    plan = lab.up(small(lab_name))
    assert not plan.network.overlaps(one_lab.plan.network)
    assert lab.status().whole
    # What Ansible does: its connection stays open, with a process of its own that waits for the next play.
    plan.logins.mkdir()
    stays = ["ControlMaster=auto", "ControlPersist=60", f"ControlPath={plan.logins / 'socket'}"]
    words = ["ssh", "-F", plan.ssh_config, *(word for option in stays for word in ("-o", option)), "master", "true"]
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=30)
    assert any("[mux]" in line for line in commands_with(str(plan.logins)))
    assert lab.down()
    assert remains(lab_name) == []
    assert one_lab.lab.status().whole
    assert lab.down() == ()
    assert lab.status().nothing


@pytest.mark.parametrize("things", [1, 3, 4, 6, 8])
def test_nothing_is_left_of_a_killed_up(lab_name, things):
    """Killed when so many things were noted: before and after the bridge, a namespace, a host."""
    ledger = Ledger(path=DEFAULT_FOLDER / "labs" / lab_name / FILE_NAME)
    words = [sys.executable, "-m", "floodmark", "lab", "up", "--name", lab_name, "--workers", "1"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: len(ledger.things()) >= things or process.poll() is not None, "up has begun", 300)
        process.send_signal(signal.SIGKILL)
    lab = Lab(lab_name)
    assert not lab.status().nothing
    lab.down()
    assert lab.status().nothing
    assert remains(lab_name) == []


def test_nothing_is_left_of_an_interrupted_up(lab_name):
    ledger = Ledger(path=DEFAULT_FOLDER / "labs" / lab_name / FILE_NAME)
    words = [sys.executable, "-m", "floodmark", "lab", "up", "--name", lab_name, "--targets", "0", "--workers", "1"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(ledger.things()) >= 4 or process.poll() is not None, "up has begun", 300)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert remains(lab_name) == []


def test_a_lab_whose_files_are_lost_is_found_by_its_marks(lab_name):
    lab = Lab(lab_name)
    plan = lab.up(small(lab_name))
    shutil.rmtree(plan.home, ignore_errors=True)
    with pytest.raises(LabError, match=f"a lab called '{lab_name}' is on this machine, and .* knows nothing of it"):
        lab.up(small(lab_name))
    lab.down()
    assert remains(lab_name) == []


def test_a_half_made_tree_is_never_taken_for_one(lab_name):
    partial = DEFAULT_FOLDER / "trees" / "bookworm-0.partial"
    partial.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "FLOODMARK_LAB": str(partial)}
    with subprocess.Popen(["sleep", "600"], env=env) as process:
        Lab(lab_name).down()
        assert process.wait(20) == -signal.SIGKILL
    assert not partial.exists()


def test_trees_are_kept_as_long_as_a_lab_stands_on_them(one_lab, lab_name):
    assert one_lab.lab.status().whole
    with pytest.raises(LabError, match=r"the lab '\w+' stands on them"):  # this one, or another that is up now
        Lab(lab_name).down(trees=True)
    assert tree_path(one_lab.plan).is_dir()


def test_the_cgroups_of_the_hosts_are_real(one_lab):
    folders = cgroup_folders(f"{one_lab.plan.cgroup}/master")
    assert folders
    assert all(folder.is_dir() for folder in folders)


@pytest.mark.parametrize("word", ["up", "down", "status"])
def test_without_root_every_command_says_so_in_one_line(word, tmp_path):
    # A user of another namespace, who is nobody here, may read this Python wherever it is (user_namespaces(7)).
    words = ["unshare", "--user", sys.executable, "-m", "floodmark", "lab", word]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "floodmark: a lab needs root: it makes network namespaces, mounts and containers; run the command with sudo\n"
    )
