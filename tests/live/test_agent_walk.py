"""Connections counted by a walk of the kernel's table: exactly, wherever it is, while it changes, by whom it may be."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_places_parts import NOBODY, as_user, become, expected, open_walk, places

from floodmark.core.errors import WireError
from floodmark.core.sample import ConnectionCounts
from floodmark_agent.counting import Way, prepare
from floodmark_agent.finder import Watch
from floodmark_agent.selector import Selector
from floodmark_agent.walk.bpf import _call
from floodmark_deploy.port import free_port

pytestmark = [
    pytest.mark.live,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a walk takes CAP_BPF and CAP_PERFMON"),
]

DEADLINE_S = 15.0
AGENT = (sys.executable, "-m", "floodmark_agent")
CAP_PERFMON, CAP_BPF = 38, 39

# In a network namespace with a table of 64 places: 300 connections that stay on one port, others that come and go on
# another, through the same chains.
CHURN = """
import ctypes, fcntl, socket, struct
def unshare():
    assert ctypes.CDLL(None, use_errno=True).unshare(0x40000000) == 0
unshare()
with open("/proc/sys/net/ipv4/tcp_child_ehash_entries", "w") as file:
    file.write("64")
unshare()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))
quiet, busy = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
held = []
for _ in range(300):
    held += [socket.create_connection(quiet.getsockname()), quiet.accept()[0]]
print(quiet.getsockname()[1], busy.getsockname()[1], flush=True)
while True:
    client = socket.create_connection(busy.getsockname())
    end = busy.accept()[0]
    client.send(b"x")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    end.close()
"""


def numbers(counts: tuple[ConnectionCounts, ...]) -> list[list[int]]:
    return [[getattr(one, name) for name in ConnectionCounts.__slots__] for one in counts]


def all_places(port: int, deferred: int) -> list[list[int]]:
    return [
        expected(port, accept_queue=5, unread=3, read=6, stuck=2, abandoned=8, abandoned_queue=2),
        expected(deferred, half_open=7),
    ]


def wait_for(read: Callable[[], Any], wanted: Any) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while read() != wanted and time.monotonic() < end_s:
        time.sleep(0.01)
    assert read() == wanted


@pytest.mark.parametrize("where", ["here", "apart", "apart 64", "apart 16"])
@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_every_place_is_counted_exactly_in_any_namespace_and_in_a_table_of_any_size(
    tmp_path: Path, family: str, host: str, where: str
) -> None:
    with places(tmp_path, family, host, where) as (pid, port, deferred):
        walk = open_walk(None if where == "here" else pid)

        wait_for(lambda: numbers(walk.read((port, deferred))), all_places(port, deferred))
        assert numbers(walk.read((deferred,))) == [expected(deferred, half_open=7)]
        walk.close()


def test_a_table_that_is_too_small_is_an_error_with_its_size(tmp_path: Path) -> None:
    words = "8 places, 16 or more are needed"
    with places(tmp_path, where="apart 8") as (pid, _, _), pytest.raises(WireError, match=words):
        open_walk(pid)


def test_while_others_come_and_go_none_of_those_that_stay_is_missed_or_counted_twice() -> None:
    open_walk().close()
    with subprocess.Popen((sys.executable, "-c", CHURN), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            quiet, busy = map(int, process.stdout.readline().split())
            walk = open_walk(process.pid)
            found, torn = [], 0
            for _ in range(1000):
                try:
                    found.append(walk.read((quiet, busy)))
                except WireError:
                    torn += 1
            walk.close()
        finally:
            process.kill()

    assert {tuple(numbers((stays,))[0]) for stays, _ in found} == {tuple(expected(quiet, read=300))}
    assert torn < len(found)
    come_and_gone = {one.unread + one.accept_queue + one.read for _, one in found}
    assert {0, 1} <= come_and_gone
    assert max(come_and_gone) < 10


@pytest.mark.parametrize("where", ["here", "apart"])
def test_an_agent_walks_once_walk_and_dump_agree(tmp_path: Path, where: str) -> None:
    open_walk().close()
    with places(tmp_path, where=where) as (pid, port, deferred):
        watch = Watch(Selector(ports=(port, deferred), pid=pid), clock=time.monotonic, counting=prepare(Way.WALK))
        wait_for(lambda: numbers(watch.count()), all_places(port, deferred))
        for _ in range(3):
            watch.count()

        assert watch._collector._counter.walks
        assert numbers(watch.count()) == all_places(port, deferred)
        assert watch.notes() == ()
        watch.close()


def test_nobody_is_told_what_a_walk_takes_and_gets_the_counts_of_a_dump(tmp_path: Path) -> None:
    def look() -> list[Any]:
        watch = Watch(Selector(ports=(port,), pid=pid), clock=time.monotonic, counting=prepare(Way.WALK))
        return [numbers(watch.count()), watch.notes()]

    with places(tmp_path) as (pid, port, deferred):
        counts, notes = as_user(NOBODY, look)

    assert counts == all_places(port, deferred)[:1]
    assert notes[-1] == "connections are counted by dump: a walk takes CAP_BPF and CAP_PERFMON"


def limit_to(*capabilities: int) -> None:
    """capset(2) for this process: these and no others."""
    bits = sum(1 << number for number in capabilities)
    header, low, high = (0x20080522, 0), bits & 0xFFFFFFFF, bits >> 32
    libc = ctypes.CDLL(None, use_errno=True)
    words = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    assert libc.capset((ctypes.c_uint32 * 2)(*header), words) == 0, os.strerror(ctypes.get_errno())


def test_the_two_capabilities_are_enough_to_load_and_none_is_needed_to_walk(tmp_path: Path) -> None:
    open_walk().close()

    def look() -> list[list[int]]:
        ctypes.CDLL(None).prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
        become(NOBODY)
        limit_to(CAP_PERFMON, CAP_BPF)
        walk = open_walk()
        limit_to()
        return numbers(walk.read((port, deferred)))

    with places(tmp_path) as (_, port, deferred):
        wait_for(lambda: as_user(0, look), all_places(port, deferred))


def test_nothing_of_a_walk_stays_in_the_kernel() -> None:
    def descriptors() -> dict[str, str]:
        # The folder's own descriptor is gone by the time it is looked at.
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return {kind: link.name for link in links if "bpf-" in (kind := str(link.readlink()))}

    before = descriptors()
    walk = open_walk()
    own = descriptors()["anon_inode:bpf-prog"]
    number = int(re.findall(r"prog_id:\s*(\d+)", Path(f"/proc/self/fdinfo/{own}").read_text())[0])
    walk.close()

    assert descriptors() == before == {}
    with pytest.raises(OSError, match="ENOENT"):
        # BPF_PROG_GET_FD_BY_ID
        _call(13, number.to_bytes(16, "little"), "PROG_GET_FD_BY_ID")


def test_the_command_walks_where_it_is_told_to_and_says_so(tmp_path: Path) -> None:
    open_walk().close()
    with places(tmp_path) as (pid, port, _):
        where = f"127.0.0.1:{free_port('127.0.0.1')}"
        words = ("--metrics", where, "--port", str(port), "--pid", str(pid), "--connections", "walk")
        with subprocess.Popen((*AGENT, *words), stderr=subprocess.PIPE, text=True) as agent:
            try:
                assert agent.stderr is not None
                assert "metrics at" in agent.stderr.readline()
                end_s, said = time.monotonic() + DEADLINE_S, ""
                os.set_blocking(agent.stderr.fileno(), False)
                while not said and time.monotonic() < end_s:
                    with urllib.request.urlopen(f"http://{where}/metrics", timeout=DEADLINE_S) as answer:
                        text = answer.read().decode()
                    said = agent.stderr.readline()
                    time.sleep(0.05)
                agent.send_signal(signal.SIGTERM)
                assert agent.wait(DEADLINE_S) == 0
            finally:
                agent.kill()

    assert "counted by walks from now on" in said
    assert f'floodmark_connections{{port="{port}",place="accept_queue"}} 5' in text
