"""Sockets in every place at once, counted by a process of another user, and from outside of their network namespace."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_places_parts import NOBODY, PLACES, as_user, expected, places

from floodmark.core.codec import from_plain
from floodmark.core.errors import TargetError
from floodmark.core.sample import ConnectionCounts, Sample
from floodmark_agent.cli import take_once
from floodmark_agent.finder import Watch
from floodmark_agent.selector import Selector
from floodmark_deploy.port import free_port

pytestmark = [
    pytest.mark.live,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="changes its user, and makes network namespaces"),
]

DEADLINE_S = 15.0
AGENT = (sys.executable, "-m", "floodmark_agent")


def look(selector: Selector) -> dict[str, Any]:
    watch = Watch(selector, clock=time.monotonic)
    sample = take_once(watch)
    found = {
        "connections": [[getattr(one, name) for name in ConnectionCounts.__slots__] for one in sample.connections],
        "listeners": sorted((one.family, one.depth, one.limit) for one in sample.listeners),
        "threads": [one.threads for one in sample.processes or ()],
        "notes": watch.notes(),
    }
    watch.close()
    return found


def wait_for(read: Callable[[], Any], wanted: Any) -> Any:
    end_s = time.monotonic() + DEADLINE_S
    while (found := read()) != wanted and time.monotonic() < end_s:
        time.sleep(0.01)
    assert found == wanted
    return found


@pytest.mark.parametrize("user", [0, NOBODY])
@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_every_place_is_counted_exactly_by_root_and_by_nobody(
    tmp_path: Path, user: int, family: str, host: str
) -> None:
    with places(tmp_path, family, host) as (_, port, deferred):
        selector = Selector(ports=(port, deferred))
        wait_for(
            lambda: as_user(user, lambda: look(selector)["connections"]),
            [
                expected(port, accept_queue=5, unread=3, read=6, stuck=2, abandoned=8, abandoned_queue=2),
                expected(deferred, half_open=7),
            ],
        )
        found = as_user(user, lambda: look(selector))

    outer = [["inet" if family == "AF_INET" else "inet6", depth, 100] for depth in (0, 7)]
    if user:
        # Whose the sockets are is not seen: what is missing is said, with the rights that would show it.
        assert found["listeners"] == outer
        assert "CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE" in found["notes"][0]
    else:
        assert found["listeners"] == [*outer, ["unix", 4, 9]]
        assert (found["notes"], found["threads"]) == ([], [1])


def test_nobody_sees_threads_where_the_process_is_named(tmp_path: Path) -> None:
    with places(tmp_path) as (pid, port, _):
        found = as_user(NOBODY, lambda: look(Selector(ports=(port,), pid=pid)))

    assert found["threads"] == [1]
    assert "inner lines are not seen" in found["notes"][0]


@pytest.mark.parametrize("how", ["pid", "port", "command"])
def test_a_target_in_another_network_namespace_is_found_and_counted_there(tmp_path: Path, how: str) -> None:
    own = Path("/proc/self/ns/net").readlink()
    with places(tmp_path, where="apart") as (pid, port, deferred):
        selector = {
            "pid": Selector(pid=pid),
            "port": Selector(ports=(port, deferred)),
            "command": Selector(command=re.compile(re.escape(str(tmp_path)))),
        }[how]
        wait_for(
            lambda: sorted(look(selector)["connections"]),
            sorted(
                [
                    expected(port, accept_queue=5, unread=3, read=6, stuck=2, abandoned=8, abandoned_queue=2),
                    expected(deferred, half_open=7),
                ]
            ),
        )
        found = look(selector)

        # The agent itself has not moved.
        assert Path("/proc/thread-self/ns/net").readlink() == own
    assert found["listeners"] == [("inet", 0, 100), ("inet", 7, 100), ("unix", 4, 9)]
    assert found["notes"] == ()


def test_the_limits_and_counters_are_those_of_the_namespace(tmp_path: Path) -> None:
    with places(tmp_path, where="apart") as (pid, _, _):
        enter = ("nsenter", "--net", "--target", str(pid))
        subprocess.run((*enter, "sysctl", "-qw", "net.core.somaxconn=77"), check=True)
        watch = Watch(Selector(pid=pid), clock=time.monotonic)
        limits, glance = watch.limits(), watch.glance()
        watch.close()

    assert limits is not None
    assert limits.somaxconn == 77
    assert glance.counters is not None
    assert glance.counters.listen_overflows == 0


def test_nobody_is_told_how_to_look_into_another_namespace(tmp_path: Path) -> None:
    def refused() -> str:
        try:
            look(Selector(ports=(port,)))
        except TargetError as error:
            return str(error)
        return "found"

    with places(tmp_path, where="apart") as (_, port, _):
        words = as_user(NOBODY, refused)

    assert f"nothing listens on TCP port {port}" in words
    assert "nsenter --net" in words
    assert "CAP_SYS_PTRACE and CAP_SYS_ADMIN" in words


def test_a_target_that_moves_to_a_namespace_of_its_own_is_found_again(tmp_path: Path) -> None:
    now_s = [time.monotonic()]
    selector = Selector(command=re.compile(re.escape(f"{tmp_path}/app.sock")))
    with places(tmp_path) as (first, _, _):
        watch = Watch(selector, clock=lambda: now_s[0])
        assert [one.pid for one in watch.glance().processes or ()] == [first]
    (tmp_path / "app.sock").unlink()
    with places(tmp_path, where="apart") as (second, port, _):
        end_s, counts = time.monotonic() + DEADLINE_S, {}
        while port not in counts and time.monotonic() < end_s:
            now_s[0] += 0.3
            glance, counts = watch.glance(), {one.port: one.unread for one in watch.count()}
        watch.close()

    assert [one.pid for one in glance.processes or ()] == [second]
    assert counts[port] == 3


def test_metrics_are_served_where_told_and_nothing_else_is(tmp_path: Path) -> None:
    with places(tmp_path) as (pid, port, _):
        where = f"127.0.0.1:{free_port('127.0.0.1')}"
        command = (*AGENT, "--metrics", where, "--port", str(port), "--pid", str(pid))
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as agent:
            try:
                assert agent.stderr is not None
                assert f"metrics at http://{where}/metrics" in agent.stderr.readline()
                with urllib.request.urlopen(f"http://{where}/metrics", timeout=DEADLINE_S) as answer:
                    text = answer.read().decode()
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(f"http://{where}/", timeout=DEADLINE_S)
                agent.send_signal(signal.SIGTERM)
                assert agent.wait(DEADLINE_S) == 0
            finally:
                agent.kill()

    assert "floodmark_up 1" in text
    assert f'floodmark_connections{{port="{port}",place="accept_queue"}} 5' in text
    assert f'floodmark_accept_queue_peak{{address="127.0.0.1:{port}"}} 7' in text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'floodmark_\w+(\{(\w+="[^"]*",?)+\})? \d+(\.\d+)?', line) for line in lines)


def test_once_finds_what_floodmark_has_marked(tmp_path: Path) -> None:
    environment = {**os.environ, "FLOODMARK_RUN": f"run-{os.getpid()}"}
    command = (sys.executable, "-c", PLACES, "AF_INET", "127.0.0.1", "here", str(tmp_path / "app.sock"))
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            words = (*AGENT, "--once", "--mark", f"run-{os.getpid()}")
            done = subprocess.run(words, capture_output=True, check=True, timeout=60)
        finally:
            process.kill()

    sample = from_plain(Sample, json.loads(done.stdout), "stdout")
    assert [one.pid for one in sample.processes or ()] == [process.pid]
