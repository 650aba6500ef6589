"""A run as JUnit XML, which CI shows as tests: thresholds and checks are the cases. Text only.

It keeps to Ant's schema, the strictest of those in use; Jenkins, GitLab, GitHub's and Azure's readers take it as well.
"""

import io
from collections.abc import Iterator

from junitparser import Attr, Error, Failure, JUnitXml, Skipped, SystemErr, SystemOut, TestCase, TestSuite

from floodmark.analysis.document import Check, ThresholdResult, VerdictDocument
from floodmark.core.run_folder import Manifest
from floodmark.report.words import printable, profile_words

STAMP_CHARACTERS = len("2025-03-04T05:06:07")
"""The schema's time has no zone: it is UTC here."""


class _Suite(TestSuite):
    """A test suite with the two attributes that Ant's schema wants of one in a file of several."""

    package = Attr()
    id = Attr()


def to_junit(document: VerdictDocument, manifest: Manifest) -> str:
    """One case per threshold and per check of the run.

    A threshold that was missed is a failure. A failed check is an error: the run does not count, so nothing was tested.
    A check that could not be made is skipped.
    """
    target = printable(document.target)
    suite = _Suite(target)
    suite.package, suite.id = target, "0"
    suite.hostname = "localhost"
    suite.timestamp = manifest.started_utc[:STAMP_CHARACTERS]
    for name, value in _properties(document, manifest):
        suite.add_property(name, printable(value))
    for result in document.thresholds:
        suite.add_testcase(_threshold(result, target))
    for check in document.validity.checks:
        suite.add_testcase(_check(check, target))
    suite.time = _lasted_s(manifest)
    problems = "\n".join(printable(problem) for problem in manifest.problems)
    return _written(suite, printable(document.verdict.sentence), problems)


def _lasted_s(manifest: Manifest) -> float:
    if manifest.fired_s is None or manifest.cut_s is None:
        return 0.0
    return round(manifest.cut_s - manifest.fired_s, 3)


def not_run(target: str, words: str, stamp: str) -> str:
    """A suite of one case, which is an error: there was no run to judge. `stamp` is the time in UTC, ISO 8601."""
    name = printable(target)
    suite = _Suite(name)
    suite.package, suite.id, suite.hostname, suite.timestamp = name, "0", "localhost", stamp[:STAMP_CHARACTERS]
    suite.add_property("target", name)
    case = _case("run", name, "the run was made")
    case.result = _told(Error(printable(words), "run"), words)
    suite.add_testcase(case)
    return _written(suite, "", printable(words))


def _written(suite: _Suite, out: str, err: str) -> str:
    """The whole document; what was printed comes last in a suite."""
    suite.append(SystemOut(out))  # type: ignore[no-untyped-call] # the library's
    suite.append(SystemErr(err))  # type: ignore[no-untyped-call] # the library's
    xml = JUnitXml()
    xml.add_testsuite(suite)
    file = io.BytesIO()
    xml.write(file, pretty=True)
    return file.getvalue().decode("utf-8")


def _properties(document: VerdictDocument, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The system under test, and what was measured with."""
    yield "target", document.target
    yield "summary", manifest.summary
    yield "url", manifest.url
    yield "run", manifest.run_id
    yield "status", document.status
    yield "load", profile_words(document.profile)
    if document.verdict.known is not None:
        yield "server", document.verdict.known.server
    for section, facts in (("host", manifest.host), ("version", manifest.versions)):
        yield from ((f"{section}.{name}", value) for name, value in facts.items())
    for result in document.thresholds:
        yield f"threshold.{printable(result.threshold)}", "" if result.value is None else repr(result.value)


def _threshold(result: ThresholdResult, target: str) -> TestCase:
    case = _case("thresholds", target, result.threshold)
    if not result.ok:
        case.result = _told(Failure(printable(result.words), "threshold"), result.words)
    return case


def _check(check: Check, target: str) -> TestCase:
    case = _case("checks", target, check.name)
    if check.ok is None:
        case.result = Skipped(printable(check.words))
    elif not check.ok:
        case.result = _told(Error(printable(check.words), "check"), f"The run does not count: {check.words}")
    return case


def _case(section: str, target: str, name: str) -> TestCase:
    """What comes before the last dot of a class' name is a package to most readers: a target's own dots are none."""
    return TestCase(printable(name), f"{target.replace('.', '_')}.{section}", 0.0)


def _told(result: Failure | Error, words: str) -> Failure | Error:
    """With the words as text, too: some readers show only the one, some only the other."""
    result.text = printable(words)
    return result
