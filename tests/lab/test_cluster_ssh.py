"""How a cluster's hosts are logged in to: jump hosts, agents and keys as ~/.ssh/config has them, and bounded steps."""

import os
import subprocess
import time
from contextlib import contextmanager

import pytest

from floodmark.core.errors import ClusterError
from floodmark_deploy.ssh_host import SshHost
from floodmark_deploy.ssh_settings import read_settings


@pytest.fixture
def logged_in(one_lab, tmp_path):
    """Logs in to a host with the lab's ssh_config, and lines before it that count first (ssh_config(5))."""

    @contextmanager
    def login(name, before="", old="\0", new=""):
        path = tmp_path / "ssh_config"
        path.write_text(before + one_lab.plan.ssh_config.read_text().replace(old, new))
        with SshHost(read_settings(name, path)) as host:
            yield host

    return login


def came_from(host):
    return host.must(["printenv", "SSH_CONNECTION"], timeout_s=20).split()[0]


def test_a_host_behind_another_is_reached_through_it_and_no_other_way(one_lab, logged_in):
    addresses = {host.name: str(host.address) for host in one_lab.plan.hosts}
    with logged_in("target-1") as host:
        assert came_from(host) == str(one_lab.plan.gateway)
    with logged_in("target-1", "Host target-1\n ProxyJump worker-1\n") as host:
        assert came_from(host) == addresses["worker-1"]
    with logged_in("target-1", "Host target-1\n ProxyJump master,worker-2\n") as host:
        assert came_from(host) == addresses["worker-2"]
        through = one_lab.ssh("worker-2", "ss -Htn state established '( sport = :22 )' | awk '{print $4}'")
        assert addresses["master"] in through


def test_a_jump_host_whose_key_is_not_known_is_named(one_lab, logged_in, tmp_path):
    known = [line for line in one_lab.plan.known_hosts.read_text().splitlines() if "worker-1" not in line]
    (tmp_path / "known").write_text("\n".join(known) + "\n")
    with (
        pytest.raises(ClusterError, match=r"^worker-1: the key of .* is not known"),
        logged_in(
            "target-1", "Host target-1\n ProxyJump worker-1\n", str(one_lab.plan.known_hosts), str(tmp_path / "known")
        ),
    ):
        pass


def test_keys_of_an_agent_are_used_where_the_config_names_it(one_lab, logged_in, tmp_path):
    no_file = (f'  IdentityFile "{one_lab.plan.key}"\n', "")
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        try:
            deadline_s = time.monotonic() + 20
            while not socket.exists():
                assert time.monotonic() < deadline_s
                time.sleep(0.02)
            env = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            subprocess.run(["ssh-add", "-q", one_lab.plan.key], env=env, check=True, timeout=20)
            with logged_in("master", f"IdentityAgent {socket}\n", *no_file) as host:
                assert host.must(["id", "-un"], timeout_s=20).strip() == "lab"
        finally:
            agent.terminate()
    with pytest.raises(ClusterError, match=r"^master: lab may not log in with"), logged_in("master", old=no_file[0]):
        pass


def test_what_a_shell_would_read_reaches_the_program_as_it_is(logged_in):
    words = ["a b", "$HOME", "`id`", "; rm -rf /", "'\"", "*", "\\", "-n"]
    with logged_in("master") as host:
        assert host.must(["printf", "%s\\n", *words], timeout_s=20).splitlines() == words


def test_a_step_that_does_not_end_is_given_up_in_time_and_named(logged_in):
    with logged_in("master") as host:
        began_s = time.monotonic()
        with pytest.raises(ClusterError, match=r"^master: `sleep` did not end within 1 s"):
            host.run(["sleep", "60"], timeout_s=1)
        assert time.monotonic() - began_s < 30


def test_a_host_that_is_cut_off_meanwhile_is_named_in_time(one_lab, logged_in):
    veth = one_lab.plan.veth(one_lab.plan.hosts[1])
    with logged_in("worker-1") as host:
        subprocess.run(["ip", "link", "set", veth, "down"], check=True, timeout=20)
        try:
            with pytest.raises(ClusterError, match=r"^worker-1: "):
                host.run(["true"], timeout_s=2)
        finally:
            subprocess.run(["ip", "link", "set", veth, "up"], check=True, timeout=20)
