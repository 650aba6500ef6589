"""The numbers of a verdict, each under one flat name; ``docs/reference/metrics.md`` lists them. Nothing is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from floodmark.analysis.document import Line, VerdictDocument
from floodmark.analysis.estimates import HANDLER_TIMES, LITTLES_LAW, RECONSTRUCTION
from floodmark.core.metric_names import DERIVED, ENTRIES, FIELDS, MEDIAN, SECONDS, TRENDS, statistic_of
from floodmark.core.outcomes import Outcome, Side

Value = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a run in `unit`; None: the run does not know it. `words` say what it is."""

    name: str
    value: float | None
    unit: str
    words: str


CATALOGUE: dict[str, Metric] = {
    entry.name: Metric(name=entry.name, value=None, unit=entry.unit, words=entry.words) for entry in ENTRIES
}
"""Every metric that there is, without a value. `percentile_metric` makes more of them."""


def metrics_of(document: VerdictDocument) -> dict[str, Metric]:
    """Every metric of `CATALOGUE` with the run's value, and the percentiles that its thresholds asked for besides.

    Counts are whole numbers, times are in seconds.
    """
    values: dict[str, Value] = {field.name: _at(document, field.path) for field in FIELDS}
    values |= {entry.name: _DERIVE[entry.name](document) for entry in DERIVED}
    found = {
        name: Metric(name=name, value=values[name], unit=known.unit, words=known.words)
        for name, known in CATALOGUE.items()
    }
    for trend, (record, _) in TRENDS.items():
        times = getattr(document, record)
        for rank, time_s in times.others_s.items() if times is not None else ():
            metric = percentile_metric(trend, float(rank), time_s)
            found[metric.name] = metric
    return found


def percentile_metric(trend: str, rank: float, time_s: float | None = None) -> Metric:
    """The metric of any percentile of one of `TRENDS`."""
    words = "median" if rank == MEDIAN else f"{rank:.12g}th percentile"
    name = f"{trend}.{statistic_of(rank)}"
    return Metric(name=name, value=time_s, unit=SECONDS, words=f"{TRENDS[trend][1]}: {words}")


def _at(document: VerdictDocument, path: str) -> Value:
    value: Any = document
    for part in path.split("."):
        if value is None:
            return None
        value = value.get(part) if isinstance(value, dict) else getattr(value, part)
    found: Value = value
    return found


def _count(document: VerdictDocument, *outcomes: Outcome) -> int:
    return sum(document.outcomes.get(outcome.value, 0) for outcome in outcomes)


def _failed(document: VerdictDocument) -> int:
    return _count(document, *(outcome for outcome in Outcome if outcome.failed))


def _ended(document: VerdictDocument) -> int:
    return _count(document, Outcome.ANSWERED) + _failed(document)


def _failed_share(document: VerdictDocument) -> Value:
    ended = _ended(document)
    return _failed(document) / ended if ended else None


def _of_outcome(outcome: Outcome) -> Callable[[VerdictDocument], Value]:
    return lambda document: _count(document, outcome)


def _of_side(side: Side) -> Callable[[VerdictDocument], Value]:
    return lambda document: _count(document, *(outcome for outcome in Outcome if outcome.side is side))


def _by_method(method: str) -> Callable[[VerdictDocument], Value]:
    def value(document: VerdictDocument) -> Value:
        estimates = document.verdict.in_service.estimates
        return next((estimate.value for estimate in estimates if estimate.method == method), None)

    return value


def _fullest(document: VerdictDocument) -> Line | None:
    """The inner line that was deepest."""
    return max(
        (line for line in document.verdict.lines if not line.outer), key=lambda line: line.depth_peak, default=None
    )


def _inner_depth(document: VerdictDocument) -> Value:
    line = _fullest(document)
    return line.depth_peak if line is not None else None


def _inner_limit(document: VerdictDocument) -> Value:
    line = _fullest(document)
    return line.limit if line is not None else None


def _limits_reached(document: VerdictDocument) -> Value:
    """Without an agent nobody sees most limits: none found is then not none."""
    return len(document.verdict.limits) if document.agent is not None or document.verdict.limits else None


def _worst_bound(document: VerdictDocument) -> Value:
    return max((node.bound_s for node in document.clock), default=None)


def _worst_drift(document: VerdictDocument) -> Value:
    return max((abs(node.drift_s) for node in document.clock if node.drift_s is not None), default=None)


def _bursts(document: VerdictDocument) -> Value:
    return sum(step.judged for step in document.steps) if document.steps else None


_DERIVE: dict[str, Callable[[VerdictDocument], Value]] = {
    "http_reqs.count": _ended,
    "http_req_failed.rate": _failed_share,
    "http_req_failed.count": _failed,
    **{f"http_req_failed.{side.value}": _of_side(side) for side in Side},
    "dropped_iterations.count": _of_outcome(Outcome.UNSENT),
    "requests.planned": lambda document: sum(document.outcomes.values()),
    **{f"requests.{outcome.value}": _of_outcome(outcome) for outcome in Outcome},
    "target.in_service.handler_times": _by_method(HANDLER_TIMES),
    "target.in_service.reconstruction": _by_method(RECONSTRUCTION),
    "target.in_service.littles_law": _by_method(LITTLES_LAW),
    "target.inner_accept_queue.max": _inner_depth,
    "target.inner_accept_queue.limit": _inner_limit,
    "target.limits_reached": _limits_reached,
    "clock.bound.max": _worst_bound,
    "clock.drift.max": _worst_drift,
    "search.bursts": _bursts,
}
