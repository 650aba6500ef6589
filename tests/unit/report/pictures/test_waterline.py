"""The waterline: what is drawn and named in it, gaps and estimates, and colours that any reader tells apart."""

import dataclasses
import itertools
import math
import re
from xml.etree import ElementTree as ET

import pytest
from colour_vision import VISIONS, contrast, lab, linear
from drawn_words import SVG, words_in
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_cases import (
    CASES,
    agent_gaps,
    dev_processes_10,
    fastapi_sync,
    gunicorn_sync_4,
    no_agent,
    ten_thousand,
    three,
    with_failures,
)

from floodmark.analysis.document import Judged, Timeline
from floodmark.core.places import Place
from floodmark.report.pictures.catalogue import draw_waterline
from floodmark.report.pictures.colours import FILL, INK_ON, ROLES
from floodmark.report.pictures.heading import ESTIMATE_NOTE
from floodmark.report.pictures.series import COLUMNS, bands, thinned
from floodmark.report.pictures.size import NARROW, WIDE


def with_timeline(judged: Judged, **changes: object) -> Judged:
    return dataclasses.replace(judged, timeline=dataclasses.replace(judged.timeline, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("name", CASES)
def test_the_drawing_is_well_formed_named_and_follows_the_pages_colours(name: str, size) -> None:
    judged = CASES[name]()
    svg = draw_waterline(judged, size=size)
    root = ET.fromstring(svg)  # noqa: S314  our own
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{size.prefix}-title {size.prefix}-desc"
    assert judged.document.target in (root.findtext(f"{SVG}title") or "")
    assert (root.findtext(f"{SVG}desc") or "").startswith(judged.document.verdict.sentence)
    assert not any(role.mark in svg for role in ROLES)
    assert "DejaVu" not in svg
    assert all(element.get("id", size.prefix).startswith(size.prefix) for element in root.iter())


def test_the_same_run_makes_the_same_drawing() -> None:
    assert draw_waterline(with_failures()) == draw_waterline(with_failures())


def test_each_band_that_occurs_is_named_once_with_its_peak_and_limit() -> None:
    words = words_in(draw_waterline(dev_processes_10()))
    assert words.count("connecting: up to 718") == 1
    assert words.count("half open: up to 143") == 1
    assert words.count("accept queue: up to 129 (limit 128)") == 1
    assert words.count("in service: up to 10") == 1
    assert not any(text.startswith(("unread", "in process")) for text in words)


def test_the_ceiling_and_the_totals_are_named_in_the_margin() -> None:
    words = words_in(draw_waterline(with_failures()))
    assert {"ceiling 300", "answered 600", "failed 300"} <= set(words)


def test_no_ceiling_is_drawn_where_none_is_proven_and_no_failures_where_none_are() -> None:
    words = words_in(draw_waterline(ten_thousand()))
    assert "answered 10,000" in words
    assert not any(text.startswith(("ceiling", "failed")) for text in words)


def test_the_estimate_is_hatched_and_noted_and_only_where_there_is_one() -> None:
    estimated, certain = draw_waterline(gunicorn_sync_4()), draw_waterline(three())
    assert ESTIMATE_NOTE in words_in(estimated)
    assert "--estimate" in estimated
    assert ESTIMATE_NOTE not in words_in(certain)
    assert "--estimate" not in certain


def test_a_gap_of_the_agent_is_left_open_and_said() -> None:
    assert words_in(draw_waterline(agent_gaps())).count("not seen") == 1
    assert "not seen" not in words_in(draw_waterline(fastapi_sync()))


def test_without_an_agent_the_places_it_would_have_seen_are_said_to_be_unseen() -> None:
    words = words_in(draw_waterline(no_agent()))
    assert "not seen in this run: in process, unread, accept queue, half open" in words
    assert not {"threads", "processes", "open files"} & set(words)


def test_threads_processes_and_open_files_have_their_panels_with_their_peaks() -> None:
    words = words_in(draw_waterline(dev_processes_10()))
    assert {"threads", "processes", "open files", "11", "19"} <= set(words)


def test_a_dollar_sign_in_a_name_is_a_dollar_sign() -> None:
    base = three()
    judged = dataclasses.replace(base, document=dataclasses.replace(base.document, target="$x_1$ <b> \u6c34"))
    assert "$x_1$ <b> \u6c34" in words_in(draw_waterline(judged))


def test_a_peak_of_one_beat_survives_thinning() -> None:
    n_beats = 40_000
    base = fastapi_sync()
    queue = [step % 7 for step in range(n_beats)]
    queue[20_001] = 5_000
    flat = tuple(1 for _ in range(n_beats))
    judged = with_timeline(
        base,
        times_s=tuple(step / 100 for step in range(n_beats)),
        places={place: tuple(queue) if place is Place.ACCEPT_QUEUE else flat for place in Place},
        answered=flat,
        failed=flat,
        unsent=flat,
        certain_until_s=None,
        processes=flat,
        threads=flat,
        open_files=flat,
        rss_bytes=flat,
    )
    steps = thinned(judged.timeline)
    assert 20_001 in steps
    assert {0, n_beats - 1} <= set(steps)
    assert len(steps) < 10 * COLUMNS
    assert len(draw_waterline(judged)) < 500_000


def test_a_place_never_seen_does_not_end_the_stack_and_one_not_seen_for_a_while_does() -> None:
    line = no_agent().timeline
    places = {**line.places, Place.IN_SERVICE: (4, 4), Place.UNREAD: (1, None), Place.CONNECTING: (3, 3)}
    places = {place: series[:2] for place, series in places.items()}
    *_, top = bands(dataclasses.replace(line, places=places), [0, 1])
    assert top.upper[0] == 8
    assert math.isnan(top.upper[1])


known = st.one_of(st.none(), st.integers(min_value=0, max_value=20_000))


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    times_s = sorted(draw(st.lists(st.floats(min_value=-1, max_value=3_600), max_size=12, unique=True)))
    size = len(times_s)

    def series(values: st.SearchStrategy[int | None]) -> tuple[int | None, ...]:
        return tuple(draw(st.lists(values, min_size=size, max_size=size)))

    total = st.integers(min_value=0, max_value=20_000)
    return Timeline(
        times_s=tuple(times_s),
        places={place: series(known) for place in Place},
        answered=series(total),  # type: ignore[arg-type]
        failed=series(total),  # type: ignore[arg-type]
        unsent=series(total),  # type: ignore[arg-type]
        certain_until_s=draw(st.one_of(st.none(), st.floats(min_value=-2, max_value=4_000))),
        processes=series(known),
        threads=series(known),
        open_files=series(known),
        rss_bytes=series(known),
    )


@settings(max_examples=30, deadline=None)
@given(timeline=timelines(), size=st.sampled_from([WIDE, NARROW]), case=st.sampled_from([three, dev_processes_10]))
def test_any_timeline_draws_without_an_error_or_a_warning(timeline, size, case) -> None:
    judged = dataclasses.replace(case(), timeline=timeline)
    assert "nan" not in " ".join(re.findall(r' d="[^"]*"', draw_waterline(judged, size=size)))


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_an_empty_timeline_and_a_single_point_draw(size) -> None:
    line = fastapi_sync().timeline
    for length in (0, 1):
        cut = {
            field.name: getattr(line, field.name)[:length]
            for field in dataclasses.fields(line)
            if field.name not in {"places", "certain_until_s"}
        }
        places = {place: series[:length] for place, series in line.places.items()}
        svg = draw_waterline(with_timeline(fastapi_sync(), **cut, places=places), size=size)
        assert "seconds since release" in words_in(svg)


TOLD_APART = 15
"""CIE76 distance; 2.3 is just noticeable, and bands are large."""


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_places_are_told_apart_with_and_without_colour_blindness(vision: str) -> None:
    seen = {
        place: lab([sum(w * c for w, c in zip(row, linear(FILL[place]), strict=True)) for row in VISIONS[vision]])
        for place in Place
    }
    for one, other in itertools.combinations(Place, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > TOLD_APART, (one, other)


@pytest.mark.parametrize("place", Place)
def test_a_label_is_readable_on_its_band(place: Place) -> None:
    assert contrast(FILL[place], INK_ON[place]) >= 4.5
