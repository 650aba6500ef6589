import dataclasses
import functools
import re
from html.parser import HTMLParser

import pytest
from judged_builder import manifest_for
from judged_cases import (
    CASES,
    dev_processes_10,
    fastapi_sync,
    interrupted,
    invalid,
    uwsgi_threads_10,
    with_failures,
)

from floodmark.analysis.document import AgentCost, Judged
from floodmark.analysis.estimates import agreement_words
from floodmark.core.run_folder import RunStatus
from floodmark.report.page.html import render_html

LOADING = {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background", "ping"}
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """A page's tags, attributes and visible text; complains of tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.text += " " if tag in {"td", "th"} else ""
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def rendered(judged: Judged) -> str:
    return render_html(judged, manifest_for(judged))


@functools.cache
def page_of(name: str) -> str:
    return rendered(CASES[name]())


def named(judged: Judged, name: str) -> Judged:
    verdict = dataclasses.replace(judged.document.verdict, sentence=f"{name} handles 40 requests at once.")
    return dataclasses.replace(judged, document=dataclasses.replace(judged.document, target=name, verdict=verdict))


def numbers_of(judged: Judged) -> set[int]:
    document, verdict = judged.document, judged.document.verdict
    found: set[int | None] = {verdict.in_service.peak, verdict.in_service.ceiling, *document.outcomes.values()}
    found |= {number for entry in verdict.waiting.values() for number in (entry.peak, entry.limit)}
    found |= {number for line in verdict.lines for number in (line.depth_peak, line.limit, *line.depths)}
    found |= {failure.count for failure in verdict.failures}
    found |= {verdict.model.processes, verdict.model.per_process, document.profile.requests}
    return {number for number in found if number is not None}


@pytest.mark.parametrize("name", CASES)
def test_a_page_loads_nothing_from_outside_and_runs_no_script(name: str) -> None:
    html = page_of(name)
    page = Page(html)
    assert all((value or "").startswith("#") for key, value in page.attributes if key in LOADING)
    assert not {"script", "link", "iframe", "object", "embed", "base", "img"} & set(page.tags)
    assert not any(key.startswith("on") for key, _ in page.attributes)
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(\s*['\"]?([^)]*)", html))


@pytest.mark.parametrize("name", CASES)
def test_every_id_on_a_page_is_its_own_and_every_reference_finds_one(name: str) -> None:
    html = page_of(name)
    ids = [value for key, value in Page(html).attributes if key == "id"]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)


@pytest.mark.parametrize("name", CASES)
def test_every_number_of_the_verdict_is_on_the_page(name: str) -> None:
    judged = CASES[name]()
    text = Page(page_of(name)).text
    for number in numbers_of(judged):
        assert re.search(rf"(?<![\d,]){number:,}(?![\d,])", text), number


@pytest.mark.parametrize("name", CASES)
def test_every_sentence_of_the_verdict_is_on_the_page(name: str) -> None:
    document = CASES[name]().document
    verdict = document.verdict
    text = " ".join(Page(page_of(name)).text.split())
    for sentence in (verdict.model.words, *verdict.advice, *verdict.in_service.evidence):
        assert sentence in text
    for check in document.validity.checks:
        assert check.name in text
        assert check.words in text
    for estimate in verdict.in_service.estimates:
        assert estimate.method in text
        assert estimate.words in text
    for failure in verdict.failures:
        assert failure.side in text


def test_the_two_lines_of_a_server_are_named_outer_and_inner_with_their_owners() -> None:
    text = " ".join(Page(rendered(uwsgi_threads_10())).text.split())
    assert re.search(r"0\.0\.0\.0:8080 ?87 ?100 ?outer ?uwsgi http router", text)
    assert re.search(r"127\.0\.0\.1:41233 ?101 \(60 \+ 41\) ?100 ?inner ?uwsgi \(4711\)", text)


def test_the_sentence_is_the_headline() -> None:
    html = rendered(dev_processes_10())
    assert "<h1>flask-dev-processes-10 handles 10 requests at once, each in a new process.</h1>" in html


def test_no_number_of_the_headline_is_parted_from_its_unit() -> None:
    assert "over 6\u00a0s" in page_of("closed").partition("<h1>")[2].partition("</h1>")[0]


def test_the_key_numbers_stand_in_the_strip() -> None:
    html = page_of("failures")
    for words, value in (("at once, the ceiling", "300"), ("failed", "300"), ("answered of 1,000", "600")):
        assert f"<dt>{words}</dt><dd>{value}</dd>" in html
    assert "<dt>at once, no ceiling seen</dt><dd>\u2265 5,000</dd>" in page_of("ten-thousand")


def test_the_one_number_that_a_run_is_about_is_big_and_stands_before_its_sentence() -> None:
    for name, number in (("failures", "300"), ("ten-thousand", "\u2265 5,000"), ("closed", "387")):
        html = page_of(name)
        assert f"<dd>{number}</dd></dl>\n<div>\n<h1>" in html.partition('class="hero')[2]


def test_the_number_of_a_run_that_does_not_count_is_struck_out() -> None:
    assert 'class="hero doubtful"' in page_of("invalid")
    assert "doubtful" not in page_of("failures").partition("</style>")[2]


def test_a_run_without_an_answer_and_without_anyone_in_service_has_no_number_at_once() -> None:
    judged = fastapi_sync()
    in_service = dataclasses.replace(judged.document.verdict.in_service, peak=0, ceiling=None)
    verdict = dataclasses.replace(judged.document.verdict, in_service=in_service)
    document = dataclasses.replace(judged.document, verdict=verdict, outcomes={"answered": 0, "refused": 1000})
    html = rendered(dataclasses.replace(judged, document=document))
    assert "<dt>answered of 1,000</dt><dd>0</dd></dl>" in html
    assert html.count("<dt>answered of 1,000</dt>") == 1


def test_thresholds_stand_before_the_waterline_the_missed_ones_first() -> None:
    text = " ".join(Page(page_of("burst-thresholds")).text.split())
    assert "1 of 2 met" in text
    assert text.index("p(95)<200") < text.index("ceiling >= 40") < text.index("Where the requests were")
    assert 'id="thresholds"' not in page_of("failures")


def test_answers_in_one_piece_have_one_row_for_first_and_last_byte() -> None:
    text = " ".join(Page(page_of("burst-thresholds")).text.split())
    assert "to the first and last byte" in text
    assert "came in one piece" in text
    text = " ".join(Page(page_of("burst-failures")).text.split())
    assert "to the last byte to the first byte connecting alone" in text
    assert "came in one piece" not in text


def test_failures_are_counted_by_side_and_drawn_over_time() -> None:
    html = page_of("burst-failures")
    assert "48 failed: 47 by the target's doing, 1 by the generator's." in " ".join(Page(html).text.split())
    assert 'id="failures"' in html
    assert 'id="failures-narrow"' in html
    assert 'id="failures"' not in page_of("burst-thresholds")


def test_the_command_can_be_copied_into_a_shell() -> None:
    judged = fastapi_sync()
    manifest = manifest_for(judged, command=("floodmark", "run", "--url", "http://h/?a=1&b=2 3"))
    assert "floodmark run --url 'http://h/?a=1&b=2 3'" in Page(render_html(judged, manifest)).text


def test_whether_the_estimates_agree_is_said_once() -> None:
    judged = fastapi_sync()
    in_service = judged.document.verdict.in_service
    words = agreement_words(in_service.estimates)
    repeated = dataclasses.replace(in_service, evidence=(*in_service.evidence, words))
    verdict = dataclasses.replace(judged.document.verdict, in_service=repeated)
    judged = dataclasses.replace(judged, document=dataclasses.replace(judged.document, verdict=verdict))
    assert Page(rendered(judged)).text.count(words) == 1


def test_a_target_named_like_markup_stays_text() -> None:
    page = Page(rendered(named(fastapi_sync(), "<script>alert('&')</script>")))
    assert "script" not in page.tags
    assert "<script>alert('&')</script>" in page.text


def test_characters_that_do_not_print_are_written_out() -> None:
    html = rendered(named(with_failures(), "a\x00b\u202ec"))
    assert "\x00" not in html
    assert "\x1b" not in html
    assert r"a\x00b\u202ec" in html
    assert r"\x1b[31mConnection reset" in html


def test_an_invalid_run_has_its_banner_with_the_reason_before_everything_else() -> None:
    text = Page(rendered(invalid())).text
    assert text.index("Not valid") < text.index("812 ms") < text.index("handles 40 requests")


def test_an_interrupted_run_has_its_banner_before_everything_else() -> None:
    text = Page(rendered(interrupted())).text
    assert text.index("Interrupted") < text.index("handles 4 requests")


@pytest.mark.parametrize(("status", "words"), [("failed", "The run failed"), ("running", "The run has no end")])
def test_a_run_that_broke_off_says_so_with_its_problems(status: str, words: str) -> None:
    base = fastapi_sync()
    judged = dataclasses.replace(base, document=dataclasses.replace(base.document, status=status))
    manifest = manifest_for(judged, status=RunStatus(status), problems=("worker w2 was lost at 3.1 s",))
    text = Page(render_html(judged, manifest)).text
    assert text.index(words) < text.index("worker w2 was lost at 3.1 s") < text.index("handles 40 requests")


def test_a_run_that_counts_has_no_banner() -> None:
    assert 'role="alert"' not in rendered(fastapi_sync())


def test_a_manifest_that_knows_little_still_makes_a_page() -> None:
    judged = fastapi_sync()
    manifest = manifest_for(judged, limits=None, versions={}, host={}, command=(), fired_s=None, cut_s=None, summary="")
    assert "limits in force" not in Page(render_html(judged, manifest)).text


def test_the_same_run_makes_the_same_page() -> None:
    assert rendered(with_failures()) == rendered(with_failures())


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            AgentCost(samples=1207, counted=79, saved=1, cpu_share=0.019),
            "have the connections counted; 1 beat it left out, to keep to its CPU budget. It used 1.9 % of one core.",
        ),
        (AgentCost(samples=20, counted=20, saved=0, cpu_share=None), "; all of its 20 samples have the conn"),
        (None, "every 50 ms. Both"),
    ],
)
def test_how_often_the_agent_counted_and_what_it_took_is_said_where_it_says_how_it_was_measured(agent, words) -> None:
    judged = fastapi_sync()
    judged = dataclasses.replace(judged, document=dataclasses.replace(judged.document, agent=agent))
    assert words in render_html(judged, manifest_for(judged))
