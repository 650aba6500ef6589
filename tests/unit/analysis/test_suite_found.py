"""Whether a suite's row is what its target's file expects."""

from dataclasses import replace

import pytest
from simulated import Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.analysis.suite import found_of, unlike_expected
from floodmark.core.profile import BurstProfile, ClosedProfile
from floodmark.core.published import PublishedRate
from floodmark.core.suite import RowState, SuiteRow, SuiteTable
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
        (40, 10, "a ceiling of 40 was expected, and it is 10"),
        (None, 10, "no ceiling was expected, and it is 10"),
        (40, None, "a ceiling of 40 was expected, and none is proven (at least 10 at once)"),
    ],
)
def test_another_ceiling_is_told_of(found, wanted, had, words):
    assert unlike_expected(burst(replace(found, ceiling=had), ceiling=wanted)) == (words,)


def test_failures_are_told_of_where_nobody_expected_them_and_where_they_did_not_come(found):
    fails = replace(found, failures={"reset": 12, "server_error": 3})
    assert unlike_expected(burst(fails, ceiling=10, failures=("server_error",))) == ("nobody expected 12 reset",)
    assert unlike_expected(burst(fails, ceiling=10, failures=("server_error", "reset", "closed"))) == ()
    (words,) = unlike_expected(burst(found, ceiling=10, failures=("server_error", "closed")))
    assert words == "it should fail by server error or closed, and did not"


def test_a_closed_loop_proves_no_ceiling_and_may_time_out_where_the_study_did(found):
    late = replace(found, failures={"response_timeout": 7})
    assert unlike_expected(closed(late, "response_timeout")) == ()
    assert unlike_expected(closed(late)) == ("nobody expected 7 response timeout",)
    assert unlike_expected(closed(replace(found, answered=0))) == ("nothing was answered",)


def test_a_run_that_does_not_count_is_not_compared(found):
    assert unlike_expected(burst(replace(found, invalid=("released on time: 2 s late",)), ceiling=40)) == ()
    assert unlike_expected(replace(burst(found), state=RowState.PENDING, found=None)) == ()
