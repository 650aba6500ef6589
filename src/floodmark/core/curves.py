"""``timeline.json``, and what a page shows of a load under way: its curves, bounded. Records only.

Some hundred points whatever the load: a page that draws them stays quick.
"""

import dataclasses
from dataclasses import dataclass

from floodmark.core.places import Place

FORMAT = 1
MOST_POINTS = 600
"""Of a series over time: a plot 1,200 pixels wide shows no more."""
MOST_INTERVALS = 300
"""Of rates and latencies."""

Counts = tuple[int | None, ...]
Times = tuple[float | None, ...]

PEAK_SERIES = (*(place.value for place in Place), "with_server", "processes", "threads", "open_files")
TOTAL_SERIES = ("answered", "failed", "overflows")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCurves:
    """Where the requests were at `times_s`, seconds since the release; each value holds until the next time.

    In a long load a point stands for some time, and has the most that was in each place in it. `with_server` counts
    requests that the server has read, where those in service and in process are not told apart: None where they are.
    `answered`, `failed` and `overflows` (listen overflows) are running totals.
    """

    times_s: tuple[float, ...] = ()
    places: dict[Place, Counts] = dataclasses.field(default_factory=dict)
    with_server: Counts = ()
    answered: Counts = ()
    failed: Counts = ()
    processes: Counts = ()
    threads: Counts = ()
    open_files: Counts = ()
    overflows: Counts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCurves:
    """What ended from each of `times_s` on, for `width_s` seconds: per second, and how long the answered ones took."""

    width_s: float = 1.0
    times_s: tuple[float, ...] = ()
    answered_per_s: Times = ()
    failed_per_s: Times = ()
    p50_s: Times = ()
    p99_s: Times = ()
    max_s: Times = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """All curves of one load. `end_s` is the end of the load, or now; `ceiling` the proven one.

    After `certain_until_s` (None: never) in service is an estimate. `queue_limit`: that of the accept queue.
    """

    format: int = FORMAT
    end_s: float = 0.0
    certain_until_s: float | None = None
    ceiling: int | None = None
    queue_limit: int | None = None
    places: PlaceCurves = dataclasses.field(default_factory=PlaceCurves)
    rates: RateCurves = dataclasses.field(default_factory=RateCurves)
