"""What `--export` and `--otlp` say, and what is refused before a run begins."""

import sys

import pytest

from floodmark.core.errors import UsageError
from floodmark.core.outputs import ENDINGS, OTLP_MODULE, ExportFormat, asked_by_environment, parse_outputs


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("junit.xml", "junit"),
        ("a.b.xml", "junit"),
        ("summary.md", "markdown"),
        ("verdict.json", "json"),
        ("metrics.csv", "metrics"),
        ("my.csv", "metrics"),
        ("series.csv", "series"),
        ("burst-series.csv", "series"),
        ("seconds.csv", "seconds"),
        ("latency.hgrm", "hgrm"),
        ("metrics.prom", "prometheus"),
        ("series:places.txt", "series"),
        ("junit:report.json", "junit"),
        ("prometheus:a:b", "prometheus"),
    ],
)
def test_the_ending_or_the_word_before_the_colon_says_the_format(tmp_path, monkeypatch, name, known):
    monkeypatch.chdir(tmp_path)
    (export,) = parse_outputs([name]).exports
    assert (export.format.value, export.words) == (known, f"{known}:{export.path}")
    assert parse_outputs([export.words]).exports == (export,)


def test_every_format_has_an_ending_of_its_own():
    assert set(ENDINGS.values()) == set(ExportFormat)


def test_a_file_with_a_colon_in_its_name_goes_by_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_outputs(["./10:30.xml"]).exports[0].path == "./10:30.xml"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "results.txt",
            r"--export results\.txt: no format is known by this ending; there are junit \(\.xml\), markdown",
        ),
        ("xunit:results.xml", r"--export xunit:results\.xml: no format 'xunit'; there are junit"),
        ("nowhere/junit.xml", r"--export nowhere/junit\.xml: nowhere is no folder that can be written to"),
        ("folder.xml", r"--export folder\.xml: is no file that can be written to"),
        ("junit:-", r"--export junit:-: give the name of a file; only --json can print"),
        ("junit:", r"--export junit:: give the name of a file"),
    ],
)
def test_what_could_not_be_written_at_the_end_is_refused_at_the_begin(tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.xml").mkdir()
    with pytest.raises(UsageError, match=told):
        parse_outputs([words])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.xml"]


def test_two_formats_do_not_go_into_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"--export markdown:\./a\.csv: a\.csv goes to the same file"):
        parse_outputs(["a.csv", "markdown:./a.csv"])


@pytest.mark.parametrize("url", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http:4318"])
def test_what_is_no_receivers_address_is_refused(url):
    with pytest.raises(UsageError, match=r"--otlp .*: give the receiver's address, as in http://127\.0\.0\.1:4318"):
        parse_outputs([], url)


def test_without_the_extra_a_receiver_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, OTLP_MODULE, None)
    with pytest.raises(UsageError, match=r"--otlp http://a:1: .* pip install 'floodmark\[otel\]'"):
        parse_outputs([], "http://a:1")


def test_what_was_asked_for_can_be_asked_for_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outputs = parse_outputs(["a.xml", "b.csv"], "http://127.0.0.1:4318")
    words = outputs.words
    assert words == ("--export", "junit:a.xml", "--export", "metrics:b.csv", "--otlp", "http://127.0.0.1:4318")
    assert parse_outputs(words[1:4:2], words[-1]) == outputs
    assert parse_outputs([]).words == ()


def test_the_environment_asks_by_the_variables_that_are_set():
    environ = {"GITHUB_STEP_SUMMARY": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "HOME": "/"}
    assert asked_by_environment(environ) == ("OTEL_EXPORTER_OTLP_ENDPOINT",)
