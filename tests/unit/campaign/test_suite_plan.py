"""Which rows a suite has, and the run that each of them is."""

from dataclasses import replace
from pathlib import Path

import pytest
from suite_found import FOUND_FOUR

from floodmark.campaign.suite_plan import Machine, again, going_on, plan_of, refreshed, rows_of, unread_rows
from floodmark.core.published import PublishedCeiling, PublishedRate, SuiteSpec
from floodmark.core.request_spec import RequestSpec
from floodmark.core.suite import RowState, SuiteAsked, SuiteRecord, SuiteTable
from floodmark.core.target import StartSpec, TargetSpec


def spec_of(name, **suite):
    return TargetSpec(name=name, summary="", start=StartSpec(command=("x",)), suite=SuiteSpec(**suite))


PLAIN = spec_of("flask-plain")
OWN_LOAD = spec_of("flask-own", requests=4, hold_s=1.0, timeout_s=12.0, a=(PublishedCeiling(row="F4", ceiling=1),))
HEALTH = {"path": "/health?hold={hold}", "contains": "ok"}
RATED = spec_of(
    "go",
    b=(
        PublishedRate(row="T7", requests_per_s=19_644.0, hold_s=0.1, **HEALTH),
        PublishedRate(row="T8", connections=25_000, hold_s=0.0, **HEALTH),
    ),
)
SPECS = (OWN_LOAD, PLAIN, RATED)


def test_table_a_has_every_target_once_and_table_b_only_its_published_rows():
    rows = rows_of(SPECS, SuiteAsked())
    assert [row.key for row in rows] == ["a-flask-own", "a-flask-plain", "a-go", "b-T7-go", "b-T8-go"]
    assert [row.key for row in rows_of(SPECS, SuiteAsked(tables=(SuiteTable.THROUGHPUT,)))] == ["b-T7-go", "b-T8-go"]


def test_a_targets_own_load_goes_before_the_one_that_was_asked_for():
    own, plain, *_ = rows_of(SPECS, SuiteAsked(requests=200, hold_s=3.0))
    assert (own.profile.requests, own.profile.hold_s, own.profile.timeout_s) == (4, 1.0, 12.0)
    assert plan_of(own, OWN_LOAD, Path("x"), ()).profile() == own.profile
    assert (plain.profile.requests, plain.profile.within_s, plain.profile.hold_s) == (200, 0.0, 3.0)


def test_a_targets_own_load_may_be_spread():
    (row,) = rows_of([spec := spec_of("flood", requests=10_000, within_s=10.0)], SuiteAsked())
    assert (row.profile.requests, row.profile.within_s) == (10_000, 10.0)
    assert plan_of(row, spec, Path("x"), ()).profile() == row.profile
    with pytest.raises(ValueError, match="within_s -1"):
        SuiteSpec(within_s=-1.0)


@pytest.mark.parametrize("suite", [{"requests": 0}, {"hold_s": 0.0}, {"timeout_s": -1.0}])
def test_a_load_of_nothing_is_refused(suite):
    with pytest.raises(ValueError, match="give a number above 0"):
        SuiteSpec(**suite)


def test_rows_that_could_not_be_told_apart_or_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="'T7' is there twice"):
        SuiteSpec(b=(PublishedRate(row="T7"), PublishedRate(row="T7")))
    with pytest.raises(ValueError, match="all and a ceiling"):
        PublishedCeiling(row="A8", all=True, ceiling=40)
    with pytest.raises(ValueError, match="failures has 'timeout'"):
        PublishedRate(row="T9", failures=("timeout",))
    with pytest.raises(ValueError, match="contains without a path"):
        PublishedRate(row="T9", contains="ok")
    with pytest.raises(ValueError, match="connections 0"):
        PublishedRate(row="T9", connections=0)
    with pytest.raises(ValueError, match="hold_s -1"):
        PublishedRate(row="T9", hold_s=-1.0)


def test_connections_beyond_one_process_are_spread_over_workers():
    *_, usual, many = rows_of((RATED,), SuiteAsked())
    assert (usual.profile.connections, usual.workers) == (2_000, 1)
    assert (many.profile.connections, many.workers) == (25_000, 3)


def test_connections_beyond_one_worker_come_from_several_addresses_and_the_agent_gets_more(tmp_path):
    *_, usual, many = rows_of((RATED,), SuiteAsked())
    plan = plan_of(usual, RATED, tmp_path, ())
    assert (plan.source, plan.cpu_budget_percent) == ("", None)
    plan = plan_of(many, RATED, tmp_path, ())
    assert (plan.source, plan.cpu_budget_percent) == ("127.0.0.2-127.0.0.7", 12.0)


def test_more_requests_than_one_worker_surely_makes_are_spread_over_workers_on_cores_of_their_own():
    *_, usual, at_once = rows_of((RATED,), SuiteAsked(), Machine(cores=2))
    assert (usual.workers, at_once.workers) == (2, 3)
    *_, usual, _ = rows_of((RATED,), SuiteAsked(), Machine(cores=8))
    assert usual.workers == 2


@pytest.mark.parametrize(
    ("processes", "files", "connections"),
    [(1, 24_000, 23_800), (1, 25_128, 25_000), (1, 20_000, 25_000), (0, 20_000, 25_000), (0, 12_000, 23_700)],
)
def test_where_a_process_may_open_nearly_as_many_files_as_a_study_had_connections_as_many_are_kept(
    processes, files, connections
):
    spec = replace(RATED, start=StartSpec(command=("x",), processes=processes))
    *_, many = rows_of((spec,), SuiteAsked(), Machine(cores=2, files=files))
    assert many.profile.connections == connections


def test_a_burst_asks_as_its_target_does_and_a_closed_loop_as_its_row_says(tmp_path):
    burst, usual, at_once = rows_of((RATED,), SuiteAsked(duration_s=60.0))
    plan = plan_of(burst, RATED, tmp_path, ())
    assert (plan.kind, plan.request, plan.profile()) == ("burst", RATED.request, burst.profile)
    plan = plan_of(usual, RATED, tmp_path, ())
    assert (plan.kind, plan.request) == ("closed", RequestSpec(path="/health?hold={hold}", contains="ok"))
    assert plan.profile() == usual.profile
    assert (usual.profile.duration_s, usual.profile.timeout_s, usual.profile.hold_s) == (60.0, 2.0, 0.1)
    assert plan_of(at_once, RATED, tmp_path, ()).profile().hold_s == 0.0
    assert [row.request for row in (burst, usual)] == [RATED.request, plan.request]


@pytest.mark.parametrize(("path", "hold_s"), [("/?hold={hold}", 0.1), ("/slow", 0.0)])
def test_a_row_that_names_no_request_sends_its_targets_own(tmp_path, path, hold_s):
    own = RequestSpec(path=path, status=202, matches="d.ne")
    spec = replace(spec_of("mine", b=(PublishedRate(row="one", connections=50),)), request=own)
    _, row = rows_of((spec,), SuiteAsked())
    plan = plan_of(row, spec, tmp_path, ())
    assert (plan.request, row.request) == (own, own)
    assert plan.profile() == row.profile
    assert row.profile.hold_s == hold_s


def test_the_hold_of_a_server_that_cannot_be_told_is_measured(tmp_path):
    deaf = replace(PLAIN, request=RequestSpec(path="/slow"))
    (row,) = rows_of((deaf,), SuiteAsked())
    assert plan_of(row, deaf, tmp_path, ()).measures_hold


def test_a_row_takes_what_is_known_of_its_target_from_its_file_of_today():
    row, *_ = rows_of((OWN_LOAD,), SuiteAsked())
    today = spec_of("flask-own", a=(PublishedCeiling(row="F4", ceiling=1, differs="a word more"),))
    assert refreshed(row, today).ceilings[0].differs == "a word more"
    assert refreshed(row, None) == row
    _, rated, _ = rows_of((RATED,), SuiteAsked())
    assert refreshed(rated, spec_of("go", b=(PublishedRate(row="T7", saw="more"),))).rate.saw == "more"


def test_a_row_that_is_run_again_forgets_its_last_try():
    row, *_ = rows_of((PLAIN,), SuiteAsked())
    assert again(replace(row, state=RowState.FAILED, reason="it died", folder="a-flask-plain", took_s=1.0)) == row


def record_of(*rows):
    return SuiteRecord(started_utc="2026-01-01T00:00:00+00:00", asked=SuiteAsked(), rows=rows)


def test_a_suite_that_goes_on_runs_again_what_is_not_done_or_does_not_count():
    (row,) = rows_of((PLAIN,), SuiteAsked())
    done = replace(row, state=RowState.DONE, found=FOUND_FOUR, folder="a-flask-plain")
    late = replace(done, found=replace(FOUND_FOUR, invalid=("late",)))
    died = replace(row, state=RowState.FAILED, reason="it died", folder="a-flask-plain")
    record = going_on(record_of(done, late, died, row), {PLAIN.name: PLAIN})
    assert record.rows == (done, row, row, row)


def test_in_the_place_of_a_target_that_could_not_be_read_stand_its_rows_when_it_can():
    rows = unread_rows({"go": "go/target.toml: not valid TOML"}, SuiteAsked())
    assert [(row.target, row.state, row.reason) for row in rows] == [
        ("go", RowState.FAILED, "go/target.toml: not valid TOML")
    ]
    assert going_on(record_of(*rows), {}).rows == rows
    assert going_on(record_of(*rows), {"go": RATED}).rows == rows_of((RATED,), SuiteAsked())
    assert refreshed(rows[0], RATED).is_unread


def test_what_a_row_sent_is_kept_once_it_was_measured_and_of_an_older_suite_taken_from_the_file():
    _, row, _ = rows_of((RATED,), SuiteAsked())
    today = spec_of("go", b=(PublishedRate(row="T7", path="/other"),))
    assert refreshed(replace(row, state=RowState.DONE, found=FOUND_FOUR), today).request.path == HEALTH["path"]
    assert refreshed(row, today).request.path == "/other"
    assert refreshed(replace(row, state=RowState.DONE, found=FOUND_FOUR, request=None), today).request.path == "/other"
