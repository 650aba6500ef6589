"""A timeline as the shapes that a picture needs: thinned, stacked, in steps, with gaps as NaN. No drawing here."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from floodmark.analysis.document import Timeline
from floodmark.core.places import Place

COLUMNS = 400
"""How many columns a picture is thinned to: each is two pixels wide, and keeps its highest and lowest values."""

Known = Sequence[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One place's band in the stack, a value per time; NaN where this or a place below was not seen."""

    place: Place
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def occurs(self) -> bool:
        """Whether the band is anywhere more than a line of no height."""
        return any(high > low for low, high in zip(self.lower, self.upper, strict=True))


def thinned(timeline: Timeline) -> list[int]:
    """The indexes worth drawing: every change where there are few, else the extremes of each column."""
    size = len(timeline.times_s)
    rows = list(zip(*_all_series(timeline), strict=True))
    kept = {0, size - 1, _first_estimated(timeline)}
    changes = [step for step in range(size) if step in kept or rows[step] != rows[step - 1]]
    if len(changes) <= 2 * COLUMNS:
        return changes
    columns: dict[int, list[int]] = {}
    span_s = (timeline.times_s[-1] - timeline.times_s[0]) or 1.0
    for step in changes:
        columns.setdefault(int((timeline.times_s[step] - timeline.times_s[0]) / span_s * COLUMNS), []).append(step)
    return sorted({step for steps in columns.values() for step in _extremes(timeline, steps)} | (kept & set(changes)))


def bands(timeline: Timeline, steps: Sequence[int]) -> list[Band]:
    """The six bands from in service upwards. A place never seen has no height, rather than ending the stack."""
    lower = [0.0] * len(steps)
    stacked = []
    for place in Place:
        seen = timeline.places[place]
        absent = all(value is None for value in seen)
        heights = [0.0 if absent else _nan(seen[step]) for step in steps]
        upper = [low + height for low, height in zip(lower, heights, strict=True)]
        stacked.append(Band(place=place, lower=tuple(lower), upper=tuple(upper)))
        lower = upper
    return stacked


def never_seen(timeline: Timeline) -> list[Place]:
    """The places of which the whole run tells nothing."""
    return [place for place in Place if all(value is None for value in timeline.places[place])]


def floats(series: Known, steps: Sequence[int]) -> list[float]:
    """The values at `steps`, NaN for None."""
    return [_nan(series[step]) for step in steps]


def staircase(
    times_s: Sequence[float], values: Sequence[float], end_s: float, *, begin_s: float = -math.inf
) -> tuple[list[float], list[float]]:
    """The points of a line that holds each value until the next time, the last one until `end_s`.

    What lies before `begin_s` is left out. A value between two gaps keeps its width: a plain step line would lose it.
    """
    xs, ys = [], []
    for (since_s, until_s), value in zip(_intervals(times_s, end_s), values, strict=True):
        if until_s >= begin_s:
            xs += [max(since_s, begin_s), until_s]
            ys += [value, value]
    return xs, ys


def gaps(times_s: Sequence[float], upper: Sequence[float], end_s: float) -> list[tuple[float, float]]:
    """The stretches of time in which the stack's top is not known, neighbours joined."""
    found: list[tuple[float, float]] = []
    for (begin_s, until_s), value in zip(_intervals(times_s, end_s), upper, strict=True):
        if not math.isnan(value):
            continue
        if found and found[-1][1] == begin_s:
            found[-1] = (found[-1][0], until_s)
        else:
            found.append((begin_s, until_s))
    return found


def highest(values: Sequence[float]) -> float:
    """The largest of the values that are known; 0 where none is."""
    return max((value for value in values if not math.isnan(value)), default=0.0)


def _intervals(times_s: Sequence[float], end_s: float) -> Iterator[tuple[float, float]]:
    return zip(times_s, [*times_s, end_s][1:], strict=True)


def _all_series(timeline: Timeline) -> list[Known]:
    places = [timeline.places[place] for place in Place]
    return [*places, timeline.answered, timeline.failed, timeline.threads, timeline.processes, timeline.open_files]


def _first_estimated(timeline: Timeline) -> int:
    """The first index whose in service is an estimate; one past the end where none is."""
    size, certain_s = len(timeline.times_s), timeline.certain_until_s
    return size if certain_s is None else bisect_left(timeline.times_s, certain_s)


def _extremes(timeline: Timeline, steps: list[int]) -> set[int]:
    kept = {steps[0], steps[-1]}
    for series in (*(timeline.places[place] for place in Place), timeline.threads, timeline.open_files):
        kept.add(max(steps, key=lambda step: series[step] or 0))
    kept.add(min(steps, key=lambda step: timeline.places[Place.IN_SERVICE][step] or 0))
    unknown = (step for step in steps if any(timeline.places[place][step] is None for place in Place))
    return kept | set(list(unknown)[:1])


def _nan(value: int | None) -> float:
    return math.nan if value is None else float(value)
