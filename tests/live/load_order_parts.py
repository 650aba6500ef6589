"""What master and worker promise of orders, whatever else is said; run by `test_profiles_by_hand.py` in a process of
its own.

Each `keeps_...` is a test and is called at the end: importing `floodmark.load` patches the whole process.
"""

import gc
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import gevent
from locust.env import Environment
from parts import keep_all

from floodmark.core import messages
from floodmark.core.address import Address
from floodmark.core.codec import from_plain, from_row, to_plain, to_row
from floodmark.core.errors import UsageError
from floodmark.core.hit import Hit
from floodmark.core.messages import (
    Beat,
    Cut,
    Done,
    Fire,
    HitRows,
    LoadOrder,
    Pulse,
    Ready,
    Seconds,
    WorkerReport,
)
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile, SearchProfile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import RunStatus
from floodmark.load.bus.strangers import STRANGERS
from floodmark.load.master.conductor import Conductor
from floodmark.load.master.judging import Found
from floodmark.load.master.run_log import RunLog
from floodmark.load.master.search import Search
from floodmark.load.master.squad import Squad
from floodmark.load.options import LoadOptions
from floodmark.load.worker import share
from floodmark.load.worker.worker import LoadWorker

DEADLINE_S = 20.0
DEAF = []
"""Bound and never listening, to the end: they refuse."""
BURST = BurstProfile(requests=3, within_s=0.0, hold_s=0.1)
CLOSED = ClosedProfile(connections=2, duration_s=1.0, timeout_s=0.5)


class Runner:
    """Locust's, as far as messages go."""

    client_id = "me"

    def __init__(self):
        self.handlers = {}
        self.sent = []
        self.clients = Clients()

    def register_message(self, kind, handler):
        self.handlers[kind] = handler

    def send_message(self, kind, data=None, client_id=None):
        self.sent.append((kind, data, client_id))

    def hear(self, kind, record, sender="other"):
        self.handlers[kind](environment=None, msg=SimpleNamespace(type=kind, data=to_plain(record), node_id=sender))

    def said(self, kind, record):
        return [from_plain(record, data, kind) for name, data, _ in self.sent if name == kind]


class Clients(dict):
    """Locust's list of nodes."""

    @property
    def running(self):
        return list(self.values())

    ready = spawning = ()


def until(condition):
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        gevent.sleep(0.005)


def worker():
    """A worker, and the runner it hears and speaks by."""
    environment = Environment()
    environment.runner = runner = Runner()
    LoadWorker(environment)
    return environment, runner


def order_of(profile, number):
    """To a port that refuses; it stays taken: given back, one of a thousand connections may have it and meet itself."""
    bound = socket.socket()
    DEAF.append(bound)
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    address = Address(host="127.0.0.1", port=port)
    return LoadOrder(
        worker="w", profile=profile, address=address, request=RequestSpec(), first_id=1, step=1, number=number
    )


def done_of(runner):
    until(lambda: runner.said(messages.DONE, Done))
    (done,) = runner.said(messages.DONE, Done)
    return done


def keeps_a_load_that_was_cut_before_its_release_from_being_sent():
    _, runner = worker()
    runner.hear(messages.ORDER, order_of(BURST, 7))
    runner.hear(messages.CUT, Cut(number=7))
    runner.hear(messages.FIRE, Fire(number=7, at_s=time.monotonic()))
    done = done_of(runner)
    assert (done.number, done.report.cut, done.report.outcomes, done.problem) == (7, True, {"unsent": 3}, None)
    assert [ready.number for ready in runner.said(messages.READY, Ready)] == [7]
    assert {hits.number for hits in runner.said(messages.HITS, HitRows)} == {7}
    assert {beat.number for beat in runner.said(messages.PULSE, Beat)} == {7}


def keeps_a_load_on_that_is_another_than_the_one_to_be_cut_or_fired():
    _, runner = worker()
    runner.hear(messages.ORDER, order_of(CLOSED, 8))
    runner.hear(messages.CUT, Cut(number=7))
    runner.hear(messages.FIRE, Fire(number=7, at_s=time.monotonic()))
    runner.hear(messages.FIRE, Fire(number=8, at_s=time.monotonic()))
    runner.hear(messages.CUT, Cut(number=7))
    done = done_of(runner)
    assert (done.number, done.report.cut) == (8, False)
    assert done.report.outcomes["refused"] >= 4
    assert {seconds.number for seconds in runner.said(messages.SECONDS, Seconds)} == {8}


def keeps_a_burst_from_pauses_that_python_and_the_kernel_would_make_in_the_middle_of_it():
    share.ALONE_S = DEADLINE_S  # however slow this machine releases them
    _, runner = worker()
    profile = BurstProfile(requests=1_000, within_s=0.0, hold_s=0.1)
    order, collections = order_of(profile, 9), []
    gc.callbacks.append(lambda phase, _: collections.append(time.monotonic()) if phase == "start" else None)
    assert room_for_files() < profile.requests
    runner.hear(messages.ORDER, order)
    until(lambda: runner.said(messages.READY, Ready))
    assert room_for_files() >= profile.requests
    kept = gc.get_freeze_count()
    assert kept > 10_000
    runner.hear(messages.FIRE, Fire(number=9, at_s=time.monotonic() + 0.05))
    assert done_of(runner).report.outcomes == {"refused": 1_000}
    gc.callbacks.clear()
    released_s = [
        from_row(Hit, row, messages.HITS).released_s
        for hits in runner.said(messages.HITS, HitRows)
        for row in hits.rows
    ]
    assert len(released_s) == 1_000
    assert [at_s for at_s in collections if min(released_s) <= at_s <= max(released_s)] == []
    assert collections[-1] > max(released_s)
    assert gc.get_freeze_count() == 0


def keeps_nothing_aside_for_a_load_that_was_never_released():
    _, runner = worker()
    runner.hear(messages.ORDER, order_of(BURST, 9))
    until(lambda: runner.said(messages.READY, Ready))
    assert gc.get_freeze_count() > 10_000
    runner.hear(messages.CUT, Cut(number=9))
    until(lambda: gc.get_freeze_count() == 0)


def room_for_files():
    """What the kernel's table of this process' files holds (proc(5))."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("FDSize:"))
    return int(line.split()[1])


def keeps_the_master_from_waiting_for_a_load_that_broke():
    environment, runner = worker()
    runner.hear(messages.ORDER, order_of(CLOSED, 1))
    until(lambda: runner.said(messages.READY, Ready))
    environment.stats = None  # Locust's table of it breaks, once the first request has failed
    runner.hear(messages.FIRE, Fire(number=1, at_s=time.monotonic()))
    done = done_of(runner)
    assert (done.number, done.report.cut) == (1, True)
    assert done.problem.startswith("its load ended on a bug: AttributeError: 'NoneType'")
    assert done.report.outcomes["refused"] >= 2
    runner.sent.clear()
    del environment.stats  # and now it cannot begin
    runner.hear(messages.ORDER, order_of(CLOSED, 2))
    runner.hear(messages.FIRE, Fire(number=2, at_s=time.monotonic()))
    done = done_of(runner)
    assert (done.number, done.report.outcomes) == (2, {})
    assert "has no attribute 'stats'" in done.problem


class Log:
    """What a run's log is told."""

    def __init__(self):
        self.kept = []

    def keep(self, name, records):
        self.kept.append((name, records))

    def keep_hits(self, rows):
        self.kept.append(("hits", rows))

    def add_problems(self, *problems):
        self.kept.append(("problems", problems))


def report_of(name, *, cut=False):
    return WorkerReport(
        worker=name,
        started_s=0.0,
        ended_s=1.0,
        loop_lag_max_s=0.0,
        late_max_s=0.0,
        cpu_share=0.0,
        open_files_limit=9,
        cut=cut,
    )


def keeps_what_is_said_of_another_load_out_of_this_one():
    runner, log = Runner(), Log()
    conductor = Conductor(SimpleNamespace(runner=runner), judge=int, find=int)
    conductor._logs, conductor._course = [log], SimpleNamespace(number=2)
    conductor._squad.names.update({"other": "w", "another": "last"})
    hit = to_row(Hit(id=1, worker="w", planned_s=0.0, outcome=Outcome.UNSENT))
    pulse = Pulse(worker="w", at_s=0.0, planned=0, released=0, connected=0, answered=0, failed=0)
    said = {
        messages.READY: lambda number: Ready(worker="w", problem=None, number=number),
        messages.HITS: lambda number: HitRows(number=number, rows=(hit,)),
        messages.SECONDS: lambda number: Seconds(number=number, seconds=()),
        messages.PULSE: lambda number: Beat(number=number, pulse=pulse),
        messages.DONE: lambda number: Done(number=number, report=report_of("w", cut=True), problem="broke"),
    }
    for kind, record in said.items():
        runner.hear(kind, record(1))
    runner.hear(messages.DONE, Done(number=2, report=report_of("last")))  # it speaks for the other
    until(lambda: any("it is w and speaks for 'last'" in words for words in STRANGERS.since(0.0)))
    assert conductor._squad.done == {}
    runner.hear(messages.DONE, Done(number=2, report=report_of("last")), "another")
    until(lambda: "last" in conductor._squad.done)
    assert [name for name, _ in log.kept] == ["workers.jsonl"]
    assert (set(conductor._squad.done), conductor._squad.ready) == ({"last"}, {})
    log.kept.clear()
    for kind, record in said.items():
        runner.hear(kind, record(2))
    until(lambda: "w" in conductor._squad.done)
    assert [name for name, _ in log.kept] == ["hits", "seconds.jsonl", "pulses.jsonl", "workers.jsonl", "problems"]
    assert log.kept[-1] == ("problems", ("w: broke",))
    conductor._squad.names.clear()  # now it is a stranger that says the same
    log.kept.clear()
    for kind, record in said.items():
        runner.hear(kind, record(2))
    until(lambda: any(f"{messages.DONE} and is no worker of this run" in words for words in STRANGERS.since(0.0)))
    assert log.kept == []
    assert "w" in conductor._squad.ready


def keeps_a_load_with_fewer_connections_than_workers_from_being_ordered():
    runner = Runner()
    for name in ("a", "b", "c"):
        runner.clients[name] = SimpleNamespace(id=name, state="running")
    conductor = Conductor(SimpleNamespace(runner=runner), judge=int, find=int)
    profile = ArrivalsProfile(rate=10.0, duration_s=1.0, timeout_s=1.0, connections=2)
    try:
        conductor.conduct(SimpleNamespace(profile=profile))
    except UsageError as error:
        assert "--connections 2: 3 workers send" in str(error)  # noqa: PT017 - this is no pytest
    else:
        raise AssertionError("it went on")
    assert runner.sent == []


def squad_of(hosts, ports):
    squad = Squad(Clients({name: SimpleNamespace(id=name, state="running") for name in hosts}))
    for name, host in zip(squad.names.values(), hosts.values(), strict=True):
        squad.ready[name] = Ready(worker=name, problem=None, host=host, ports=ports)
    return squad


def keeps_the_user_warned_of_ports_that_all_workers_of_a_host_share():
    (note,) = squad_of({"a": "x", "b": "x"}, 28_000).port_notes(25_000)
    assert note.startswith("worker-1, worker-2: 25,000 connections are planned, and there are 28,000 source ports")
    assert squad_of({"a": "x", "b": "y"}, 28_000).port_notes(25_000) == []
    assert len(squad_of({"a": "x", "b": "y"}, 28_000).port_notes(50_000)) == 2
    assert squad_of({"a": "x"}, None).port_notes(10**6) == []


def searched(folder, lost_of, *, agents=0):
    """The sizes of the bursts that a search went through, and how long it rested after each of them."""
    sizes, rests = [], []
    options = LoadOptions(
        profile=SearchProfile(first=100, most=1_600, hold_s=0.25),
        address=Address(host="127.0.0.1", port=1),
        request=RequestSpec(),
        agents=agents,
        beat_s=0.05,
        folder=Path(folder),
        prepared=False,
        judge=False,
    )

    def run(log, burst):
        sizes.append(burst.profile.requests)
        log.close(RunStatus.COMPLETE)
        return RunStatus.COMPLETE

    def find(_):
        return Found(valid=True, peak=sizes[-1], ceiling=None, answered=sizes[-1] - lost_of[sizes[-1]])

    log = RunLog(options, workers=1)
    Search(log, options, run=run, find=find, is_cut=lambda: False, rest=rests.append).go()
    log.close(RunStatus.COMPLETE)
    return sizes, rests


def keeps_a_search_on_after_a_few_failures_and_ends_it_when_many_were_not_answered():
    few = {100: 2, 400: 1, 1_600: 0}
    assert searched("few", few) == ([100, 400, 1_600], [0.25, 0.25])
    assert searched("watched", few, agents=1) == ([100, 400, 1_600], [])
    many = {100: 0, 400: 9, 1_600: 0}  # failed or waiting
    assert searched("many", many) == ([100, 400], [0.25])


if __name__ == "__main__":
    keep_all(globals())
