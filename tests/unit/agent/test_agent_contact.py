import logging

import pytest
from agent_scene import HELLO, Scene

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.messages import (
    WIRE_VERSION,
    Ping,
    Pong,
)
from floodmark_agent.agent import FORSAKEN_S, Agent
from floodmark_agent.budget import Budget
from floodmark_agent.contact import HELLO_EVERY_S, SILENT_S
from floodmark_agent.options import parse


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

    assert [hello.watch for hello in scene.bus.of(messages.HELLO)] == [None, 7, 7, None, None]


def test_an_agent_that_ends_its_watch_says_at_once_how_long_it_would_rest(scene: Scene) -> None:
    def count() -> tuple[()]:
        scene.used_s += 0.01
        return ()

    scene.watch(number=7)
    scene.agent.step()
    scene.targets[0].count = count  # type: ignore[method-assign] # what takes time
    scene.step_for(5.0)
    scene.bus.say(messages.REST, None)
    scene.step_for(0.05)
    resting = scene.bus.of(messages.HELLO)[-1]
    scene.step_for(resting.rest_s + HELLO_EVERY_S)
    hellos = scene.bus.of(messages.HELLO)

    assert {hello.rest_s for hello in hellos if hello.watch == 7} == {0.0}
    assert (resting.watch, scene.used_s > 0.1) == (None, True)
    assert 5.0 < resting.rest_s < 20.0
    assert hellos[-1].rest_s == 0.0


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
