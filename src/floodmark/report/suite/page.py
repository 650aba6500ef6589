"""A suite as one Markdown page: what ``docs/results.md`` is made with. Text, and links to pictures it is told of."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from floodmark.analysis.suite import unlike_expected
from floodmark.core.profile import BurstProfile
from floodmark.core.suite import TIMEOUT_S, RowState, SuiteAsked, SuiteRecord, SuiteRow, SuiteTable
from floodmark.report.memory_words import found_memory_words, memory_cell
from floodmark.report.suite.tables import summary_words
from floodmark.report.suite.words import (
    NOTHING,
    TITLES,
    at_once_ratio,
    explained,
    fails_words,
    ids_words,
    in_order,
    lines_words,
    load_words,
    name_words,
    ours_words,
    per_s_words,
    published_at_once,
    rate_ratio,
    ratio_words,
    run_by_words,
    share_words,
    time_words,
    unusual_words,
)
from floodmark.report.words import printable

CODE = re.compile(r"(`[^`]*`)")

MARKS = re.compile(r"[*<\[\]|]|(?<!\w)_|_(?!\w)")
"""Characters that are Markdown's own; an underscore within a word is none (CommonMark, section 6.2)."""

LINE_CHARACTERS = 120
"""As all pages of the docs."""

HOW_TO_READ = """\
"Published" is the figure that a target's file quotes for the row of a study, which was made on another machine. A row
without one is a system that no study had. The ratio is ours by theirs."""

AT_ONCE = """\
A number is a ceiling, and proven. `all` and `>=`: none was seen, since nobody waited behind those in service. `!`:
unlike the target's file expects. A line is the kernel's accept queue: the most in it, and its limit, which the kernel
exceeds by one; behind a comma a second line inside the server. Memory is what one request took of the server's
processes (RSS): one that runs, and one that waits inside; `-` where it cannot be told, `<` where there are several
processes and what they share is counted in each."""

PER_SECOND = f"""\
Server and generator share the machine, so that a server that uses all cores competes with it. `failed` is the share of
the requests that had an outcome. An answer that takes more than {TIMEOUT_S:g} s is a failure here, and its connection
is closed; wrk waits for it and counts it among the requests, though not in mean and max. So a system that cannot keep
up has fewer answers here than in a table made with wrk: the server spends its time on requests that nobody waits for
any more."""


def suite_page(record: SuiteRecord, pictures: Mapping[str, str] | None = None) -> str:
    """The page: machine and versions, the two tables, and a paragraph for each target.

    `pictures` has for a row's key where its picture is, as the page is to link to it.
    """
    parts = ["# Results", _made_by(record), HOW_TO_READ, summary_words(record)]
    for table, words, make in (
        (SuiteTable.CONCURRENCY, AT_ONCE, _concurrency),
        (SuiteTable.THROUGHPUT, PER_SECOND, _throughput),
    ):
        rows = in_order(row for row in record.rows if row.table is table)
        if any(row.found for row in rows):
            parts += [f"## {TITLES[table]}", f"{load_words(record, table)}.", words, make(rows)]
    parts += ["## Target by target", *_targets(record, pictures or {})]
    return "\n\n".join(map(_wrapped, parts)) + "\n"


def _wrapped(part: str) -> str:
    """A paragraph in lines of the docs' width; headings, tables and commands are one line each."""
    if part.startswith(("#", "|", "`", "!")):
        return part
    return textwrap.fill(part, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def _made_by(record: SuiteRecord) -> str:
    host = ", ".join(
        words
        for words in (
            _release(record.host.get("kernel", "")),
            record.host.get("machine", ""),
            f"{record.host['cores']} cores" if "cores" in record.host else "",
            record.host.get("memory", ""),
        )
        if words
    )
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return (
        f"Made by `floodmark suite --report FOLDER --markdown FILE` from a suite of {record.started_utc[:10]}, in which"
        f" target, agent and generator ran on one machine: {host}. With {versions}."
    )


def _release(kernel: str) -> str:
    """``Linux 6.8``: whose build it is matters to nobody."""
    found = re.match(r"\w+ \d+\.\d+", kernel)
    return found[0] if found else kernel


def _concurrency(rows: Sequence[SuiteRow]) -> str:
    return _table(
        (
            "row",
            "target",
            "at once:",
            "published:",
            "ratio:",
            "run by",
            "line/limit:",
            "memory each:",
            "failures; what ran out",
        ),
        (
            (
                ids_words(row),
                name_words(row),
                ours_words(row),
                published_at_once(row),
                ratio_words(at_once_ratio(row)),
                run_by_words(row.found),
                lines_words(row.found),
                memory_cell(row.found.memory if row.found else None),
                _fails(row),
            )
            for row in rows
        ),
    )


def _throughput(rows: Sequence[SuiteRow]) -> str:
    return _table(
        ("row", "target", "per s:", "published:", "ratio:", "mean:", "published:", "max:", "published:", "failed:"),
        (
            (
                ids_words(row),
                name_words(row),
                ours_words(row),
                per_s_words(row.rate.requests_per_s if row.rate else None),
                ratio_words(rate_ratio(row)),
                time_words(row.found.mean_s if row.found else None),
                time_words(row.rate.mean_s if row.rate else None),
                time_words(row.found.max_s if row.found else None),
                time_words(row.rate.max_s if row.rate else None),
                share_words(row.found),
            )
            for row in rows
        ),
    )


def _fails(row: SuiteRow) -> str:
    if row.found is None:
        return row.reason or NOTHING
    return fails_words(row.found)


def _targets(record: SuiteRecord, pictures: Mapping[str, str]) -> Iterable[str]:
    by_name = sorted(record.rows, key=lambda row: row.target)
    for name, group in groupby(by_name, key=lambda row: row.target):
        yield from _target(name, list(group), record.asked, pictures)


def _target(name: str, rows: list[SuiteRow], asked: SuiteAsked, pictures: Mapping[str, str]) -> Iterable[str]:
    yield f"### {name}"
    for row in rows:
        yield _paragraph(row)
        if row.key in pictures:
            yield f"![{name}: where each request was, second by second]({pictures[row.key]})"
    expect = rows[0].expect
    about = [f"{title}: {words}" for title, words in (("Why", expect.why), ("What to change", expect.knob)) if words]
    if about:
        yield " ".join(about)
    yield from dict.fromkeys(f"`{_command(row, asked)}`" for row in rows)


def _paragraph(row: SuiteRow) -> str:
    """The verdict, what was published, and why the two differ; begun by the published row's name."""
    if row.found is None:
        parts = [f"{_state(row)}: {_plain(row.reason)}."]
    else:
        parts = [_plain(row.found.sentence), *map(_plain, _published(row))]
        parts += filter(None, [found_memory_words(row.found.memory)])
        if row.found.invalid:
            parts.insert(0, f"**Not valid**: {_plain('; '.join(row.found.invalid))}.")
    if unlike := unlike_expected(row):
        parts.append(f"**Unlike expected**: {'; '.join(unlike)}.")
    label = ", ".join((*row.ids, *unusual_words(row)))
    return f"**{label}**: {' '.join(parts)}" if label else " ".join(parts)


def _published(row: SuiteRow) -> Iterable[str]:
    if row.rate is not None and row.rate.saw:
        yield f"Published: {_sentence(row.rate.saw)}"
    for published in row.ceilings:
        if published.saw:
            yield _sentence(f"{published.saw[0].upper()}{published.saw[1:]}")
    if words := explained(row):
        yield words


def _state(row: SuiteRow) -> str:
    return {RowState.FAILED: "Failed", RowState.NOT_RUN: "Not run"}.get(row.state, "Not yet measured")


def _command(row: SuiteRow, asked: SuiteAsked) -> str:
    """What makes the row again, and with it the target's other rows of table b."""
    profile, workers = row.profile, asked.workers if asked.workers > 1 else None
    if isinstance(profile, BurstProfile):
        words = f"floodmark run {row.target}"
        options = {
            "--requests": profile.requests,
            "--within": profile.within_s or None,
            "--hold": profile.hold_s if row.request is None or row.request.holds else None,
            "--timeout": profile.timeout_s,
            "--workers": workers,
        }
    else:
        words = f"floodmark suite {row.target} --table b"
        options = {"--duration": profile.duration_s, "--workers": workers}
    # Ten digits: a million requests are not 1e+06.
    return " ".join([words, *(f"{name} {value:.10g}" for name, value in options.items() if value is not None)])


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A name that ends in a colon is a column of numbers."""
    head = "|".join(f" {name.rstrip(':')} " for name in names)
    rule = "|".join("---:" if name.endswith(":") else "---" for name in names)
    lines = ["|".join(f" {printable(cell).replace('|', chr(92) + '|')} " for cell in row) for row in rows]
    return "\n".join(f"|{line}|" for line in (head, rule, *lines))


def _plain(words: str) -> str:
    """Words from outside, in which no character outside of backticks is Markdown's."""
    parts = CODE.split(printable(words))
    return "".join(part if part.startswith("`") else MARKS.sub(r"\\\g<0>", part) for part in parts)
