"""Keys are made by ZeroMQ, each time others."""

from floodmark.core.bus_keys import AGENT, WORKER, read_master_keys, read_node_keys
from floodmark_deploy.keys import make_keys


def test_two_clusters_have_no_key_in_common_and_their_nodes_know_their_master(tmp_path):
    found = set()
    for name in ("one", "two"):
        make_keys(tmp_path / name)
        master = read_master_keys(tmp_path / name)
        nodes = [read_node_keys(tmp_path / name, role) for role in (WORKER, AGENT)]
        assert [node.master for node in nodes] == [master.public] * 2
        assert [master.role_of(node.public) for node in nodes] == [WORKER, AGENT]
        found |= {key for keys in (master, *nodes) for key in (keys.public, keys.secret)}
    assert len(found) == 12
