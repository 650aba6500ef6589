"""Strangers on the bus, with a real master, worker and agent: they are refused and named, and the run goes on.

One keyed and one plain cluster are started once each; the strangers come to both before and while a load is on.
"""

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgpack
import pytest
import zmq
from command import TIMEOUT_S, manifest, own_server, run_folder, started, wait_until
from validity import OF_SPEED

from floodmark.core import messages
from floodmark.core.bus_keys import AGENT, WORKER, read_node_keys
from floodmark.core.run_folder import RunFolder
from floodmark.report.build import build_report
from floodmark_agent.bus import Bus
from floodmark_deploy.keys import make_keys
from floodmark_deploy.port import free_port

pytestmark = pytest.mark.live

LOOPBACK = "127.0.0.1"
LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"
LOCUST = (sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "closed.py"))
LOAD = ("--connections", "4", "--duration", "10", "--path", "/", "--hold", "0.1", "--judge", "no")
HUNDRED_MEGABYTES = 100_000_000
ENDED = zmq.EVENT_DISCONNECTED


class Cluster:
    """A headless master, a worker and an agent about a server of its own; the load lasts for ten seconds."""

    def __init__(self, stack, cwd, *, workers=1, keys=None):
        self.cwd, self._stack = cwd, stack
        self.bus = free_port(LOOPBACK)
        self.bus_address = f"tcp://{LOOPBACK}:{self.bus}"
        self.target = stack.enter_context(own_server("pool_server.py", "8", "0.1", cwd=self._folder("target")))
        words = ("--floodmark-keys", str(keys)) if keys else ()
        bind = ("--master", "--headless", "--master-bind-host", LOOPBACK, "--master-bind-port", str(self.bus))
        host = ("--host", f"http://{LOOPBACK}:{self.target}", "--expect-workers", str(workers))
        self.master = self._start("master", *LOCUST, *bind, *host, *LOAD, *words)
        wait_until(lambda: listens(self.bus), "the bus")
        self.start_agent("agent", keys=keys)

    def start_worker(self, name, keys=None):
        where = ("--worker", "--master-host", LOOPBACK, "--master-port", str(self.bus))
        self._start(name, *LOCUST, *where, *(("--floodmark-keys", str(keys)) if keys else ()))

    def start_agent(self, name, keys=None):
        to = ("--master", f"{LOOPBACK}:{self.bus}", "--port", str(self.target))
        self._start(name, sys.executable, "-m", "floodmark_agent", *to, *(("--keys", str(keys)) if keys else ()))

    def printed(self, name):
        return (self.cwd / name / "printed.txt").read_text()

    def named(self, *words):
        """The master has a line of a stranger with all these words."""
        lines = [line for line in self.printed("master").splitlines() if "A stranger on the bus" in line]
        return any(all(word in line for word in words) for line in lines)

    def until_named(self, *words):
        wait_until(lambda: self.named(*words), f"{words} to be named", timeout_s=20)

    def until_on(self):
        wait_until(lambda: list(self.cwd.glob("master/runs/*/pulses.jsonl")), "the load")

    def _folder(self, name):
        path = self.cwd / name
        path.mkdir()
        return path

    def _start(self, name, *words):
        return self._stack.enter_context(started(*words, cwd=self._folder(name)))


def listens(port):
    """Somebody has the port; asked of the kernel, since whoever connects is a stranger."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


@contextmanager
def stranger(address, identity, pair=None, master=""):
    """A DEALER of nobody's."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as own, own.get_monitor_socket(ENDED):
        own.setsockopt(zmq.LINGER, 0)
        own.setsockopt(zmq.IDENTITY, identity.encode())
        if pair:
            own.setsockopt(zmq.CURVE_PUBLICKEY, pair[0].encode())
            own.setsockopt(zmq.CURVE_SECRETKEY, pair[1].encode())
            own.setsockopt(zmq.CURVE_SERVERKEY, master.encode())
        own.connect(address)
        yield own


def word(kind, data, identity):
    return msgpack.dumps((kind, data, identity))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Both at a time, since each waits for most of it."""
    with ThreadPoolExecutor() as pool:
        yield [pool.submit(run, tmp_path_factory.mktemp(run.__name__)) for run in (run_keyed, run_plain)]


@pytest.fixture(scope="module")
def keyed(runs):
    """The keyed cluster after its run, and its master's exit code."""
    return runs[0].result(timeout=TIMEOUT_S)


@pytest.fixture(scope="module")
def plain(runs):
    return runs[1].result(timeout=TIMEOUT_S)


def run_keyed(cwd):
    """A run to its end on a keyed bus, with strangers before and during it."""
    make_keys(cwd / "ours")
    make_keys(cwd / "theirs")
    make_keys(cwd / "mixed")
    worker, other = read_node_keys(cwd / "ours", WORKER), read_node_keys(cwd / "theirs", WORKER)
    with ExitStack() as stack:
        cluster = Cluster(stack, cwd, keys=cwd / "ours")
        with stranger(cluster.bus_address, "early") as own:
            own.send(word("client_ready", "2", "early"))
            cluster.until_named("has no key")
        (cwd / "mixed" / "worker.toml").write_text(
            (cwd / "theirs" / "worker.toml").read_text().replace(other.master, worker.master)
        )
        cluster.start_worker("worker-of-theirs", keys=cwd / "mixed")
        cluster.start_agent("agent-without")
        cluster.start_worker("worker", keys=cwd / "ours")
        cluster.until_on()
        for words, pair, master in (
            ("has no key", None, ""),
            ("has a key that is none of this cluster's", (other.public, other.secret), worker.master),
            ("holds the key of another master", (worker.public, worker.secret), other.master),
        ):
            with stranger(cluster.bus_address, "wrong", pair, master) as own, own.get_monitor_socket(ENDED) as fate:
                own.send(word("client_ready", "2", "wrong"))
                # The log may have named such a one before the load: that this one was there is seen at its own end.
                wait_until(lambda: fate.poll(0) and fate.recv_multipart(), f"the end of one who {words}")
                cluster.until_named(words)
        agent = read_node_keys(cwd / "ours", AGENT)
        with stranger(cluster.bus_address, "agent", (agent.public, agent.secret), agent.master) as own:
            own.send(word("client_ready", "2", "agent"))
            cluster.until_named("sent a message that its key does not allow")
            own.send(b"\xc1")
            cluster.until_named("sent what is no message")
        wait_until(lambda: "Not let in" in cluster.printed("worker-of-theirs"), "the worker to say so")
        wait_until(lambda: "not let this agent in" in cluster.printed("agent-without"), "the agent to say so")
        return cluster, cluster.master.wait(timeout=60)


def run_plain(cwd):
    """The same on a plain bus, which lets everybody in."""
    with ExitStack() as stack:
        cluster = Cluster(stack, cwd, workers=2)
        cluster.start_worker("worker")
        nobody = stack.enter_context(stranger(cluster.bus_address, "nobody's worker"))
        nobody.send(word("client_ready", "2", "nobody's worker"))
        cluster.until_on()
        with stranger(cluster.bus_address, "garbage") as own:
            own.send(b"\xc1\x00garbage")
            cluster.until_named("('garbage') sent what is no message")
        with stranger(cluster.bus_address, "arity") as own:
            for values in ((), ("stats",), ("stats", {}), ("stats", {}, "arity", 1)):
                own.send(msgpack.dumps(values))
            own.send_multipart([b"two", b"frames"])
            cluster.until_named("('arity') sent what is no message")
        with stranger(cluster.bus_address, "huge") as own:
            own.send(b"x" * HUNDRED_MEGABYTES)
            cluster.until_named("left without a message that can be read")
        with stranger(cluster.bus_address, "odd") as own:
            own.send(word("no such type", {}, "odd"))
            own.send(word("heartbeat", None, "odd"))
            own.send(word("logs", None, "odd"))
            own.send(word(messages.HELLO, {"wire": "two"}, "odd"))
            own.send(word(messages.HITS, {"number": 1, "rows": [[1, 2, 3]]}, "odd"))
            own.send(word(messages.DONE, 7, "odd"))
            cluster.until_named("sent a message of an unknown type")
            cluster.until_named("('odd') sent a logs and is no worker of this master")
            cluster.until_named(f"sent a {messages.HELLO} of another form")
        nobody.send(word("client_ready", "2", "nobody's worker"))  # Locust spreads its users anew
        return cluster, cluster.master.wait(timeout=60)


def test_a_run_on_a_keyed_bus_goes_on_and_counts_whoever_knocks(keyed):
    cluster, code = keyed
    found = manifest(run_folder(cluster.cwd / "master"))
    assert (code, found["status"], found["problems"]) == (0, "complete", []), cluster.printed("master")
    assert "1 workers connected" in cluster.printed("master")
    assert "2 workers connected" not in cluster.printed("master")


def test_the_result_of_a_run_names_the_strangers(keyed):
    cluster, _ = keyed
    folder = run_folder(cluster.cwd / "master")
    found = manifest(folder)["strangers"]
    for words in ("none of this cluster's", "does not allow", "no message"):
        assert any(words in line and line.startswith(LOOPBACK) for line in found), found
    # Their connections are ended so soon that on a busy machine nobody sees from where they came.
    for words in ("has no key", "the key of another master"):
        assert any(words in line for line in found), found
    counts = [re.search(r"\((\d+) times\)$", line) for line in found if "has no key" in line]
    assert sum(int(count[1]) if count else 1 for count in counts) >= 3, found  # before, the agent, and during the load
    build_report(RunFolder(folder))
    assert "A stranger on the bus, who was not heard" in (folder / "report.html").read_text()


def test_a_run_on_a_plain_bus_goes_on_and_is_complete_whatever_is_sent(plain):
    cluster, code = plain
    folder = run_folder(cluster.cwd / "master")
    found = manifest(folder)
    assert (code, found["status"], found["problems"]) == (0, "complete", []), cluster.printed("master")
    failed = {check.name for check in build_report(RunFolder(folder)).document.validity.checks if check.ok is False}
    assert failed <= {*OF_SPEED, "clocks aligned"}
    assert len(found["strangers"]) >= 8
    for words in ('("nobody\'s worker") said that it is a worker', f"{messages.HITS} and is no worker of this run"):
        assert any(words in line for line in found["strangers"]), found["strangers"]


def test_a_worker_and_an_agent_that_are_not_let_in_say_what_they_lack(keyed):
    cluster, _ = keyed
    assert "the master does not know this node's key. Trying on; see --floodmark-keys" in cluster.printed(
        "worker-of-theirs"
    )
    assert "the master does not let this agent in: " in cluster.printed("agent-without")
    assert "see --keys" in cluster.printed("agent-without")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--floodmark-keys", "nowhere"), "nowhere: is not there; `floodmark keys FOLDER` makes"),
        (("--master-bind-host", "0.0.0.0"), "--master-bind-host 0.0.0.0: a bus without keys is for loopback"),
    ],
)
def test_a_master_that_may_not_listen_says_so_in_one_line(tmp_path, words, said):
    command = [*LOCUST, "--master", "--headless", "--host", "http://127.0.0.1:1", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("parts", ["bus_parts.py", "bus_flood_parts.py", "bus_names_parts.py", "bus_return_parts.py"])
def test_the_guarded_sockets_keep_what_they_promise(parts):
    command = [sys.executable, str(Path(__file__).with_name(parts))]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # what all tests share
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.endswith("all kept\n"), done.stdout + done.stderr


def test_an_agent_knocks_until_the_master_has_its_keys(tmp_path):
    make_keys(tmp_path)
    port, now_s = free_port(LOOPBACK), [0.0]
    keys = read_node_keys(tmp_path, AGENT)
    bus = Bus(LOOPBACK, port, clock=lambda: now_s[0], keys=keys)
    try:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as plain_master:
            plain_master.setsockopt(zmq.LINGER, 0)
            plain_master.bind(f"tcp://{LOOPBACK}:{port}")
            wait_until(lambda: not bus.send("hello", {}) and bus._refused_s is not None, "the refusal")
        with zmq.Context() as context, context.socket(zmq.ROUTER) as master:
            master.setsockopt(zmq.LINGER, 0)
            master.setsockopt(zmq.CURVE_SERVER, 1)
            secret = (tmp_path / "master.toml").read_text().partition('secret = "')[2].partition('"')[0]
            master.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
            wait_until(lambda: binds(master, port), "the port")

            def send():
                now_s[0] += 1.0
                return bus.send("hello", {})

            wait_until(send, "the agent to be let in")
            assert master.poll(10_000)
            assert msgpack.loads(master.recv_multipart()[1])[0] == "hello"
    finally:
        bus.close(at_once=True)


def test_an_agent_that_was_refused_once_keeps_the_connection_that_it_has_since(tmp_path):
    make_keys(tmp_path)
    port, now_s = free_port(LOOPBACK), [0.0]
    bus = Bus(LOOPBACK, port, clock=lambda: now_s[0], keys=read_node_keys(tmp_path, AGENT))
    try:
        # One that hangs up: ZeroMQ goes on knocking by itself.
        with socket.create_server((LOOPBACK, port)) as hangs_up:
            hangs_up.settimeout(TIMEOUT_S)

            def refused():
                hangs_up.accept()[0].close()
                return not bus.send("hello", {}) and bus._refused_s is not None

            wait_until(refused, "the refusal")
        with zmq.Context() as context, context.socket(zmq.ROUTER) as master:
            master.setsockopt(zmq.LINGER, 0)
            master.setsockopt(zmq.CURVE_SERVER, 1)
            secret = (tmp_path / "master.toml").read_text().partition('secret = "')[2].partition('"')[0]
            master.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
            wait_until(lambda: binds(master, port), "the port")
            wait_until(lambda: bus._socket.poll(0, zmq.POLLOUT), "ZeroMQ's own knocking to be heard")
            now_s[0] += 3600.0
            bus._mind_refusals()  # as when the send queue is full for a moment, an hour later
            assert bus.send("hello", {}), "it has given up a connection that stood"
            assert master.poll(10_000)
    finally:
        bus.close(at_once=True)


def binds(router, port):
    try:
        router.bind(f"tcp://{LOOPBACK}:{port}")
    except zmq.ZMQError:
        return False
    return True
