import contextlib
import dataclasses
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from floodmark.report.live.drawing import bar
from floodmark.report.live.run import LINE_EVERY_S, LiveState, LiveView, line, segments

LOAD = LiveState(
    phase="load is on",
    elapsed_s=12.34,
    planned=1000,
    released=990,
    connected=960,
    answered=80,
    failed=3,
    accept_queue=33,
    unread=20,
    read=800,
    threads=41,
    processes=1,
)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_file_gets_a_line_per_phase_and_else_one_every_two_seconds() -> None:
    file, clock = io.StringIO(), Hand()
    with LiveView(Console(file=file), clock=clock) as view:
        view.update(LiveState(phase="starting 2 workers"))
        view.update(LiveState(phase="starting 2 workers", elapsed_s=0.5))
        view.update(LOAD)
        for _ in range(10):
            clock.now_s += LINE_EVERY_S / 4
            view.update(LOAD)
    lines = file.getvalue().splitlines()
    assert [text.split("s  ", 1)[1].split(":")[0] for text in lines] == ["starting 2 workers"] + ["load is on"] * 3
    assert "\x1b" not in file.getvalue()


def test_a_terminal_is_redrawn_in_place_and_left_clean() -> None:
    file, clock = io.StringIO(), Hand()
    console = Console(file=file, force_terminal=True, width=80, color_system="truecolor")
    with LiveView(console, clock=clock) as view:
        view.update(LOAD)
        shown = len(file.getvalue())
        view.update(LOAD)
        assert len(file.getvalue()) == shown
        clock.now_s += 1
        view.update(LOAD)
        assert len(file.getvalue()) > shown
    assert "33 accept queue" in file.getvalue()
    assert file.getvalue().rindex("\x1b[2K") > file.getvalue().rindex("accept queue")


def test_a_terminal_is_left_clean_when_the_run_breaks_off() -> None:
    file = io.StringIO()
    view = LiveView(Console(file=file, force_terminal=True, width=80))
    with contextlib.suppress(KeyboardInterrupt), view:
        view.update(LOAD)
        raise KeyboardInterrupt
    assert file.getvalue().rindex("\x1b[?25h") > file.getvalue().rindex("accept queue")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_warning_stays_and_cannot_reach_the_terminal_as_a_command(terminal) -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, force_terminal=terminal, width=40)) as view:
        view.update(LOAD)
        view.warn("asked alone, it said \x1b[31m" + "and more " * 9)
    assert "asked alone, it said \\x1b[31m" + "and more " * 8 in file.getvalue()


def test_requests_with_a_silent_worker_are_not_in_flight_and_still_in_the_sum() -> None:
    state = dataclasses.replace(LOAD, silent=54)
    assert "33 accept queue, 3 failed, 54 with a silent worker, 10 not sent" in line(state)
    assert sum(part.requests for part in segments(state)) == sum(part.requests for part in segments(LOAD))
    assert "1,943 in flight, 54 with a silent worker" in line(dataclasses.replace(STEADY, silent=54))


def test_a_line_names_the_places_and_the_servers_threads() -> None:
    assert line(LOAD) == (
        "  12.3 s  load is on: 80 answered, 800 with the server, 20 unread, 33 accept queue, 54 on the way, 3 failed,"
        " 10 not sent; threads 41, processes 1"
    )


def test_what_the_agent_has_not_said_is_not_made_up() -> None:
    state = LiveState(phase="load is on", planned=10, released=10, answered=2)
    assert line(state) == "   0.0 s  load is on: 2 answered, 8 sent"


STEADY = LiveState(
    phase="load is on",
    elapsed_s=8.0,
    duration_s=10.0,
    load_s=4.04,
    answered_per_s=391.2,
    released=3564,
    answered=1564,
    failed=3,
    read=1990,
    accept_queue=3,
    threads=41,
    processes=1,
)


def test_a_steady_load_shows_its_rate_and_the_places_of_those_in_flight() -> None:
    assert line(STEADY) == (
        "   8.0 s  load is on: 4.0 of 10 s, 6 s left, 391 requests/s, 1,564 answered, 3 failed, 1,997 in flight,"
        " 1,990 with the server, 3 accept queue, 4 on the way; threads 41, processes 1"
    )


def test_a_steady_loads_bar_has_those_in_flight_only() -> None:
    assert sum(part.requests for part in segments(STEADY)) == STEADY.in_flight == 1997


def test_a_steady_load_in_its_drain_has_gone_its_whole_time_and_no_rate_is_made_up() -> None:
    drained = dataclasses.replace(STEADY, load_s=11.5, answered_per_s=None)
    assert "10.0 of 10 s, 1,564 answered" in line(drained)


def test_a_terminal_shows_a_steady_loads_rate() -> None:
    file = io.StringIO()
    with LiveView(Console(file=file, force_terminal=True, width=80)) as view:
        view.update(STEADY)
    text = Text.from_ansi(file.getvalue()).plain
    assert "4.0 of 10 s   6 s left" in text
    assert "1,564 answered   3 failed   1,997 in flight" in text


count = st.integers(min_value=0, max_value=10_000)
known = st.one_of(st.none(), count)


@given(
    counts=st.tuples(count, count, count, count),
    seen=st.tuples(known, known, known),
    cells=st.integers(min_value=7, max_value=200),
)
def test_the_parts_add_up_to_the_plan_and_fill_the_bar(counts, seen, cells) -> None:
    answered, ended, released, planned = itertools.accumulate(counts)
    accept_queue, unread, read = seen
    state = LiveState(
        phase="load is on",
        planned=planned,
        released=released,
        answered=answered,
        failed=ended - answered,
        accept_queue=accept_queue,
        unread=unread,
        read=read,
    )
    parts = segments(state)
    assert sum(part.requests for part in parts) == planned
    assert all(part.requests >= 0 for part in parts)
    drawn = bar(parts, cells)
    assert len(drawn) == (cells if planned else 0)
    assert len(drawn.spans) == sum(part.requests > 0 for part in parts)
