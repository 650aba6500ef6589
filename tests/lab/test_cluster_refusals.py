"""Hosts that will not do: one line each that begins with the host's name, before anything is put on any of them.

The hosts are bare, and stay so.
"""

import re
import subprocess
from contextlib import ExitStack

import pytest
from over_ssh import OverSsh, broken

CLOCK = "/opt/off/sitecustomize.py"


@pytest.fixture(scope="module")
def cluster(one_lab):
    return OverSsh(one_lab)


@pytest.fixture(autouse=True)
def _nothing_is_put_anywhere(cluster):
    yield
    for host in cluster.lab.plan.hosts:
        assert cluster.lab.ssh(host.name, "ls -d /var/lib/floodmark-* 2>/dev/null || true") == ""


def test_keys_and_names_that_do_not_fit_are_a_line_per_host_and_no_key_is_ever_added(one_lab, cluster, tmp_path):
    """Of one the host's key is not known, of one it is another, of one the user's is wrong, and one is not there."""
    master, worker, other, _ = one_lab.plan.hosts
    known = one_lab.plan.known_hosts.read_text().splitlines()
    swapped = f"{known[1].split()[0]} {' '.join(known[2].split()[1:])}"
    (tmp_path / "known").write_text("\n".join([swapped, *known[2:]]) + "\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True, timeout=20)
    nowhere = one_lab.plan.network[99]
    config = (
        f"Host {other.name}\n  IdentityFile {tmp_path / 'key'}\nHost target-1\n  HostName {nowhere}\n"
        + one_lab.plan.ssh_config.read_text().replace(str(one_lab.plan.known_hosts), str(tmp_path / "known"))
    ).replace(f'  IdentityFile "{one_lab.plan.key}"', "")
    own = f"Host * !{other.name}\n  IdentityFile {one_lab.plan.key}\n"
    said = dict(line.split(": ", 1) for line in cluster.refusal(cluster.hosts_file(tmp_path, own + config)))
    assert said.keys() == {host.name for host in one_lab.plan.hosts}
    assert said["master"].startswith(f"the key of {master.address} is not known: check it and log in once with ssh")
    assert said["worker-1"].startswith("its key is not the one in known_hosts")
    assert str(worker.address) in said["worker-1"]
    assert said["worker-2"].startswith(f"lab may not log in with {tmp_path / 'key'}")
    assert said["target-1"].startswith(f"{nowhere} cannot be reached")
    assert (tmp_path / "known").read_text().splitlines() == [swapped, *known[2:]]


def test_no_python_no_sudo_no_room_and_a_wrong_clock_are_a_line_per_host(one_lab, cluster):
    """The hosts share this machine's clock: what is off is that of the master's Python, which is asked for the time."""
    rules, aside = "/etc/sudoers.d/lab", "/etc/sudoers.d.lab"
    lines = "import time; now = time.time; time.time = lambda: now() + 3600"
    off = f"sudo mkdir /opt/off && echo '{lines}' | sudo tee {CLOCK}"
    wrapper = (
        "printf '#!/bin/sh\\nPYTHONPATH=/opt/off exec /usr/bin/python3 \"$@\"\\n' | sudo tee /usr/local/bin/python3"
    )
    take_away = f"sudo mv {rules} {aside}"
    defects = {
        "master": (
            f"{off} && {wrapper} && sudo chmod 755 /usr/local/bin/python3",
            "sudo rm -r /usr/local/bin/python3 /opt/off",
        ),
        # A second rule keeps a way to mend it.
        "worker-1": (
            f"echo 'lab ALL=(ALL) NOPASSWD: /bin/mv {aside} {rules}' | sudo tee /etc/sudoers.d/mend; {take_away}",
            f"sudo mv {aside} {rules}; sudo rm /etc/sudoers.d/mend",
        ),
        "worker-2": (
            "sudo mv /usr/bin/python3 /usr/bin/python3.aside",
            "sudo mv /usr/bin/python3.aside /usr/bin/python3",
        ),
        "target-1": ("sudo mount -t tmpfs -o size=20m full /var/lib", "sudo umount /var/lib"),
    }
    with ExitStack() as stack:
        for host, (breaks, mends) in defects.items():
            stack.enter_context(broken(one_lab, host, breaks, mends))
        clock, *said = cluster.refusal()
    # By as much less as the answer took to come.
    assert re.fullmatch(
        r"master: its clock is 3,(600|5\d\d) s ahead of this machine's: timedatectl set-ntp true", clock
    )
    assert said == [
        "worker-1: its user may not use sudo without a password: add a line to /etc/sudoers.d",
        "worker-2: has no python3: apt-get install python3 python3-venv",
        "target-1: has 21 MB free in /var/lib, 1,000 MB are needed",
    ]


@pytest.mark.parametrize(
    ("breaks", "mends", "words"),
    [
        (
            "sudo hostname worker-1",
            "sudo hostname worker-2",
            "worker-2: calls itself 'worker-1', and so does worker-1: hostnamectl set-hostname",
        ),
        (
            "sudo cp /etc/machine-id /etc/aside; echo {machine} | sudo tee /etc/machine-id",
            "sudo mv /etc/aside /etc/machine-id",
            "worker-2: has the machine-id of worker-1: one machine is one entry with all its roles; a clone gets",
        ),
    ],
    ids=["name", "machine"],
)
def test_two_hosts_that_cannot_be_told_apart_are_a_line(one_lab, cluster, breaks, mends, words):
    machine = one_lab.ssh("worker-1", "cat /etc/machine-id")
    with broken(one_lab, "worker-2", breaks.format(machine=machine), mends):
        (line,) = cluster.refusal()
    assert line.startswith(words)


@pytest.mark.parametrize(
    ("what", "words"),
    [("name", "worker-1: 2 hosts have this name: in "), ("address", "worker-2: worker-1 has the address 198.1")],
)
def test_two_entries_for_one_host_are_a_line_before_anybody_is_asked(one_lab, cluster, tmp_path, what, words):
    _, worker, second, _ = one_lab.plan.hosts
    path = cluster.hosts_file(tmp_path, old=f'"{getattr(second, what)}"', new=f'"{getattr(worker, what)}"')
    (line,) = cluster.refusal(path)
    assert line.startswith(words)
