"""The live view at any width: no line is longer than the terminal, nothing is broken, and it leaves a clean screen."""

import dataclasses
import io

import pytest
from rich.console import Console
from rich.text import Text
from screen import Screen
from test_live_view import LOAD, STEADY, Hand

from floodmark.report.live.drawing import joined, progress, sparkline
from floodmark.report.live.run import LiveState, LiveView, table

BURST = dataclasses.replace(LOAD, longest_s=15.0, load_s=6.2, answered_per_s=0.8)
LONG = dataclasses.replace(
    BURST, phase="burst 3 of up to 6, 256 requests: load is on; worker worker-2 was lost; agent agent-1 is back"
)
STATES = {"burst": BURST, "steady": STEADY, "long": LONG, "begin": LiveState(phase="starting " + "x" * 300)}
PHRASES = ("800 with the server", "20 unread", "33 accept queue", "54 on the way", "at most 9 s left", "3 failed")


def drawn(state, width, **more):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=40, color_system="truecolor", **more)
    clock = Hand()
    with LiveView(console, clock=clock) as view:
        view.update(state)
        clock.now_s += 1
        view.update(dataclasses.replace(state, elapsed_s=state.elapsed_s + 1))
        at = len(file.getvalue())
        view.warn("a warning that stays")
        clock.now_s += 1
        view.update(state)
        shown = file.getvalue()
    return shown, file.getvalue(), at


@pytest.mark.parametrize("width", range(60, 201, 7))
@pytest.mark.parametrize("name", STATES)
def test_nothing_is_wrapped_and_the_screen_is_left_with_what_stays(name, width):
    shown, whole, _ = drawn(STATES[name], width)
    screen = Screen(width)
    screen.feed(shown)
    assert screen.wrapped == 0
    assert screen.shown[0] == "a warning that stays"
    assert len(screen.shown) > 1
    screen = Screen(width)
    screen.feed(whole)
    assert screen.shown == ["a warning that stays"]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_phrase_is_whole_at_every_width(width):
    shown, _, _ = drawn(BURST, width)
    screen = Screen(width)
    screen.feed(shown)
    assert all(any(phrase in row for row in screen.shown) for phrase in PHRASES)


def test_what_is_drawn_again_replaces_what_was_there():
    shown, _, _ = drawn(BURST, 80)
    screen = Screen(80)
    screen.feed(shown)
    assert sum("accept queue" in row for row in screen.shown) == 1


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}, {"TERM": "unknown"}], ids=str
)
def test_lines_are_written_where_nothing_may_be_drawn_over(environment):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, _environ=environment)
    with LiveView(console, clock=Hand()) as view:
        view.update(BURST)
    assert "\x1b[2K" not in file.getvalue()
    assert "\x1b[?25l" not in file.getvalue()
    assert "load is on: at most 9 s left" in file.getvalue()


def test_a_terminal_without_unicode_has_plain_characters():
    class Ascii(io.StringIO):
        encoding = "ascii"

    file = Ascii()
    with LiveView(Console(file=file, force_terminal=True, width=80), clock=Hand()) as view:
        view.update(BURST)
    assert file.getvalue().isascii()
    assert "=====" in file.getvalue()
    assert "# 800 with the server" in file.getvalue().replace("\x1b[0m", "")


def test_the_view_has_progress_places_rate_errors_and_the_time_that_is_left():
    file = io.StringIO()
    Console(file=file, width=100).print(table(BURST, 98, [1.0, 2.0]))
    text = file.getvalue()
    for words in ("load is on   12.3 s   at most 9 s left", "0.8 requests/s", "80 of 1,000 answered", "3 failed"):
        assert words in text
    assert "threads 41, processes 1" in text
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in text


def test_a_steady_load_says_how_long_it_still_lasts():
    file = io.StringIO()
    Console(file=file, width=100).print(table(STEADY, 98))
    assert "4.0 of 10 s   6 s left" in file.getvalue()
    drain = dataclasses.replace(STEADY, load_s=12.0)
    assert drain.left_s == 0


def test_rates_stand_beside_each_other_the_newest_last_and_no_more_than_fit():
    file, clock = io.StringIO(), Hand()
    with LiveView(Console(file=file, force_terminal=True, width=120), clock=clock) as view:
        for step in range(60):
            clock.now_s += 1
            view.update(dataclasses.replace(STEADY, answered_per_s=100.0 * (step + 1)))
    last = file.getvalue().rpartition("requests/s")[2].partition("answered")[0]
    assert sum(character in "▁▂▃▄▅▆▇█" for character in last) == 24


def test_a_sparkline_is_as_high_as_its_values():
    assert sparkline([0, 1, 4, 8]) == " ▁▄█"
    assert sparkline([0, 0]) == "  "
    assert sparkline([]) == ""


@pytest.mark.parametrize(("share", "full"), [(-1, 0), (0, 0), (0.5, 5), (1, 10), (7, 10)])
def test_progress_is_never_longer_than_its_line(share, full):
    assert progress(share, 10, ascii_only=True).plain == "=" * full + "-" * (10 - full)


def test_a_part_that_is_longer_than_a_line_is_cut():
    assert joined([Text("abcdefgh"), Text("ij")], 5).plain == "abcd…\nij"
