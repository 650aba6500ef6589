"""When requests failed, and how: a column per interval, stacked by kind, the most frequent at the bottom."""

import math

from matplotlib.figure import Figure

from floodmark.analysis.document import Judged
from floodmark.analysis.pictured import FailureTimes
from floodmark.report.pictures import series
from floodmark.report.pictures.axes import AXIS_PX, count_seconds, count_up, name_time, plain_axes
from floodmark.report.pictures.canvas import blank
from floodmark.report.pictures.caption import Key, caption, draw_caption
from floodmark.report.pictures.charts import HEADROOM
from floodmark.report.pictures.colours import FAILURE
from floodmark.report.pictures.size import MARGIN_PX, Size
from floodmark.report.words import duration, kind_words, plural, printable

HEIGHT_SHARE = 0.5
"""Of the waterline's plot."""

LEAST_COLUMN_PX = 4.0
"""Columns that would be narrower are put together."""

GAP_PX = 1.0
"""Between two columns, where they are wide enough for it."""


def make_failures(judged: Judged, size: Size) -> Figure | None:
    """The picture on a sheet; None where nothing failed, or nobody knows when."""
    if judged.failed is None:
        return None
    width_px = size.width_px - size.left_px - 2 * MARGIN_PX
    end_s = max([judged.failed.edges_s[-1], *judged.timeline.times_s[-1:]])
    failed = coarser(judged.failed, end_s, int(width_px / LEAST_COLUMN_PX))
    head = caption(size.width_px, "When requests failed, and how", _words(judged, failed), _keys(failed))
    height_px = size.plot_px * HEIGHT_SHARE
    figure = blank(size.width_px, head.height_px + height_px + AXIS_PX)
    draw_caption(figure, head)
    axes = plain_axes(figure, size.left_px, AXIS_PX, width_px, height_px)
    column_s = failed.edges_s[1] - failed.edges_s[0]
    gap = GAP_PX / (width_px / end_s * column_s)
    drawn_s = column_s * (1 - gap if gap < 1 / 3 else 1)
    lower = [0] * (len(failed.edges_s) - 1)
    for kind, counts in failed.counts.items():
        # The edges of columns stand on whole pixels' fractions: a pale seam would show between the kinds.
        axes.bar(failed.edges_s[:-1], counts, drawn_s, lower, align="edge", color=FAILURE[kind], linewidth=0, zorder=3)
        lower = [below + count for below, count in zip(lower, counts, strict=True)]
    axes.set_xlim(0, end_s)
    axes.set_ylim(0, max(1.0, series.highest([float(total) for total in lower])) * HEADROOM)
    count_up(axes, marks=4)
    count_seconds(axes, width_px)
    name_time(axes)
    return figure


def coarser(failed: FailureTimes, end_s: float, columns: int) -> FailureTimes:
    """The same in intervals so many times as long that no more than `columns` of them reach to `end_s`."""
    width_s = failed.edges_s[1] - failed.edges_s[0]
    times = max(1, math.ceil(end_s / width_s / columns))
    number = math.ceil((len(failed.edges_s) - 1) / times)
    return FailureTimes(
        edges_s=tuple(round(index * times * width_s, 6) for index in range(number + 1)),
        counts={
            kind: tuple(sum(counts[index * times : (index + 1) * times]) for index in range(number))
            for kind, counts in failed.counts.items()
        },
    )


def _words(judged: Judged, failed: FailureTimes) -> str:
    total = sum(map(sum, failed.counts.values()))
    each = duration(round(failed.edges_s[1] - failed.edges_s[0], 6))
    return f"{printable(judged.document.target)}: {plural(total, 'request')} failed; a column is {each}"


def _keys(failed: FailureTimes) -> list[Key]:
    return [
        Key(words=f"{sum(counts):,} {kind_words(kind)} ({kind.side})", colour=FAILURE[kind])
        for kind, counts in failed.counts.items()
    ]
