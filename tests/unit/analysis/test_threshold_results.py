"""A run held against what it was to meet: the value, the words, and what is said where it is not known."""

import dataclasses
import json
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from no_timeline import NO_TIMELINE

from floodmark.analysis.document import Judged, ThresholdResult, VerdictDocument
from floodmark.analysis.metrics import metrics_of
from floodmark.analysis.percentiles import empty_histogram, percentiles_in, percentiles_of
from floodmark.analysis.thresholds import judge_thresholds, with_thresholds
from floodmark.core.codec import from_plain
from floodmark.core.errors import ThresholdError
from floodmark.core.threshold_grammar import parse_all

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


def document(name: str) -> VerdictDocument:
    return from_plain(VerdictDocument, json.loads((GOLDEN / f"{name}.json").read_text()), name)


def judged(name: str, *texts: str) -> tuple[ThresholdResult, ...]:
    return judge_thresholds(parse_all(texts), document(name))


def test_each_threshold_has_its_result_in_order_with_the_value_beside_the_limit():
    results = judged(
        "search",
        "http_req_duration: p(95)<4500 && med < 2s",
        "target.in_service.ceiling >= 40",
        "http_req_failed: rate<1%",
    )
    assert [(result.threshold, result.metric, result.value, result.ok, result.words) for result in results] == [
        (
            "http_req_duration: p(95)<4500",
            "http_req_duration.p95",
            4.007312,
            True,
            "4,007.312 ms, as wanted < 4,500 ms",
        ),
        ("http_req_duration: med < 2s", "http_req_duration.med", 2.005484, False, "2.005484 s, and not < 2 s"),
        (
            "target.in_service.ceiling >= 40",
            "target.in_service.ceiling",
            40,
            True,
            "40 requests, as wanted >= 40 requests",
        ),
        ("http_req_failed: rate<1%", "http_req_failed.rate", 0.0, True, "0%, as wanted < 1%"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("no-agent", "target.accept_queue.max < 100", "no agent was at the target"),
        ("no-agent", "target.listen_overflows == 0", "no agent was at the target"),
        ("arrivals", "target.in_service.ceiling >= 1", "a steady load proves no ceiling"),
        ("arrivals", "target.memory.max < 1GB", "a burst has it"),
        ("search", "http_reqs: rate>0", "closed loops and arrivals have it"),
        ("search", "throughput.least > 0", "closed loops and arrivals have it"),
        ("search", "target.service_time.avg < 1s", "closed loops and arrivals have it"),
        ("arrivals", "search.bursts > 0", "a search has it"),
        ("failures", "http_req_duration: p(95)<1h", "nothing was answered"),
        ("search", "release.spread < 10", "this run has no such number"),
    ],
)
def test_what_a_run_does_not_know_is_missed_and_the_words_say_why(name, text, why):
    (result,) = judged(name, text)
    assert (result.value, result.ok, result.words) == (None, False, f"not known: {why}")


def test_a_ceiling_that_was_not_proven_is_not_known():
    known = document("search")
    open_end = dataclasses.replace(
        known.verdict, in_service=dataclasses.replace(known.verdict.in_service, ceiling=None)
    )
    (result,) = judge_thresholds(
        parse_all(["target.in_service.ceiling>=1"]), dataclasses.replace(known, verdict=open_end)
    )
    assert (result.ok, result.words) == (False, "not known: no ceiling was proven")


def test_a_threshold_that_ended_the_load_is_missed_whatever_came_in_after_it():
    before = Judged(document=document("search"), timeline=NO_TIMELINE)
    texts = ["http_req_duration: max<5s", "http_req_failed: count==0"]
    after = with_thresholds(before, texts, missed_live=texts[:1]).document.thresholds
    assert [result.ok for result in after] == [False, True]
    assert after[0].words == "4.007359 s, as wanted < 5 s; it was missed while the load was on, and ended it"


def test_a_text_that_is_no_threshold_is_an_error_and_no_result():
    with pytest.raises(ThresholdError, match="column 1: no metric 'latency'"):
        with_thresholds(Judged(document=document("search"), timeline=NO_TIMELINE), ["latency<1"])


def test_any_percentile_that_is_asked_for_is_reckoned_from_the_times_themselves():
    times = percentiles_of([number / 1000 for number in range(1, 1001)], others=(97.0, 99.99, 95.0, 0.0, 100.0))
    assert times is not None
    assert times.others_s == {"0": 0.001, "97": 0.97, "99.99": 1.0, "100": 1.0}
    assert times.min_s == 0.001
    (result,) = judge_thresholds(
        parse_all(["http_req_duration: p(97)<=970"]), dataclasses.replace(document("search"), latency=times)
    )
    assert (result.metric, result.value, result.ok) == ("http_req_duration.p97", 0.97, True)


def test_a_histogram_has_them_too_and_its_least():
    histogram: HdrHistogram = empty_histogram()
    for micro in range(1000, 2001):
        histogram.record_value(micro)
    times = percentiles_in(histogram, others=(97.0,))
    assert times is not None
    assert times.min_s == 0.001
    assert times.others_s == {"97": pytest.approx(0.00197, rel=1e-3)}
    metrics = metrics_of(dataclasses.replace(document("search"), connect=times))
    assert metrics["http_req_connecting.p97"].value == times.others_s["97"]
    assert metrics["http_req_connecting.p97"].words.endswith("97th percentile")
