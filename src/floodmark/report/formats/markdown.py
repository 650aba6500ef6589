"""A run as a page of Markdown: GitHub's step summary, or a file to send. The words are the terminal's.

Texts that a server, a file or a user wrote cannot add markup, links, mentions or HTML to the page.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from floodmark.analysis.document import Judged, ThresholdResult, VerdictDocument
from floodmark.core.run_folder import Manifest
from floodmark.report.findings import banner, fact_rows, place_rows
from floodmark.report.measures import PERCENTILE_COLUMNS, latency_rows, latency_title, percentile_words
from floodmark.report.step_rows import step_rows
from floodmark.report.words import as_sentence, count, in_service_words, kind_words, plural, printable, profile_words

LONGEST_CODE = 300
"""Characters of a text from outside: an example of an error may be a page, and a summary has a mebibyte at most."""

_MARKUP = re.compile(r"[\\`*_\[\]#~!$]|^[-+]|(?<=www)\.|:(?=//)")
"""What begins or ends markup in CommonMark, or a formula or a link of bare text in GitHub's kind of it."""

_NO_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "@<!-- -->"}
"""HTML, a table's border, and a mention, which GitHub finds in the finished text: a comment parts it."""


def to_markdown(judged: Judged, manifest: Manifest) -> str:
    """The verdict first, or why there is none; then thresholds, key numbers, failures, what to change, checks."""
    document = judged.document
    blocks = (
        [f"## {_text(document.target)}: {_text(in_service_words(document))}"],
        _banner(judged, manifest),
        _verdict(document),
        _thresholds(document.thresholds),
        _steps(document),
        _places(document),
        _latency(document),
        _facts(document),
        _failures(document),
        _bullets("Why, and what to change", [_text(words) for words in document.verdict.advice]),
        _checks(document),
        [f"Run {_code(manifest.run_id)}, {_text(document.status)}, begun {_text(manifest.started_utc)}."],
    )
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block))) + "\n"


def not_judged(target: str, words: str) -> str:
    """The page of a run that came to no verdict: one line says why."""
    return f"## {_text(target)}: no verdict\n\n{_text(words)}\n"


def _verdict(document: VerdictDocument) -> Iterator[str]:
    yield f"**{_text(document.verdict.sentence)}**"
    yield ""
    yield _text(as_sentence(profile_words(document.profile)))


def _banner(judged: Judged, manifest: Manifest) -> Iterator[str]:
    shown = banner(judged, manifest)
    if shown is None:
        return
    yield f"> **{_text(shown.title)}.**"
    yield from (f"> {_text(reason)}  " for reason in shown.reasons)


def _thresholds(results: Sequence[ThresholdResult]) -> Iterator[str]:
    if not results:
        return
    missed = sum(not result.ok for result in results)
    yield f"### {plural(len(results), 'threshold')}, {f'{missed:,} missed' if missed else 'all met'}"
    yield ""
    verdicts = {True: "met", False: "**missed**"}
    rows = ((verdicts[result.ok], _text(result.threshold), _text(result.words)) for result in results)
    yield from _table(("", "threshold", "measured"), rows)


def _steps(document: VerdictDocument) -> Iterator[str]:
    if document.steps:
        yield "### The bursts of the search"
        yield ""
        rows = ((row.requests, row.ceiling, row.at_once, row.answered, row.result) for row in step_rows(document))
        yield from _table(("requests", "ceiling", "at once", "answered", ""), rows)


def _places(document: VerdictDocument) -> Iterator[str]:
    yield "### Where the requests were"
    yield ""
    rows = ((_text(row.words), row.peak, row.limit) for row in place_rows(document))
    yield from _table(("place", "at most", "limit"), rows)


def _latency(document: VerdictDocument) -> Iterator[str]:
    if document.latency is None:
        return
    yield f"### {latency_title(document)}"
    yield ""
    rows = ((name, *percentile_words(times)) for name, times in latency_rows(document))
    yield from _table(("", *PERCENTILE_COLUMNS), rows)


def _facts(document: VerdictDocument) -> Iterator[str]:
    yield from (f"* {name}: {_text(words)}" for name, words in fact_rows(document))


def _failures(document: VerdictDocument) -> Iterator[str]:
    lines = []
    for failure in document.verdict.failures:
        example = f", for example {_code(failure.example)}" if failure.example else ""
        kind = _text(kind_words(failure.kind))
        lines.append(f"{count(failure.count)} {kind}, caused by the {_text(failure.side)}{example}")
    yield from _bullets("Failures", lines)


def _checks(document: VerdictDocument) -> Iterator[str]:
    named = {
        words: [_text(check.name) for check in document.validity.checks if check.ok is ok]
        for ok, words in ((False, "failed"), (None, "could not be made"), (True, "passed"))
    }
    yield from _bullets(
        "Checks", [f"{len(names):,} {words}: {', '.join(names)}" for words, names in named.items() if names]
    )


def _bullets(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"### {title}"
        yield ""
        yield from (f"* {line}" for line in lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are Markdown already. Numbers stand to the right, but never in the first column."""
    cells = list(rows)
    marks = [
        "---:" if index and _are_numbers([row[index] for row in cells]) else "---" for index in range(len(columns))
    ]
    for row in (columns, marks, *cells):
        yield f"| {' | '.join(row)} |"


def _are_numbers(column: Sequence[str]) -> bool:
    """Figures, with a unit at most; or a word in place of one."""
    return any(cell[:1].isdigit() for cell in column) and all(len(cell.split()) <= 2 for cell in column)  # noqa: PLR2004


def _text(words: str) -> str:
    """Words as text: nothing in them is markup."""
    escaped = _MARKUP.sub(lambda found: f"\\{found[0]}", printable(words))
    return "".join(_NO_MARKUP.get(character, character) for character in escaped)


def _code(words: str) -> str:
    """Words from outside as code, as they are: a fence of more backticks than they have in a row."""
    text = printable(words)
    text = text if len(text) <= LONGEST_CODE else f"{text[:LONGEST_CODE]}..."
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    # It parts a backtick from the fence, and is taken off again.
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else "(empty)"
