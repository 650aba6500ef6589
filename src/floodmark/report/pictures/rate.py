"""How many requests per second were answered, planned and failed over time: of a steady load, and of a burst."""

from dataclasses import replace

from matplotlib.figure import Figure

from floodmark.analysis.document import Judged, Timeline
from floodmark.analysis.failure_times import interval_s
from floodmark.report.pictures.axes import AXIS_PX, name_time
from floodmark.report.pictures.canvas import blank
from floodmark.report.pictures.caption import caption, draw_caption
from floodmark.report.pictures.chart_drawing import draw_chart
from floodmark.report.pictures.charts import Chart, Curve, chart_of_rates, charts_of
from floodmark.report.pictures.colours import FAILED, INK
from floodmark.report.pictures.picture import prepare
from floodmark.report.pictures.size import LINE_PX, MARGIN_PX, Size, text_width_px
from floodmark.report.words import printable, profile_words

HEIGHT_SHARE = 0.6
"""Of the waterline's plot."""


def make_rate(judged: Judged, size: Size) -> Figure | None:
    """The picture on a sheet; None where no request had an outcome."""
    chart = rate_chart(judged)
    if chart is None:
        return None
    picture = prepare(judged, replace(size, chart_px=size.plot_px * HEIGHT_SHARE))
    margin_px = max(text_width_px(curve.words) for curve in chart.curves) + 2 * MARGIN_PX
    frame = replace(picture.frame, begin_s=0.0, width_px=size.width_px - size.left_px - margin_px)
    picture = replace(picture, frame=frame)
    words = f"{printable(judged.document.target)}: {profile_words(judged.document.profile)}"
    head = caption(size.width_px, "How many per second", words)
    figure = blank(size.width_px, head.height_px + LINE_PX + picture.size.chart_px + AXIS_PX)
    draw_caption(figure, head)
    name_time(draw_chart(figure, picture, chart, AXIS_PX))
    return figure


def rate_chart(judged: Judged) -> Chart | None:
    """The rates of a steady load by the second, of a burst over even intervals; None where nothing had an outcome."""
    timeline = judged.timeline
    if judged.seconds:
        return next(iter(charts_of(judged)), None)
    if not timeline.times_s or not (timeline.answered[-1] or timeline.failed[-1]) or timeline.times_s[-1] <= 0:
        return None
    edges_s = _edges(timeline.times_s[-1])
    answered, failed = (_per_second(timeline, totals, edges_s) for totals in (timeline.answered, timeline.failed))
    curves = [Curve(words=f"answered {timeline.answered[-1]:,}", colour=INK, values=answered)]
    if any(failed):
        curves.append(Curve(words=f"failed {timeline.failed[-1]:,}", colour=FAILED, values=failed))
    return chart_of_rates(edges_s, curves)


def _edges(end_s: float) -> tuple[float, ...]:
    """Even intervals up to the end; a rest of less than half of one is with the one before."""
    width_s = interval_s(end_s)
    number = max(1, round(end_s / width_s))
    return (*(round(index * width_s, 6) for index in range(number)), end_s)


def _per_second(timeline: Timeline, totals: tuple[int, ...], edges_s: tuple[float, ...]) -> tuple[float, ...]:
    at_edges, step = [], 0
    for edge_s in edges_s:
        while step + 1 < len(timeline.times_s) and timeline.times_s[step + 1] <= edge_s:
            step += 1
        at_edges.append(totals[step] if timeline.times_s[step] <= edge_s else 0)
    spans = zip(edges_s, edges_s[1:], at_edges, at_edges[1:], strict=False)
    return tuple((after - before) / (until_s - since_s) for since_s, until_s, before, after in spans)
