"""Where the agent said nothing for long: what it had said last is no news any more. It changes no number."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from floodmark.analysis.document import Judged, Timeline

SILENT_S = 1.0
"""Without a count for so long the last one holds for half of it, and the rest is not known."""

LONGER_THAN_MOST = 4
"""So many times what lies between most counts: those of 100,000 connections take long, and are no silence."""


def load_end_s(judged: Judged) -> float:
    """When the load was over; the agent may have been lost by then."""
    throughput = judged.document.throughput
    kept_up_s = 0.0 if throughput is None else throughput.duration_s
    begun_s = (float(point.second) for point in judged.seconds[-1:])
    return max([0.0, kept_up_s, *begun_s, *judged.timeline.times_s[-1:]])


def with_silences(timeline: Timeline, end_s: float) -> Timeline:
    """The timeline, which goes on to `end_s`: where it was silent for long nothing is known of the target."""
    gaps_s = [until_s - at_s for at_s, until_s in pairwise([*timeline.times_s, end_s])]
    if not gaps_s:
        return timeline
    longest_s = max(SILENT_S, LONGER_THAN_MOST * median(gaps_s))
    rows = [(at_s, index, True) for index, at_s in enumerate(timeline.times_s)]
    rows += [
        (timeline.times_s[index] + SILENT_S / 2, index, False)
        for index, gap_s in enumerate(gaps_s)
        if gap_s > longest_s
    ]
    rows.sort()

    def seen(values: Sequence[int | None]) -> tuple[int | None, ...]:
        return tuple(values[index] if is_seen else None for _, index, is_seen in rows)

    def total(values: Sequence[int]) -> tuple[int, ...]:
        return tuple(values[index] for _, index, _ in rows)

    return replace(
        timeline,
        times_s=tuple(at_s for at_s, _, _ in rows),
        places={place: seen(values) for place, values in timeline.places.items()},
        answered=total(timeline.answered),
        failed=total(timeline.failed),
        unsent=total(timeline.unsent),
        processes=seen(timeline.processes),
        threads=seen(timeline.threads),
        open_files=seen(timeline.open_files),
        rss_bytes=seen(timeline.rss_bytes),
    )
