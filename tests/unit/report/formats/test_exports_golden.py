"""Every output format against golden files; tests/golden/README.md says how to write them anew."""

import pytest
from export_cases import RECORDINGS, judged
from golden_files import check
from judged_builder import manifest_for

from floodmark.analysis.latency import latency_histogram
from floodmark.report.formats.hgrm import to_hgrm
from floodmark.report.formats.junit import to_junit
from floodmark.report.formats.markdown import to_markdown
from floodmark.report.formats.metrics_csv import to_metrics_csv, to_seconds_csv, to_series_csv
from floodmark.report.formats.prometheus import to_prometheus

TOLD = ("fastapi-uvicorn-sync", "failures", "invalid", "no-agent", "arrivals", "search")
COUNTED = ("fastapi-uvicorn-sync", "arrivals")


@pytest.mark.parametrize("name", TOLD)
def test_junit_is_the_golden_one(name):
    found = judged(name)
    check(f"exports/{name}.junit.xml", to_junit(found.document, manifest_for(found)))


@pytest.mark.parametrize("name", TOLD)
def test_the_markdown_summary_is_the_golden_one(name):
    found = judged(name)
    check(f"exports/{name}.md", to_markdown(found, manifest_for(found)))


@pytest.mark.parametrize("name", COUNTED)
def test_the_metrics_are_the_golden_ones(name):
    found = judged(name)
    check(f"exports/{name}.metrics.csv", to_metrics_csv(found.document))
    check(f"exports/{name}.prom", to_prometheus(found.document, manifest_for(found).run_id))


@pytest.mark.parametrize("name", COUNTED)
def test_places_and_seconds_over_time_are_the_golden_ones(name):
    found = judged(name)
    check(f"exports/{name}.series.csv", to_series_csv(found.timeline))
    check(f"exports/{name}.seconds.csv", to_seconds_csv(found.seconds))


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_percentile_file_is_the_golden_one(name):
    check(f"exports/{name}.hgrm", to_hgrm(latency_histogram(RECORDINGS[name]())))
