"""A run's numbers as CSV: the catalogue of metrics, the places over time, a steady load's seconds. Text only.

RFC 4180, but for line ends: they are a single line feed, as everything else here writes them.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from floodmark.analysis.document import SecondPoint, Timeline, VerdictDocument
from floodmark.analysis.metrics import metrics_of
from floodmark.core.codec import field_types, to_row
from floodmark.core.places import Place

METRIC_COLUMNS = ("metric", "value", "unit", "words")
SERIES_COLUMNS = (
    "time_s",
    *(place.value for place in Place),
    *("answered", "failed", "unsent", "processes", "threads", "open_files", "rss_bytes"),
)

Cell = str | float | None


def to_metrics_csv(document: VerdictDocument) -> str:
    """One row per metric; a value that the run does not know is an empty cell."""
    rows = ((metric.name, metric.value, metric.unit, metric.words) for metric in metrics_of(document).values())
    return _csv(METRIC_COLUMNS, rows)


def to_series_csv(timeline: Timeline) -> str:
    """One row per time of the timeline: how many requests were in each place, and what the target held."""
    columns = (
        timeline.times_s,
        *(timeline.places[place] for place in Place),
        *(timeline.answered, timeline.failed, timeline.unsent, timeline.processes, timeline.threads),
        *(timeline.open_files, timeline.rss_bytes),
    )
    return _csv(SERIES_COLUMNS, zip(*columns, strict=True))


def to_seconds_csv(seconds: Sequence[SecondPoint]) -> str:
    """One row per second of a steady load; of another load the column names only."""
    return _csv(tuple(field_types(SecondPoint)), (to_row(second) for second in seconds))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return file.getvalue()
