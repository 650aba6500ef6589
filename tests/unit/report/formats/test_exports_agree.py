"""Every number in every format is the one in verdict.json: each format is read back by somebody else's parser."""

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
from export_cases import RECORDINGS, judged
from judged_builder import manifest_for
from judged_cases import CASES
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from floodmark.analysis.judge import judge
from floodmark.analysis.latency import latency_histogram
from floodmark.analysis.metrics import CATALOGUE, metrics_of
from floodmark.core.metric_names import FIELDS
from floodmark.core.places import Place
from floodmark.report.formats.hgrm import to_hgrm
from floodmark.report.formats.junit import to_junit
from floodmark.report.formats.markdown import to_markdown
from floodmark.report.formats.metrics_csv import to_metrics_csv, to_seconds_csv, to_series_csv
from floodmark.report.formats.prometheus import gauge_name, to_prometheus
from floodmark.report.formats.verdict_json import to_json

SHOWN = 0.006
"""Of a time that is written with three digits: half of the last."""

HISTOGRAM = 0.0011
"""HdrHistogram's three significant digits."""

TIMES = {
    "to the last byte": ["latency"],
    "to the first byte": ["first_byte"],
    "to the first and last byte": ["latency", "first_byte"],
    "connecting alone": ["connect"],
}
"""The rows of the summary's table of times, with the records of verdict.json that each shows."""

PER_UNIT = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@pytest.fixture(params=CASES)
def run(request):
    """A judged run, and its verdict.json read back."""
    found = judged(request.param)
    return found, json.loads(to_json(found.document))


def at(plain, path):
    """The number at a path of verdict.json; None where the path ends early."""
    for part in path.split("."):
        plain = None if plain is None else plain.get(part)
    return plain


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def number(cell):
    return None if cell == "" else float(cell)


def test_the_metrics_csv_agrees(run):
    found, plain = run
    values = {row["metric"]: number(row["value"]) for row in rows(to_metrics_csv(found.document))}
    assert {field.name: values[field.name] for field in FIELDS} == {
        field.name: at(plain, field.path) for field in FIELDS
    }
    assert set(values) >= set(CATALOGUE)
    assert values["requests.planned"] == sum(plain["outcomes"].values())
    for kind, count in plain["outcomes"].items():
        assert values[f"requests.{kind}"] == count
    assert values["http_req_failed.count"] == sum(failure["count"] for failure in plain["verdict"]["failures"])


def test_the_prometheus_text_agrees(run):
    found, plain = run
    run_id = manifest_for(found).run_id
    text = to_prometheus(found.document, run_id)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {sample.name: sample.value for sample in samples if "threshold" not in sample.labels}
    assert {(sample.labels["target"], sample.labels["run"]) for sample in samples} == {(plain["target"], run_id)}
    known = [metric for metric in metrics_of(found.document).values() if metric.value is not None]
    assert values == {
        **{gauge_name(metric): metric.value for metric in known},
        "floodmark_run_valid": plain["validity"]["ok"],
    }
    for field in FIELDS:
        assert values.get(gauge_name(CATALOGUE[field.name])) == at(plain, field.path)
    met = {sample.labels["threshold"]: sample.value for sample in samples if "threshold" in sample.labels}
    assert met == {result["threshold"]: result["ok"] for result in plain["thresholds"]}


def test_no_two_metrics_have_one_gauge():
    names = [gauge_name(metric) for metric in CATALOGUE.values()]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    # What Prometheus keeps for the parts of counters, summaries and histograms.
    assert [name for name in names if name.endswith(("_total", "_count", "_sum", "_bucket"))] == []


def test_junit_agrees(run):
    found, plain = run
    (suite,) = ET.fromstring(to_junit(found.document, manifest_for(found)))  # noqa: S314 - our own
    cases = {(case.get("classname").rpartition(".")[2], case.get("name")): case for case in suite.iter("testcase")}
    told = {key: [child.tag for child in case] for key, case in cases.items()}
    checks, thresholds = plain["validity"]["checks"], plain["thresholds"]
    kinds = {True: [], False: ["error"], None: ["skipped"]}
    assert told == {
        **{("checks", check["name"]): kinds[check["ok"]] for check in checks},
        **{("thresholds", result["threshold"]): [] if result["ok"] else ["failure"] for result in thresholds},
    }
    assert {key: int(suite.get(key)) for key in ("tests", "errors", "skipped", "failures")} == {
        "tests": len(checks) + len(thresholds),
        "errors": sum(check["ok"] is False for check in checks),
        "skipped": sum(check["ok"] is None for check in checks),
        "failures": sum(not result["ok"] for result in thresholds),
    }
    values = {entry.get("name"): entry.get("value") for entry in suite.iter("property")}
    for result in thresholds:
        assert number(values[f"threshold.{result['threshold']}"]) == result["value"]
    assert values["target"] == plain["target"]


def tables(text):
    """The tables of a page, each as its rows of cells' texts; and the texts of its bullets."""
    parsed, bullets, inside = [], [], []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            parsed.append([])
        elif token.type == "tr_open":
            parsed[-1].append([])
        elif token.type in {"td_open", "th_open", "list_item_open"}:
            inside.append(token.type)
        elif token.type in {"td_close", "th_close", "list_item_close"}:
            inside.pop()
        elif token.type == "inline" and inside:
            words = "".join(child.content for child in token.children if child.type in {"text", "code_inline"})
            (bullets if inside[-1] == "list_item_open" else parsed[-1][-1]).append(words)
    return parsed, bullets


def seconds(words):
    value, _, unit = words.partition(" ")
    return float(value.replace(",", "")) * PER_UNIT[unit]


def whole(words):
    return int(words.replace(",", ""))


def test_the_markdown_summary_agrees(run):
    found, plain = run
    parsed, bullets = tables(to_markdown(found, manifest_for(found)))
    thresholds = next(table for table in parsed if "threshold" in table[0])
    assert [(row[0], row[1], row[2]) for row in thresholds[1:]] == [
        ("met" if result["ok"] else "missed", result["threshold"], result["words"]) for result in plain["thresholds"]
    ]
    places = {row[0].replace(" ", "_"): row[1:] for row in next(table for table in parsed if "at most" in table[0])[1:]}
    assert len(places) == len(Place)
    for place, entry in plain["verdict"]["waiting"].items():
        peak, limit = places.pop(place)
        assert (None if peak == "not seen" else whole(peak)) == entry["peak"]
        assert (whole(limit) if limit else None) == entry["limit"]
    ((peak, ceiling),) = places.values()
    assert whole(peak) == plain["verdict"]["in_service"]["peak"]
    assert (whole(ceiling) if ceiling[:1].isdigit() else None) == plain["verdict"]["in_service"]["ceiling"]
    told = next(words for words in bullets if words.startswith("Outcomes: ")).removeprefix("Outcomes: ")
    outcomes = {
        kind.replace(" ", "_"): whole(count) for count, kind in (part.split(" ", 1) for part in told.split(", "))
    }
    assert outcomes == {kind: count for kind, count in plain["outcomes"].items() if count}
    failed = [words for words in bullets if ", caused by the " in words]
    assert [whole(words.split()[0]) for words in failed] == [entry["count"] for entry in plain["verdict"]["failures"]]


def test_the_markdown_summarys_times_agree(run):
    found, plain = run
    parsed, _ = tables(to_markdown(found, manifest_for(found)))
    shown = next((table[1:] for table in parsed if "99.9 %" in table[0]), [])
    records = [(name, row[1:]) for row in shown for name in TIMES[row[0]]]
    assert {name for name, _ in records} == {
        name for name in ("latency", "first_byte", "connect") if plain["latency"] and plain[name]
    }
    fields = ("mean_s", "p50_s", "p75_s", "p90_s", "p95_s", "p99_s", "p99_9_s", "max_s")
    for name, cells in records:
        wanted = [plain[name][field] for field in fields]
        assert [seconds(words) for words in cells] == pytest.approx(wanted, rel=SHOWN)


def test_the_series_csv_agrees(run):
    found, plain = run
    series = rows(to_series_csv(found.timeline))
    assert len(series) == len(found.timeline.times_s)
    assert number(series[-1]["answered"]) <= plain["outcomes"].get("answered", 0)
    for place in Place:
        assert [number(row[place.value]) for row in series] == list(found.timeline.places[place])
    if not plain["profile"]["duration_s"] and not plain["steps"]:
        for place, entry in plain["verdict"]["waiting"].items():
            seen = [value for row in series if (value := number(row[place])) is not None]
            # 0 where requests only passed through a place on their way.
            assert entry["peak"] in {max(seen, default=None), 0}


def test_the_seconds_csv_agrees(run):
    found, plain = run
    points = rows(to_seconds_csv(found.seconds))
    if plain["throughput"] is None:
        assert points == []
        return
    assert sum(number(point["answered"]) for point in points) == plain["outcomes"]["answered"]
    inside = [number(point["answered"]) for point in points[: int(plain["throughput"]["duration_s"])]]
    assert sum(inside) == plain["throughput"]["answered"]
    assert (min(inside), max(inside)) == (plain["throughput"]["least_per_s"], plain["throughput"]["most_per_s"])
    assert max(number(point["max_s"] or "0") for point in points) == pytest.approx(plain["latency"]["max_s"])


def distribution(text):
    """The rows of a percentile file as numbers, and what its last lines say."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    said = dict(re.findall(r"(\w[\w ]*?)\s*=\s*([\d.]+)", text))
    return [[float(cell) for cell in line.split()] for line in lines[1:]], {key: float(said[key]) for key in said}


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_percentile_file_agrees(name):
    recording = RECORDINGS[name]()
    times = json.loads(to_json(judge(recording).document))["latency"]
    ranked, said = distribution(to_hgrm(latency_histogram(recording)))
    assert said["Total count"] == ranked[-1][2] == times["count"]
    assert said["Mean"] == pytest.approx(times["mean_s"] * 1000, rel=HISTOGRAM)
    assert said["Max"] == ranked[-1][0] == pytest.approx(times["max_s"] * 1000, rel=HISTOGRAM)
    assert (ranked[-1][1], len(ranked[-1])) == (1.0, 3)
    for share, field in ((0.5, "p50_s"), (0.75, "p75_s"), (0.9, "p90_s"), (0.95, "p95_s"), (0.99, "p99_s")):
        below = max(value for value, percentile, *_ in ranked if percentile <= share)
        above = min(value for value, percentile, *_ in ranked if percentile >= share)
        assert below * (1 - HISTOGRAM) <= times[field] * 1000 <= above * (1 + HISTOGRAM)
    for _, share, _, *rest in ranked:
        assert rest == ([pytest.approx(1 / (1 - share), rel=1e-2)] if share < 1 else [])
