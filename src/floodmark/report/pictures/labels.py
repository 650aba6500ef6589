"""Where a label fits inside a band of the waterline. Geometry only: no text is drawn here."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from floodmark.report.pictures.series import Band

COLUMN_PX = 6.0
"""How finely the search for room looks: finer changes no label's place visibly."""

ENOUGH_PX = 60.0
"""Above this height of free room the middle of the band matters more than yet more room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The plot's inside: how many pixels, and which values its edges stand for; the lower edge is 0."""

    width_px: float
    height_px: float
    begin_s: float
    end_s: float
    top: float

    def x_px(self, time_s: float) -> float:
        """Pixels from the left edge."""
        return (time_s - self.begin_s) / (self.end_s - self.begin_s) * self.width_px

    def y_px(self, value: float) -> float:
        """Pixels from the lower edge."""
        return value / self.top * self.height_px

    def columns_s(self) -> list[float]:
        """The time at the middle of each column of the search."""
        number = max(1, int(self.width_px / COLUMN_PX))
        return [self.begin_s + (self.end_s - self.begin_s) * (column + 0.5) / number for column in range(number)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """The middle of a label, in the plot's values."""

    time_s: float
    value: float


def place_label(
    frame: Frame,
    times_s: Sequence[float],
    band: Band,
    lines: Sequence[Sequence[float]],
    size_px: tuple[float, float],
) -> Spot | None:
    """The roomiest spot for a label of `size_px` (width, height) inside the band and clear of `lines`; None if none."""
    width, height = size_px
    columns_s = frame.columns_s()
    window = math.ceil(width / COLUMN_PX) + 1
    lows = _sampled(frame, times_s, band.lower, columns_s)
    highs = _sampled(frame, times_s, band.upper, columns_s)
    crossing = [_sampled(frame, times_s, line, columns_s) for line in lines]
    best: tuple[float, float, Spot] | None = None
    for left in range(len(columns_s) - window + 1):
        inside = slice(left, left + window)
        if any(math.isnan(high) for high in highs[inside]):
            continue
        low, high = _free_room(max(lows[inside]), min(highs[inside]), [line[inside] for line in crossing])
        if high - low < height:
            continue
        middle = left + window // 2
        score = (min(high - low, ENOUGH_PX), -abs(middle - len(columns_s) / 2))
        if best is None or score > best[:2]:
            value = (low + high) / 2 / frame.height_px * frame.top
            best = (*score, Spot(time_s=columns_s[middle], value=value))
    return best[2] if best else None


def spread(wanted_px: Sequence[float], apart_px: float) -> list[float]:
    """Heights near the wanted ones, in their order, none closer than `apart_px` to its neighbour."""
    order = sorted(range(len(wanted_px)), key=lambda index: wanted_px[index])
    placed = [0.0] * len(order)
    floor = -math.inf
    for index in order:
        placed[index] = max(wanted_px[index], floor)
        floor = placed[index] + apart_px
    return placed


def _sampled(
    frame: Frame, times_s: Sequence[float], values: Sequence[float], columns_s: Sequence[float]
) -> list[float]:
    return [frame.y_px(values[max(0, bisect_right(times_s, time_s) - 1)]) for time_s in columns_s]


def _free_room(low: float, high: float, lines: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The tallest part of low..high that no line crosses."""
    edges = [(low, low), *sorted((min(line), max(line)) for line in lines), (high, high)]
    rooms, reached = [], low
    for line_low, line_high in edges:
        rooms.append((min(line_low, high) - reached, reached, min(line_low, high)))
        reached = max(reached, line_high)
    _, best_low, best_high = max(rooms)
    return best_low, best_high
