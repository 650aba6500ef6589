"""A suite's tables and page: ours beside the published figure, and nothing passed that was not measured."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console
from suite_found import FOUND_FOUR

from floodmark.core.profile import BurstProfile, ClosedProfile
from floodmark.core.published import PublishedCeiling, PublishedRate
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import RunStatus
from floodmark.core.suite import (
    FoundLine,
    FoundMemory,
    RowState,
    SuiteAsked,
    SuiteRecord,
    SuiteRow,
    SuiteTable,
)
from floodmark.core.target import ExpectSpec
from floodmark.report.live.run import LiveState
from floodmark.report.suite.live import SuiteLive, left_words, plan_words
from floodmark.report.suite.page import suite_page
from floodmark.report.suite.tables import print_suite, summary_words
from floodmark.report.suite.words import (
    at_once_words,
    fails_words,
    in_order,
    load_words,
    published_at_once,
    result_words,
    run_by_words,
    share_words,
)

LONGEST_NAME = "fastapi-uvicorn-async-limit-concurrency-100"
FOUND = replace(
    FOUND_FOUR,
    sentence="It handles 10 requests at once.",
    planned=1_000,
    answered=30,
    ceiling=10,
    peak=10,
    unit="process",
    reused=False,
    processes=20,
    lines=(FoundLine(outer=True, depth_peak=129, limit=128), FoundLine(outer=False, depth_peak=101, limit=100)),
)
MEMORY = FoundMemory(
    before_bytes=38_500_000, peak_bytes=70_000_000, running_bytes=32_500, waiting_bytes=None, shared=False
)
EXPECT = ExpectSpec(ceiling=10, why="It forks, `__call__` and all.", knob="processes=N")
BURST = SuiteRow(
    table=SuiteTable.CONCURRENCY,
    target="flask-dev-processes-10",
    profile=BurstProfile(requests=1_000, within_s=0.0, hold_s=2.0),
    ceilings=(PublishedCeiling(row="F6", saw="the study saw 10", ceiling=10, differs="Not by much."),),
    expect=EXPECT,
    state=RowState.DONE,
    folder="a-flask-dev-processes-10",
    found=FOUND,
)
RATE = PublishedRate(
    row="T1", requests_per_s=2_288.0, mean_s=0.065, max_s=1.99, hold_s=0.0, failures=("response_timeout",)
)
CLOSED = replace(
    BURST,
    table=SuiteTable.THROUGHPUT,
    target="flask-dev-threaded",
    profile=ClosedProfile(connections=2_000, duration_s=5.0, timeout_s=2.0),
    ceilings=(),
    rate=RATE,
    expect=ExpectSpec(),
    found=replace(
        FOUND, answered=990, failures={"response_timeout": 10}, requests_per_s=1_144.0, mean_s=0.0712, max_s=2.01
    ),
)
OTHERS = (
    replace(BURST, target="other-ceiling", found=replace(FOUND, ceiling=12)),
    replace(BURST, target="late", found=replace(FOUND, invalid=("released on time: 812 ms late",))),
    replace(BURST, target="died", state=RowState.FAILED, reason="died ended with exit code 1", found=None),
    replace(BURST, target=LONGEST_NAME, state=RowState.NOT_RUN, reason="it needs 'go': apt-get install go", found=None),
    replace(BURST, target="tomorrow", state=RowState.PENDING, found=None),
)
RECORD = SuiteRecord(
    started_utc="2026-01-02T03:04:05+00:00",
    status=RunStatus.COMPLETE,
    asked=SuiteAsked(),
    rows=(BURST, CLOSED, *OTHERS),
    versions={"python": "3.11.7", "flask": "3.1.3"},
    host={"kernel": "Linux 6.8.0-31-generic", "machine": "x86_64", "cores": "2", "memory": "8 GiB"},
)


def printed(record, **console):
    file = io.StringIO()
    print_suite(record, Console(file=file, **{"width": 80, **console}), folder="runs/one-suite")
    return file.getvalue()


def one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", [BURST.target, LONGEST_NAME])
def test_no_line_in_a_file_is_wider_than_80_columns_or_ends_in_spaces(name):
    rows = tuple(replace(row, target=name) for row in (BURST, CLOSED))
    wide = replace(FOUND, ceiling=None, peak=1_024, lines=(FoundLine(outer=True, depth_peak=1_025, limit=1_024),))
    text = printed(replace(RECORD, rows=(*rows, replace(rows[0], found=wide), *OTHERS)))
    for line in text.splitlines():
        assert cell_len(line) <= 80
        assert line == line.rstrip()


def test_a_long_name_is_broken_behind_a_hyphen_and_not_within_a_word():
    wide = replace(FOUND, ceiling=None, peak=1_024, lines=(FoundLine(outer=True, depth_peak=1_025, limit=1_024),))
    names = (
        "fastapi-granian-async",
        "fastapi-hypercorn-trio-async-blocking",
        "openresty-connections-256",
        LONGEST_NAME,
    )
    text = printed(
        replace(RECORD, rows=tuple(replace(BURST, target=name, found=wide, expect=ExpectSpec()) for name in names))
    )
    words = [
        line.split()[1 if line.startswith("  F6") else 0] for line in text.splitlines()[4:] if line.startswith("  ")
    ]
    broken = "".join(word if word.endswith("-") else f"{word} " for word in words)
    assert broken.split() == sorted(names)


def test_a_file_gets_no_escape_code_and_a_terminal_marks_what_is_wrong():
    assert "\x1b" not in printed(RECORD)
    assert "\x1b[31m" in printed(RECORD, force_terminal=True, color_system="standard")


def test_ours_stands_beside_the_published_figure_with_the_ratio():
    text = one_line(printed(RECORD, width=160))
    assert "F6 flask-dev-processes-10 10 10 1.00 new process 129/128 101/100" in text
    assert "T1 flask-dev-threaded, no sleep 1,144 2,288 0.50 71.2 ms 2.01 s 1 %" in text


def test_what_was_not_measured_or_does_not_count_is_never_a_result():
    text = one_line(printed(RECORD))
    assert "Failed died died ended with exit code 1" in text
    assert f"Not run {LONGEST_NAME} it needs 'go': apt-get install go" in text
    assert "Not valid: these figures must not be believed late released on time: 812 ms late" in text
    assert f"died failed 10 - - - F6 {LONGEST_NAME} not run 10 -" in one_line(printed(RECORD, width=160))
    assert "F6 late not valid 10 - new process" in one_line(printed(RECORD, width=160))
    assert "F6 other-ceiling ! 12 10 1.20" in one_line(printed(RECORD, width=160))
    assert "tomorrow" not in text
    assert "other-ceiling a ceiling of 10 was expected, and it is 12" in text
    assert "How they fail T1 flask-dev-threaded 10 response timeout" in text


def test_the_last_sentence_counts_every_row_once():
    assert summary_words(RECORD) == (
        "7 runs: 2 as expected, 1 unlike what the target's file expects, 1 not valid, 1 failed, 1 not run, 1 not yet."
    )


def test_what_was_measured_without_an_expectation_is_not_called_as_expected():
    free = replace(BURST, target="mine", expect=ExpectSpec())
    assert summary_words(replace(RECORD, rows=(BURST, free))) == (
        "2 runs: 1 as expected, 1 measured, with nothing expected."
    )


@pytest.mark.parametrize(
    ("status", "words"), [("interrupted", "INTERRUPTED."), ("failed", "CUT OFF"), ("running", "THE SUITE HAS NO END.")]
)
def test_a_suite_that_has_no_end_says_so_first(status, words):
    assert printed(replace(RECORD, status=RunStatus(status))).startswith(words)


def closed(connections=2_000, hold_s=0.1, path="/health", contains="ok"):
    return replace(
        CLOSED,
        profile=replace(CLOSED.profile, connections=connections),
        rate=replace(RATE, hold_s=hold_s, connections=connections),
        request=RequestSpec(path=path, contains=contains),
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [closed()],
            (
                "2,000 connections for 5 s, the next request when the last is answered; GET /health, which takes"
                " 100 ms; status 200 and a body with ok; 2 s for an answer. Server and load share 2 cores"
            ),
        ),
        (
            [closed(), closed(hold_s=0.0, path="/health?hold={hold}"), closed(connections=25_000)],
            (
                "2,000 connections, or as many as the row says, for 5 s, the next request when the last is answered;"
                " GET /health, which takes 100 ms unless the row says no sleep; status 200 and a body with ok;"
                " 2 s for an answer. Server and load share 2 cores"
            ),
        ),
        (
            [closed(connections=50, hold_s=None, path="/mine", contains="")],
            (
                "50 connections for 5 s, the next request when the last is answered; GET /mine; status 200; 2 s for an"
                " answer. Server and load share 2 cores"
            ),
        ),
        (
            [closed(path="/one", contains="x"), closed(hold_s=1.0)],
            (
                "2,000 connections for 5 s, the next request when the last is answered; the request that a row's file"
                " names; 2 s for an answer. Server and load share 2 cores"
            ),
        ),
    ],
)
def test_the_load_of_table_b_is_told_from_its_rows(rows, words):
    assert load_words(replace(RECORD, rows=tuple(rows)), SuiteTable.THROUGHPUT) == words


def test_a_page_says_of_no_study_what_its_rows_do_not_say():
    page = one_line(suite_page(replace(RECORD, rows=(closed(50, None, "/mine"),))))
    for word in ("macOS", "4 cores", "6 cores", "/health", "100 ms", "2,000 conn"):
        assert word not in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "10"),
        ({"ceiling": None, "peak": 1_000}, "all"),
        ({"ceiling": None, "peak": 820}, ">= 820"),
        ({"ceiling": None, "peak": 0, "answered": 0}, "none"),
    ],
)
def test_how_many_at_once_is_a_number_only_where_it_is_proven(changes, words):
    assert at_once_words(replace(FOUND, **changes)) == words


@pytest.mark.parametrize(
    ("published", "words"),
    [({"ceiling": 40}, "40"), ({"ceiling": 0}, "none"), ({"all": True}, "all"), ({"saw": "something"}, "-")],
)
def test_the_published_finding_is_said_in_the_same_words(published, words):
    assert published_at_once(replace(BURST, ceilings=(PublishedCeiling(row="F1", **published),))) == words


def test_rows_are_in_the_order_of_the_published_tables_and_the_others_behind():
    ids = ("F10", "T2", "", "F2", "A12")
    rows = [replace(BURST, target=f"t{row}", ceilings=(PublishedCeiling(row=row),) if row else ()) for row in ids]
    assert [row.target for row in in_order(rows)] == ["tA12", "tF2", "tF10", "tT2", "t"]


def test_small_words():
    assert run_by_words(replace(FOUND, unit="event-loop", reused=True, processes=4)) == "event loop x 4"
    assert run_by_words(replace(FOUND, unit=None)) == "-"
    assert run_by_words(replace(FOUND, unit="event-loop", reused=True, processes=4), short=True) == "loop x 4"
    assert run_by_words(replace(FOUND, reused=True), short=True) == "process"
    assert share_words(replace(FOUND, answered=1, failures={"reset": 999})) == "> 99 %"
    assert share_words(replace(FOUND, answered=0, failures={"reset": 9})) == "100 %"
    assert share_words(replace(FOUND, answered=100_000, failures={"reset": 1})) == "< 0.1 %"
    assert result_words(CLOSED) == "1,144 requests/s (T1: 2,288)"
    assert result_words(OTHERS[2]) == "failed: died ended with exit code 1"
    assert [left_words(left_s) for left_s in (20, 65, 700)] == ["under a minute", "about 1 min", "about 12 min"]


def test_the_page_has_machine_versions_both_tables_and_a_paragraph_for_each_target():
    page = suite_page(RECORD)
    assert "Linux 6.8, x86_64, 2 cores, 8 GiB" in one_line(page)
    assert "python 3.11.7, flask 3.1.3" in one_line(page)
    assert "| F6 | flask-dev-processes-10 | 10 | 10 | 1.00 | new process | 129/128, 101/100 | - | - |" in page
    cells = "1,144 | 2,288 | 0.50 | 71.2 ms | 65 ms | 2.01 s | 1.99 s | 1 %"
    assert f"| T1 | flask-dev-threaded, no sleep | {cells} |" in page
    assert page.count("\n### ") == len({row.target for row in RECORD.rows})
    about = one_line(page.partition("### flask-dev-processes-10\n")[2].partition("\n### ")[0])
    assert about == (
        "**F6**: It handles 10 requests at once. The study saw 10. Not by much. Why: It forks, `__call__` and all."
        " What to change: processes=N `floodmark run flask-dev-processes-10 --requests 1000 --hold 2`"
    )


def test_the_page_links_to_nothing_is_as_wide_as_the_docs_and_says_what_was_not_run():
    page = suite_page(RECORD)
    assert "](" not in page
    assert "://" not in page
    assert all(len(line) <= 120 for line in page.splitlines() if not line.startswith(("|", "`", "#")))
    assert "| not valid | 10 | - |" in page
    assert "| ! 12 | 10 | 1.20 |" in page
    assert "| not run | 10 | - | - | - | - | it needs 'go': apt-get install go |" in page
    assert "Not run: it needs 'go': apt-get install go." in one_line(page)


@pytest.mark.parametrize(
    ("memory", "cell", "words"),
    [
        (MEMORY, "32.5 kB / -", "38.5 MB before the load; each request in service takes about 32.5 kB."),
        (replace(MEMORY, waiting_bytes=20_000), "32.5 kB / 20 kB", "and each request that waits inside it takes about"),
        (replace(MEMORY, shared=True), "< 32.5 kB / -", "32.5 kB, at most: what its processes share is counted"),
        (replace(MEMORY, running_bytes=None), "-", ""),
    ],
)
def test_memory_for_each_request_has_a_column_and_a_sentence(memory, cell, words):
    page = one_line(suite_page(replace(RECORD, rows=(replace(BURST, found=replace(FOUND, memory=memory)),))))
    assert f"129/128, 101/100 | {cell} | - |" in page
    assert words in page
    assert bool(words) == ("Memory: " in page)


def test_how_a_row_fails_is_told_with_what_ran_out():
    cut = replace(FOUND, failures={"closed": 670, "server_error": 104}, limits=("threads (255 of 256)",))
    assert fails_words(cut) == "670 closed, 104 server error; threads (255 of 256)"
    assert fails_words(replace(FOUND, limits=("open files (256 of 256)",))) == "open files (256 of 256)"
    assert fails_words(FOUND) == "-"


def test_a_load_that_is_spread_is_in_the_command():
    spread = replace(BURST, profile=BurstProfile(requests=10_000, within_s=10.0, hold_s=5.0))
    page = suite_page(replace(RECORD, rows=(spread,)))
    assert "`floodmark run flask-dev-processes-10 --requests 10000 --within 10 --hold 5`" in page


def test_a_command_has_the_options_that_the_row_had_and_each_is_there_once():
    deaf = replace(
        BURST,
        request=RequestSpec(path="/slow"),
        profile=BurstProfile(requests=1_000_000, within_s=0.0, hold_s=1.0, timeout_s=30.0),
    )
    rows = (deaf, closed(), replace(closed(), rate=replace(RATE, row="T2")))
    rows = tuple(replace(row, target="mine") for row in rows)
    page = suite_page(replace(RECORD, asked=SuiteAsked(workers=2), rows=rows))
    assert [line for line in page.splitlines() if line.startswith("`floodmark")] == [
        "`floodmark run mine --requests 1000000 --timeout 30 --workers 2`",
        "`floodmark suite mine --table b --duration 5 --workers 2`",
    ]


def test_words_from_outside_are_no_markdown():
    page = suite_page(replace(RECORD, rows=(replace(BURST, found=replace(FOUND, sentence="a|b *c* <d> `e_f` _g_")),)))
    assert r"a\|b \*c\* \<d> `e_f` \_g\_" in page


def test_without_a_terminal_a_row_is_a_line_when_it_begins_and_one_when_it_ends():
    file = io.StringIO()
    with SuiteLive(Console(file=file, width=80), clock=lambda: 0.0) as view:
        view.begin(BURST, 3, 12, 130.0)
        view.update(LiveState(phase="load is on", planned=10, released=5))
        view.end(BURST)
    assert file.getvalue().splitlines() == [
        "[ 3/12] flask-dev-processes-10: how many at once; about 2 min left",
        "        10 at once (F6: 10)",
    ]


def test_without_a_terminal_the_wait_before_a_row_is_one_line():
    file = io.StringIO()
    with SuiteLive(Console(file=file, width=80), clock=lambda: 0.0) as view:
        for _ in range(2):
            view.begin(BURST, 1, 2, 10.0)
            view.say("812 closed connections are giving their ports back")
            view.say("790 closed connections are giving their ports back")
    lines = file.getvalue().splitlines()
    assert lines[1::2] == ["      812 closed connections are giving their ports back"] * 2


def test_what_lies_ahead_is_said_in_numbers_that_fit():
    assert plan_words((BURST,)) == "1 run"
    assert plan_words((BURST, BURST)) == "2 runs"
    assert plan_words((BURST, CLOSED)) == "2 runs: 1 for how many at once, 1 for how many per second"
    assert plan_words(()) == "nothing is left to run"


def test_on_a_terminal_the_row_under_way_is_redrawn_and_the_one_that_is_done_stays():
    file, now = io.StringIO(), iter(range(100))
    console = Console(file=file, width=80, force_terminal=True)
    with SuiteLive(console, clock=lambda: float(next(now))) as view:
        view.begin(BURST, 1, 1, 130.0)
        view.update(LiveState(phase="load is on", planned=10, released=5))
        view.end(BURST)
    assert "load is on" in file.getvalue()
    assert "10 at once (F6: 10)" in file.getvalue()
