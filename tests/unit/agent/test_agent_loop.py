from dataclasses import replace
from typing import Any

import pytest
from agent_scene import COMMANDS, COUNTS, HELLO, LIMITS, Scene

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.messages import (
    Mark,
    Rest,
    Samples,
    Watch,
    Watching,
)
from floodmark.core.series import unpack_block
from floodmark_agent.contact import HEARD_S


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
