"""The report in a real browser: what fits a phone and a wide screen, and what comes out of a printer."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path[:0] = [str(Path(__file__).parents[1] / "unit" / name) for name in ("report", "analysis")]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

TOO_WIDE = """() => [...document.querySelectorAll('main *')].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width && !element.closest('svg') && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(element => element.tagName + ': ' + element.textContent.trim().slice(0, 60))"""

CUT_OFF = """() => [...document.querySelectorAll('svg text')].filter(text => {
  const box = text.getBoundingClientRect(), sheet = text.ownerSVGElement.getBoundingClientRect();
  return box.width && (box.right > sheet.right + 4 || box.left < sheet.left - 4);
}).map(text => text.textContent)"""

NAMES = ("burst-failures", "burst-thresholds", "search", "invalid", "arrivals")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    from judged_builder import manifest_for  # noqa: PLC0415 - found once the path is set
    from judged_cases import CASES  # noqa: PLC0415 - the same

    from floodmark.report.page.html import render_html  # noqa: PLC0415 - it draws

    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name in NAMES:
        judged = CASES[name]()
        made[name] = folder / f"{name}.html"
        made[name].write_text(render_html(judged, manifest_for(judged)), encoding="utf-8")
    return made


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wider_than_the_screen_and_no_word_of_a_picture_is_cut(browser, pages, name):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())
    for width in (320, 390, 641, 760, 1_400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(CUT_OFF) == []
    assert asked == [pages[name].as_uri()]
    page.close()


def test_it_prints_on_a_few_pages(browser, pages):
    page = browser.new_page()
    page.goto(pages["burst-failures"].as_uri())
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 9
    page.close()
