"""The command ``floodmark-agent`` as a process, against a real ROUTER and a real target with children and threads."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from descriptors import open_files

from floodmark.core import messages
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.messages import Chunk, Fetch, Hello, Ping, Pong, Samples, Watch, Watching
from floodmark.core.sample import Sample
from floodmark.core.series import unpack_block
from floodmark_agent.bus import Bus

pytestmark = pytest.mark.live

DEADLINE_S = 20.0
AGENT = (sys.executable, "-m", "floodmark_agent")

# Two children share the parent's outer port; the second listens on an inner TCP port and on a UNIX socket, and has
# four more threads. On each line of its input it starts two threads more.
TARGET = """
import os, signal, socket, sys, threading
outer = socket.create_server(("127.0.0.1", 0), backlog=7)
if not os.fork():
    signal.pause()
hear, tell = os.pipe()
if not os.fork():
    inner = socket.create_server(("127.0.0.1", 0), backlog=11)
    local = socket.socket(socket.AF_UNIX)
    local.bind("app.sock")
    local.listen(13)
    for _ in range(4):
        threading.Thread(target=signal.pause, daemon=True).start()
    os.write(tell, str(inner.getsockname()[1]).encode())
    while sys.stdin.readline():
        for _ in range(2):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
    os._exit(0)
inner_port = int(os.read(hear, 9))
zombie = os.fork()
if not zombie:
    os._exit(0)
print(outer.getsockname()[1], inner_port, flush=True)
signal.pause()
"""


@dataclass(frozen=True)
class Target:
    process: subprocess.Popen[str]
    port: int
    inner_port: int

    def start_threads(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("more\n")
        self.process.stdin.flush()


class Master:
    """A ROUTER in place of Locust's master."""

    def __init__(self, router: "zmq.Socket[bytes]") -> None:
        self._router = router
        self.port = router.bind_to_random_port("tcp://127.0.0.1")
        self.agent: bytes | None = None
        self.heard: list[tuple[str, Any]] = []

    def say(self, kind: str, record: Any) -> None:
        self.say_raw(msgpack.packb((kind, to_plain(record), None)))

    def say_raw(self, frame: bytes) -> None:
        assert self.agent is not None
        self._router.send_multipart([self.agent, frame])

    def hear(self, kind: str, count: int = 1) -> Any:
        """The data of the next message of a type, or of the `count`th one."""
        begin, end_s = len(self.heard), time.monotonic() + DEADLINE_S
        while time.monotonic() < end_s:
            found = [data for heard, data in self.heard[begin:] if heard == kind]
            if len(found) >= count:
                return found[count - 1]
            self._take()
        raise AssertionError(f"no {kind} came, but {[heard for heard, _ in self.heard[begin:]]}")

    def samples_until(self, holds: Callable[[Sample], bool]) -> Sample:
        end_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < end_s:
            batch = from_plain(Samples, self.hear(messages.SAMPLES), "samples")
            for sample in batch.samples:
                if holds(sample):
                    return sample
        raise AssertionError(f"the last sample was {batch.samples[-1]}")

    def all_samples(self) -> list[Sample]:
        """The whole series, of an agent that rests."""
        found: list[Sample] = []
        while True:
            self.say(messages.FETCH, Fetch(number=0, first=len(found), blocks=1))
            chunk = from_plain(Chunk, self.hear(messages.CHUNK), "chunk")
            assert chunk.dropped == 0
            found += [sample for block in chunk.blocks for sample in unpack_block(block)]
            if not chunk.left:
                return found

    def _take(self) -> None:
        if self._router.poll(200):
            identity, frame = self._router.recv_multipart()
            kind, data, node = msgpack.unpackb(frame)
            assert node == identity.decode()
            self.agent = identity
            self.heard.append((kind, data))


@pytest.fixture
def master() -> Iterator[Master]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        yield Master(router)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with started((sys.executable, "-c", TARGET), cwd=tmp_path, group=True) as process:
        assert process.stdout is not None
        outer, inner = process.stdout.readline().split()
        yield Target(process=process, port=int(outer), inner_port=int(inner))


@contextlib.contextmanager
def started(
    command: tuple[str, ...], *, cwd: Path | None = None, group: bool = False
) -> Iterator["subprocess.Popen[str]"]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=group
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)


def agent_command(master: Master, port: int, *more: str) -> tuple[str, ...]:
    return (*AGENT, "--master", f"127.0.0.1:{master.port}", "--port", str(port), "--name", "here", *more)


def test_an_agent_says_hello_answers_pings_and_says_goodbye(master: Master) -> None:
    with started(agent_command(master, 9)) as agent:
        hello = from_plain(Hello, master.hear(messages.HELLO), "hello")
        sent_s = time.monotonic()
        master.say(messages.PING, Ping(sequence=5, sent_s=sent_s))
        pong = from_plain(Pong, master.hear(messages.PONG), "pong")
        agent.terminate()
        bye = from_plain(Hello, master.hear(messages.BYE), "bye")

        assert agent.wait(DEADLINE_S) == 0
        assert (hello.name, hello.wire, hello.pid) == ("here", messages.WIRE_VERSION, agent.pid)
        assert hello.boot == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        assert bye == hello
        assert (pong.sequence, pong.ping_sent_s) == (5, sent_s)
        # One host, one clock: the exchange must lie within what this side saw of it.
        assert sent_s <= pong.received_s <= pong.sent_s <= time.monotonic()


def test_hello_is_the_heartbeat(master: Master) -> None:
    with started(agent_command(master, 9)):
        master.hear(messages.HELLO, count=3)


def test_two_agents_of_one_name_have_two_identities(master: Master) -> None:
    with started(agent_command(master, 9)):
        master.hear(messages.HELLO)
        first = master.agent
    with started(agent_command(master, 9)):
        master.hear(messages.HELLO)
        assert master.agent != first


def test_a_target_is_watched_from_the_first_sample_to_the_rest(master: Master, target: Target) -> None:
    with started(agent_command(master, target.port)) as agent, contextlib.ExitStack() as clients:
        master.hear(messages.HELLO)
        master.say(messages.WATCH, Watch(beat_s=0.02))
        watching = from_plain(Watching, master.hear(messages.WATCHING), "watching")
        for _ in range(5):
            clients.enter_context(socket.create_connection(("127.0.0.1", target.port)))
        sample = master.samples_until(
            lambda one: [row.accept_queue for row in one.connections[:1]] == [5] and depth(one) == 5
        )
        master.say(messages.REST, None)
        master.say(messages.PING, Ping(sequence=1, sent_s=0.0))
        master.hear(messages.PONG)
        seen = master.all_samples()
        agent.send_signal(signal.SIGINT)

        assert agent.wait(DEADLINE_S) == 0
        assert (watching.problem, watching.notes) == (None, ())
        assert watching.limits is not None
        assert watching.limits.pid == target.process.pid
        assert watching.limits.somaxconn is not None
        check_tree(sample, target)
        assert [one.sequence for one in seen] == list(range(len(seen)))
        assert all(one.taken_s <= one.socket_s <= one.taken_s + one.cost_s for one in seen)


def depth(sample: Sample) -> int:
    # The listeners are read a moment before the connections: of clients that come in between only these know.
    return sample.listeners[0].depth


def check_tree(sample: Sample, target: Target) -> None:
    outer, inner, local = sample.listeners
    assert (outer.address, outer.outer, outer.depth, outer.limit) == (f"127.0.0.1:{target.port}", True, 5, 7)
    assert (inner.address, inner.outer, inner.limit) == (f"127.0.0.1:{target.inner_port}", False, 11)
    assert (local.address, local.family, local.limit) == ("app.sock", "unix", 13)
    assert [one.port for one in sample.connections] == [target.port, target.inner_port]
    assert sample.processes is not None
    parent, *children = sample.processes
    assert parent.pid == target.process.pid
    assert outer.owners == tuple(one.pid for one in sample.processes)
    assert inner.owners == local.owners == (children[1].pid,)
    # The child that ended without being waited for is a zombie: it is not among them.
    assert [one.threads for one in sample.processes] == [1, 1, 5]
    assert all(one.parent == parent.pid for one in children)
    assert all(one.open_files and one.rss_bytes for one in sample.processes)
    assert sample.counters is not None


def test_new_threads_are_counted_as_started_once(master: Master, target: Target) -> None:
    with started(agent_command(master, target.port, "--pid", str(target.process.pid))):
        master.hear(messages.HELLO)
        master.say(messages.WATCH, Watch(beat_s=0.02))
        master.hear(messages.SAMPLES)
        target.start_threads()
        master.samples_until(lambda sample: threads_of(sample)[-1] == 7)
        master.say(messages.REST, None)
        master.say(messages.PING, Ping(sequence=1, sent_s=0.0))
        master.hear(messages.PONG)
        seen = master.all_samples()

    started_threads = [processes[-1].threads_started for one in seen if (processes := one.processes)]
    assert started_threads[0] == 5
    assert sum(started_threads[1:]) == 2


def threads_of(sample: Sample) -> list[int | None]:
    return [one.threads for one in sample.processes or ()]


def test_nothing_on_the_port_is_the_answer_and_the_agent_lives_on(master: Master) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with started(agent_command(master, port)):
            master.hear(messages.HELLO)
            master.say(messages.WATCH, Watch(beat_s=0.02))
            watching = from_plain(Watching, master.hear(messages.WATCHING), "watching")
            taken.listen(3)
            master.say(messages.WATCH, Watch(beat_s=0.02))
            again = from_plain(Watching, master.hear(messages.WATCHING), "watching")

    assert f"nothing listens on TCP port {port}" in (watching.problem or "")
    assert again.problem is None


def test_a_target_that_ends_leaves_samples_without_processes(master: Master, target: Target) -> None:
    with started(agent_command(master, target.port)):
        master.hear(messages.HELLO)
        master.say(messages.WATCH, Watch(beat_s=0.02))
        master.samples_until(lambda sample: len(sample.processes or ()) == 3)
        os.killpg(target.process.pid, signal.SIGKILL)

        ended = master.samples_until(lambda sample: sample.processes == () and sample.listeners == ())

    assert ended.counters is not None


def test_nonsense_from_the_master_does_not_end_the_agent(master: Master) -> None:
    with started(agent_command(master, 9)) as agent:
        master.hear(messages.HELLO)
        for frame in (b"", b"\xc1", msgpack.packb(("two", "only")), msgpack.packb((messages.PING, "x", None))):
            master.say_raw(frame)
        master.say_raw(msgpack.packb(("spawn", {"users": 1}, None)))
        master.say(messages.PING, Ping(sequence=9, sent_s=0.0))

        assert from_plain(Pong, master.hear(messages.PONG), "pong").sequence == 9
        agent.terminate()
        assert agent.wait(DEADLINE_S) == 0
        assert agent.stderr is not None
        assert agent.stderr.read().count("a message is dropped") == 4


def test_an_agent_opens_no_listening_port(master: Master, target: Target) -> None:
    with started(agent_command(master, target.port)) as agent:
        master.hear(messages.HELLO)
        master.say(messages.WATCH, Watch(beat_s=0.02))
        master.hear(messages.SAMPLES)
        sockets = {link[8:-1] for _, link in open_files(agent.pid) if link.startswith("socket:[")}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]

    assert sockets
    assert not [row for row in rows if row[3] == "0A" and row[9] in sockets]


def test_an_agent_without_a_master_waits_and_ends_when_told(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        command = (*AGENT, "--master", f"127.0.0.1:{nobody.getsockname()[1]}", "--port", "9")
        with started(command, cwd=tmp_path) as agent:
            assert agent.stderr is not None
            assert "reports to" in agent.stderr.readline()
            agent.terminate()

            assert agent.wait(DEADLINE_S) == 0


def test_a_bus_without_a_master_takes_nothing_so_that_no_stale_hello_waits() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        bus = Bus("127.0.0.1", nobody.getsockname()[1], clock=time.monotonic)
        taken = bus.send(messages.PING, Ping(sequence=1, sent_s=0.0))
        bus.close()

    assert not taken


def test_once_prints_one_sample_as_json(target: Target) -> None:
    done = subprocess.run((*AGENT, "--once", "--port", str(target.port)), capture_output=True, check=True, timeout=60)

    sample = from_plain(Sample, json.loads(done.stdout), "stdout")
    assert (sample.sequence, threads_of(sample)) == (0, [1, 1, 5])
    assert [one.port for one in sample.connections] == [target.port, target.inner_port]
    assert done.stderr == b""


def test_once_without_a_listener_is_one_line_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        command = (*AGENT, "--once", "--port", str(taken.getsockname()[1]))
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("floodmark-agent: nothing listens on TCP port")
    assert done.stderr.count("\n") == 1


def test_the_agent_imports_neither_locust_nor_gevent() -> None:
    code = (
        "import sys, floodmark_agent.cli, floodmark_agent.agent, floodmark_agent.bus;"
        "print([name for name in ('locust', 'gevent', 'flask', 'subprocess') if name in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, check=True, text=True, timeout=60)

    assert done.stdout.strip() == "[]"
