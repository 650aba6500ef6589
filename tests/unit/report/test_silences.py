"""Where an agent said nothing for long: a picture's places end there, and what the workers counted goes on."""

from dataclasses import replace

import pytest
from judged_cases import fastapi_sync
from steady_cases import arrivals_capped, closed

from floodmark.analysis.document import Timeline
from floodmark.core.places import Place
from floodmark.report.silences import load_end_s, with_silences


def timeline_at(*times_s):
    ones, totals = (1,) * len(times_s), tuple(range(len(times_s)))
    return Timeline(
        times_s=times_s,
        places=dict.fromkeys(Place, ones),
        answered=totals,
        failed=totals,
        unsent=totals,
        certain_until_s=None,
        processes=ones,
        threads=ones,
        open_files=ones,
        rss_bytes=ones,
    )


@pytest.mark.parametrize(
    ("times_s", "end_s", "silent_s"),
    [
        ((0.0, 0.1, 0.2, 0.3), 0.4, ()),
        ((0.0, 0.1, 0.2, 0.3), 1.3, ()),
        ((0.0, 0.1, 0.2, 0.3), 1.4, (0.8,)),
        ((0.0, 0.1, 0.2, 2.2, 2.3), 2.4, (0.7,)),
        ((0.0, 0.1, 0.2, 2.2, 2.3), 4.0, (0.7, 2.8)),
        ((0.0, 2.0, 4.1, 6.0), 8.0, ()),  # so many connections take long to count
        ((0.0, 2.0, 4.0, 6.0), 15.0, (6.5,)),
        ((), 3.0, ()),
    ],
)
def test_what_was_said_last_holds_for_half_a_second_where_no_more_came(times_s, end_s, silent_s):
    found = with_silences(timeline_at(*times_s), end_s)
    assert tuple(found.times_s) == tuple(sorted((*times_s, *silent_s)))
    at = dict(zip(found.times_s, found.places[Place.UNREAD], strict=True))
    assert {at_s for at_s, number in at.items() if number is None} == set(silent_s)
    for series in (*found.places.values(), found.threads, found.processes, found.open_files, found.rss_bytes):
        assert series == found.places[Place.UNREAD]


def test_what_the_workers_counted_is_known_throughout():
    found = with_silences(timeline_at(0.0, 0.1, 0.2, 2.2), 2.3)
    assert found.answered == found.failed == found.unsent == (0, 1, 2, 2, 3)


@pytest.mark.parametrize("case", [fastapi_sync, closed, arrivals_capped])
def test_a_run_without_a_silence_is_as_it_was(case):
    judged = case()
    assert with_silences(judged.timeline, load_end_s(judged)) == judged.timeline


def test_a_steady_load_ends_as_late_as_it_was_kept_up():
    judged = closed()
    lost = replace(judged, timeline=timeline_at(0.0, 0.1))
    assert load_end_s(lost) == 6.0
    assert load_end_s(replace(lost, timeline=timeline_at(0.0, 7.0))) == 7.0
