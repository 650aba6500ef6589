"""``timeline.json``: a judged run's curves for a page that draws them, bounded whatever its length. No judging."""

import json
from collections.abc import Iterable
from itertools import pairwise

from floodmark.analysis.axis import Axis, put_on_axis
from floodmark.analysis.document import Judged, SecondPoint, Timeline
from floodmark.core.bounded import BoundedRows
from floodmark.core.codec import to_plain
from floodmark.core.curves import (
    MOST_INTERVALS,
    MOST_POINTS,
    PEAK_SERIES,
    TOTAL_SERIES,
    Curves,
    PlaceCurves,
    RateCurves,
)
from floodmark.core.intervals import Intervals
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Recording
from floodmark.report.silences import with_silences


def to_timeline_json(judged: Judged, recording: Recording) -> str:
    """The curves as JSON, ASCII only, with a newline at its end."""
    return json.dumps(to_plain(curves_of(judged, recording)), separators=(",", ":")) + "\n"


def curves_of(judged: Judged, recording: Recording) -> Curves:
    """The curves of one load; `recording` is what `judged` was made of."""
    axis = put_on_axis(recording)
    end_s = max([*judged.timeline.times_s, axis.end_s])
    timeline = with_silences(judged.timeline, end_s)
    is_held = isinstance(recording.manifest.profile, BurstProfile)
    waiting = judged.document.verdict.waiting.get(Place.ACCEPT_QUEUE)
    return Curves(
        end_s=end_s,
        certain_until_s=timeline.certain_until_s,
        ceiling=judged.document.verdict.in_service.ceiling,
        queue_limit=waiting.limit if waiting is not None else None,
        places=_places(timeline, _overflows(axis, timeline.times_s)),
        rates=_rates_of_hits(axis, end_s) if is_held else _rates_of_seconds(judged.seconds, end_s),
    )


def _places(timeline: Timeline, overflows: Iterable[int | None]) -> PlaceCurves:
    rows = BoundedRows(peaks=PEAK_SERIES, totals=TOTAL_SERIES, limit=MOST_POINTS)
    named = {place.value: values for place, values in timeline.places.items()} | {
        name: getattr(timeline, name) for name in ("processes", "threads", "open_files", "answered", "failed")
    }
    # Where one of the two is not known they were not told apart: what the server has read is one place then.
    is_split = any(value is not None for value in timeline.places[Place.IN_PROCESS])
    if not is_split:
        named["with_server"] = named.pop(Place.IN_SERVICE.value)
    for index, (time_s, seen) in enumerate(zip(timeline.times_s, overflows, strict=True)):
        rows.add(time_s, {name: values[index] for name, values in named.items()} | {"overflows": seen})
    columns = {name: rows.column(name) for name in (*PEAK_SERIES, *TOTAL_SERIES)}
    places = {place: columns.pop(place.value) for place in Place}
    return PlaceCurves(times_s=rows.times_s(), places=places, **columns)  # type: ignore[arg-type] # all are counts


def _overflows(axis: Axis, times_s: tuple[float, ...]) -> list[int | None]:
    """The running total at each time: that of the newest sample then."""
    counted = [
        (beat.at_s, beat.sample.counters.listen_overflows) for beat in axis.beats if beat.sample.counters is not None
    ]
    found: list[int | None] = []
    index = 0
    for time_s in times_s:
        while index + 1 < len(counted) and counted[index + 1][0] <= time_s:
            index += 1
        found.append(counted[index][1] - counted[0][1] if counted else None)
    return found


def _rates_of_hits(axis: Axis, end_s: float) -> RateCurves:
    intervals = Intervals()
    for request in axis.requests:
        if request.ended_s is None or request.ended_s > end_s:
            continue
        is_answer = request.hit.outcome is Outcome.ANSWERED
        intervals.count(request.ended_s, answered=int(is_answer), failed=int(request.hit.outcome.failed))
        if is_answer:
            intervals.time(request.ended_s, [request.ended_s - request.planned_s])
    return intervals.curves(end_s)


def _rates_of_seconds(points: tuple[SecondPoint, ...], end_s: float) -> RateCurves:
    """Of several seconds the worst: percentiles are not averaged."""
    width = 1
    while len(points) > width * MOST_INTERVALS:
        width *= 2
    columns = [points[first : first + width] for first in range(0, len(points), width)]
    edges_s = [*(float(column[0].second) for column in columns), max(end_s, float(len(points)))]
    lengths_s = [min(max(until_s - begin_s, 0.5), width) for begin_s, until_s in pairwise(edges_s)]

    def per_s(name: str) -> tuple[float, ...]:
        totals = [sum(getattr(point, name) for point in column) for column in columns]
        return tuple(round(total / length_s, 2) for total, length_s in zip(totals, lengths_s, strict=True))

    def worst(name: str) -> tuple[float | None, ...]:
        known = [[value for point in column if (value := getattr(point, name)) is not None] for column in columns]
        return tuple(max(values, default=None) for values in known)

    return RateCurves(
        width_s=float(width),
        times_s=tuple(edges_s[:-1]),
        answered_per_s=per_s("answered"),
        failed_per_s=per_s("failed"),
        p50_s=worst("p50_s"),
        p99_s=worst("p99_s"),
        max_s=worst("max_s"),
    )
