"""What a run is to meet, as both command lines ask for it. Whether it did is ``floodmark.analysis``' to judge."""

from collections.abc import Iterable
from dataclasses import dataclass

from floodmark.core.errors import UsageError
from floodmark.core.metric_names import is_told_live
from floodmark.core.profile import MAX_DURATION_S, SearchProfile
from floodmark.core.threshold_grammar import parse_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """The thresholds, one text each.

    With `abort_on_fail` one that is missed for sure ends the load, but not before `abort_delay_s` after its first
    release.
    """

    thresholds: tuple[str, ...] = ()
    abort_on_fail: bool = False
    abort_delay_s: float = 0.0


def goals_of(
    kind: str, texts: Iterable[str], *, abort_on_fail: bool = False, abort_delay_s: float | None = None
) -> Goals:
    """The goals of a load of this kind. Raises `UsageError` for what is no threshold, and for what would do nothing."""
    thresholds = parse_all(texts)
    if abort_delay_s is not None and not 0 <= abort_delay_s <= MAX_DURATION_S:
        raise UsageError(f"--abort-delay {abort_delay_s:g}: give seconds from 0 to {MAX_DURATION_S:,.0f}")
    if abort_delay_s and not abort_on_fail:
        raise UsageError(f"--abort-delay {abort_delay_s:g}: without --abort-on-fail no threshold ends the load")
    if abort_on_fail:
        _prove_abort(kind, [threshold.metric for threshold in thresholds])
    return Goals(
        thresholds=tuple(threshold.text for threshold in thresholds),
        abort_on_fail=abort_on_fail,
        abort_delay_s=abort_delay_s or 0.0,
    )


def _prove_abort(kind: str, metrics: list[str]) -> None:
    if not metrics:
        raise UsageError("--abort-on-fail: nothing can fail without a --threshold")
    if kind in SearchProfile.KINDS:
        raise UsageError("--abort-on-fail: what a search is to meet is judged on the whole, at its end; leave it out")
    if not any(is_told_live(metric, kind) for metric in metrics):
        known = f"{', '.join(metrics)}: known" if len(metrics) > 1 else f"{metrics[0]} is known"
        words = f"{known} at the end of a {kind} load only"
        raise UsageError(f"--abort-on-fail: {words}; docs/reference/metrics.md says what is known before")
