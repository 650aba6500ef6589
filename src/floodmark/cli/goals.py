"""`--threshold` and what goes with it: what a run is to meet, as options. Nothing is judged here."""

from typing import Annotated, Any

from floodmark.cli import groups
from floodmark.core.threshold_grammar import parse_all


def _option(words: str, *names: str, **more: Any) -> Any:
    return groups.option(words, *names, rich_help_panel=groups.GOALS, **more)


def _prove_thresholds(value: list[str] | None) -> list[str] | None:
    """Before anything else is looked at. Raises `ThresholdError`."""
    parse_all(value or ())
    return value


ThresholdOption = Annotated[
    list[str] | None,
    _option(
        "What the run is to meet, as in 'http_req_duration: p(95)<200' or 'target.accept_queue.max < 100'. May be"
        " repeated. Exit code 99 where one is missed.",
        "--threshold",
        metavar="TEXT",
        callback=_prove_thresholds,
    ),
]

AbortOption = Annotated[bool, _option("End the load as soon as a threshold is missed for sure.", "--abort-on-fail")]

AbortDelayOption = Annotated[
    float | None,
    _option("Seconds of the load in which no threshold ends it. [default: 0]", "--abort-delay", metavar="SECONDS"),
]
