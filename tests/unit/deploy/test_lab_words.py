"""What a lab is called, what it refuses, and what it reads: no root, nothing made."""

import os
import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from floodmark.core.errors import LabError, UsageError
from floodmark_deploy.lab_files import hosts_toml, inventory, ssh_config
from floodmark_deploy.lab_ledger import Ledger
from floodmark_deploy.lab_needs import what_is_missing
from floodmark_deploy.lab_network import networks_of
from floodmark_deploy.lab_plan import LabPlan, Role
from floodmark_deploy.lab_things import Kind, Thing, cgroup_roots, is_there, mounts_below, take_away

MOUNTINFO = """\
24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 24 0:26 / /sys/fs/cgroup ro shared:4 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/memory rw shared:7 - cgroup cgroup rw,memory
"""


def test_hosts_have_names_and_addresses_in_order():
    hosts = LabPlan(workers=2, targets=1).hosts
    assert [(host.name, str(host.address)) for host in hosts] == [
        ("master", "198.18.0.10"),
        ("worker-1", "198.18.0.11"),
        ("worker-2", "198.18.0.12"),
        ("target-1", "198.18.0.13"),
    ]


def test_names_of_interfaces_fit_into_what_the_kernel_takes():
    plan = LabPlan(name="abcdefgh", workers=190)
    assert max(len(plan.veth(host)) for host in plan.hosts) <= 15


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "Lab", "--name 'Lab'"),
        ("name", "a-b", "--name 'a-b'"),
        ("name", "ninechars", "1 to 8"),
        ("name", "", "--name ''"),
        ("suite", "book worm", "--suite"),
        ("mirror", "ftp://debian", "--mirror"),
        ("mirror", "http://a b", "--mirror"),
        ("workers", -1, "--workers -1"),
        ("targets", -1, "--targets -1"),
        ("workers", 200, "at most 200 hosts"),
        ("network", IPv4Network("10.0.0.0/24"), "--network 10.0.0.0/24"),
        ("network", IPv4Network("198.18.0.0/16"), "a /24"),
        ("folder", Path("/labs/a,b"), "--folder"),
        ("folder", Path("/labs/a b"), "--folder"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(field, value, words):
    with pytest.raises(UsageError) as caught:
        LabPlan(**{field: value})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "user", "path", "words"),
    [
        ("darwin", 0, os.environ["PATH"], "this is darwin"),
        ("linux", 1_000, os.environ["PATH"], "needs root"),
        ("linux", 0, "/nowhere", "apt-get install coreutils debootstrap iproute2"),
    ],
)
def test_a_machine_that_can_have_no_lab_is_told_why(platform, user, path, words):
    assert any(words in line for line in what_is_missing(platform=platform, user=user, path=path))


def test_hosts_toml_says_who_does_what():
    plain = tomllib.loads(hosts_toml(LabPlan()))
    assert plain["ssh"] == {"config": "ssh_config"}
    assert [host["name"] for host in plain["hosts"]] == ["master", "worker-1", "worker-2", "target-1"]
    assert plain["hosts"][3]["roles"] == ["target", "agent"]


def test_ssh_is_told_to_trust_the_labs_keys_only():
    text = ssh_config(LabPlan())
    assert "Host worker-2\n  HostName 198.18.0.12\n" in text
    for line in ("StrictHostKeyChecking yes", "GlobalKnownHostsFile none", "IdentitiesOnly yes", "BatchMode yes"):
        assert f"  {line}\n" in text


def test_the_inventory_has_a_group_for_each_role_that_has_hosts():
    text = inventory(LabPlan(workers=0, targets=2))
    assert "floodmark_workers" not in text
    assert 'target-2:\n          ansible_host: "198.18.0.12"' in text
    assert {host.role for host in LabPlan(workers=0, targets=2).hosts} == {Role.MASTER, Role.TARGET}


def test_what_ansible_leaves_open_is_in_the_labs_folder_and_the_name_of_a_socket_fits():
    plan = LabPlan(name="abcdefgh")
    assert f'ansible_control_path_dir: "{plan.home}/ssh"' in inventory(plan)
    assert len(f"{plan.logins}/0123456789.0123456789abcdef") < 108  # sun_path in unix(7); ssh puts a suffix to it first


def test_cgroups_are_made_where_systemd_looks_for_them():
    assert cgroup_roots(MOUNTINFO) == (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
    assert cgroup_roots("29 24 0:25 / /sys/fs/cgroup rw - cgroup2 none rw\n") == (Path("/sys/fs/cgroup"),)


def test_networks_are_read_from_addresses_and_routes_but_not_the_default():
    addresses = '[{"ifname": "eth0", "addr_info": [{"local": "198.18.0.1", "prefixlen": 24}]}, {"ifname": "down"}]'
    routes = '[{"dst": "default", "gateway": "10.0.0.1"}, {"dst": "198.18.4.0/22"}, {"dst": "198.18.9.7"}]'
    assert [str(network) for network in networks_of(addresses, routes)] == [
        "198.18.0.0/24",
        "198.18.4.0/22",
        "198.18.9.7/32",
    ]


def test_the_ledger_gives_back_what_was_noted_and_not_a_line_that_was_cut(tmp_path):
    ledger = Ledger(path=tmp_path / "made.jsonl")
    assert ledger.things() == ()
    bridge = Thing(kind=Kind.INTERFACE, name="fm-lab")
    ledger.note(bridge)
    with ledger.path.open("a") as file:
        file.write('{"kind": "namespace", "na')
    assert ledger.things() == (bridge,)


def test_a_ledger_that_says_nonsense_names_its_line(tmp_path):
    ledger = Ledger(path=tmp_path / "made.jsonl")
    ledger.path.write_text('{"kind": "folder", "name": "/tmp/x"}\n{"kind": "moon", "name": "x"}\n')
    with pytest.raises(LabError, match="line 2"):
        ledger.things()


def test_a_folder_is_taken_away_with_what_is_in_it_and_once(tmp_path):
    folder = Thing(kind=Kind.FOLDER, name=str(tmp_path / "lab"))
    (tmp_path / "lab/deep").mkdir(parents=True)
    (tmp_path / "lab/deep/file").touch()
    assert is_there(folder)
    take_away(folder)
    take_away(folder)
    assert not is_there(folder)


def test_mounts_are_found_beneath_a_folder_and_nowhere_else(tmp_path):
    assert mounts_below(tmp_path) == []
    assert "/proc" in mounts_below(Path("/"))
