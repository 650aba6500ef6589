"""Thresholds as people write them: what each text means, and what is said of one that means nothing."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from floodmark.core.errors import ThresholdError, UsageError
from floodmark.core.goals import goals_of
from floodmark.core.metric_names import STATISTICS, TRENDS, UNITS, is_told_live
from floodmark.core.threshold import LIMIT_UNITS, OPERATORS, Threshold
from floodmark.core.threshold_grammar import parse_all, parse_thresholds, ranks_of


def parsed(text: str) -> Threshold:
    (threshold,) = parse_thresholds(text)
    return threshold


@pytest.mark.parametrize(
    ("text", "metric", "operator", "limit"),
    [
        # k6's own documentation writes these.
        ("http_req_duration: p(95)<200", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration:p(99.9) < 2000", "http_req_duration.p99_9", "<", 2.0),
        ("http_req_duration: avg<=50", "http_req_duration.avg", "<=", 0.05),
        ("http_req_duration: med<150.5", "http_req_duration.med", "<", 0.1505),
        ("http_req_duration: max<2000", "http_req_duration.max", "<", 2.0),
        ("http_req_duration: min>=1", "http_req_duration.min", ">=", 0.001),
        ("http_req_duration: p(50)<200", "http_req_duration.med", "<", 0.2),
        ("http_req_failed: rate<0.01", "http_req_failed.rate", "<", 0.01),
        ("http_reqs: rate>100", "http_reqs.rate", ">", 100.0),
        ("http_reqs: count==1000", "http_reqs.count", "==", 1000.0),
        ("http_reqs: count===1000", "http_reqs.count", "===", 1000.0),
        ("http_reqs: count!=0", "http_reqs.count", "!=", 0.0),
        ("dropped_iterations: count==0", "dropped_iterations.count", "==", 0.0),
        # The target's side, and whole names.
        ("target.accept_queue.max < 100", "target.accept_queue.max", "<", 100.0),
        ("target.accept_queue: max < 100", "target.accept_queue.max", "<", 100.0),
        ("target.in_service.ceiling >= 40", "target.in_service.ceiling", ">=", 40.0),
        ("target.listen_overflows == 0", "target.listen_overflows", "==", 0.0),
        ("target.listen_overflows: value==0", "target.listen_overflows", "==", 0.0),
        ("http_req_duration.p95<200", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration: p95<200", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration.p(97.5)<200", "http_req_duration.p97_5", "<", 0.2),
        ("release.late: p(99) < 10", "release.late.p99", "<", 0.01),
        # Units.
        ("http_req_duration: p(95)<200ms", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration: p(95)<0.2s", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration: p(95)<200000us", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration: p(95)<200000\N{MICRO SIGN}s", "http_req_duration.p95", "<", 0.2),
        ("http_req_duration: max < 1 m", "http_req_duration.max", "<", 60.0),
        ("http_req_failed: rate<1%", "http_req_failed.rate", "<", 0.01),
        ("target.memory.max<1.5GiB", "target.memory.max", "<", 1.5 * 2**30),
        ("data_received: rate>1MB/s", "data_received.rate", ">", 1e6),
        ("release.skew.med > -.5", "release.skew.med", ">", -0.0005),
    ],
)
def test_a_threshold_means_one_limit_on_one_metric_in_its_own_unit(text, metric, operator, limit):
    threshold = parsed(text)
    assert (threshold.metric, threshold.operator, threshold.limit) == (metric, operator, limit)
    assert threshold.text == text
    assert threshold.unit == UNITS.get(metric, "s")


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_is_not_known_and_what_is_no_number_meets_nothing(operator):
    threshold = parsed(f"http_reqs: count {operator} 0")
    assert not threshold.is_met_by(None)
    assert not threshold.is_met_by(float("nan"))


def test_several_in_one_text_are_several_and_a_statistic_alone_is_on_the_name_before_it():
    text = "http_req_duration: p(95)<200 && p(99)<0.5s&&max < 1s && target.accept_queue.max<100 && avg<9"
    assert [(threshold.text, threshold.metric) for threshold in parse_thresholds(text)] == [
        ("http_req_duration: p(95)<200", "http_req_duration.p95"),
        ("http_req_duration: p(99)<0.5s", "http_req_duration.p99"),
        ("http_req_duration: max < 1s", "http_req_duration.max"),
        ("target.accept_queue.max<100", "target.accept_queue.max"),
        ("http_req_duration: avg<9", "http_req_duration.avg"),
    ]


def test_each_text_of_a_result_means_the_same_again():
    (_, second) = parse_thresholds("http_req_duration: p(95)<200 && p(99)<500")
    assert parsed(second.text) == second


def test_the_percentiles_that_are_asked_for_are_known_each_once():
    texts = ["http_req_duration: p(95)<1 && p(97)<2", "http_req_waiting: p(97)<1", "http_reqs: count>1"]
    assert ranks_of(texts) == (95.0, 97.0)
    assert len(parse_all(texts)) == 4


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "it ends here; there may be a metric's name"),
        ("http_req_duration: p(95)~200", 25, "'~200' cannot stand here; there may be <, >, <=, >=, ==, !=, ==="),
        ("http_req_duration: p(95)<", 26, "it ends here; there may be a number"),
        ("http_req_duration: p(95)<fast", 26, "'fast' cannot stand here; there may be a number"),
        ("http_req_duration: p(95)<200 || max<1", 30, "'||' cannot stand here; there may be &&"),
        ("http_req_duration: p(95)<200 &&", 32, "it ends here; there may be a metric's name"),
        ("http_req_duration: p<200", 21, "there may be a percentile in brackets, as in p(95)"),
        ("http_req_duration: p(101)<200", 22, "p(101) is no percentile: give a number from 0 to 100"),
        ("http_req_duration: p(-1)<200", 22, "p(-1) is no percentile"),
        ("http_req_duration: p(95<200", 24, "there may be the bracket's end"),
        ("http_req_duration: mean<200", 20, "no statistic 'mean'; it has count, avg, min, med, max, p(N)"),
        ("http_req_duration<200", 1, "http_req_duration needs a statistic: count, avg, min, med, max, p(N)"),
        ("http_req_duration{status:200}: p(95)<1", 18, "no tags"),
        ("http_req_duratoin: p(95)<200", 1, "no metric 'http_req_duratoin'; near it are http_req_duration"),
        ("target.acept_queue.max<1", 1, "near it are target.accept_queue.max"),
        ("zzz<1", 1, "no metric 'zzz'; docs/reference/metrics.md lists them"),
        ("vus: value<1", 1, "vus is one of k6's metrics that are not measured here"),
        ("p(95)<200", 1, "'p' is a statistic: say of which metric"),
        ("release.late: p(95)<1", 17, "release.late has no statistic 'p(95)'; it has med, p99, max"),
        ("target.accept_queue.max < 5 ms", 29, "is not counted in 'ms'; it is a number of requests"),
        ("http_req_duration: p(95)<5%", 27, "not counted in '%'; it may be us,"),
        (f"target.memory.max < {'9' * 400}", 21, "a number of this size cannot be meant"),
        (f"http_reqs: rate>{'1' * 10_001}", 1, "no more than 10,000 characters"),
        ("http_req_duration: p(95)<\N{ARABIC-INDIC DIGIT TWO}", 26, "there may be a number"),
    ],
)
def test_what_is_no_threshold_is_refused_with_the_text_the_column_and_what_may_stand_there(text, column, words):
    with pytest.raises(ThresholdError) as caught:
        parse_thresholds(text)
    said = str(caught.value)
    assert said.startswith(f"threshold {text[:100]!r}"[:-1])
    assert f", column {column}: " in said
    assert words in said
    assert len(said) < 500


WORDS = st.sampled_from(
    [
        *UNITS,
        *TRENDS,
        *STATISTICS,
        *OPERATORS,
        "p(",
        "p(95)",
        ")",
        "(",
        ":",
        "&&",
        " ",
        ".",
        "-",
        "1",
        "200",
        "ms",
        "%",
        "{",
    ]
)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map("".join)))
@example("http_req_duration: p(95)<1 && 2")
def test_any_text_is_thresholds_or_is_refused_in_words(text):
    try:
        found = parse_thresholds(text)
    except ThresholdError as error:
        assert ", column " in str(error)  # noqa: PT017 - both ends are looked at
        return
    assert found
    for threshold in found:
        assert OPERATORS[threshold.operator](threshold.limit, threshold.limit) == (
            "=" in threshold.operator[:2] and threshold.operator != "!="
        )
        assert parsed(threshold.text) == threshold


METRICS = st.one_of(
    st.sampled_from(sorted(UNITS)),
    st.tuples(st.sampled_from(sorted(TRENDS)), st.floats(0, 100).map(lambda rank: f"{rank:.3f}")).map(
        lambda pair: f"{pair[0]}.p({pair[1]})"
    ),
)


@given(METRICS, st.sampled_from(sorted(OPERATORS)), st.decimals(0, 10**9, places=6), st.data())
def test_every_metric_takes_every_operator_and_every_unit_of_its_own(metric, operator, number, data):
    unit = data.draw(st.sampled_from(sorted(LIMIT_UNITS.get(UNITS.get(metric, "s"), {"": 1}))))
    threshold = parsed(f"{metric} {operator} {number:f} {unit}")
    assert threshold.limit_unit == unit
    assert threshold.is_met_by(threshold.limit) == OPERATORS[operator](1, 1)
    assert threshold.shown(threshold.limit)


@pytest.mark.parametrize(
    ("text", "met", "missed"),
    [
        ("http_req_duration: p(95)<200", [0.1, 0.199999], [0.2, 0.3, None]),
        ("http_req_duration: p(95)<=200", [0.2], [0.200001, None]),
        ("http_reqs: rate>100", [100.1], [100.0, None]),
        ("target.in_service.ceiling>=40", [40, 41], [39, None]),
        ("target.listen_overflows==0", [0], [1, None]),
        ("target.listen_overflows!=0", [1], [0, None]),
    ],
)
def test_a_value_meets_a_threshold_on_the_right_side_and_one_that_is_not_known_never_does(text, met, missed):
    threshold = parsed(text)
    assert [threshold.is_met_by(value) for value in met] == [True] * len(met)
    assert [threshold.is_met_by(value) for value in missed] == [False] * len(missed)


@pytest.mark.parametrize(
    ("text", "bounds", "missed"),
    [
        ("http_req_failed: count<10", (9, None), False),
        ("http_req_failed: count<10", (10, None), True),
        ("http_req_failed: count<=10", (10, None), False),
        ("http_reqs: count>100", (3, None), False),
        ("http_reqs: count>100", (3, 100), True),
        ("http_reqs: count>=100", (3, 100), False),
        ("http_reqs: count==100", (3, 200), False),
        ("http_reqs: count==100", (101, 200), True),
        ("http_reqs: count==100", (3, 99), True),
        ("http_reqs: count!=100", (100, 100), True),
        ("http_reqs: count!=100", (99, 100), False),
        ("http_reqs: count!=100", (None, None), False),
        ("http_reqs: count<100", (None, None), False),
    ],
)
def test_a_threshold_is_missed_for_sure_where_no_value_that_can_still_come_would_meet_it(text, bounds, missed):
    assert parsed(text).is_missed_between(*bounds) is missed


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("http_req_duration: p(95)<200", 0.1823374, "182.3374 ms"),
        ("http_req_duration: p(95)<0.2s", 0.1823374, "0.182337 s"),
        ("http_req_failed: rate<1%", 0.0123, "1.23%"),
        ("http_req_failed: rate<0.01", 0.0123, "0.0123"),
        ("target.memory.max<1MiB", 3 * 2**20, "3 MiB"),
        ("target.memory.max<1000", 3 * 2**20, "3,145,728 bytes"),
        ("target.accept_queue.max<1", 2049, "2,049 requests"),
    ],
)
def test_a_value_is_shown_in_the_unit_that_the_limit_is_written_in(text, value, shown):
    assert parsed(text).shown(value) == shown


@pytest.mark.parametrize("kind", ["burst", "ramp", "closed", "arrivals"])
def test_what_is_known_at_the_end_only_is_not_told_live(kind):
    assert is_told_live("http_req_duration.p97", kind)
    assert is_told_live("requests.refused", kind)
    assert not is_told_live("requests.waiting", kind)
    assert not is_told_live("target.in_service.ceiling", kind)
    assert not is_told_live("http_reqsx.count", kind)
    is_steady = kind in {"closed", "arrivals"}
    assert is_told_live("http_req_waiting.p95", kind) != is_steady
    assert is_told_live("http_reqs.rate", kind) == is_told_live("throughput.least", kind) == is_steady


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("burst", "http_reqs: rate>10", "http_reqs.rate is known at the end of a burst load only"),
        ("closed", "http_req_waiting: p(95)<1", "http_req_waiting.p95 is known at the end of a closed load only"),
    ],
)
def test_a_load_that_no_threshold_could_end_is_refused(kind, text, words):
    with pytest.raises(UsageError, match=f"^--abort-on-fail: {re.escape(words)}; docs/reference/metrics.md says"):
        goals_of(kind, [text], abort_on_fail=True)
    assert goals_of(kind, [text, "http_req_failed: count<1"], abort_on_fail=True).abort_on_fail
