"""What the load room promises and no server is needed for; run by `test_profiles_by_hand.py` in a process of its own.

Each `keeps_...` is a test and is called at the end: importing `floodmark.load` patches the whole process.
"""

import os
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import gevent
import locust.stats
from configargparse import ArgParser
from hdrh.histogram import HdrHistogram
from locust.env import Environment
from locust.runners import LocalRunner
from locust.stats import StatsEntryDict
from parts import keep_all

from floodmark.core.asked import DEFAULTS, FLAGS
from floodmark.core.errors import FloodmarkError, UsageError
from floodmark.core.messages import Ready, Samples
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import PROFILE_KINDS
from floodmark.core.sample import ConnectionCounts, Sample
from floodmark.engine.counts import Counts
from floodmark.engine.slice import Slice
from floodmark.load.master.lookout import Lookout
from floodmark.load.master.squad import Squad
from floodmark.load.options import add_load_options, read_load_options
from floodmark.load.worker.drive import drive
from floodmark.load.worker.histogram import RECORDED_AT_ONCE, TimesOfSecond, count_micros
from floodmark.load.worker.locust_stats import LocustTable
from floodmark.load.worker.recorder import Recorder

HOST = "http://127.0.0.1:8000"


def parsed(kind, *words):
    parser = ArgParser()
    add_load_options(kind, parser)
    return parser.parse_args(words)


def refusal(kind, *words, host=HOST):
    try:
        read_load_options(kind, parsed(kind, *words), host)
    except UsageError as error:
        return str(error)
    return "none"


def keeps_the_numbers_of_each_kind_and_no_others():
    for kind in PROFILE_KINDS:
        known = vars(parsed(kind))
        numbers = {FLAGS[name].removeprefix("--") for name in DEFAULTS[kind]}
        assert numbers == set(known) & {flag.removeprefix("--") for flag in FLAGS.values()}, kind
        assert read_load_options(kind, parsed(kind), HOST).profile.kind == kind


def keeps_an_empty_field_to_be_one_that_was_not_given():
    empty = [f"{FLAGS[name]}=" for name in DEFAULTS["closed"]]
    fields = ("--path=", "--expect-status=", "--source=", "--verify=")
    assert read_load_options("closed", parsed("closed", *empty, *fields), HOST) == read_load_options(
        "closed", parsed("closed"), HOST
    )


def keeps_what_cannot_be_meant_from_being_run():
    for kind, words, named in (
        ("closed", ["--connections", "many"], "--connections 'many': give a number"),
        ("closed", ["--connections", "2.5"], "--connections '2.5': give a whole number"),
        ("closed", ["--duration", "nan"], "--duration nan"),
        ("arrivals", ["--rate", "0"], "--rate 0"),
        ("search", ["--first", "5", "--requests", "4"], "--first 5 is more than --requests 4"),
        ("ramp", ["--within", "0"], "--within 0"),
        ("burst", ["--expect-match", "("], "--expect-match: matches '('"),
        ("burst", ["--expect-status", "99"], "--expect-status: status 99"),
        ("burst", ["--path", "no"], "--path: path 'no'"),
        ("burst", ["--source", "here"], "--source 'here'"),
        ("burst", ["--verify", "perhaps"], "--verify 'perhaps'"),
    ):
        assert named in refusal(kind, *words), (named, refusal(kind, *words))
    assert "--host is missing" in refusal("burst", host=None)
    assert "give it in --path" in refusal("burst", host=f"{HOST}/there")
    options = read_load_options("burst", parsed("burst", "--hold", "0.5"), "https://localhost")
    assert (options.address.url, options.sent_request.path) == (
        "https://localhost:443/?id={id}&hold={hold}",
        "/?id={id}&hold=0.5",
    )


def keeps_every_time_of_a_second():
    times_s = [0.000_001 * number for number in range(1, 4_000)] + [0.5] * 3
    at_once = TimesOfSecond()
    at_once.add(count_micros(times_s))
    assert HdrHistogram.decode(at_once.encoded()).get_total_count() == len(times_s)
    times = TimesOfSecond()
    times.add(count_micros(times_s))
    portions = 1
    while times.press():
        portions += 1
    assert portions > 3_000 / 2 / RECORDED_AT_ONCE
    found = HdrHistogram.decode(times.encoded())
    assert found.get_total_count() == len(times_s)
    assert found.get_max_value() in range(500_000, 500_500)
    assert abs(found.get_value_at_percentile(50) - 2_000) <= 2


def recorder_at(now, cpu):
    return Recorder("w", 0.0, time_wait=lambda: 7, clock=lambda: now[0], cpu_clock=lambda: cpu[0])


def counts(released=0, answered=0, failed=0, open_connections=0):
    return Counts(
        planned=released,
        released=released,
        connected=released,
        answered=answered,
        failed=failed,
        open_connections=open_connections,
    )


def keeps_one_record_per_second_with_those_in_which_nothing_happened():
    now, cpu = [0.0], [0.0]
    recorder = recorder_at(now, cpu)
    cpu[0] = 7.0  # before the load, which the recorder is not to count
    recorder.begin()
    early = Slice(second=0, released=3, answered=1, latencies_s=[0.25], connects_s=[0.001] * 3, received_bytes=9)
    recorder.add(early, count_micros(early.latencies_s), counts(released=3, answered=1))
    assert recorder.take() == []
    now[0], cpu[0] = 2.5, 8.0
    recorder.tick(counts(released=3, answered=1, open_connections=3))
    late = Slice(second=2, failed=Counter({Outcome.RESET: 2}), lag_s=0.2)
    recorder.add(late, Counter(), counts(released=3, answered=1, failed=2))
    while len(found := recorder.take()) < 2:
        assert not found
    first, second = found
    assert (first.second, first.released, first.opened, first.answered, first.received_bytes) == (0, 3, 3, 1, 9)
    assert (first.in_flight, first.open_connections, first.time_wait) == (2, 3, 7)
    assert first.cpu_share == second.cpu_share == 0.4  # both ended at once
    assert (second.second, second.released, second.in_flight) == (1, 0, 2)
    now[0], cpu[0] = 3.0, 8.25
    (third,) = recorder.end(counts(released=3, answered=1, failed=2))
    assert (third.second, third.failed, third.in_flight, third.loop_lag_max_s) == (2, {"reset": 2}, 0, 0.2)
    assert third.cpu_share == 0.5
    assert recorder.time_wait_max == 7


def keeps_the_cpu_time_of_the_first_second_to_that_second():
    now, cpu = [-0.25], [0.0]  # told to fire a quarter of a second before
    recorder = recorder_at(now, cpu)
    now[0], cpu[0] = 1.0, 1.0
    recorder.tick(counts())
    while not (found := recorder.take()):
        pass
    assert found[0].cpu_share == 1.0


def keeps_no_record_of_a_second_that_only_began():
    now, cpu = [0.0], [0.0]
    recorder = recorder_at(now, cpu)
    recorder.add(Slice(second=0, released=1), Counter(), counts(released=1))
    now[0] = 1.001
    recorder.tick(counts(released=1))
    assert [second.second for second in recorder.end(counts(released=1))] == [0]


def keeps_locusts_table_as_its_own_event_would_have_made_it():
    times_s = [micro / 1_000_000 for micro in (400, 99_400, 99_600, 147_000, 999_000, 3_432_000, 58_760_000) * 3]
    one_by_one, in_bulk = Environment(), Environment()
    LocalRunner(one_by_one)  # it listens to the event
    for time_s in times_s:
        one_by_one.events.request.fire(
            request_type="GET", name="/", response_time=time_s * 1_000, response_length=5, exception=None, context={}
        )
    for outcome in (Outcome.RESET, Outcome.RESET, Outcome.REFUSED):
        error = FloodmarkError(outcome.value)
        one_by_one.events.request.fire(
            request_type="GET", name="/", response_time=None, response_length=0, exception=error, context={}
        )
    table = LocustTable(in_bulk.stats, "GET", "/")
    half = len(times_s) // 2
    for part in (times_s[:half], times_s[half:]):
        piece = Slice(
            second=0, answered=len(part), latencies_s=part, received_bytes=90 * len(part), body_bytes=5 * len(part)
        )
        table.add(piece, count_micros(part))
    failed = Counter({Outcome.RESET: 2, Outcome.REFUSED: 1})
    table.add(Slice(second=0, failed=failed), Counter())
    of_time = {"start_time", "last_request_timestamp", "num_reqs_per_sec", "num_fail_per_sec"}
    for fired, booked in zip(
        (one_by_one.stats.total, one_by_one.stats.get("/", "GET")),
        (in_bulk.stats.total, in_bulk.stats.get("/", "GET")),
        strict=True,
    ):
        for field in set(StatsEntryDict.__annotations__) - of_time - {"total_response_time"}:
            assert getattr(fired, field) == getattr(booked, field), field
        assert abs(fired.total_response_time - booked.total_response_time) < 0.001
        for field in ("num_reqs_per_sec", "num_fail_per_sec"):
            assert sum(getattr(fired, field).values()) == sum(getattr(booked, field).values()) > 0
        assert abs(fired.last_request_timestamp - booked.last_request_timestamp) < 60
    errors, own = one_by_one.stats.serialize_errors(), in_bulk.stats.serialize_errors()
    assert {key: error["occurrences"] for key, error in errors.items()} == {
        key: error["occurrences"] for key, error in own.items()
    }


def keeps_to_the_rounding_that_a_locustfile_chose():
    original = locust.stats.bucket_response_time
    locust.stats.bucket_response_time = lambda response_time: int(response_time) // 7
    try:
        stats = Environment().stats
        LocustTable(stats, "GET", "/").add(Slice(second=0, answered=1, latencies_s=[0.1]), count_micros([0.1]))
    finally:
        locust.stats.bucket_response_time = original
    assert dict(stats.total.response_times) == {14: 1}


class Fake:
    """A load whose steps are counted and that ends by itself after some of them."""

    loop_lag_max_s = late_max_s = 0.0
    ended_s = None

    def __init__(self, ends_after, due_in_s):
        self.done = False
        self.steps = 0
        self._ends_after, self._due_in_s = ends_after, due_in_s
        self._reading, self._writing = os.pipe()

    def fileno(self):
        return self._reading

    def next_due_s(self):
        return None if self.done else time.monotonic() + self._due_in_s

    def step(self):
        self.steps += 1
        self.done = self.steps >= self._ends_after

    def cut(self):
        self.done = True


def keeps_others_running_while_a_load_has_always_something_to_do():
    turns = [0]

    def others():
        while True:
            turns[0] += 1
            gevent.sleep(0)

    other = gevent.spawn(others)
    load, told = Fake(ends_after=200_000, due_in_s=0.0), []
    drive(load, cut_at_s=time.monotonic() + 60, report=lambda: bool(told.append(1)), tend=lambda: None)
    other.kill()
    assert load.steps == 200_000
    assert turns[0] > 10
    assert told


def keeps_all_else_waiting_while_a_load_is_to_be_alone():
    turns, told, alone = [0], [], []
    load, clock = Fake(ends_after=2_000, due_in_s=0.0), Ticking()
    load.next_due_s = lambda: clock.now_s

    def others():
        while True:
            turns[0] += 1
            gevent.sleep(0)

    def report():
        told.append(load.steps)
        return False

    def is_alone():
        if load.steps < 1_000:
            alone.append(turns[0])
            return True
        return False

    other = gevent.spawn(others)
    drive(load, cut_at_s=3_600.0, report=report, is_alone=is_alone, clock=clock)
    other.kill()
    assert alone == [0] * 999
    assert turns[0] > 10
    assert min(told) >= 1_000


def keeps_from_waiting_beyond_the_cut():
    load, tended = Fake(ends_after=10**9, due_in_s=3600.0), []
    drive(load, cut_at_s=time.monotonic() + 0.1, report=lambda: False, tend=lambda: tended.append(1))
    assert load.done
    assert load.steps < 1_000
    assert tended


def keeps_the_end_that_the_load_itself_names():
    load = Fake(ends_after=1, due_in_s=0.0)
    load.ended_s = 12.5
    assert drive(load, cut_at_s=time.monotonic() + 60, report=lambda: False) == 12.5


class Ticking:
    """A clock that goes on by a millisecond each time it is asked."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        self.now_s += 0.001
        return self.now_s


def keeps_timers_and_sockets_of_others_served_while_a_load_has_always_something_to_do():
    loop, turns = gevent.get_hub().loop, [0]

    def others():
        while True:
            gevent.get_hub().wait(loop.timer(0.0))
            turns[0] += 1

    other = gevent.spawn(others)
    load, clock = Fake(ends_after=1_000, due_in_s=0.0), Ticking()
    load.next_due_s = lambda: clock.now_s
    drive(load, cut_at_s=3_600.0, report=lambda: False, tend=lambda: None, clock=clock)
    other.kill()
    assert turns[0] >= 100, turns


def sample(port, **connections):
    names = ["accept_queue", "unread", "read", "half_open", "abandoned", "abandoned_queue", "closing", "time_wait"]
    row = ConnectionCounts(port=port, **dict.fromkeys(names, 0) | connections)
    return Sample(
        sequence=1,
        due_s=0.0,
        taken_s=0.0,
        socket_s=0.0,
        cost_s=0.0,
        missed=0,
        listeners=(),
        connections=(row,),
        processes=None,
        counters=None,
    )


def live(one):
    return Samples(number=1, samples=(one,), taken=7, dropped=0, full=0.0)


def keeps_a_target_for_busy_while_it_has_what_others_left():
    lookout = Lookout(8000)
    for connections, held in (({"read": 2}, 2), ({"abandoned": 3}, 3), ({"read": 1, "accept_queue": 1}, 2)):
        lookout.note(live(sample(8000, **connections)))
        assert (lookout.held, lookout.is_idle) == (held, held <= 2)
    lookout.note(live(sample(8000, read=9)))
    lookout.note(live(replace(sample(8000), connections=())))  # a beat without a dump says nothing of them
    assert (lookout.held, lookout.is_idle, lookout.samples_seen) == (9, False, 7)


class Clients(dict):
    """Locust's list of nodes, as far as a squad looks at it."""

    @property
    def running(self):
        return list(self.values())


def keeps_apart_the_workers_of_one_host():
    clients = Clients({name: SimpleNamespace(id=name, state="running") for name in ("a", "b", "c")})
    squad = Squad(clients)
    for worker, host in (("worker-1", "x"), ("worker-2", "y"), ("worker-3", "x")):
        squad.ready[worker] = Ready(worker=worker, problem=None, host=host)
    assert squad.slots() == {"worker-1": (0, 2), "worker-3": (1, 2), "worker-2": (0, 1)}
    assert squad.lost == []
    clients["b"].state = "missing"
    del clients["c"]
    assert squad.lost == ["worker-2", "worker-3"]


if __name__ == "__main__":
    keep_all(globals())
