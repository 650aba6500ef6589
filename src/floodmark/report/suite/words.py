"""What the cells of a suite's tables say: the same for the terminal and the page. No layout."""

import re
from collections.abc import Iterable

from floodmark.analysis.document import Unit
from floodmark.analysis.steady.sentence import amount, seconds_words
from floodmark.analysis.suite import unlike_expected
from floodmark.core.profile import ClosedProfile
from floodmark.core.published import PublishedRate
from floodmark.core.suite import TIMEOUT_S, RowState, SuiteFound, SuiteRecord, SuiteRow, SuiteTable
from floodmark.report.words import count, duration, kind_words, plural

NOTHING = "-"

USUAL_CONNECTIONS = PublishedRate(row="usual").connections

TITLES = {
    SuiteTable.CONCURRENCY: "How many at once",
    SuiteTable.THROUGHPUT: "How many per second",
}

STATE_WORDS = {RowState.PENDING: "not yet", RowState.FAILED: "failed", RowState.NOT_RUN: "not run"}


def ids_words(row: SuiteRow) -> str:
    """The published rows: ``F9``; empty for a target that no study had."""
    return ", ".join(row.ids)


def name_words(row: SuiteRow) -> str:
    """The target, with what is unusual in a closed loop's row: ``flask-dev-threaded, no sleep``."""
    return ", ".join([row.target, *unusual_words(row)])


def unusual_words(row: SuiteRow) -> list[str]:
    """In what a closed loop's row is unlike most."""
    unusual = []
    if row.rate is not None and row.rate.hold_s == 0:
        unusual.append("no sleep")
    if row.rate is not None and row.profile.most_connections != USUAL_CONNECTIONS:
        unusual.append(plural(row.profile.most_connections, "connection"))
    return unusual


def in_order(rows: Iterable[SuiteRow]) -> list[SuiteRow]:
    """In the order of the published tables, F2 before F10; those that no study had behind them, by name."""

    def rank(row: SuiteRow) -> tuple[bool, str, int, str]:
        letters, digits = re.fullmatch(r"(\D*)(\d*).*", row.ids[0] if row.ids else "").groups()  # type: ignore[union-attr] # all match
        return not row.ids, letters, int(digits or 0), row.target

    return sorted(rows, key=rank)


def ours_words(row: SuiteRow) -> str:
    """The row's own figure; no figure where it does not count; with ``!`` before it where it is unlike expected."""
    if row.found is None:
        return STATE_WORDS.get(row.state, NOTHING)
    if not row.found.valid:
        return "not valid"
    words = per_s_words(row.found.requests_per_s) if row.rate else at_once_words(row.found)
    return f"! {words}" if unlike_expected(row) else words


def at_once_words(found: SuiteFound) -> str:
    """The ceiling; ``all`` or ``>= 820`` where none is proven; ``none`` where nothing was answered."""
    if found.ceiling is not None:
        return count(found.ceiling)
    if not found.answered:
        return "none"
    return "all" if found.peak >= found.planned else f">= {found.peak:,}"


def published_at_once(row: SuiteRow) -> str:
    """Theirs in the same words."""
    for published in row.ceilings:
        if published.ceiling is not None:
            return count(published.ceiling) if published.ceiling else "none"
        if published.all:
            return "all"
    return NOTHING


def at_once_ratio(row: SuiteRow) -> float | None:
    """Our ceiling by theirs; None where one of them is not there."""
    theirs = next((published.ceiling for published in row.ceilings if published.ceiling), None)
    ours = row.found.ceiling if row.found and row.found.valid else None
    return ours / theirs if ours is not None and theirs else None


def rate_ratio(row: SuiteRow) -> float | None:
    """Our requests per second by theirs; None where one of them is not there."""
    theirs = row.rate.requests_per_s if row.rate else None
    ours = row.found.requests_per_s if row.found and row.found.valid else None
    return ours / theirs if ours is not None and theirs else None


def ratio_words(ratio: float | None) -> str:
    """``1.00``, ``0.35``, ``41``."""
    return NOTHING if ratio is None else f"{ratio:.2f}" if ratio < 10 else amount(ratio)  # noqa: PLR2004 three digits


def per_s_words(per_s: float | None) -> str:
    """``12,345``, ``9.85``."""
    return NOTHING if per_s is None else amount(per_s)


def time_words(time_s: float | None) -> str:
    """``126 ms``."""
    return NOTHING if time_s is None else seconds_words(time_s)


def run_by_words(found: SuiteFound | None, *, short: bool = False) -> str:
    """``reused thread``, ``new process``, ``event loop``, with the number of processes where there are several.

    Where it is to be `short`, what is reused is the rule: ``thread``, ``loop x 4``.
    """
    if found is None or found.unit is None:
        return NOTHING
    unit = found.unit.replace("-", " ")
    if found.unit != Unit.EVENT_LOOP and found.reused is not None:
        unit = f"{'reused' if found.reused else 'new'} {unit}"
    unit = unit.removeprefix("reused ").removeprefix("event ") if short else unit
    several = found.processes is not None and found.processes > 1 and found.unit != Unit.PROCESS
    return f"{unit} x {found.processes}" if several else unit


def lines_words(found: SuiteFound | None) -> str:
    """The most in each line, with its limit: ``129/128``; inner lines behind, where somebody stood in them."""
    if found is None:
        return NOTHING
    shown = [line for line in found.lines if line.outer or line.depth_peak]
    return ", ".join(f"{line.depth_peak:,}/{line.limit:,}" for line in shown) or NOTHING


def failed_count(found: SuiteFound) -> int:
    """How many requests failed, in whatever way."""
    return sum(found.failures.values())


def share_words(found: SuiteFound | None) -> str:
    """How much of what had an outcome failed: ``0``, ``0.2 %``, ``41 %``."""
    if found is None:
        return NOTHING
    failed = failed_count(found)
    share = 100 * failed / max(1, failed + found.answered)
    if failed and found.answered and not 0.1 <= share <= 99:  # noqa: PLR2004 where two digits would say none, or all
        return "< 0.1 %" if share < 1 else "> 99 %"
    return f"{share:.2g} %" if 0 < share < 10 else f"{share:.0f} %" if share else "0"  # noqa: PLR2004 two digits


def fails_words(found: SuiteFound | None) -> str:
    """By kind, the most first, then what ran out: ``901 server error, 12 reset; threads (255 of 256)``."""
    if found is None:
        return NOTHING
    counts = sorted(found.failures.items(), key=lambda pair: -pair[1])
    kinds = ", ".join(f"{number:,} {kind_words(kind)}" for kind, number in counts)
    return "; ".join(words for words in (kinds, ", ".join(found.limits)) if words) or NOTHING


def note(row: SuiteRow) -> str:
    """What a reader must know of the row before its figures."""
    if row.found is not None and not row.found.valid:
        return "not valid"
    return "unlike expected" if unlike_expected(row) else ""


def result_words(row: SuiteRow) -> str:
    """A row's result as a line's end: ``40 at once (A1: 40)``, ``391 requests/s (T9: 391)``, or why there is none."""
    if row.found is None:
        return f"{STATE_WORDS.get(row.state, row.state.value)}: {row.reason}" if row.reason else NOTHING
    if row.rate is not None:
        words, theirs = f"{per_s_words(row.found.requests_per_s)} requests/s", per_s_words(row.rate.requests_per_s)
    else:
        words = f"{at_once_words(row.found)} {'at once' if row.found.answered else 'answered'}"
        theirs = published_at_once(row)
    beside = f" ({ids_words(row)}: {theirs})" if row.ids and theirs != NOTHING else ""
    marks = f"; {note(row)}" if note(row) else ""
    return f"{words}{beside}{marks}"


def load_words(record: SuiteRecord, table: SuiteTable) -> str:
    """What a table's rows were measured with."""
    asked = record.asked
    if table is SuiteTable.CONCURRENCY:
        return (
            f"{plural(asked.requests, 'request')} at one instant, each held {duration(asked.hold_s)}, unless a target"
            " has a load of its own"
        )
    rows = [row for row in record.rows if row.table is table and not row.is_unread]
    cores = f". Server and load share {record.host['cores']} cores" if "cores" in record.host else ""
    return (
        f"{_connections_words(rows)} for {duration(asked.duration_s)}, the next request when the last is answered;"
        f" {_request_words(rows)}; {duration(TIMEOUT_S)} for an answer{cores}"
    )


def _connections_words(rows: Iterable[SuiteRow]) -> str:
    """The number that all have, or that those have which no word says otherwise of."""
    numbers = {row.profile.most_connections for row in rows}
    if len(numbers) == 1:
        return plural(numbers.pop(), "connection")
    return f"{plural(USUAL_CONNECTIONS, 'connection')}, or as many as the row says,"


def _request_words(rows: list[SuiteRow]) -> str:
    """``GET /health, which takes 100 ms; status 200 and a body with ok``, as far as it is the same for all."""
    requests = [row.request for row in rows if row.request is not None]
    paths = {request.path.partition("?")[0] for request in requests}
    answers = {(request.status, request.contains) for request in requests}
    holds = {row.rate.hold_s for row in rows if row.rate and row.rate.hold_s}
    words = f"GET {paths.pop()}" if len(paths) == 1 else "the request that a row's file names"
    if len(holds) == 1:
        no_sleep = any(row.rate and row.rate.hold_s == 0 for row in rows)
        words += f", which takes {time_words(holds.pop())}{' unless the row says no sleep' if no_sleep else ''}"
    if len(answers) == 1:
        status, contains = answers.pop()
        words += f"; status {status}{f' and a body with {contains}' if contains else ''}"
    return words


def explained(row: SuiteRow) -> str:
    """Why our figure is not the published one: what was unlike in the load, then the target file's words."""
    if not row.counts:
        return ""
    published = (row.rate,) if row.rate else row.ceilings
    return " ".join([*_fewer_connections(row), *(entry.differs for entry in published if entry.differs)])


def _fewer_connections(row: SuiteRow) -> list[str]:
    if row.rate is None or not isinstance(row.profile, ClosedProfile):
        return []
    here, published = row.profile.connections, row.rate.connections
    words = f"The study had {published:,} connections; {here:,} are as many as the server may open files for here."
    return [words] if here < published else []
