"""hosts.toml and ssh_config: what they say, and what they are refused for. Nobody is connected to."""

from dataclasses import replace

import pytest

from floodmark.core.errors import ClusterError, PlanError, UsageError
from floodmark_deploy.hosts_file import HostRole, read_hosts
from floodmark_deploy.remote_cluster import RemoteCluster, prove_apart
from floodmark_deploy.remote_host import Probe, RemoteHost
from floodmark_deploy.ssh_settings import read_settings

GOOD = """
[cluster]
plain_bus = true
[[hosts]]
name = "one"
address = "192.0.2.1"
roles = ["master", "worker"]
workers = 2
[[hosts]]
name = "two"
roles = ["target", "agent"]
"""

FIT = Probe(
    wall_s=1_000.0,
    python="3.12",
    machine="x86_64",
    system="Linux",
    hostname="one",
    user="1000",
    venv=True,
    sudo=True,
    systemd=True,
    free_bytes=10**10,
    open_files=1_048_576,
    digest="",
    machine_id="a1",
    keys="",
    key_files=(),
)


def hosts(tmp_path, text=GOOD):
    path = tmp_path / "hosts.toml"
    path.write_text(text)
    return read_hosts(path)


def settings(tmp_path, name, text):
    path = tmp_path / "config"
    path.write_text(text)
    return read_settings(name, path)


def test_a_host_has_its_roles_and_installs_what_they_need(tmp_path):
    file = hosts(tmp_path)
    assert file.master.name == "one"
    assert file.hosts[0].extras == ("control", "load")
    assert file.hosts[1].extras == ("agent", "target")
    assert [host.reached_at for host in file.hosts] == ["192.0.2.1", "two"]
    assert file.of(HostRole.AGENT) == (file.hosts[1],)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"two"', '"one"', "one: 2 hosts have this name"),
        ('name = "two"', 'name = "two"\naddress = "192.0.2.1"', "two: one has the address 192.0.2.1, too"),
        ('"master", ', "", "0 hosts have the role master"),
        ('["target"', '["master"', "2 hosts have the role master"),
        (', "worker"', "", "no host has the role worker"),
        ('"agent"', '"spy"', "spy"),
        ("workers = 2", "workers = 0", "workers 0"),
        ("plain_bus = true", 'plain_bus = true\nkeys = "k"', "keys 'k' and plain_bus"),
        ("plain_bus = true", 'plain_bus = true\nname = "a/b"', "name 'a/b'"),
        ("plain_bus = true", "plain_bus = true\nport = 70000", "port 70000"),
        ('"two"', '"-oProxyCommand=x"', "name '-oProxyCommand=x'"),
        ("[cluster]", "[cluster", "not valid TOML"),
        ("plain_bus", "plane_bus", "plane_bus"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_name(tmp_path, old, new, words):
    with pytest.raises(PlanError) as caught:
        hosts(tmp_path, GOOD.replace(old, new))
    assert words in str(caught.value)
    assert str(tmp_path / "hosts.toml") in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlanError, match="no such file"):
        read_hosts(tmp_path / "hosts.toml")


def test_ssh_config_says_who_logs_in_where_and_with_what(tmp_path):
    found = settings(
        tmp_path,
        "web",
        "Host web\n HostName 192.0.2.9\n Port 2222\n User me\n IdentityFile ~/k\n HostKeyAlias alias\n"
        ' UserKnownHostsFile "/a b/c" /d\n GlobalKnownHostsFile none\n IdentityAgent none\n',
    )
    assert (found.host, found.port, found.user, found.known_as) == ("192.0.2.9", 2222, "me", "alias")
    assert found.key_files[0].endswith("/k")
    assert not found.key_files[0].startswith("~")
    assert found.agent == ""


def test_an_agent_of_its_own_is_asked_for_a_host_that_names_one(tmp_path, monkeypatch):
    assert settings(tmp_path, "web", "Host web\n User me\n").agent is None
    assert settings(tmp_path, "web", "Host web\n IdentityAgent /run/agent\n").agent == "/run/agent"
    monkeypatch.setenv("MY_AGENT", "/run/mine")
    assert settings(tmp_path, "web", "Host web\n IdentityAgent $MY_AGENT\n").agent == "/run/mine"


def test_jump_hosts_are_followed_with_their_own_settings(tmp_path):
    text = "Host web\n ProxyJump me@gate:2200\nHost gate\n HostName 192.0.2.1\n"
    jump = settings(tmp_path, "web", text).jump
    assert (jump.host, jump.port, jump.user) == ("192.0.2.1", 2200, "me")
    assert jump.jump is None


def test_of_several_jump_hosts_each_is_reached_by_way_of_the_one_before(tmp_path):
    found = settings(tmp_path, "web", "Host web\n ProxyJump outer,inner\nHost inner\n HostName 192.0.2.2\n")
    assert (found.jump.host, found.jump.jump.host, found.jump.jump.jump) == ("192.0.2.2", "outer", None)


def test_jumps_in_a_circle_end(tmp_path):
    with pytest.raises(PlanError, match="in a circle"):
        settings(tmp_path, "a", "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")


def test_a_proxy_command_is_refused_since_a_shell_would_read_it(tmp_path):
    with pytest.raises(PlanError, match="use ProxyJump"):
        settings(tmp_path, "a", "Host a\n ProxyCommand nc %h %p\n")


@pytest.mark.parametrize(("name", "host"), [("me@web:2222", "web"), ("web", "web"), ("2001:db8::1", "2001:db8::1")])
def test_the_others_reach_a_host_without_the_user_and_the_port_that_ssh_is_told(tmp_path, name, host):
    assert hosts(tmp_path, GOOD.replace('"two"', f'"{name}"')).hosts[1].reached_at == host


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("web", "Host web\n Port http\n", r"^web: port 'http': give 1 to 65535$"),
        ("web:0", "", r"^web:0: port '0': give 1 to 65535$"),
        (
            "web",
            "Host web\n CanonicalizeHostname yes\n CanonicalDomains invalid\n CanonicalizeFallbackLocal no\n",
            r"^web: its ssh_config wants its full name, and there is none: ",
        ),
    ],
)
def test_what_ssh_config_says_that_cannot_be_meant_is_a_line(tmp_path, name, lines, words):
    with pytest.raises(PlanError, match=words):
        settings(tmp_path, name, lines)


def test_logs_of_a_host_that_the_cluster_has_not_are_refused_before_anybody_is_asked(tmp_path):
    with pytest.raises(UsageError, match=r"^--host 'three': the cluster has one, two$"):
        next(RemoteCluster(hosts(tmp_path)).logs(5, "three"))


def test_without_a_config_the_name_is_the_host(tmp_path):
    found = read_settings("me@192.0.2.3:2022", tmp_path / "none")
    assert (found.host, found.port, found.user) == ("192.0.2.3", 2022, "me")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"python": "3.9"}, "one: has Python 3.9: Floodmark needs 3.11 or later"),
        ({"venv": False}, "one: its Python makes no environments: apt-get install python3-venv"),
        ({"sudo": False}, "one: its user may not use sudo without a password"),
        ({"systemd": False}, "one: is not run by systemd"),
        ({"system": "Darwin"}, "one: runs Darwin"),
        ({"free_bytes": 5_000_000}, "one: has 5 MB free in /var/lib, 1,000 MB are needed"),
        ({"wall_s": 4_600.0}, "one: its clock is 3,600 s ahead of this machine's"),
        ({"wall_s": -2_600.0}, "one: its clock is 3,600 s behind this machine's"),
    ],
)
def test_a_host_that_will_not_do_is_told_why(tmp_path, changes, words):
    host = RemoteHost(hosts(tmp_path).hosts[0], hosts(tmp_path), None, wall=lambda: 1_000.0)
    host.judge(FIT)
    with pytest.raises(ClusterError) as caught:
        host.judge(replace(FIT, **changes))
    assert words in str(caught.value)


def test_a_host_that_has_floodmark_needs_less_room(tmp_path):
    host = RemoteHost(hosts(tmp_path).hosts[0], hosts(tmp_path), None, wall=lambda: 1_000.0)
    host.judge(replace(FIT, digest="d", free_bytes=5 * 10**8))
    with pytest.raises(ClusterError, match=r"^one: has 50 MB free in /var/lib, 200 MB are needed$"):
        host.judge(replace(FIT, digest="d", free_bytes=5 * 10**7))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machine_id": "b2"}, "two: calls itself 'one', and so does one: hostnamectl"),
        ({"hostname": "two"}, "two: has the machine-id of one: one machine is one entry"),
    ],
)
def test_two_hosts_that_cannot_be_told_apart_are_refused(changes, words):
    prove_apart({"one": FIT, "two": replace(FIT, machine_id="b2", hostname="two")})
    with pytest.raises(ClusterError) as caught:
        prove_apart({"one": FIT, "two": replace(FIT, **changes)})
    assert str(caught.value).startswith(words)


def test_every_reason_is_said_at_once(tmp_path):
    host = RemoteHost(hosts(tmp_path).hosts[0], hosts(tmp_path), None, wall=lambda: 1_000.0)
    with pytest.raises(ClusterError) as caught:
        host.judge(replace(FIT, sudo=False, free_bytes=0))
    assert len(str(caught.value).splitlines()) == 2
