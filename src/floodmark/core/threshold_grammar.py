"""Thresholds as people write them: k6's grammar, on the target's side too. ``docs/reference/metrics.md`` explains it.

    thresholds = threshold *( "&&" threshold )
    threshold  = [ name ":" ] value operator number [ unit ]
    value      = statistic | name | name "." statistic
    statistic  = "p(" number ")" | a word, as in avg, max, rate, count; "value" is the metric itself
    operator   = "<" | "<=" | ">" | ">=" | "==" | "===" | "!="

A threshold behind ``&&`` that says a statistic alone is on the name before the last colon.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import NoReturn

from floodmark.core.errors import ThresholdError
from floodmark.core.metric_names import SECONDS, TRENDS, UNITS, statistic_of
from floodmark.core.threshold import LIMIT_UNITS, OPERATORS, PLAIN, Threshold

NOT_MEASURED = frozenset(
    {
        "checks",
        "data_sent",
        "group_duration",
        "http_req_blocked",
        "http_req_receiving",
        "http_req_sending",
        "http_req_tls_handshaking",
        "iteration_duration",
        "iterations",
        "vus",
        "vus_max",
    }
)
"""Metrics of k6's that a load of Floodmark's does not have."""

_STATISTICS = frozenset({"avg", "count", "max", "med", "min", "p", "rate", "value"})
"""k6's, which it writes under a metric."""

LONGEST = 10_000
"""Characters of a text; a line of a command is shorter."""

SHOWN = 120
"""How much of a text an error repeats."""

_BLANKS = re.compile(r"[ \t]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|-?\.[0-9]+")
_OPERATOR = re.compile("|".join(re.escape(operator) for operator in OPERATORS))
_UNIT = re.compile(r"[A-Za-z\N{MICRO SIGN}%][A-Za-z/]*")
_RANK_OPENS = re.compile(r"\(")
_RANK_CLOSES = re.compile(r"\)")
_COLON = re.compile(":")
_AND = re.compile("&&")


def parse_thresholds(text: str) -> tuple[Threshold, ...]:
    """The thresholds in a text. Raises `ThresholdError` that names the text, the column and what may stand there."""
    reader = _Reader(text)
    found, base = [], ""
    while True:
        threshold, base = _threshold(reader, base)
        found.append(threshold)
        if reader.is_at_end():
            return tuple(found)
        if not reader.take(_AND):
            reader.refuse("&& and another threshold")


def parse_all(texts: Iterable[str]) -> tuple[Threshold, ...]:
    """The thresholds of several texts, in their order. Raises `ThresholdError`."""
    return tuple(threshold for text in texts for threshold in parse_thresholds(text))


def ranks_of(texts: Iterable[str]) -> tuple[float, ...]:
    """The percentiles that the thresholds of several texts ask for. Raises `ThresholdError`."""
    return tuple({threshold.rank: None for threshold in parse_all(texts) if threshold.rank is not None})


class _Reader:
    """A text and how far it is read; blanks between two words mean nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        if len(text) > LONGEST:
            self.refuse(f"no more than {LONGEST:,} characters")
        self._skip()

    def take(self, pattern: re.Pattern[str]) -> str:
        """The next word where it is one of these, and goes on behind it; else nothing."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        self._skip()
        return match[0]

    def need(self, pattern: re.Pattern[str], what: str) -> str:
        """The next word; refuses another than these."""
        return self.take(pattern) or self.refuse(what)

    def is_at_end(self) -> bool:
        return self.at == len(self.text)

    def since(self, begin: int) -> str:
        """What was read since then."""
        return self.text[begin : self.at].strip()

    def refuse(self, what: str) -> NoReturn:
        """What stands here cannot; `what` may."""
        rest = self.text[self.at :].split(maxsplit=1)
        found = f"{_cut(rest[0])} cannot stand here" if rest else "it ends here"
        self.fail(f"{found}; there may be {what}")

    def fail(self, words: str, at: int | None = None) -> NoReturn:
        column = (self.at if at is None else at) + 1
        raise ThresholdError(f"threshold {_cut(self.text)}, column {column}: {words}")

    def _skip(self) -> None:
        match = _BLANKS.match(self.text, self.at)
        self.at = match.end() if match else self.at


def _threshold(reader: _Reader, base: str) -> tuple[Threshold, str]:
    """The next threshold, and the name that a statistic alone would be on behind it."""
    begin, prefix = reader.at, ""
    word = reader.need(_NAME, "a metric's name, as in http_req_duration or target.accept_queue.max")
    if reader.take(_COLON):
        base, at = word, reader.at
        _prove_base(reader, base, begin)
        metric, rank = _of_base(reader, base, reader.need(_NAME, f"a statistic: {_statistics(base)}"), at)
    elif base and "." not in word and word not in UNITS:
        prefix = f"{base}: "
        metric, rank = _of_base(reader, base, word, begin)
    else:
        metric, rank = _named(reader, word, begin)
    operator = reader.need(_OPERATOR, ", ".join(sorted(OPERATORS, key=len)))
    limit, limit_unit = _limit(reader, metric)
    threshold = Threshold(
        text=prefix + reader.since(begin),
        metric=metric,
        operator=operator,
        limit=limit,
        unit=_unit_of(metric),
        limit_unit=limit_unit,
        rank=rank,
    )
    return threshold, base


def _of_base(reader: _Reader, base: str, word: str, at: int) -> tuple[str, float | None]:
    """The metric that a name and a statistic of it mean."""
    if word == "p":
        return _percentile(reader, base)
    if word == "value" and base in UNITS:
        return base, None
    if f"{base}.{word}" not in UNITS:
        reader.fail(f"{base} has no statistic {word!r}; it has {_statistics(base)}", at)
    return f"{base}.{word}", None


def _named(reader: _Reader, word: str, at: int) -> tuple[str, float | None]:
    """The metric that a whole name means."""
    base, _, last = word.rpartition(".")
    if last == "p" and base and reader.text.startswith("(", reader.at):
        _prove_base(reader, base, at)
        return _percentile(reader, base)
    if word not in UNITS:
        _refuse_name(reader, word, at)
    return word, None


def _percentile(reader: _Reader, base: str) -> tuple[str, float | None]:
    reader.need(_RANK_OPENS, "a percentile in brackets, as in p(95)")
    at = reader.at
    rank = float(reader.need(_NUMBER, "a number from 0 to 100, as in p(99.9)"))
    reader.need(_RANK_CLOSES, "the bracket's end, as in p(95)")
    if not 0 <= rank <= 100:  # noqa: PLR2004 - a percentile
        reader.fail(f"p({rank:g}) is no percentile: give a number from 0 to 100", at)
    metric = f"{base}.{statistic_of(rank)}"
    if base not in TRENDS and metric not in UNITS:
        reader.fail(f"{base} has no statistic 'p({rank:g})'; it has {_statistics(base)}", at)
    return metric, rank if base in TRENDS else None


def _limit(reader: _Reader, metric: str) -> tuple[float, str]:
    at = reader.at
    number = reader.need(_NUMBER, "a number")
    unit_at = reader.at
    unit = reader.take(_UNIT)
    units = LIMIT_UNITS.get(_unit_of(metric), PLAIN)
    if unit not in units:
        known = ", ".join(name for name in units if name)
        may = f"it may be {known}, or none" if known else f"it is a number of {_unit_of(metric)}, without a unit"
        reader.fail(f"{metric} is not counted in {unit!r}; {may}", unit_at)
    limit = float(Decimal(number) * units[unit])
    if not isfinite(limit):
        reader.fail("a number of this size cannot be meant", at)
    return limit, unit


def _unit_of(metric: str) -> str:
    """A percentile that is not in the catalogue is a time."""
    return UNITS.get(metric, SECONDS)


def _prove_base(reader: _Reader, base: str, at: int) -> None:
    if not _parts(base) and base not in UNITS:
        _refuse_name(reader, base, at)


def _refuse_name(reader: _Reader, name: str, at: int) -> NoReturn:
    if reader.text.startswith("{", reader.at):
        reader.fail("Floodmark's metrics have no tags: leave out what is in braces")
    if _parts(name):
        reader.fail(f"{name} needs a statistic: {_statistics(name)}; as in '{name}: {_example(name)}'", at)
    if name in _STATISTICS:
        reader.fail(f"{name!r} is a statistic: say of which metric, as in 'http_req_duration: p(95)<200'", at)
    if name.partition(".")[0] in NOT_MEASURED:
        reader.fail(f"{name} is one of k6's metrics that are not measured here", at)
    names = {known for metric in UNITS for known in (metric, metric.rpartition(".")[0])}
    near = get_close_matches(name, sorted(names - {""}), n=3)
    words = f"near it are {', '.join(near)}" if near else "docs/reference/metrics.md lists them"
    reader.fail(f"no metric {_cut(name)}; {words}", at)


def _parts(base: str) -> list[str]:
    """The last words of the metrics that begin with this name."""
    begin = f"{base}."
    return [name.removeprefix(begin) for name in UNITS if name.startswith(begin) and "." not in name[len(begin) :]]


def _statistics(base: str) -> str:
    known = _parts(base)
    if base in TRENDS:
        known = [word for word in known if not word.startswith("p")] + ["p(N)"]
    return ", ".join([*known, "value"] if base in UNITS else known)


def _example(base: str) -> str:
    return "p(95)<200" if base in TRENDS else f"{_parts(base)[0]}<10"


def _cut(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
