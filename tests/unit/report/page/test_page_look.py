"""What a reader needs to read a report: contrast in both schemes and on paper, headings in order, tables with names."""

import functools
import itertools
import re

import pytest
from colour_vision import contrast
from judged_builder import manifest_for
from judged_cases import CASES
from lxml import html as lxml_html

from floodmark.report.page.html import render_html
from floodmark.report.pictures.colours import BAD_PAPER, FAILED, FAILURE, GOOD, INK, MUTED, PAPER, PRINTED, ROLES, SOFT

AA_TEXT = 4.5
AA_GRAPHICS = 3.0
"""WCAG 2.2, 1.4.3 and 1.4.11."""

SCHEMES = {
    "light": {role.name: role.light for role in ROLES},
    "dark": {role.name: role.dark for role in ROLES},
    "paper": PRINTED,
}
PAGES = ["burst-failures", "burst-thresholds", "invalid", "interrupted", "closed", "arrivals", "search", "no-agent"]


@functools.cache
def page(name):
    judged = CASES[name]()
    return render_html(judged, manifest_for(judged))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ink", [INK, MUTED, GOOD, FAILED], ids=lambda role: role.name)
@pytest.mark.parametrize("paper", [PAPER, SOFT, BAD_PAPER], ids=lambda role: role.name)
def test_words_are_readable_on_every_paper(scheme, ink, paper):
    colours = SCHEMES[scheme]
    assert contrast(colours[ink.name], colours[paper.name]) >= AA_TEXT


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", FAILURE)
def test_the_colours_of_failures_are_seen_on_every_paper(scheme, kind):
    assert contrast(FAILURE[kind], SCHEMES[scheme][PAPER.name]) >= AA_GRAPHICS


def test_the_style_sheet_has_every_colour_of_each_scheme():
    style = re.search("<style>(.*)</style>", page("closed"), re.DOTALL)[1]
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    dark, printed = dark.split("@media print")
    for role in ROLES:
        assert f"{role.variable}: {role.light};" in light
        assert f"{role.variable}: {role.dark};" in dark
        assert f"{role.variable}: {PRINTED[role.name]};" in printed


def test_no_other_colour_is_used_for_words():
    style = re.search("<style>(.*)</style>", page("closed"), re.DOTALL)[1]
    assert set(re.findall(r"[^-]\bcolor: ([^;]+);", style)) <= {
        *(f"var({role.variable})" for role in ROLES),
        "inherit",
    }


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order_without_a_gap(name):
    levels = [int(heading.tag[1]) for heading in lxml_html.fromstring(page(name)).iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("name", PAGES)
def test_every_table_has_a_caption_and_every_head_says_what_it_heads(name):
    tree = lxml_html.fromstring(page(name))
    tables = list(tree.iter("table"))
    assert len(tables) >= 3
    assert all(table[0].tag == "caption" and table[0].text_content().strip() for table in tables)
    assert all(head.get("scope") in {"row", "col"} for head in tree.iter("th"))


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_named_and_described(name):
    tree = lxml_html.fromstring(page(name))
    ids = {element.get("id"): element for element in tree.iter() if element.get("id")}
    pictures = list(tree.iter("svg"))
    assert len(pictures) >= 2
    for picture in pictures:
        assert picture.get("role") == "img"
        assert all(ids[name].text_content().strip() for name in picture.get("aria-labelledby").split())


@pytest.mark.parametrize("name", PAGES)
def test_the_list_of_sections_leads_to_every_section_in_its_order(name):
    tree = lxml_html.fromstring(page(name))
    listed = [link.get("href")[1:] for link in tree.find_class("hero")[0].getroottree().iterfind(".//nav//a")]
    assert listed == [section.get("id") for section in tree.iter("section")]


def test_a_page_says_its_language_and_fits_a_small_screen():
    html = page("closed")
    assert '<html lang="en">' in html
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in html
