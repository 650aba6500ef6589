"""A comparison for people: the terminal's table and the page say the same, and nothing from outside gets through."""

import dataclasses
import io
import json
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from judged_builder import manifest_for
from judged_cases import fastapi_sync, gunicorn_sync_4
from rich.console import Console

from floodmark.analysis.compare.conditions import ComparedRun
from floodmark.analysis.compare.document import Change, CompareDocument
from floodmark.analysis.compare.runs import compare, judged_sides
from floodmark.analysis.document import Percentiles
from floodmark.analysis.latency_curve import curve_of
from floodmark.core.codec import to_plain
from floodmark.report.compare.html import render_compare
from floodmark.report.compare.terminal import print_compare
from floodmark.report.compare.words import sections_of, values_words
from floodmark.report.formats.schema import Schema, to_schema
from floodmark.report.pictures.file import picture_of_run, picture_of_runs
from floodmark.report.pictures.overlay import OVERLAYS, Group, draw_overlay

SIGNATURES = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def a_run(name, judged, median_s=1.0, **changes):
    latency = Percentiles(
        count=80, mean_s=1, p50_s=median_s, p75_s=2, p90_s=2, p95_s=2, p99_s=3 * median_s, p99_9_s=4, max_s=4
    )
    judged = dataclasses.replace(
        judged,
        document=dataclasses.replace(judged.document, latency=latency),
        curves=(curve_of("latency", [median_s * (1 + step / 40) for step in range(80)]),),
    )
    manifest = manifest_for(judged, target="shop", settings={"command": judged.document.target}, **changes)
    return ComparedRun(name=name, folder=f"runs/{name}", manifest=manifest, judged=judged)


def runs():
    return [
        a_run(f"{letter}{index}", make(), median_s * (1 + index / 100))
        for letter, make, median_s in (("a", fastapi_sync, 1.0), ("b", gunicorn_sync_4, 1.4))
        for index in range(5)
    ]


@pytest.fixture(scope="module")
def document():
    return compare(runs())


def printed(document, width=100):
    file = io.StringIO()
    print_compare(document, Console(file=file, width=width))
    return file.getvalue()


def test_the_terminal_says_the_outcome_first_and_names_every_run(document):
    text = printed(document)
    assert text.startswith("Changed: A (5 runs) against B (5 runs); at once 40 to 4")
    assert all(f"runs/{run.name}" in text for run in runs())
    assert "both proven, exact" in text
    assert "answer: 95 %" in text


def test_what_changed_comes_first_then_what_cannot_be_told(document):
    found = [section.change for section in sections_of(document.comparisons[0])]
    assert found == [change for change in (Change.CHANGED, Change.UNTOLD, Change.NONE_SHOWN) if change in found]
    assert found[0] is Change.CHANGED


def test_the_page_has_every_row_of_the_document_and_both_pictures(document):
    page = render_compare(document, judged_sides(document, runs()))
    for section in sections_of(document.comparisons[0]):
        assert section.title in page
        assert all(row.label in page and row.before_all in page for row in section.rows)
    assert page.count("<svg") == 4
    assert "http://www.w3.org" in page
    assert "<script" not in page


def test_the_page_escapes_what_comes_from_outside():
    bad = [a_run("<b>a</b>", fastapi_sync()), a_run("b", fastapi_sync())]
    bad[1] = dataclasses.replace(bad[1], manifest=dataclasses.replace(bad[1].manifest, settings={"command": "<i>\x1b"}))
    found = compare(bad)
    page = render_compare(found, judged_sides(found, bad))
    assert "<b>a" not in page
    assert "<i>" not in page
    assert "\x1b" not in page + printed(found)


def test_the_json_is_all_of_the_document_and_has_no_number_that_json_has_not(document):
    kept = json.loads(json.dumps(to_plain(document), allow_nan=False))
    assert kept["comparisons"][0]["quantities"][0]["before"] == [40.0] * 5
    assert list(kept) == [field.name for field in dataclasses.fields(CompareDocument)]


def test_repeats_of_one_setting_have_a_table_of_one_column():
    found = compare(runs()[:5])
    text = printed(found)
    assert text.startswith("No difference shown: 5 runs of one setting.")
    assert "something drifts: answer: half within" in text
    assert render_compare(found, judged_sides(found, runs()[:5])).count('<th scope="col">A</th>') == 1


@pytest.mark.parametrize(
    ("values", "unit", "words"),
    [
        ((40.0, 40.0), "requests", "40"),
        ((1.0, 3.0, 2.0), "s", "2 s (1 s to 3 s)"),
        ((1.0, 2.0), "s", "1.5 s (1 s to 2 s)"),
        ((40.0, ">= 41"), "requests", "40 or >= 41"),
        ((None,), "s", "not known"),
        ((), "s", ""),
    ],
)
def test_several_values_are_their_median_and_what_they_reach(values, unit, words):
    assert values_words(values, unit) == words


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_a_line_per_run_and_the_same_text_each_time(name):
    groups = [
        Group(name="A: one & two", runs=tuple(run.judged for run in runs()[:5])),
        Group(name="B", runs=tuple(run.judged for run in runs()[5:])),
    ]
    drawn = draw_overlay(name, groups)
    ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert drawn == draw_overlay(name, groups)
    assert "A: one &amp; two" in drawn
    assert drawn.count("#2384c6") >= 6
    assert drawn.count("#d97706") >= 6


@pytest.mark.parametrize(("ending", "dark"), [(".svg", False), (".png", True), (".pdf", False)])
def test_pictures_of_one_run_and_of_several_come_as_each_kind_of_file(ending, dark):
    one = picture_of_run("waterline", fastapi_sync(), ending, dark=dark)
    several = picture_of_runs("at-once", [Group(name="A", runs=(fastapi_sync(),))], ending, dark=dark)
    assert one.startswith(SIGNATURES[ending])
    assert several.startswith(SIGNATURES[ending])


def test_a_dark_svg_has_dark_paper_and_no_colour_that_a_page_would_set():
    drawn = picture_of_run("waterline", fastapi_sync(), ".svg", dark=True).decode()
    assert "background: #14181d" in drawn
    assert "var(--" not in drawn


def test_a_run_that_has_nothing_to_show_has_no_picture():
    assert picture_of_run("failures", fastapi_sync(), ".png") is None


def test_a_comparison_keeps_to_its_published_schema(document):
    schema = Draft202012Validator(json.loads(to_schema(Schema.COMPARE)))
    for found in (document, compare(runs()[:3]), compare([runs()[0], runs()[5]])):
        schema.validate(to_plain(found))
        assert not schema.is_valid({**to_plain(found), "change": "perhaps"})


def test_a_number_and_its_unit_stay_on_one_line_of_the_headline(document):
    found = dataclasses.replace(document, sentence="Changed: half within -761 ms (-75 %) & more.")
    page = render_compare(found, judged_sides(document, runs()))
    assert "half within -761\u00a0ms (-75\u00a0%) &amp; more." in page


def test_the_sentence_of_one_run_is_not_told_as_that_of_all(document):
    page = render_compare(document, judged_sides(document, runs()))
    assert page.count(">The first of them: ") == 2
