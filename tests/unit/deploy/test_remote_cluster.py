"""A cluster of which a host is lost: what is told of the others. One host is a real SSH server, one is not there."""

import os
import socket

import paramiko
import pytest
from ssh_door import Host, make_key

from floodmark.core.errors import ClusterError
from floodmark_deploy.hosts_file import read_hosts
from floodmark_deploy.remote_cluster import RemoteCluster

HOSTS = """
[ssh]
config = "ssh_config"
[[hosts]]
name = "near"
roles = ["master"]
[[hosts]]
name = "gone"
roles = ["worker"]
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Whose hosts answer whatever they are asked by sudo with a line."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sudo").write_text("#!/bin/sh\necho a line\n")
    (tmp_path / "bin/sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    host, key = Host(), make_key(tmp_path / "key")
    host.welcome.append(paramiko.Ed25519Key.from_private_key_file(str(key)))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        (tmp_path / "known").write_text(host.known_line())
        (tmp_path / "ssh_config").write_text(
            f"Host near\n Port {host.port}\nHost gone\n Port {closed.getsockname()[1]}\n"
            f"Host *\n HostName 127.0.0.1\n User me\n IdentityFile {key}\n UserKnownHostsFile {tmp_path / 'known'}\n"
        )
        (tmp_path / "hosts.toml").write_text(HOSTS)
        with RemoteCluster(read_hosts(tmp_path / "hosts.toml")) as cluster:
            yield cluster
    host.close()


def test_logs_of_the_hosts_that_are_there_come_before_the_line_on_one_that_is_lost(cluster):
    logs = cluster.logs(5)
    assert next(logs) == ("near", "a line\n")
    with pytest.raises(ClusterError, match=r"^gone: \[127\.0\.0\.1\]:\d+ cannot be reached"):
        next(logs)


def test_logs_of_one_host_need_no_other(cluster):
    assert list(cluster.logs(5, "near")) == [("near", "a line\n")]


def test_logs_of_a_host_that_is_lost_are_its_error(cluster):
    with pytest.raises(ClusterError, match=r"^gone: "):
        next(cluster.logs(5, "gone"))
