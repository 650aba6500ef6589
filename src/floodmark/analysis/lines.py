"""The lines that requests wait in: the target's listening sockets, and how many were seen in each place."""

from collections.abc import Iterable

from floodmark.analysis.axis import Axis
from floodmark.analysis.counted import beat_of, standing_pieces
from floodmark.analysis.document import Line, Timeline, WaitingPlace
from floodmark.analysis.steps import sustained
from floodmark.analysis.timeline import FOREVER_S, LEAD_S
from floodmark.core.places import WAITING_PLACES, Place
from floodmark.core.sample import ListenerSample, Sample

DWELL_BEATS = 2.0
"""A derived place counts when it was occupied for two beats: both ends of a connection are not read at one instant."""

DWELL_SHARE = 0.02
"""Or for a fiftieth of the hold, whichever is longer."""

INSIDE = (Place.UNREAD, Place.IN_PROCESS)
"""Places that the server itself has let requests into."""

SETTLED_SHARE = 0.25
"""Of the hold: a quarter is longer than any server here takes to let 10,000 connections in."""


def lines_of(axis: Axis) -> tuple[Line, ...]:
    """Every listener of the target, outer ones first, with the deepest it was seen."""
    peaks: dict[str, tuple[ListenerSample, ...]] = {}
    names: dict[int, str] = {}
    for beat in axis.beats:
        names |= {process.pid: process.name for process in beat.sample.processes or ()}
        for address, rows in _by_address(beat.sample).items():
            if address not in peaks or _depth(rows) > _depth(peaks[address]):
                peaks[address] = rows
    lines = [_line(address, rows, names) for address, rows in peaks.items()]
    return tuple(sorted(lines, key=lambda line: (not line.outer, line.address)))


def outer_limit(lines: Iterable[Line]) -> int | None:
    """The accept queue's limit on the port that clients are sent to; None where it was not seen."""
    limits = [line.limit for line in lines if line.outer]
    return sum(limits) if limits else None


def waiting_places(
    axis: Axis, timeline: Timeline, lines: tuple[Line, ...], full_from_s: float, inside_dwell_s: float = 0.0
) -> dict[Place, WaitingPlace]:
    """The most requests seen in each place. The accept queue's depth is the kernel's own, the rest is counted here.

    `full_from_s`: when the server was at its ceiling first. What it had accepted or read before was on its way to a
    handler, not in line for one. `inside_dwell_s`: how long in process must last at least, where it is known less often
    than at every beat.
    """
    # A hair less than the beats' own length: they are not placed to the microsecond.
    dwell_s = max(0.9 * DWELL_BEATS * beat_of(axis), DWELL_SHARE * axis.hold_s)
    found = {}
    for place in WAITING_PLACES:
        since_s = full_from_s if place in INSIDE else -LEAD_S
        least_s = max(dwell_s, inside_dwell_s) if place is Place.IN_PROCESS else dwell_s
        found[place] = WaitingPlace(peak=_peak(axis, timeline, place, least_s, since_s), limit=None)
    seen = [value for value in timeline.places[Place.ACCEPT_QUEUE] if value is not None]
    depths = [line.depth_peak for line in lines if line.outer]
    found[Place.ACCEPT_QUEUE] = WaitingPlace(peak=max(seen + depths, default=None), limit=outer_limit(lines))
    return found


def settled_places(axis: Axis, timeline: Timeline, dwell_s: float) -> dict[Place, int]:
    """The most requests that stayed in each place for so long, of a burst `SETTLED_SHARE` of a hold.

    While a flood is let in, every place fills for a moment; a line that lasts is another matter.
    """
    return {place: _peak(axis, timeline, place, dwell_s, -LEAD_S) or 0 for place in WAITING_PLACES}


def _peak(axis: Axis, timeline: Timeline, place: Place, dwell_s: float, since_s: float) -> int | None:
    values = timeline.places[place]
    if all(value is None for value in values):
        return None
    certain_s = timeline.certain_until_s
    until_s = certain_s if place is Place.IN_PROCESS and certain_s is not None else FOREVER_S
    pieces = standing_pieces(axis, timeline, values)
    return sustained([piece for piece in pieces if since_s <= piece[0] < until_s], dwell_s)


def listen_overflows(axis: Axis) -> int | None:
    """How often an accept queue of the target's namespace overflowed during the load: events, retries included."""
    counters = [beat.sample.counters for beat in axis.beats if beat.sample.counters is not None]
    return counters[-1].listen_overflows - counters[0].listen_overflows if counters else None


def _by_address(sample: Sample) -> dict[str, tuple[ListenerSample, ...]]:
    rows: dict[str, list[ListenerSample]] = {}
    for listener in sample.listeners:
        rows.setdefault(listener.address, []).append(listener)
    return {address: tuple(listeners) for address, listeners in rows.items()}


def _depth(rows: tuple[ListenerSample, ...]) -> int:
    return sum(row.depth for row in rows)


def _line(address: str, rows: tuple[ListenerSample, ...], names: dict[int, str]) -> Line:
    owners = sorted({owner for row in rows for owner in row.owners})
    return Line(
        address=address,
        outer=any(row.outer for row in rows),
        depth_peak=_depth(rows),
        limit=sum(row.limit for row in rows),
        depths=tuple(row.depth for row in rows),
        owners=tuple(f"{names.get(owner, 'process')} {owner}" for owner in owners),
    )
