"""Whether a run met what it was to meet. What is not known is not met; whether a run counts is not judged here."""

from collections.abc import Iterable
from dataclasses import replace

from floodmark.analysis.document import Judged, ThresholdResult, VerdictDocument
from floodmark.analysis.metrics import metrics_of
from floodmark.core.metric_names import TRENDS
from floodmark.core.threshold import Threshold
from floodmark.core.threshold_grammar import parse_all


def with_thresholds(judged: Judged, texts: Iterable[str], missed_live: Iterable[str] = ()) -> Judged:
    """The verdict with a result for each threshold of `texts`.

    `missed_live` are those that ended the load, each by its own text: they are missed, whatever came in after it.
    Raises `ThresholdError` for a text that is none.
    """
    results = judge_thresholds(parse_all(texts), judged.document, frozenset(missed_live))
    return replace(judged, document=replace(judged.document, thresholds=results))


def judge_thresholds(
    thresholds: Iterable[Threshold], document: VerdictDocument, missed_live: frozenset[str] = frozenset()
) -> tuple[ThresholdResult, ...]:
    """Each threshold held against the document's metrics, in their order."""
    metrics = metrics_of(document)
    found = []
    for threshold in thresholds:
        metric = metrics.get(threshold.metric)
        value = metric.value if metric is not None else None
        found.append(_result(threshold, value, document, ended_load=threshold.text in missed_live))
    return tuple(found)


def _result(
    threshold: Threshold, value: float | None, document: VerdictDocument, *, ended_load: bool
) -> ThresholdResult:
    ok = threshold.is_met_by(value) and not ended_load
    return ThresholdResult(
        threshold=threshold.text,
        metric=threshold.metric,
        value=value,
        ok=ok,
        words=_words(threshold, value, document, ended_load=ended_load),
        ended_load=ended_load,
    )


def _words(threshold: Threshold, value: float | None, document: VerdictDocument, *, ended_load: bool) -> str:
    if value is None:
        words = f"not known: {_why_unknown(threshold.metric, document)}"
    else:
        ok = threshold.is_met_by(value)
        limit = f"{threshold.operator} {threshold.shown(threshold.limit)}"
        words = f"{threshold.shown(value)}, {'as wanted' if ok else 'and not'} {limit}"
    return f"{words}; it was missed while the load was on, and ended it" if ended_load else words


_STEADY_ONLY = ("throughput.", "data_received.", "http_reqs.rate", "target.service_time.", "target.way")


def _why_unknown(metric: str, document: VerdictDocument) -> str:
    """Why a run does not know a number."""
    steady = document.profile.is_steady
    trend = metric.rpartition(".")[0]
    reasons = (
        (trend in TRENDS and metric.startswith("http_req_waiting.") and steady, "answers came in several pieces"),
        (trend in TRENDS, "nothing was answered"),
        (metric.startswith(_STEADY_ONLY) and not steady, "closed loops and arrivals have it"),
        (metric == "target.in_service.ceiling" and steady, "a steady load proves no ceiling"),
        (metric == "target.in_service.ceiling", "no ceiling was proven"),
        (metric.startswith("target.memory.") and steady, "a burst has it"),
        (metric.startswith("search."), "a search has it"),
        (metric.startswith("target.") and document.agent is None, "no agent was at the target"),
    )
    return next((words for holds, words in reasons if holds), "this run has no such number")
