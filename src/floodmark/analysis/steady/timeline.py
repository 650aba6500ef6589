"""Where a steady load's requests were over time: both ends of its connections, on one axis (docs/method.md, 1)."""

from collections.abc import Sequence
from itertools import accumulate

from floodmark.analysis.axis import Axis, Beat
from floodmark.analysis.document import ServiceTime, Timeline
from floodmark.analysis.steady.handler_time import InServiceOverTime, interpolated
from floodmark.analysis.steady.seconds import SteadySeconds
from floodmark.analysis.timeline import beats_to_show, outer_connections, process_count, tree_total
from floodmark.core.places import Place
from floodmark.core.profile import ClosedProfile
from floodmark.core.sample import ConnectionCounts


class SteadyTimelineMaker:
    """Counts a steady load's requests in each place at a given moment."""

    def __init__(self, axis: Axis, seconds: SteadySeconds, service: ServiceTime) -> None:
        """Nothing is counted yet."""
        points = seconds.points
        self._axis = axis
        self._ends_s = [0.0, *(min(point.second + 1.0, max(axis.end_s, point.second)) for point in points)]
        # In a closed loop every connection has its request from the release on.
        at_once = isinstance(axis.recording.manifest.profile, ClosedProfile)
        self._in_flight = _from_release([point.in_flight for point in points], at_once=at_once)
        self._open = _from_release([point.open_connections for point in points], at_once=True)
        self._unreleased = _from_release([point.unreleased for point in points], at_once=False)
        self._answered = list(accumulate((point.answered for point in points), initial=0))
        self._failed = list(accumulate((point.failed for point in points), initial=0))
        self._service = service
        self._in_service = InServiceOverTime(seconds.served, axis.end_s, service.mean_s or 0.0)
        self._on_way = InServiceOverTime(seconds.served, axis.end_s, service.way_s)
        self._was_full = _full_since(axis)

    def make(self) -> Timeline:
        """The timeline over the agent's counts, or over whole seconds without an agent."""
        beats = self._beats()
        places = [self._places(at_s, beat) for at_s, beat in beats]
        return Timeline(
            times_s=tuple(round(at_s, 4) for at_s, _ in beats),
            places={place: tuple(row[place] for row in places) for place in Place},
            answered=tuple(self._at(self._answered, at_s) for at_s, _ in beats),
            failed=tuple(self._at(self._failed, at_s) for at_s, _ in beats),
            unsent=tuple(self._at(self._unreleased, at_s) for at_s, _ in beats),
            certain_until_s=None,
            processes=tuple(process_count(beat) for _, beat in beats),
            threads=tuple(tree_total(beat, "threads") for _, beat in beats),
            open_files=tuple(tree_total(beat, "open_files") for _, beat in beats),
            rss_bytes=tuple(tree_total(beat, "rss_bytes") for _, beat in beats),
        )

    def in_service(self, timeline: Timeline) -> list[int | None]:
        """Those in service of the timeline, without the ones on their way; else those that are with the server."""
        return [
            self._without_way(at_s, number)
            for at_s, number in zip(timeline.times_s, timeline.places[Place.IN_SERVICE], strict=True)
        ]

    def _without_way(self, at_s: float, number: int | None) -> int | None:
        if number is None:
            return None
        if self._service.mean_s is not None:
            return min(number, round(self._in_service.at(at_s)))
        return number - min(number, round(self._on_way.at(at_s))) if self._axis.beats else number

    def _beats(self) -> list[tuple[float, Beat | None]]:
        inside = beats_to_show(self._axis)
        if inside:
            return [(beat.at_s, beat) for beat in inside]
        return [(at_s, None) for at_s in self._ends_s]

    def _at(self, values: Sequence[float], at_s: float) -> int:
        return round(interpolated(self._ends_s, values, at_s))

    def _places(self, at_s: float, beat: Beat | None) -> dict[Place, int | None]:
        alive = self._at(self._in_flight, at_s) if at_s >= 0 else 0
        counts = outer_connections(beat)
        if counts is None:
            return self._client_places(at_s, alive)
        connecting, half_open = self._outside(at_s, alive, counts)
        accept_queue = min(counts.accept_queue, alive - connecting - half_open)
        unread = min(counts.unread, alive - connecting - half_open - accept_queue)
        read = alive - connecting - half_open - accept_queue - unread
        # On its way there or back, a request is in no line: as in a burst, it goes with those in service.
        taken = min(round(self._in_service.at(at_s) + self._on_way.at(at_s)), read)
        return {
            Place.IN_SERVICE: taken if self._service.mean_s is not None else read,
            Place.IN_PROCESS: read - taken if self._service.mean_s is not None else None,
            Place.UNREAD: unread,
            Place.ACCEPT_QUEUE: accept_queue,
            Place.HALF_OPEN: half_open,
            Place.CONNECTING: connecting,
        }

    def _outside(self, at_s: float, alive: int, counts: ConnectionCounts) -> tuple[int, int]:
        """Connecting and half open: requests beyond the connections, as the client and as the target know them.

        The client's side is known at the ends of seconds, the target's at every count: what one of the two has is not
        connecting. What only the client has is half open where an accept queue was full, else it is a matter of time.
        """
        open_connections = self._at(self._open, at_s)
        connecting = max(0, alive - max(open_connections, counts.established))
        if self._was_full is None or at_s < self._was_full:
            return connecting, 0
        return connecting, max(0, min(alive - connecting, open_connections) - counts.established)

    def _client_places(self, at_s: float, alive: int) -> dict[Place, int | None]:
        connected = min(self._at(self._open, at_s), alive)
        in_service = min(round(self._in_service.at(at_s)), connected) if self._service.mean_s is not None else None
        unknown: dict[Place, int | None] = dict.fromkeys(Place)
        return unknown | {Place.CONNECTING: alive - connected, Place.IN_SERVICE: in_service}


def _from_release(values: list[int], *, at_once: bool) -> list[int]:
    """The values at the seconds' ends, with one for the release before them: the first one where that came at once."""
    return [values[0] if at_once and values else 0, *values]


def _full_since(axis: Axis) -> float | None:
    """When the line at the clients' port was first seen full; None: never. The namespace's counter is of all lines."""
    for beat in axis.beats:
        outer = [listener for listener in beat.sample.listeners if listener.outer]
        if outer and sum(row.depth for row in outer) >= max(1, sum(row.limit for row in outer)):
            return beat.at_s
    return None
