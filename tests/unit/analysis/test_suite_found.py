"""Whether a suite's row is what its target's file expects, and what the suite's exit code says."""

from dataclasses import replace

import pytest
from simulated import Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.analysis.suite import exit_code_of, found_of, unlike_expected
from floodmark.core.profile import BurstProfile, ClosedProfile
from floodmark.core.published import PublishedRate
from floodmark.core.run_folder import RunStatus
from floodmark.core.suite import RowState, SuiteAsked, SuiteRecord, SuiteRow, SuiteTable
from floodmark.core.target import ExpectSpec


@pytest.fixture(scope="module")
def found():
    return found_of(judge(Simulation(server=Server(slots=10), requests=100, hold_s=2.0).record()).document)


def burst(found, **expect):
    profile = BurstProfile(requests=100, within_s=0.0, hold_s=2.0)
    row = SuiteRow(table=SuiteTable.CONCURRENCY, target="t", profile=profile, expect=ExpectSpec(**expect))
    return replace(row, state=RowState.DONE, found=found)


def closed(found, *failures):
    profile = ClosedProfile(connections=10, duration_s=5.0, timeout_s=2.0)
    rate = PublishedRate(row="T9", failures=failures)
    row = SuiteRow(table=SuiteTable.THROUGHPUT, target="t", profile=profile, rate=rate, expect=ExpectSpec(ceiling=40))
    return replace(row, state=RowState.DONE, found=replace(found, ceiling=None))


def test_a_verdict_is_told_in_short(found):
    assert (found.ceiling, found.unit, found.reused, found.planned) == (10, "thread", True, 100)
    assert found.sentence.startswith("fastapi-uvicorn-sync") or " 10 requests at once" in found.sentence
    assert found.lines[0].outer
    assert found.valid


def test_a_row_as_expected_says_nothing(found):
    assert unlike_expected(burst(found, ceiling=10)) == ()


@pytest.mark.parametrize(
    ("wanted", "had", "words"),
    [
        ({"ceiling": 40}, 10, "a ceiling of 40 was expected, and it is 10"),
        ({"unbounded": True}, 10, "no ceiling was expected, and it is 10"),
        ({"ceiling": 40}, None, "a ceiling of 40 was expected, and none is proven (at least 10 at once)"),
    ],
)
def test_another_ceiling_is_told_of(found, wanted, had, words):
    assert unlike_expected(burst(replace(found, ceiling=had), **wanted)) == (words,)


def test_of_which_nobody_said_anything_nothing_is_unlike(found):
    assert unlike_expected(burst(found)) == ()
    assert unlike_expected(burst(replace(found, failures={"reset": 12}))) == ()
    assert unlike_expected(burst(replace(found, ceiling=None), unbounded=True)) == ()
    assert unlike_expected(burst(found, failures=("reset",))) == ("it should fail by reset, and did not",)
    words = ("nobody expected 12 reset",)
    assert unlike_expected(burst(replace(found, ceiling=None, failures={"reset": 12}), unbounded=True)) == words


def test_a_closed_loop_of_which_nobody_said_anything_must_answer_and_no_more(found):
    row = replace(closed(replace(found, failures={"reset": 3})), expect=ExpectSpec())
    assert unlike_expected(row) == ()
    assert unlike_expected(replace(row, found=replace(found, answered=0))) == ("nothing was answered",)


def test_a_ceiling_and_none_at_all_are_not_expected_together():
    with pytest.raises(ValueError, match="unbounded and a ceiling of 4"):
        ExpectSpec(unbounded=True, ceiling=4)


def test_failures_are_told_of_where_nobody_expected_them_and_where_they_did_not_come(found):
    fails = replace(found, failures={"reset": 12, "server_error": 3})
    assert unlike_expected(burst(fails, ceiling=10, failures=("server_error",))) == ("nobody expected 12 reset",)
    assert unlike_expected(burst(fails, ceiling=10, failures=("server_error", "reset", "closed"))) == ()
    (words,) = unlike_expected(burst(found, ceiling=10, failures=("server_error", "closed")))
    assert words == "it should fail by server error or closed, and did not"


def test_a_failure_that_may_come_need_not_come(found):
    fails = replace(found, failures={"reset": 12})
    assert unlike_expected(burst(found, ceiling=10, may_fail=("reset",))) == ()
    assert unlike_expected(burst(fails, ceiling=10, may_fail=("reset",))) == ()
    assert unlike_expected(burst(fails, ceiling=10, may_fail=("closed",))) == ("nobody expected 12 reset",)


def test_a_closed_loop_proves_no_ceiling_and_may_time_out_where_the_study_did(found):
    late = replace(found, failures={"response_timeout": 7})
    assert unlike_expected(closed(late, "response_timeout")) == ()
    assert unlike_expected(closed(late)) == ("nobody expected 7 response timeout",)
    assert unlike_expected(closed(replace(found, answered=0))) == ("nothing was answered",)


def test_a_run_that_does_not_count_is_not_compared(found):
    assert unlike_expected(burst(replace(found, invalid=("released on time: 2 s late",)), ceiling=40)) == ()
    assert unlike_expected(replace(burst(found), state=RowState.PENDING, found=None)) == ()


def rows_of(found):
    row = burst(found, ceiling=10)
    return {
        "fine": row,
        "unlike": replace(row, expect=ExpectSpec(ceiling=4)),
        "invalid": replace(row, found=replace(found, invalid=("released on time: late",))),
        "failed": replace(row, state=RowState.FAILED, found=None),
        "not run": replace(row, state=RowState.NOT_RUN, found=None),
        "pending": replace(row, state=RowState.PENDING, found=None),
    }


def suite_of(found, names, status=RunStatus.COMPLETE):
    rows = tuple(rows_of(found)[name] for name in names)
    return SuiteRecord(started_utc="2026-01-01T00:00:00+00:00", status=status, asked=SuiteAsked(), rows=rows)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["fine"], 0),
        (["fine", "not run"], 0),
        (["fine", "unlike"], 1),
        (["fine", "failed"], 1),
        (["fine", "invalid"], 3),
        (["invalid", "not run"], 3),
        (["fine", "invalid", "unlike"], 1),
        (["fine", "pending"], 1),
        (["invalid", "pending"], 1),
        (["not run"], 1),
    ],
)
def test_the_exit_code_is_0_only_where_something_was_measured_and_nothing_is_left(found, names, code):
    assert exit_code_of(suite_of(found, names)) == code


@pytest.mark.parametrize(("status", "code"), [("interrupted", 130), ("running", 1), ("failed", 1)])
def test_a_suite_that_was_cut_off_does_not_exit_with_0(found, status, code):
    assert exit_code_of(suite_of(found, ["fine"], RunStatus(status))) == code
