import logging
from collections import deque
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core import messages
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.command_line import CommandLine
from floodmark.core.errors import TargetError, WireError
from floodmark.core.messages import (
    WIRE_VERSION,
    Fetch,
    Hello,
    Mark,
    Ping,
    Pong,
    Rest,
    Samples,
    Watch,
    Watching,
    Welcome,
)
from floodmark.core.sample import ConnectionCounts, ProcessSample, TargetLimits
from floodmark.core.series import unpack_block
from floodmark_agent.agent import FORSAKEN_S, Agent
from floodmark_agent.budget import Budget
from floodmark_agent.bus import Incoming, pack, unpack
from floodmark_agent.contact import HEARD_S, HELLO_EVERY_S, SILENT_S
from floodmark_agent.options import parse
from floodmark_agent.sampler import Glance

HELLO = Hello(wire=1, name="web:8000", host="web", pid=7, version="1")
LIMITS = TargetLimits(
    pid=7,
    open_files=1024,
    processes=None,
    somaxconn=4096,
    tcp_max_syn_backlog=512,
    tcp_syncookies=1,
    tcp_abort_on_overflow=0,
    pids_max=None,
)
COUNTS = ConnectionCounts(
    port=8000,
    accept_queue=1,
    unread=2,
    read=3,
    half_open=4,
    abandoned=5,
    abandoned_queue=0,
    closing=6,
    time_wait=7,
)
COMMANDS = (CommandLine(words="gunicorn app:app", pids=(7, 8)),)


class FakeBus:
    """A bus whose waits move the clock, and that can be shut."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.coming: deque[Incoming] = deque()
        self.sent: list[tuple[str, Any]] = []
        self.refused: list[tuple[str, Any]] = []
        self.is_open = True
        self.renewed = 0

    def renew(self) -> None:
        self.renewed += 1

    def clock(self) -> float:
        return self.now_s

    def say(self, kind: str, data: Any) -> None:
        self.coming.append(Incoming(kind=kind, data=data, received_s=self.now_s))

    def receive(self, timeout_s: float) -> Incoming | None:
        if self.coming:
            return self.coming.popleft()
        self.now_s += max(timeout_s, 0.001)
        return None

    def send(self, kind: str, record: Any) -> bool:
        (self.sent if self.is_open else self.refused).append((kind, record))
        return self.is_open

    def of(self, kind: str) -> list[Any]:
        return [record for sent, record in self.sent if sent == kind]


class FakeTarget:
    def __init__(self) -> None:
        self.is_closed = False
        self.counts = COUNTS

    def glance(self) -> Glance:
        return Glance(looked_s=1.0, listeners=(), processes=(), counters=None)

    def count(self) -> tuple[ConnectionCounts, ...]:
        return (self.counts,)

    def limits(self) -> TargetLimits | None:
        return LIMITS

    def notes(self) -> tuple[str, ...]:
        return ("a note",)

    def command_lines(self) -> tuple[CommandLine, ...]:
        return COMMANDS

    def ports(self) -> tuple[int, ...]:
        return (8000, 8001)

    def close(self) -> None:
        self.is_closed = True


class Scene:
    def __init__(self) -> None:
        self.bus = FakeBus()
        self.targets: list[FakeTarget] = []
        self.asked: list[int | None] = []
        self.problem: str | None = None
        self.used_s = 0.0
        budget = Budget(0.02, clock=self.bus.clock, cpu_clock=lambda: self.used_s)
        self.agent = Agent(link=self.bus, hello=HELLO, open_target=self.open, budget=budget, clock=self.bus.clock)

    def open(self, port: int | None) -> FakeTarget:
        self.asked.append(port)
        if self.problem is not None:
            raise TargetError(self.problem)
        self.targets.append(FakeTarget())
        return self.targets[-1]

    def run_for(self, duration_s: float) -> None:
        end_s = self.bus.now_s + duration_s
        self.agent.run(stopped=lambda: self.bus.now_s >= end_s)

    def step_for(self, duration_s: float) -> None:
        end_s = self.bus.now_s + duration_s
        while self.bus.now_s < end_s:
            self.agent.step()

    def samples(self) -> list[int]:
        """The numbers of the samples in the live figures."""
        return [sample.sequence for report in self.bus.of(messages.SAMPLES) for sample in report.samples]

    def watch(self, beat_s: float = 0.02, number: int = 1) -> None:
        self.bus.say(messages.WATCH, to_plain(Watch(beat_s=beat_s, number=number, port=8000)))

    def welcome(self, master: str = "m", wire: int = WIRE_VERSION) -> None:
        self.bus.say(messages.WELCOME, to_plain(Welcome(wire=wire, master=master)))

    def fetch(self, first: int, blocks: int = 1 << 30, number: int = 1) -> list[int]:
        """The numbers of the samples in the answer to a fetch."""
        before = len(self.bus.of(messages.CHUNK))
        self.bus.say(messages.FETCH, to_plain(Fetch(number=number, first=first, blocks=blocks)))
        self.agent.step()
        return [
            sample.sequence
            for chunk in self.bus.of(messages.CHUNK)[before:]
            for block in chunk.blocks
            for sample in unpack_block(block)
        ]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_hello_is_said_at_once_and_every_second(scene: Scene) -> None:
    scene.step_for(3.5 * HELLO_EVERY_S)

    assert scene.bus.of(messages.HELLO) == [HELLO] * 4


def test_a_hello_nobody_was_there_for_is_said_again_soon(scene: Scene) -> None:
    scene.bus.is_open = False
    scene.step_for(0.05)
    scene.bus.is_open = True
    scene.step_for(0.2)

    assert len(scene.bus.of(messages.HELLO)) == 1


def test_the_log_says_who_answers_and_who_does_not(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        scene.step_for(2 * SILENT_S)
        scene.welcome()
        scene.step_for(3 * SILENT_S)
        scene.welcome()
        scene.step_for(1.0)
        scene.welcome("another")
        scene.step_for(1.0)

    assert [record.message for record in caplog.records] == [
        "no master of Floodmark's answers; trying on",
        "a master is there",
        "the master is silent: trying other connections",
        "the master is there again",
        "the master was restarted",
    ]


def test_a_master_that_falls_silent_is_tried_by_other_connections_and_more_seldom_with_time(scene: Scene) -> None:
    scene.step_for(4 * SILENT_S)
    before = scene.bus.renewed
    scene.welcome()
    scene.step_for(SILENT_S + 1.1)
    once = scene.bus.renewed
    scene.step_for(300.0)

    assert (before, once) == (0, 1)
    assert 5 <= scene.bus.renewed <= 15


def test_a_master_of_another_version_is_named_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        scene.welcome(wire=1)
        scene.agent.step()

    (said,) = [record.message for record in caplog.records]
    assert f"the master speaks version 1, this agent {WIRE_VERSION}" in said


def test_hello_says_which_watch_is_under_way(scene: Scene) -> None:
    scene.watch(number=7)
    scene.step_for(2.5)
    scene.bus.say(messages.REST, None)
    scene.step_for(1.5)

    assert [hello.watch for hello in scene.bus.of(messages.HELLO)] == [None, 7, 7, None]


def test_the_orders_of_a_master_that_was_replaced_are_void(scene: Scene) -> None:
    scene.welcome("first")
    scene.watch()
    scene.step_for(0.5)
    scene.welcome("second")
    scene.step_for(0.1)

    assert scene.targets[0].is_closed
    assert scene.fetch(0) == []


def test_a_watch_that_nobody_comes_back_for_ends(scene: Scene) -> None:
    scene.watch(beat_s=1.0)
    scene.step_for(FORSAKEN_S - 5.0)
    under_way = scene.targets[0].is_closed
    scene.step_for(10.0)

    assert (under_way, scene.targets[0].is_closed) == (False, True)


def test_a_ping_is_answered_with_the_time_it_came_in(scene: Scene) -> None:
    scene.bus.say(messages.PING, to_plain(Ping(sequence=3, sent_s=9.0)))
    scene.bus.now_s += 0.5

    scene.agent.step()

    assert scene.bus.of(messages.PONG) == [Pong(sequence=3, ping_sent_s=9.0, received_s=50.0, sent_s=50.5)]


def test_how_the_target_was_started_is_kept_back_where_the_user_says_so() -> None:
    scene = Scene()
    scene.agent = Agent(
        link=scene.bus,
        hello=HELLO,
        open_target=scene.open,
        budget=Budget(0.02, clock=scene.bus.clock, cpu_clock=lambda: 0.0),
        clock=scene.bus.clock,
        tells_commands=parse(["--once", "--port", "1", "--no-commands"]).tells_commands,
    )
    scene.welcome()
    scene.watch()
    scene.step_for(0.1)
    assert [watching.commands for watching in scene.bus.of(messages.WATCHING)] == [()]
    assert parse(["--once", "--port", "1"]).tells_commands


def test_watching_begins_with_what_is_known_of_the_target(scene: Scene) -> None:
    scene.watch(number=3)

    scene.step_for(0.1)

    assert scene.asked == [8000]
    assert scene.bus.of(messages.WATCHING) == [
        Watching(problem=None, limits=LIMITS, notes=("a note",), commands=COMMANDS, ports=(8000, 8001), number=3)
    ]


def test_live_figures_are_few_and_the_whole_series_is_there_to_be_fetched(scene: Scene) -> None:
    scene.watch(beat_s=0.01)
    scene.step_for(2.0)
    scene.bus.say(messages.REST, None)
    scene.agent.step()
    reports: list[Samples] = scene.bus.of(messages.SAMPLES)

    assert 8 <= len(reports) <= 10
    assert all(len(report.samples) <= 2 for report in reports)
    assert reports[-1].taken == scene.samples()[-1] + 1 >= 195
    assert scene.fetch(0) == list(range(reports[-1].taken))


def test_a_peak_between_two_reports_is_among_the_live_figures(scene: Scene) -> None:
    scene.watch(beat_s=0.01)
    scene.step_for(0.1)
    scene.targets[0].counts = replace(COUNTS, unread=500)
    scene.step_for(0.03)
    scene.targets[0].counts = COUNTS
    scene.step_for(0.3)

    shown = [sample.connections[0].unread for report in scene.bus.of(messages.SAMPLES) for sample in report.samples]
    assert shown.count(500) == 1


def test_a_fetch_takes_some_blocks_and_the_next_says_that_they_have_arrived(scene: Scene) -> None:
    scene.watch(beat_s=0.01)
    scene.step_for(2.0)
    scene.bus.say(messages.REST, None)
    scene.agent.step()
    first = scene.fetch(0, blocks=1)
    again = scene.fetch(0, blocks=1)
    rest = scene.fetch(64)
    end = scene.fetch(rest[-1] + 1)

    chunks = scene.bus.of(messages.CHUNK)
    assert first == again == list(range(64))
    assert rest == list(range(64, rest[-1] + 1))
    assert end == []
    assert [chunk.left == 0 for chunk in chunks] == [False, False, True, True]
    assert all(chunk.resting for chunk in chunks)


def test_a_fetch_of_another_watch_is_not_answered(scene: Scene) -> None:
    scene.watch(number=2)
    scene.step_for(0.3)

    assert scene.fetch(0, number=1) == []
    assert scene.bus.of(messages.CHUNK) == []
    assert scene.fetch(0, number=2) != []


def test_rest_takes_a_last_sample_and_stops(scene: Scene) -> None:
    scene.watch()
    scene.step_for(0.1)
    scene.bus.now_s += 0.007
    scene.bus.say(messages.REST, None)
    scene.agent.step()
    rested_s = scene.bus.now_s
    taken = scene.bus.of(messages.SAMPLES)[-1].taken
    scene.step_for(1.0)

    assert scene.bus.of(messages.SAMPLES)[-1].samples[-1].due_s == rested_s
    assert len(scene.fetch(0)) == taken
    assert scene.targets[0].is_closed


def test_a_mark_makes_the_next_sample_count_the_connections(scene: Scene) -> None:
    scene.used_s = 5.0
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.step_for(0.5)
    scene.used_s = 100.0
    scene.bus.now_s += 5.0
    scene.bus.say(messages.MARK, to_plain(Mark(what="released")))
    scene.step_for(0.5)

    samples = {sample.sequence: sample for batch in scene.bus.of(messages.SAMPLES) for sample in batch.samples}
    late = [bool(sample.connections) for sample in samples.values() if sample.taken_s > 54.0]
    assert late.count(True) == 1


def test_rest_and_mark_without_a_watch_are_nothing(scene: Scene) -> None:
    scene.bus.say(messages.REST, None)
    scene.bus.say(messages.MARK, to_plain(Mark(what="released")))
    scene.step_for(0.5)

    assert {kind for kind, _ in scene.bus.sent} == {messages.HELLO}


def test_a_target_that_is_not_there_is_the_answer_and_nothing_is_sampled(scene: Scene) -> None:
    scene.problem = "nothing listens on TCP port 8000"
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))

    scene.step_for(1.0)

    assert scene.bus.of(messages.WATCHING) == [Watching(problem=scene.problem, limits=None, notes=(), number=0)]
    assert scene.samples() == []


@pytest.mark.parametrize("beat_s", [0.0, -1.0, 0.0001, 61.0])
def test_a_beat_that_cannot_be_kept_is_refused(scene: Scene, beat_s: float) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=beat_s)))

    scene.agent.step()

    (answer,) = scene.bus.of(messages.WATCHING)
    assert str(beat_s) in answer.problem
    assert scene.targets == []


def test_a_second_watch_begins_anew(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.step_for(0.3)
    count = len(scene.samples())
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.05)))
    scene.step_for(0.6)

    first, second = scene.targets
    assert (first.is_closed, second.is_closed) == (True, False)
    assert scene.samples()[count:].count(0) == 1


def test_live_figures_wait_while_the_bus_is_shut_and_the_peak_is_kept(scene: Scene) -> None:
    scene.watch(beat_s=0.01)
    scene.step_for(0.5)
    scene.bus.is_open = False
    scene.targets[0].counts = replace(COUNTS, accept_queue=900)
    scene.step_for(0.2)
    scene.targets[0].counts = COUNTS
    scene.step_for(3.0)
    scene.bus.is_open = True
    count = len(scene.samples())
    scene.step_for(0.3)

    shown = [sample.connections[0].accept_queue for one in scene.bus.of(messages.SAMPLES) for sample in one.samples]
    assert shown.count(900) == 1
    assert scene.samples()[count] == 50
    assert len(scene.fetch(0)) >= 380


def test_a_shut_bus_is_not_tried_on_every_beat(scene: Scene) -> None:
    scene.watch(beat_s=0.001)
    scene.step_for(0.1)
    scene.bus.is_open = False
    scene.step_for(2.0)

    assert sum(kind == messages.SAMPLES for kind, _ in scene.bus.refused) <= 9


def test_what_is_left_of_a_watch_does_not_get_into_the_next(scene: Scene) -> None:
    for number in (1, 2):
        scene.watch(number=number)
        scene.step_for(0.5)

    assert scene.fetch(0, number=1) == []
    found = scene.fetch(0, number=2)
    assert found == list(range(len(found)))
    assert {report.number for report in scene.bus.of(messages.SAMPLES)} == {1, 2}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("floodmark_unheard_of", {"x": 1}),
        ("spawn", None),
        (messages.PING, None),
        (messages.PING, {"sequence": "x", "sent_s": 1.0}),
        (messages.PING, {"sequence": 1, "sent_s": float("nan")}),
        (messages.WATCH, {"beat": 1}),
        (messages.WATCH, [1, 2]),
        (messages.MARK, {"what": 3}),
        (messages.MARK, None),
        (messages.FETCH, {"number": 1}),
        (messages.REST, {"watch": "x"}),
        (messages.WELCOME, {"wire": "x", "master": 1}),
    ],
)
def test_other_and_malformed_messages_change_nothing(scene: Scene, kind: str, data: Any) -> None:
    scene.bus.say(kind, data)
    scene.step_for(0.5)

    assert scene.bus.sent == [(messages.HELLO, HELLO)]


def test_the_end_is_the_series_and_goodbye(scene: Scene) -> None:
    scene.watch()
    scene.run_for(3.0)

    (chunk,) = scene.bus.of(messages.CHUNK)
    handed = [sample.sequence for block in chunk.blocks for sample in unpack_block(block)]
    assert handed == list(range(len(handed)))
    assert len(handed) == scene.bus.of(messages.SAMPLES)[-1].taken
    assert scene.bus.sent[-1] == (messages.BYE, HELLO)
    assert scene.targets[0].is_closed


def test_what_a_slow_link_does_not_take_at_once_is_handed_over_all_the_same(scene: Scene) -> None:
    scene.watch(beat_s=0.001)
    scene.step_for(3.0)
    scene.bus.is_open = False
    open_s = scene.bus.now_s + 2.0
    was = scene.bus.receive
    scene.bus.receive = lambda timeout_s: (setattr(scene.bus, "is_open", scene.bus.now_s >= open_s), was(timeout_s))[1]
    scene.welcome()
    scene.agent.step()
    scene.run_for(0.0)

    chunks = scene.bus.of(messages.CHUNK)
    handed = [sample.sequence for chunk in chunks for block in chunk.blocks for sample in unpack_block(block)]
    assert handed == list(range(len(handed)))
    assert len(handed) > 2900
    assert (chunks[-1].left, chunks[-1].resting) == (0, True)


@pytest.mark.parametrize("has_arrived", [True, False])
def test_the_end_does_not_wait_for_a_master_that_is_gone_or_has_it_all(scene: Scene, *, has_arrived: bool) -> None:
    scene.watch()
    scene.welcome()
    scene.step_for(1.0)
    scene.bus.say(messages.REST, None)
    scene.step_for(0.1)
    if has_arrived:
        scene.fetch(len(scene.fetch(0)), blocks=0)
    scene.bus.is_open = False
    now_s = scene.bus.now_s
    scene.run_for(0.0)

    assert scene.bus.now_s - now_s <= (0.0 if has_arrived else HEARD_S + 0.2)


def test_an_order_to_rest_is_of_one_watch(scene: Scene) -> None:
    scene.watch(number=2)
    scene.step_for(0.1)
    for number, closed in ((1, False), (2, True)):
        scene.bus.say(messages.REST, to_plain(Rest(watch=number)))
        scene.step_for(0.1)
        assert scene.targets[0].is_closed is closed


def test_a_packed_record_is_read_as_the_codec_would_have_written_it() -> None:
    process = ProcessSample(
        pid=1,
        parent=0,
        name="a",
        threads=None,
        threads_started=0,
        threads_ended=0,
        open_files=3,
        rss_bytes=4,
        cpu_s=0.5,
    )
    scene = Scene()
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.run_for(0.3)
    batch = scene.bus.of(messages.SAMPLES)[-1]

    for record in (batch, process, HELLO, LIMITS):
        kind, data, node = msgpack.unpackb(pack("a_type", record, "node"))
        assert (kind, node) == ("a_type", "node")
        assert data == to_plain(record)
        assert from_plain(type(record), data, "a message") == record


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"a", b"b"],
        [b""],
        [b"\xc1"],
        [b"\x81\x90\x01"],
        [msgpack.packb(("only", "two"))],
        [msgpack.packb((1, 2, 3))],
        [msgpack.packb("abc")],
        [msgpack.packb(("a", 1, "b")) + b"more"],
        [b"\x91" * 5000],
    ],
)
def test_a_message_that_is_no_tuple_of_three_is_a_wire_error(frames: list[bytes]) -> None:
    with pytest.raises(WireError, match="a message from the master"):
        unpack(frames)


@given(st.binary(max_size=200))
def test_garbage_from_the_bus_raises_nothing_but_wire_errors(garbage: bytes) -> None:
    try:
        kind, _ = unpack([garbage])
    except WireError:
        return
    assert isinstance(kind, str)
