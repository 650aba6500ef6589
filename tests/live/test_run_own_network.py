"""A run in a network of its own: its kernel settings are in force there, and the host's stay as they are."""

import contextlib
import subprocess
import threading
from pathlib import Path

import pytest
from command import living, manifest, measured, run_folder

from floodmark.core.errors import PlanError
from floodmark_deploy.own_network import OWN_NETWORK, may_have_own_network, network_of, own_network, setting_path

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not may_have_own_network(), reason="only root makes a network namespace"),
]

COOKIES, SYN_BACKLOG = "net.ipv4.tcp_syncookies", "net.ipv4.tcp_max_syn_backlog"
POOL = Path(__file__).parent / "servers" / "pool_server.py"

DEADLINE_S = 20.0

TARGET = f"""
[start]
command = ["{{python}}", "{POOL}", "{{port}}", "3", "0.3", "{{host}}"]
[request]
path = "/"
contains = "done"
[ready]
path = "/"
[limits]
sysctl = {{ "{COOKIES}" = "0", "{SYN_BACKLOG}" = "77" }}
"""


def network() -> str:
    return str(OWN_NETWORK.readlink())


def value(name):
    return setting_path(name).read_text().strip()


def child(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_a_run_has_its_settings_and_the_host_keeps_its_own(tmp_path):
    before = {name: value(name) for name in (COOKIES, SYN_BACKLOG)}
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "target.toml").write_text(TARGET)
    found = measured("--target-file", "pool", "--requests", "30", "--within", "0", cwd=tmp_path)
    assert found["verdict"]["in_service"]["ceiling"] == 3
    limits = manifest(run_folder(tmp_path))["limits"]
    assert (limits["tcp_syncookies"], limits["tcp_max_syn_backlog"]) == (0, 77)
    assert {name: value(name) for name in before} == before
    assert living(run_folder(tmp_path).name) == []


def test_what_is_started_meanwhile_is_inside_and_can_be_entered_later():
    home, hosts = network(), value(SYN_BACKLOG)
    with own_network({SYN_BACKLOG: "77"}):
        inside = network()
        assert inside != home
        assert child("cat", str(setting_path(SYN_BACKLOG))) == "77"
        sleeper = subprocess.Popen(["sleep", "60"])
    try:
        assert (network(), value(SYN_BACKLOG)) == (home, hosts)
        with network_of(sleeper.pid):
            assert (network(), value(SYN_BACKLOG)) == (inside, "77")
        assert network() == home
    finally:
        sleeper.kill()
        sleeper.wait()


def test_only_the_calling_thread_moves():
    home, seen = network(), []

    def move():
        with own_network({COOKIES: "0"}):
            entered.set()
            seen.append(network())
            looked.wait(DEADLINE_S)

    entered, looked = threading.Event(), threading.Event()
    thread = threading.Thread(target=move)
    thread.start()
    assert entered.wait(DEADLINE_S)
    assert network() == home
    looked.set()
    thread.join()
    assert seen != [home]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_inside_leads_back_too(error):
    home = network()
    with contextlib.suppress(error), own_network({COOKIES: "0"}):
        raise error
    assert network() == home


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"net.ipv4.no_such_setting": "1"}, "is no setting of a network namespace here"),
        ({COOKIES: "many"}, "cannot be set to 'many'"),
        ({"net.core.netdev_max_backlog": "1"}, "net.core.netdev_max_backlog"),
    ],
    ids=["unknown", "not a value", "the whole host's"],
)
def test_a_setting_that_a_network_has_not_is_refused_and_nothing_is_left_changed(settings, words):
    home = network()
    hosts = value("net.core.netdev_max_backlog")
    with pytest.raises(PlanError, match=words), own_network(settings):
        pass
    assert (network(), value("net.core.netdev_max_backlog")) == (home, hosts)
