"""A cluster that is there for one command, or for one that is killed: what is left on the hosts. They begin bare."""

import signal

import pytest
from over_ssh import OverSsh, verdict_of, wait_until


@pytest.fixture(scope="module")
def cluster(one_lab):
    cluster = OverSsh(one_lab)
    yield cluster
    cluster("down")


@pytest.fixture(scope="module")
def before(cluster):
    cluster.seen()  # what the first login and the first sudo bring is there from now on
    return cluster.seen()


def test_down_after_a_killed_up_leaves_nothing(one_lab, cluster, before):
    steps = f"systemctl list-units --plain --no-legend '{cluster.unit('step-*')}'"
    with cluster.started("cluster", "up", str(cluster.hosts_toml)) as up:
        wait_until(lambda: one_lab.ssh("target-1", steps) or up.poll() is not None, "the installation begins", 120)
        assert up.poll() is None, up.communicate()
        up.send_signal(signal.SIGKILL)
    assert cluster.left(before).keys() == before.keys()
    cluster("down")
    assert cluster.left(before) == {}
    assert cluster("down").stdout == "nothing was there\n"


def test_run_on_a_cluster_that_does_not_stand_is_the_local_command_and_leaves_nothing(cluster, before, tmp_path):
    """Another profile and another target than the file's: everything is the command's."""
    words = ("--profile", "closed", "--connections", "8", "--duration", "3", "--hold", "0.2")
    done, out = cluster.run_that_counts("flask-waitress", *words, out=tmp_path)
    assert "flask-waitress" in done.stdout
    assert "load is on" in done.stderr
    assert "taking the cluster down" in done.stderr
    verdict = verdict_of(out)
    assert (verdict["target"], verdict["profile"]["kind"]) == ("flask-waitress", "closed")
    assert cluster.left(before) == {}
