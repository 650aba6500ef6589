"""Master, agent, target and network fail in the middle of a run: what the user sees, and what the result says.

Real processes; the load is a burst at a server with eight threads that hold each request for two seconds.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from command import SERVERS, listens, manifest, started, wait_until

from floodmark.core.run_folder import LIVE, SAMPLES, RunFolder
from floodmark_deploy.port import free_port

pytestmark = pytest.mark.live

BURST = Path(__file__).parents[2] / "locustfiles" / "burst.py"
LOCUST = (sys.executable, "-m", "locust", "-f")
LOCAL = "127.0.0.1"
PLAN = ("--headless", "--expect-workers", "1", "--hold", "2", "--path", "/")

JUDGED = (0, 3)
"""On a busy machine a run may fail a check: what is asked here is what it says of the agent."""

as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="makes network namespaces, as root, with iproute2"
)


class Cluster:
    """A master, a worker, agents and a target, each a process that can be ended and started again."""

    def __init__(self, stack, cwd, *, bus_host=LOCAL, target_host=LOCAL, inside=()):
        """`inside` begins the commands of target and agent: those of another host."""
        self._stack = stack
        self.cwd = cwd
        self.bus, self.target = free_port(LOCAL), free_port(LOCAL)
        self.bus_host, self.target_host, self.inside = bus_host, target_host, inside
        self._count = 0

    def start(self, name, *words):
        self._count += 1
        folder = self.cwd / name / str(self._count)
        folder.mkdir(parents=True)
        return self._stack.enter_context(started(*words, cwd=folder))

    def start_target(self, port=None):
        host = LOCAL if self.target_host == LOCAL else "0.0.0.0"
        words = (
            *self.inside,
            sys.executable,
            str(SERVERS / "pool_server.py"),
            str(port or self.target),
            "8",
            "2",
            host,
        )
        process = self.start("target", *words)
        wait_until(lambda: listens(self.target_host, port or self.target), "the target")
        return process

    def start_master(self, *options, requests=16, locustfile=BURST, plan=PLAN):
        bind = ("--master-bind-host", self.bus_host, "--master-bind-port", str(self.bus))
        host = ("--host", f"http://{self.target_host}:{self.target}")
        if self.bus_host != LOCAL:
            bind += ("--floodmark-plain-bus", "yes")
        words = (*bind, *host, *plan, "--requests", str(requests), *options)
        return self.start("master", *LOCUST, str(locustfile), "--master", *words)

    def start_worker(self, locustfile="-"):
        where = ("--master-host", self.bus_host, "--master-port", str(self.bus))
        return self.start("worker", *LOCUST, str(locustfile), "--worker", *where)

    def start_agent(self, *words):
        master = ("--master", f"{self.bus_host}:{self.bus}")
        words = words or ("--port", str(self.target), "--name", "web")
        return self.start("agent", *self.inside, sys.executable, "-m", "floodmark_agent", *master, *words)

    def printed(self, name):
        """What all processes of one role have printed, one after the other."""
        files = sorted((self.cwd / name).glob("*/printed.txt"), key=lambda path: int(path.parent.name))
        return "\n".join(path.read_text() for path in files)

    def says(self, name, words, count=1):
        wait_until(lambda: self.printed(name).count(words) >= count, f"{name} to say {words!r}")

    def folder(self):
        """The newest run's."""
        (folder,) = sorted((self.cwd / "master").glob("*/runs/*"))[-1:]
        return folder

    def release(self):
        """Waits until the load is on."""
        wait_until(lambda: list((self.cwd / "master").glob("*/runs/*/pulses.jsonl")), "the load")
        return self.folder()


@pytest.fixture
def cluster(tmp_path):
    with ExitStack() as stack:
        made = Cluster(stack, tmp_path)
        made.start_target()
        yield made


def check_of(folder, name):
    checks = json.loads((folder / "verdict.json").read_text())["validity"]["checks"]
    return next(check for check in checks if check["name"] == name)


def sequences(folder, name=SAMPLES):
    return [json.loads(line)["sequence"] for line in whole_lines(folder / name)]


def whole_lines(path):
    """Without one that is being written."""
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def pids(folder):
    """Of the target's processes, in the newest live figures."""
    newest = [json.loads(line)["processes"] or () for line in whole_lines(folder / LIVE)[-1:]]
    return [process["pid"] for processes in newest for process in processes]


def test_an_agent_that_is_restarted_leaves_both_halves_and_the_run_says_when_it_was_away(cluster):
    cluster.start_master(requests=32)  # eight seconds of load
    cluster.start_worker()
    agent = cluster.start_agent()
    folder = cluster.release()
    agent.terminate()
    assert agent.wait(20) == 0
    cluster.says("master", "Agent web has left")
    cluster.start_agent()
    cluster.says("master", "Agent web is back, restarted")
    cluster.says("master", "Report ")

    run = manifest(folder)
    (absence,) = run["absences"]
    assert (absence["agent"], absence["restarted"]) == ("web", True)
    assert absence["from_s"] < absence["until_s"] < run["cut_s"]
    assert run["problems"] == []
    assert "agent web was restarted: nothing was measured from" in " ".join(run["agent_notes"])
    # What the first one had it has handed over when it was told to stop; each half is whole.
    numbers = sequences(folder)
    second = numbers.index(0, 1)
    assert numbers == [*range(second), *range(len(numbers) - second)]
    samples = RunFolder(folder).read().samples
    assert len(samples) == len(numbers)
    assert all(sooner.taken_s < later.taken_s for sooner, later in pairwise(samples))


def test_an_agent_that_is_killed_is_lost_and_the_run_is_judged_on_the_live_figures_and_fails(cluster):
    master = cluster.start_master()
    cluster.start_worker()
    agent = cluster.start_agent()
    folder = cluster.release()
    live = sequences(folder, LIVE)
    agent.kill()
    cluster.says("master", "Agent web is lost")
    assert master.wait(timeout=60) == 3

    run = manifest(folder)
    assert [absence["until_s"] for absence in run["absences"]] == [None]
    assert "agent web was lost" in run["problems"][0]
    assert "live figures only" in run["problems"][1]
    assert not (folder / SAMPLES).exists()
    found = RunFolder(folder).read().samples
    assert {sample.sequence for sample in found} >= set(live)
    check = check_of(folder, "agent's samples complete")
    assert check["ok"] is False
    assert "agent web was lost" in check["words"]
    assert "and did not come back" in cluster.printed("master")


def test_a_master_that_is_restarted_finds_the_agent_again_and_the_run_before_is_readable(cluster):
    master = cluster.start_master(requests=32)  # eight seconds of load
    worker = cluster.start_worker()
    cluster.start_agent()
    first = cluster.release()
    wait_until(lambda: len(sequences(first, LIVE)) > 8, "live figures under load")
    master.kill()
    worker.kill()
    worker.wait()
    again = cluster.start_master()
    cluster.start_worker()
    cluster.says("agent", "the master was restarted")
    assert again.wait(timeout=90) in JUDGED

    second = cluster.folder()
    assert second != first
    assert manifest(first)["status"] == "running"
    assert len(RunFolder(first).read().samples) > 8
    assert manifest(second)["absences"] == []
    numbers = sequences(second)
    assert numbers == list(range(len(numbers)))
    assert cluster.printed("agent").count("resting") == 2


def test_a_target_that_is_restarted_under_load_is_found_again_and_the_run_does_not_count(cluster):
    cluster.target = free_port(LOCAL)
    process = cluster.start_target()
    master = cluster.start_master("--within", "6", requests=30)
    cluster.start_worker()
    cluster.start_agent()
    folder = cluster.release()
    process.kill()
    process.wait()
    again = cluster.start_target()
    wait_until(lambda: again.pid in pids(folder), "the agent to find the target again")
    assert master.wait(timeout=60) == 3

    check = check_of(folder, "target not restarted")
    assert check["ok"] is False
    assert f"pid {process.pid}" in check["words"]
    assert manifest(folder)["absences"] == []
    numbers = sequences(folder)
    assert numbers == list(range(len(numbers)))


@contextmanager
def two_hosts():
    """A network namespace with two ways to it: one for the load, one for the bus."""
    name, tag = f"fm{os.getpid()}", f"{os.getpid() % 0xFFFF:x}"
    run = lambda *words: subprocess.run(words, check=True)  # noqa: E731
    run("ip", "netns", "add", name)
    try:
        for number in (0, 1):
            here, there = f"fmh{tag}{number}", f"fmt{tag}{number}"
            run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
            run("ip", "address", "add", f"198.18.{number}.1/30", "dev", here)
            run("ip", "link", "set", here, "up")
            run("ip", "-n", name, "address", "add", f"198.18.{number}.2/30", "dev", there)
            run("ip", "-n", name, "link", "set", there, "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name, f"fmh{tag}1"
    finally:
        run("ip", "netns", "delete", name)


@pytest.mark.root
@as_root
def test_a_network_that_is_cut_and_heals_costs_nothing_but_the_live_view(tmp_path):
    with two_hosts() as (name, bus_device), ExitStack() as stack:
        inside = ("ip", "netns", "exec", name)
        cluster = Cluster(stack, tmp_path, bus_host="198.18.1.1", target_host="198.18.0.2", inside=inside)
        cluster.start_target()
        master = cluster.start_master("--floodmark-plain-bus", "yes", requests=24)
        cluster.start_worker()
        cluster.start_agent()
        folder = cluster.release()
        subprocess.run(("ip", "link", "set", bus_device, "down"), check=True)
        cluster.says("master", "Agent web is lost")
        wait_until(lambda: manifest(folder)["absences"], "the run to say so")
        assert manifest(folder)["absences"][0]["until_s"] is None
        subprocess.run(("ip", "link", "set", bus_device, "up"), check=True)
        cluster.says("master", "Agent web is back")
        assert master.wait(timeout=60) in JUDGED

    run = manifest(folder)
    (absence,) = run["absences"]
    assert absence["until_s"] - absence["from_s"] > 3
    assert not absence["restarted"]
    assert run["problems"] == []
    assert "went on measuring, and sent it later" in " ".join(run["agent_notes"])
    numbers = sequences(folder)
    assert numbers == list(range(len(numbers)))
    clock = {node["node"]: node for node in json.loads((folder / "verdict.json").read_text())["clock"]}
    assert clock["agent"]["over_s"] > 4


def test_of_two_agents_the_one_that_watches_the_port_under_load_is_used_and_the_other_is_noted(cluster):
    other = free_port(LOCAL)
    cluster.start_target(other)
    cluster.start_agent("--port", str(other), "--name", "other")
    master = cluster.start_master("--expect-agents", "2", requests=8)
    cluster.says("master", "Agent other on")
    cluster.start_agent()
    cluster.says("master", "Agent web on")
    cluster.start_agent()
    cluster.says("master", "Two agents are called web: give each its own --name")
    cluster.start_worker()
    assert master.wait(timeout=60) in JUDGED

    run = manifest(cluster.folder())
    assert run["agent"] == "web"
    assert run["agent_notes"] == [f"agent other watches port {other}, not the load's: its samples are not kept"]
    assert {
        sample.connections[0].port for sample in RunFolder(cluster.folder()).read().samples if sample.connections
    } == {cluster.target}


LINE_OF_OURS = """
from locust import events
from floodmark.load import ParkedUser, UntilDone, install_profile
class Burst(ParkedUser): pass
class WholeBurst(UntilDone):
    abstract = False
install_profile("burst")
@events.test_start.add_listener
def show(environment, **_):
    runner = environment.runner
    if hasattr(runner, "clients"):
        print("clients", len(runner.clients), "indexes", sorted(runner.worker_indexes.values()), flush=True)
    else:
        print("index", runner.worker_index, flush=True)
@events.test_stop.add_listener
def show_users(environment, **_):
    runner = environment.runner
    if hasattr(runner, "clients"):
        print("max", runner.worker_index_max, flush=True)
"""


def test_an_agent_is_no_worker_takes_no_users_and_no_workers_number(cluster):
    locustfile = cluster.cwd / "mine.py"
    locustfile.write_text(LINE_OF_OURS)
    master = cluster.start_master(requests=4, locustfile=locustfile)
    cluster.start_agent()
    cluster.says("master", "Agent web on")
    cluster.start_worker(locustfile)
    assert master.wait(timeout=60) in JUDGED

    printed = cluster.printed("master")
    assert "clients 1 indexes [0]" in printed
    assert "max 1" in printed
    assert "index 0" in cluster.printed("worker")


def test_several_ports_of_one_agent_put_the_one_under_load_first(cluster):
    other = free_port(LOCAL)
    cluster.start_target(other)
    master = cluster.start_master(requests=8)
    cluster.start_agent("--port", str(other), "--port", str(cluster.target), "--name", "web")
    cluster.start_worker()
    assert master.wait(timeout=60) in JUDGED

    samples = RunFolder(cluster.folder()).read().samples
    counted = [[one.port for one in sample.connections] for sample in samples if sample.connections]
    assert all(ports == [cluster.target, other] for ports in counted)
    outer = {listener.address for sample in samples for listener in sample.listeners if listener.outer}
    assert outer == {f"{LOCAL}:{cluster.target}"}
