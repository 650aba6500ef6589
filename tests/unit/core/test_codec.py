"""Records to plain data and back: what comes from outside becomes a record, or an error that names the field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.codec import field_types, from_plain, from_row, to_plain, to_row
from floodmark.core.errors import UsageError, WireError
from floodmark.core.hit import Hit
from floodmark.core.messages import Ping, Watching
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Manifest, RunStatus
from floodmark.core.sample import ConnectionCounts, Sample

numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.one_of(st.none(), numbers)
hits = st.builds(
    Hit,
    id=st.integers(min_value=1),
    worker=st.text(),
    planned_s=numbers,
    released_s=maybe,
    connected_s=maybe,
    ended_s=maybe,
    outcome=st.sampled_from(Outcome),
    status=st.one_of(st.none(), st.integers()),
    error=st.one_of(st.none(), st.text()),
    thread=st.one_of(st.none(), st.text()),
)


@given(hits)
def test_a_hit_survives_json_as_a_table_and_as_a_row(hit):
    assert from_plain(Hit, json.loads(json.dumps(to_plain(hit))), "test") == hit
    assert from_row(Hit, json.loads(json.dumps(to_row(hit))), "test") == hit


def test_nested_records_tuples_and_optionals_survive():
    counts = ConnectionCounts(
        port=80,
        accept_queue=1,
        unread=2,
        read=3,
        half_open=4,
        abandoned=5,
        abandoned_queue=0,
        closing=6,
        time_wait=7,
    )
    sample = Sample(
        sequence=1,
        due_s=1.0,
        taken_s=1.1,
        socket_s=1.2,
        cost_s=0.01,
        missed=0,
        listeners=(),
        connections=(counts, counts),
        processes=None,
        counters=None,
    )
    assert from_plain(Sample, json.loads(json.dumps(to_plain(sample))), "test") == sample


def test_a_manifest_with_a_status_a_profile_and_tables_survives():
    manifest = Manifest(
        run_id="r",
        status=RunStatus.INTERRUPTED,
        started_utc="2026-01-01",
        target="t",
        url="http://h/",
        profile=BurstProfile(requests=1, within_s=0, hold_s=1),
        hold_known=True,
        workers=2,
        beat_s=0.05,
        versions={"python": "3.11"},
    )
    assert from_plain(Manifest, json.loads(json.dumps(to_plain(manifest))), "test") == manifest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"sequence": 1}, "needs the field 'sent_s'"),
        ({"sequence": 1, "sent_s": 1.0, "more": 2}, "no field 'more'"),
        ({"sequence": "1", "sent_s": 1.0}, "sequence: expected a whole number, got '1'"),
        ({"sequence": True, "sent_s": 1.0}, "sequence: expected a whole number, got True"),
        ({"sequence": 1, "sent_s": float("nan")}, "sent_s: nan is not a finite number"),
        ({"sequence": 1, "sent_s": "soon"}, "sent_s: expected a number, got 'soon'"),
        ([1, 2], "expected a table for Ping, got [1, 2]"),
        (None, "expected a table for Ping, got None"),
    ],
)
def test_what_does_not_fit_is_named(data, words):
    with pytest.raises(WireError) as caught:
        from_plain(Ping, data, "ping from worker-1")
    assert str(caught.value).startswith("ping from worker-1")
    assert words in str(caught.value)


def test_a_whole_number_is_a_number_but_not_the_other_way_about():
    assert from_plain(Ping, {"sequence": 1, "sent_s": 2}, "t").sent_s == 2.0
    with pytest.raises(WireError, match="whole number"):
        from_plain(Ping, {"sequence": 1.5, "sent_s": 2}, "t")


def test_a_wrong_outcome_is_answered_with_those_there_are():
    row = to_row(Hit(id=1, worker="w", planned_s=0.0, outcome=Outcome.RESET))
    row[row.index("reset")] = "vanished"
    with pytest.raises(WireError, match="'vanished' is none of answered, waiting, unsent"):
        from_row(Hit, row, "t")


def test_a_row_of_another_length_is_refused():
    with pytest.raises(WireError, match="a Hit row has 18 values, got \\[1, 2\\]"):
        from_row(Hit, [1, 2], "t")


RECORDS = (Ping, Watching, Sample, Hit, BurstProfile)
NAMES = st.sampled_from([*(name for record in RECORDS for name in field_types(record)), "x", 1])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.just(10**400), st.just("answered")
)


@given(st.dictionaries(NAMES, st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))))
def test_what_comes_from_outside_is_a_record_or_a_wire_error(data):
    for record in RECORDS:
        try:
            assert isinstance(from_plain(record, data, "t"), record)
        except (WireError, UsageError):
            continue


@pytest.mark.parametrize("data", [{"sequence": 1, "sent_s": 10**400}, {"sequence": 1, "sent_s": 1.0, 1: 2, "x": 3}])
def test_numbers_and_keys_beyond_reason_are_wire_errors(data):
    with pytest.raises(WireError):
        from_plain(Ping, data, "t")
