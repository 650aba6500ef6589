"""JUnit XML: what CI takes for passed, failed, broken and skipped, and that it is XML whatever a server says."""

import dataclasses
from pathlib import Path

import pytest
from export_cases import judged
from judged_builder import manifest_for
from judged_cases import CASES
from lxml import etree

from floodmark.analysis.document import Check, ThresholdResult, Validity
from floodmark.report.formats.junit import not_run, to_junit

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[3] / "fixtures" / "junit" / "junit.xsd"))
NASTY = "]]> <x a='1'> & \x00 \x1b[31m \ufffe \ud800 \"quoted\"\nand a line"


def problems_of(text):
    """What the schema has against a document."""
    SCHEMA.validate(etree.fromstring(text.encode()))
    return [str(problem) for problem in SCHEMA.error_log]


@pytest.mark.parametrize("name", CASES)
def test_every_run_is_valid_against_the_schema(name):
    found = judged(name)
    assert problems_of(to_junit(found.document, manifest_for(found))) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('tests="', 'texts="'),
        ("<system-out>", "<system-put>"),
        ('timestamp="2025-03-04T05:06:07"', 'timestamp="2025-03-04T05:06:07Z"'),
        ("<skipped ", "<ignored "),
        (' type="threshold"', ""),
    ],
)
def test_the_schema_refuses_what_readers_refuse(good, bad):
    found = judged("fastapi-uvicorn-sync")
    text = to_junit(found.document, manifest_for(found))
    assert good in text
    assert problems_of(
        text.replace(good, bad).replace("</system-out>", f"</{bad[1:-1]}>" if "put" in bad else "</system-out>")
    )


def test_texts_from_outside_stay_texts():
    found = judged("failures")
    document = dataclasses.replace(
        found.document,
        target=f"a {NASTY}",
        thresholds=(ThresholdResult(threshold=NASTY, metric="x", value=None, ok=False, words=NASTY),),
        validity=Validity(ok=False, checks=(Check(name="a check", ok=False, words=NASTY),)),
    )
    text = to_junit(document, manifest_for(found, problems=(NASTY,), summary=NASTY, host={"system": NASTY}))
    assert problems_of(text) == []
    (failure,) = etree.fromstring(text.encode()).iter("failure")
    assert failure.get("message").startswith("]]> <x a='1'> & \\x00 \\x1b[31m \\ufffe \\ud800")


def test_a_failed_check_is_an_error_and_one_that_could_not_be_made_is_skipped():
    found = judged("fastapi-uvicorn-sync")
    checks = (
        Check(name="clocks", ok=False, words="the clocks jumped"),
        Check(name="packet loss", ok=None, words="no counters here"),
        Check(name="agent samples", ok=True, words="all of them"),
    )
    document = dataclasses.replace(found.document, validity=Validity(ok=False, checks=checks))
    suite = etree.fromstring(to_junit(document, manifest_for(found)).encode())[0]
    cases = {case.get("name"): [(child.tag, child.get("message")) for child in case] for case in suite.iter("testcase")}
    assert cases["clocks"] == [("error", "the clocks jumped")]
    assert cases["packet loss"] == [("skipped", "no counters here")]
    assert cases["agent samples"] == []


def test_a_dot_in_the_targets_name_makes_no_package():
    found = judged("closed-unknown-service")
    assert found.document.target == "127.0.0.1:8000"
    suite = etree.fromstring(to_junit(found.document, manifest_for(found)).encode())[0]
    assert {case.get("classname") for case in suite.iter("testcase")} == {
        "127_0_0_1:8000.thresholds",
        "127_0_0_1:8000.checks",
    }


def test_a_run_that_was_never_made_is_one_error():
    text = not_run("my-server", f"it died: {NASTY}", "2025-03-04T05:06:07+00:00")
    assert problems_of(text) == []
    suite = etree.fromstring(text.encode())[0]
    assert (suite.get("tests"), suite.get("errors"), suite.get("timestamp")) == ("1", "1", "2025-03-04T05:06:07")
    assert suite.find("testcase/error").get("message").startswith("it died: ")
