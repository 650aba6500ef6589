"""What runs where for one load on a cluster, and the words that start it. Nobody is connected to."""

from dataclasses import replace

import pytest

from floodmark.core.bus_keys import read_master_keys, read_node_keys
from floodmark.core.errors import UsageError
from floodmark_deploy import probe_there
from floodmark_deploy.cluster_shape import shape_of, spread
from floodmark_deploy.hosts_file import HostRole, read_hosts
from floodmark_deploy.keys import make_keys
from floodmark_deploy.remote_keys import bus_keys
from floodmark_deploy.remote_services import (
    Account,
    busy_words,
    description_of,
    is_service,
    services_of,
    start_words,
    step_words,
)

HOSTS = """
[cluster]
name = "c"
[[hosts]]
name = "m"
roles = ["master"]
[[hosts]]
name = "w1"
roles = ["worker"]
workers = 2
[[hosts]]
name = "w2"
roles = ["worker"]
workers = 1
[[hosts]]
name = "t1"
address = "192.0.2.1"
roles = ["target", "agent"]
[[hosts]]
name = "t2"
roles = ["target", "agent"]
"""
ACCOUNT = Account(user="1000", open_files=1_000, keys="k")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "hosts.toml").write_text(HOSTS)
    return read_hosts(tmp_path / "hosts.toml")


def units(file, shape):
    return {spec.name: [service.unit for service in services_of(spec, file, shape)] for spec in file.hosts}


def test_one_host_is_under_load_and_the_others_of_its_role_rest(file):
    assert units(file, shape_of(file)) == {
        "m": ["floodmark-c-master"],
        "w1": ["floodmark-c-worker-1", "floodmark-c-worker-2"],
        "w2": ["floodmark-c-worker-1"],
        "t1": ["floodmark-c-target", "floodmark-c-agent"],
        "t2": [],
    }
    assert units(file, replace(shape_of(file), host="t2", target=""))["t2"] == ["floodmark-c-agent"]


@pytest.mark.parametrize(("workers", "where"), [(1, (1, 0)), (2, (1, 1)), (3, (2, 1))])
def test_fewer_workers_are_spread_over_the_hosts(file, workers, where):
    assert spread(file, workers) == where
    assert len(units(file, replace(shape_of(file), workers=where))["w2"]) == where[1]


def test_no_host_gets_more_workers_than_it_is_to_have(tmp_path):
    (tmp_path / "hosts.toml").write_text(
        HOSTS.replace("workers = 1", "workers = 3").replace("workers = 2", "workers = 1")
    )
    assert spread(read_hosts(tmp_path / "hosts.toml"), 4) == (1, 3)


def test_more_workers_than_the_hosts_have_are_refused(file):
    with pytest.raises(UsageError, match=r"--workers 4: the hosts of hosts.toml have 3"):
        spread(file, 4)


@pytest.mark.parametrize(
    ("unit", "changes"),
    [
        ("floodmark-c-master", {"profile": "closed"}),
        ("floodmark-c-master", {"beat_s": 0.1}),
        ("floodmark-c-master", {"port": 9_000}),
        ("floodmark-c-worker-1", {"profile": "closed"}),
        ("floodmark-c-target", {"target": "flask-waitress"}),
        ("floodmark-c-agent", {"port": 9_000}),
        ("floodmark-c-agent", {"cpu_budget_percent": 5.0}),
    ],
)
def test_a_service_is_another_where_its_words_are_and_only_then(file, unit, changes):
    def said(shape, account=ACCOUNT):
        return {
            service.unit: description_of(service, file, account)
            for spec in file.hosts
            for service in services_of(spec, file, shape)
        }

    shape = shape_of(file)
    assert said(shape) == said(shape)
    assert said(shape)[unit] != said(replace(shape, **changes))[unit]
    assert said(shape)[unit] != said(shape, replace(ACCOUNT, keys="others"))[unit]


def test_a_worker_has_its_locustfile_by_name_since_a_keyed_bus_hands_out_none(file):
    worker = next(services_of(file.hosts[1], file, shape_of(file)))
    assert "burst.py" in worker.argv
    assert "--locustfile=-" not in worker.argv
    words = start_words(worker, file, ACCOUNT)
    assert "--setenv=FLOODMARK_KEYS=/var/lib/floodmark-c/keys" in words
    assert not any("PLAIN_BUS" in word for word in words)


def test_a_worker_may_go_ahead_of_its_host_and_nothing_else(file):
    worker = next(services_of(file.hosts[1], file, shape_of(file)))
    words = start_words(worker, file, ACCOUNT)
    assert {"--property=AmbientCapabilities=CAP_SYS_NICE", "--property=CapabilityBoundingSet=CAP_SYS_NICE"} <= set(
        words
    )
    master = next(one for one in services_of(file.hosts[0], file, shape_of(file)) if one.role is HostRole.MASTER)
    assert "--property=CapabilityBoundingSet=" in start_words(master, file, ACCOUNT)


def test_a_server_has_no_rights_and_only_services_count_as_such(file):
    shape = shape_of(file)
    agent, server = [
        next(service for service in services_of(file.hosts[3], file, shape) if service.role is role)
        for role in (HostRole.AGENT, HostRole.TARGET)
    ]
    assert "--property=AmbientCapabilities=" in start_words(server, file, ACCOUNT)
    assert any("CAP_SYS_PTRACE" in word for word in start_words(agent, file, ACCOUNT))
    others = [
        next(word for word in words if word.startswith("--unit="))
        for words in (step_words([], file, "u"), busy_words(file))
    ]
    assert [is_service(word.removeprefix("--unit="), "c") for word in (*others, "--unit=floodmark-c-agent")] == [
        False,
        False,
        True,
    ]


def test_two_steps_on_a_host_have_units_of_their_own(file):
    assert step_words(["true"], file, "u") != step_words(["true"], file, "u")


def test_fresh_keys_are_made_where_a_host_has_none_or_others_and_are_gone_afterwards(file):
    for there in (["", ""], ["a", "b"], ["a", ""]):
        with bus_keys(file, there) as keys:
            folder = keys.folder
            assert read_node_keys(folder, "worker").master == read_master_keys(folder).public == keys.word
            assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert not folder.exists()
    with bus_keys(file, ["a", "a"]) as keys:
        assert (keys.folder, keys.word) == (None, "a")


def test_keys_of_the_users_own_are_proven_and_told_apart(tmp_path):
    (tmp_path / "hosts.toml").write_text(HOSTS.replace('name = "c"\n[[', 'name = "c"\nkeys = "own"\n[[', 1))
    file, words = read_hosts(tmp_path / "hosts.toml"), []
    with pytest.raises(UsageError, match="is not there"), bus_keys(file, [""]):
        pass
    for _ in range(2):
        make_keys(tmp_path / "own")
        with bus_keys(file, [""]) as keys:
            words.append(keys.word)
            assert keys.folder == tmp_path / "own"
        for path in (tmp_path / "own").iterdir():
            path.unlink()
    assert words[0] != words[1]


def test_a_host_says_which_keys_it_has_and_nothing_where_they_differ(tmp_path):
    make_keys(tmp_path / "one")
    make_keys(tmp_path / "two")
    assert probe_there.keys_in(tmp_path / "none") == ""
    assert probe_there.keys_in(tmp_path / "one") == read_master_keys(tmp_path / "one").public
    (tmp_path / "two/worker.toml").rename(tmp_path / "one/worker.toml")
    assert probe_there.keys_in(tmp_path / "one") == ""
