import logging
from collections import deque
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core import messages
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import TargetError, WireError
from floodmark.core.messages import Hello, Mark, Ping, Pong, Samples, Watch, Watching
from floodmark.core.sample import ConnectionCounts, ProcessSample, TargetLimits
from floodmark_agent.agent import HELLO_EVERY_S, Agent
from floodmark_agent.budget import Budget
from floodmark_agent.bus import Incoming, pack, unpack
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


class FakeBus:
    """A bus whose waits move the clock, and that can be shut."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.coming: deque[Incoming] = deque()
        self.sent: list[tuple[str, Any]] = []
        self.refused: list[tuple[str, Any]] = []
        self.is_open = True

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

    def glance(self) -> Glance:
        return Glance(looked_s=1.0, listeners=(), processes=(), counters=None)

    def count(self) -> tuple[ConnectionCounts, ...]:
        return (COUNTS,)

    def limits(self) -> TargetLimits | None:
        return LIMITS

    def notes(self) -> tuple[str, ...]:
        return ("a note",)

    def close(self) -> None:
        self.is_closed = True


class Scene:
    def __init__(self) -> None:
        self.bus = FakeBus()
        self.targets: list[FakeTarget] = []
        self.problem: str | None = None
        self.used_s = 0.0
        budget = Budget(0.02, clock=self.bus.clock, cpu_clock=lambda: self.used_s)
        self.agent = Agent(link=self.bus, hello=HELLO, open_target=self.open, budget=budget, clock=self.bus.clock)

    def open(self) -> FakeTarget:
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
        return [sample.sequence for batch in self.bus.of(messages.SAMPLES) for sample in batch.samples]


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


def test_the_log_says_when_a_master_has_come_and_when_none_can_be_reached(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        scene.step_for(3.0)
        scene.bus.is_open = False
        scene.step_for(20.0)
        scene.bus.is_open = True
        scene.step_for(3.0)

    assert [record.message for record in caplog.records] == [
        "a master is there",
        "no master can be reached; trying on",
        "a master is there",
    ]


def test_a_ping_is_answered_with_the_time_it_came_in(scene: Scene) -> None:
    scene.bus.say(messages.PING, to_plain(Ping(sequence=3, sent_s=9.0)))
    scene.bus.now_s += 0.5

    scene.agent.step()

    assert scene.bus.of(messages.PONG) == [Pong(sequence=3, ping_sent_s=9.0, received_s=50.0, sent_s=50.5)]


def test_watching_begins_with_limits_and_notes_and_samples_follow_in_order(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))

    scene.step_for(1.01)

    assert scene.bus.of(messages.WATCHING) == [Watching(problem=None, limits=LIMITS, notes=("a note",))]
    assert scene.samples()[:30] == list(range(30))
    assert 3 <= len(scene.bus.of(messages.SAMPLES)) <= 6


def test_samples_go_out_early_when_a_batch_is_full(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.001)))

    scene.step_for(0.24)

    assert [len(batch.samples) for batch in scene.bus.of(messages.SAMPLES)] == [64, 64, 64]


def test_rest_takes_a_last_sample_sends_all_and_stops(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.step_for(0.1)
    scene.bus.now_s += 0.007
    scene.bus.say(messages.REST, None)
    scene.agent.step()
    after = scene.samples()
    rested_s = scene.bus.now_s
    scene.step_for(1.0)

    assert scene.bus.of(messages.SAMPLES)[-1].samples[-1].due_s == rested_s
    assert after == list(range(len(after)))
    assert scene.samples() == after
    assert scene.targets[0].is_closed


def test_a_mark_makes_the_next_sample_count_the_connections(scene: Scene) -> None:
    scene.used_s = 5.0
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.step_for(0.5)
    scene.used_s = 100.0
    scene.bus.now_s += 5.0
    scene.bus.say(messages.MARK, to_plain(Mark(what="released")))
    scene.step_for(0.5)

    samples = [sample for batch in scene.bus.of(messages.SAMPLES) for sample in batch.samples]
    late = [bool(sample.connections) for sample in samples if sample.taken_s > 54.0]
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

    assert scene.bus.of(messages.WATCHING) == [Watching(problem=scene.problem, limits=None, notes=())]
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


def test_samples_wait_while_the_bus_is_shut_and_the_lost_ones_are_counted(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.001)))
    scene.step_for(0.5)
    scene.bus.is_open = False
    scene.step_for(6.0)
    scene.bus.is_open = True
    scene.step_for(0.5)

    batches: list[Samples] = scene.bus.of(messages.SAMPLES)
    lost = batches[-1].dropped
    sequences = scene.samples()
    assert lost > 0
    assert sequences == sorted(set(sequences))
    assert sequences[-1] + 1 == len(sequences) + lost


def test_a_shut_bus_is_not_tried_on_every_beat(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.001)))
    scene.step_for(0.1)
    scene.bus.is_open = False
    scene.step_for(2.0)

    assert sum(kind == messages.SAMPLES for kind, _ in scene.bus.refused) <= 9


def test_what_is_left_of_a_watch_does_not_get_into_the_next(scene: Scene) -> None:
    scene.bus.is_open = False
    for _ in range(2):
        scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
        scene.step_for(0.5)
    scene.bus.is_open = True
    scene.step_for(0.5)

    assert scene.samples() == list(range(len(scene.samples())))


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
    ],
)
def test_other_and_malformed_messages_change_nothing(scene: Scene, kind: str, data: Any) -> None:
    scene.bus.say(kind, data)
    scene.step_for(0.5)

    assert scene.bus.sent == [(messages.HELLO, HELLO)]


def test_the_end_is_a_last_sample_and_goodbye(scene: Scene) -> None:
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.run_for(0.3)

    assert scene.bus.sent[-1] == (messages.BYE, HELLO)
    assert scene.bus.sent[-2][0] == messages.SAMPLES
    assert scene.targets[0].is_closed


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
