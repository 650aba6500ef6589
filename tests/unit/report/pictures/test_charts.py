"""The charts above a steady load's waterline: what they show, on the same time axis, and in which words."""

import math
from dataclasses import replace

import pytest
from drawn_words import words_in
from judged_cases import fastapi_sync
from steady_cases import arrivals, closed, closed_unknown_service

from floodmark.analysis.document import SecondPoint
from floodmark.report.pictures.catalogue import draw_waterline
from floodmark.report.pictures.charts import charts_of
from floodmark.report.pictures.series import COLUMNS
from floodmark.report.pictures.size import NARROW, WIDE


def point(second, **changes):
    plain = {"planned": 10, "released": 10, "answered": 10, "failed": 0, "in_flight": 1, "unreleased": 0}
    times = {"open_connections": 1, "p50_s": 0.1, "p99_s": 0.2, "max_s": 0.3}
    return SecondPoint(second=second, **{**plain, **times, **changes})


def with_seconds(judged, seconds):
    ends = (0.0, seconds[-1].second + 1.0)
    timeline = replace(
        judged.timeline,
        times_s=ends,
        **{
            name: getattr(judged.timeline, name)[:2]
            for name in ("answered", "failed", "unsent", "processes", "threads", "open_files", "rss_bytes")
        },
        places={place: values[:2] for place, values in judged.timeline.places.items()},
    )
    return replace(judged, seconds=tuple(seconds), timeline=timeline)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_rates_latency_and_places_stand_on_one_time_axis(size):
    words = words_in(draw_waterline(arrivals(), size=size))
    assert {"requests per second", "requests in flight, by place", "seconds since release"} <= set(words)
    assert "latency" in words
    assert {"planned 500/s", "answered 354/s", "failed 480", "half 782 ms", "99 % 1.1 s", "max 1.1 s"} <= set(words)
    assert words.count("seconds since release") == 1
    assert [text for text in words if text.startswith("answered")] == ["answered 354/s"]


def test_a_burst_has_no_charts():
    assert charts_of(fastapi_sync()) == []
    assert "requests per second" not in words_in(draw_waterline(fastapi_sync()))


def test_a_closed_loop_has_no_planned_rate_and_no_failures_where_none_failed():
    rates, _ = charts_of(closed_unknown_service())
    assert [curve.words for curve in rates.curves] == ["answered 392/s"]


def test_the_plans_line_ends_with_the_plan():
    judged = arrivals()
    (planned, *_), edges_s = charts_of(judged)[0].curves, charts_of(judged)[0].edges_s
    known = [value for value in planned.values if not math.isnan(value)]
    assert known == [500.0] * 6
    assert len(planned.values) == len(edges_s) - 1 > 6


def test_in_service_is_about_so_many_and_with_the_server_is_up_to():
    assert "in service: about 39" in words_in(draw_waterline(closed()))
    assert "with the server: up to 39" in words_in(draw_waterline(closed_unknown_service()))


def test_those_on_their_way_are_named_in_the_picture_where_they_are_many():
    judged = closed()
    service = replace(judged.document.service, way_s=0.05)
    far = replace(judged, document=replace(judged.document, service=service))
    assert "in service or on the way: about 58" in words_in(draw_waterline(far))


def test_a_last_second_of_an_instant_makes_no_spike_in_the_rate():
    judged = with_seconds(closed(), [point(0), point(1), point(2, answered=3)])
    throughput = replace(judged.document.throughput, duration_s=2.01)
    document = replace(judged.document, throughput=throughput)
    rates, _ = charts_of(replace(judged, document=document, timeline=replace(judged.timeline, times_s=(0.0, 2.01))))
    assert rates.curves[0].values == (10.0, 10.0)


def test_times_far_apart_are_drawn_on_a_logarithmic_scale_and_said_to_be():
    far = with_seconds(closed(), [point(0, p50_s=0.001), point(1, max_s=12.0)])
    _, latency = charts_of(far)
    assert latency.is_log
    assert latency.title == "latency, logarithmic"
    assert 0 <= latency.height_share(0.001) < latency.height_share(0.1) < latency.height_share(12.0) <= 1
    assert {"1 ms", "100 ms", "10 s"} <= set(words_in(draw_waterline(far)))


def test_a_long_load_is_drawn_in_columns_of_which_the_worst_second_counts():
    seconds = [point(index, p99_s=0.9 if index == 700 else 0.2, max_s=1.0) for index in range(3 * COLUMNS)]
    rates, latency = charts_of(with_seconds(closed(), seconds))
    assert len(rates.curves[0].values) == COLUMNS
    assert set(rates.curves[0].values) == {10.0}
    assert latency.curves[1].values.count(0.9) == 1


def test_a_second_without_an_answer_leaves_a_gap():
    silent = point(1, answered=0, p50_s=None, p99_s=None, max_s=None)
    _, latency = charts_of(with_seconds(closed(), [point(0), silent, point(2)]))
    assert math.isnan(latency.curves[0].values[1])
    draw_waterline(with_seconds(closed(), [point(0), silent, point(2)]))


def test_where_the_agent_was_lost_the_picture_goes_on_to_the_loads_end():
    whole = closed()
    lost = replace(whole, timeline=until(whole.timeline, 2.0))
    assert charts_of(lost) == charts_of(whole)
    words = words_in(draw_waterline(lost))
    assert words.count("not seen") == 1
    assert "6" in words
    assert "not seen" not in words_in(draw_waterline(whole))


def until(timeline, end_s):
    number = sum(at_s < end_s for at_s in timeline.times_s)
    series = ("times_s", "answered", "failed", "unsent", "processes", "threads", "open_files", "rss_bytes")
    places = {place: values[:number] for place, values in timeline.places.items()}
    return replace(timeline, places=places, **{name: getattr(timeline, name)[:number] for name in series})
