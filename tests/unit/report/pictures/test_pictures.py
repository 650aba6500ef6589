"""Every picture of a run: well formed, named for those who do not see it, the same for the same run."""

import functools
import math
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from burst_cases import failing_burst, judged_burst
from drawn_words import SVG, words_in
from judged_cases import CASES, fastapi_sync
from steady_cases import arrivals, closed

from floodmark.analysis.pictured import FailureTimes
from floodmark.analysis.steady.sentence import seconds_words
from floodmark.core.outcomes import Outcome
from floodmark.report.pictures.axes import mark_words
from floodmark.report.pictures.canvas import png_of
from floodmark.report.pictures.catalogue import PICTURES, draw_picture
from floodmark.report.pictures.colours import FAILURE, ROLES
from floodmark.report.pictures.failures import coarser
from floodmark.report.pictures.latency import place_of, share_words
from floodmark.report.pictures.rate import rate_chart
from floodmark.report.pictures.size import NARROW, WIDE

NOTHING_TO_SHOW = {
    *((case, "failures") for case in ("burst-thresholds", "closed", "no-agent", "three")),
    *((case, name) for case in ("no-agent", "three") for name in ("latency", "split")),
}
"""Where nothing failed, and where the case has no times."""


@functools.cache
def drawn(case, name, size):
    return draw_picture(name, CASES[case](), size=size)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", [name for name in PICTURES if name != "waterline"])
@pytest.mark.parametrize("case", ["burst-failures", "burst-thresholds", "arrivals", "closed", "no-agent", "three"])
def test_a_picture_is_well_formed_named_and_follows_the_pages_colours(case, name, size):
    judged = CASES[case]()
    svg = drawn(case, name, size)
    assert (svg is None) == ((case, name) in NOTHING_TO_SHOW)
    if (case, name) in NOTHING_TO_SHOW:
        return
    prefix = size.named(name).prefix
    root = ET.fromstring(svg)  # noqa: S314  our own
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{prefix}-title {prefix}-desc"
    assert root.findtext(f"{SVG}title") == f"{PICTURES[name].title}: {judged.document.target}"
    assert root.findtext(f"{SVG}desc")
    assert all(element.get("id", prefix).startswith(prefix) for element in root.iter())
    assert not any(role.mark in svg for role in ROLES)
    assert "nan" not in " ".join(re.findall(r' d="[^"]*"', svg))


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_run_is_drawn_the_same_again(name):
    assert draw_picture(name, failing_burst(), size=NARROW) == drawn("burst-failures", name, NARROW)


def test_there_is_no_picture_where_a_run_has_nothing_to_show():
    silent = fastapi_sync()
    assert [name for name in PICTURES if draw_picture(name, silent) is None] == ["latency", "split", "failures"]
    empty = replace(
        silent, timeline=replace(silent.timeline, **dict.fromkeys(("answered", "failed"), (0,)), times_s=(0.0,))
    )
    assert rate_chart(empty) is None


def test_two_pictures_on_a_page_share_no_id():
    ids = [
        set(re.findall(r'\bid="([^"]+)"', drawn("burst-failures", name, size) or ""))
        for name in PICTURES
        for size in (WIDE, NARROW)
    ]
    assert len(set().union(*ids)) == sum(map(len, ids))


def test_the_percentile_axis_gives_each_nine_as_much_room():
    assert [round(place_of(share), 9) for share in (0.0, 0.9, 0.99, 0.999)] == [0, 1, 2, 3]
    assert [share_words(share) for share in (0.5, 0.999)] == ["50 %", "99.9 %"]


def test_the_curve_has_the_tables_own_figures_and_names_its_lines():
    words = words_in(draw_picture("latency", judged_burst()))
    assert {"to the first and last byte", "connecting alone", "90 %"} <= set(words)
    assert {"5.01 s", "10 s"} <= set(words)
    words = words_in(drawn("burst-failures", "latency", WIDE))
    assert {"to the last byte", "to the first byte", "connecting alone"} <= set(words)


@pytest.mark.parametrize("case", ["burst-failures", "burst-thresholds", "closed", "arrivals"])
def test_every_time_along_a_percentile_curve_has_its_unit(case):
    words = words_in(drawn(case, "latency", WIDE))
    assert [text for text in words if re.fullmatch(r"[\d.,]+", text) and text != "0"] == []
    assert sum(bool(re.fullmatch(r"[\d.,]+ (s|ms|us)", text)) for text in words) >= 4


@pytest.mark.parametrize(
    ("time_s", "words"),
    [(0.0, "0"), (1e-5, "10 us"), (1e-3, "1 ms"), (0.25, "250 ms"), (1.0, "1 s"), (1.5, "1.5 s"), (1000, "1,000 s")],
)
def test_a_mark_on_a_scale_of_times_has_the_unit_of_the_figures_beside_it(time_s, words):
    assert mark_words(time_s) == words
    assert words == "0" or seconds_words(time_s).split()[1] == words.split()[1]


def test_no_share_is_named_that_so_few_answers_cannot_tell():
    words = words_in(drawn("burst-failures", "latency", WIDE))
    assert "99 %" in words
    assert "99.9 %" not in words


def test_the_split_has_a_row_for_each_time_with_its_figures():
    words = words_in(drawn("burst-failures", "split", WIDE))
    assert {"to the last byte", "to the first byte", "connecting alone"} <= set(words)
    assert sum(text.startswith("half ") for text in words) == 3


def test_failures_are_named_with_their_number_and_side():
    words = words_in(drawn("burst-failures", "failures", WIDE))
    assert {"27 reset (target)", "20 refused (target)", "1 out of ports (generator)"} <= set(words)
    words = words_in(draw_picture("failures", arrivals()))
    assert any(text.endswith("server error (target)") for text in words)


def test_every_kind_of_failure_has_a_colour_of_its_own():
    assert set(FAILURE) == {kind for kind in Outcome if kind.failed}
    assert len(set(FAILURE.values())) == len(FAILURE)


def test_columns_are_put_together_where_there_are_many_and_none_is_lost():
    seconds = 10_000
    counts = tuple(index % 3 for index in range(seconds))
    fine = FailureTimes(edges_s=tuple(map(float, range(seconds + 1))), counts={Outcome.RESET: counts})
    coarse = coarser(fine, float(seconds), 190)
    assert len(coarse.counts[Outcome.RESET]) <= 190
    assert sum(coarse.counts[Outcome.RESET]) == sum(counts)
    assert len(coarse.edges_s) == len(coarse.counts[Outcome.RESET]) + 1
    assert coarser(fine, float(seconds), seconds) == fine


def test_the_rates_of_a_burst_add_up_to_what_was_answered_and_failed():
    judged = failing_burst()
    chart = rate_chart(judged)
    lengths_s = [until - since for since, until in zip(chart.edges_s, chart.edges_s[1:], strict=False)]
    totals = [sum(map(math.prod, zip(curve.values, lengths_s, strict=True))) for curve in chart.curves]
    assert [round(total) for total in totals] == [judged.timeline.answered[-1], judged.timeline.failed[-1]]


def test_the_rates_of_a_steady_load_are_those_above_its_waterline():
    assert "answered 387/s" in words_in(draw_picture("rate", closed()))


def test_a_png_is_as_large_as_its_dots_and_the_same_again():
    def make():
        return PICTURES["latency"].make(judged_burst(), NARROW)

    once, twice = png_of(make), png_of(make)
    assert once[:8] == b"\x89PNG\r\n\x1a\n"
    assert once == twice
    assert int.from_bytes(once[16:20]) == round(2 * (NARROW.width_px + 2 * 16))
