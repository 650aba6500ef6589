"""How many requests were in each place over time: both ends of every connection, on one axis (docs/method.md, 1)."""

from floodmark.analysis.axis import Axis, Beat
from floodmark.analysis.counted import counted
from floodmark.analysis.document import Timeline
from floodmark.analysis.service import Service
from floodmark.analysis.steps import StepCount
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.sample import ConnectionCounts

LEAD_S = 0.25
"""How much of the time before the release a timeline shows."""

POINTS_WITHOUT_AGENT = 240
"""Grid of a timeline when there are no samples to give one: fine enough for a picture 1,200 pixels wide."""

FOREVER_S = float("inf")


class TimelineMaker:
    """Counts the requests of one axis in each place at a given moment."""

    def __init__(self, axis: Axis, service: Service, level_after: int | None) -> None:
        """`level_after`: in service once that is no longer certain; None: all that the server has read."""
        self._axis = axis
        self._service = service
        self._level_after = level_after
        requests = axis.requests
        ends = [FOREVER_S if request.ended_s is None else request.ended_s for request in requests]
        pairs = list(zip(requests, ends, strict=True))
        self._alive = StepCount((r.released_s, end_s) for r, end_s in pairs if r.released_s is not None)
        self._connected = StepCount((r.connected_s, end_s) for r, end_s in pairs if r.connected_s is not None)
        outcomes = [(request.hit.outcome, end_s) for request, end_s in pairs]
        self._answered = StepCount((end_s, FOREVER_S) for outcome, end_s in outcomes if outcome is Outcome.ANSWERED)
        self._failed = StepCount((end_s, FOREVER_S) for outcome, end_s in outcomes if outcome.failed)

    def make(self) -> Timeline:
        """The timeline over the agent's counts and the load's end, or over an even grid without an agent."""
        beats = self._beats()
        places = [self._places(at_s, beat) for at_s, beat in beats]
        planned = len(self._axis.requests)
        times_s = tuple(round(at_s, 4) for at_s, _ in beats)
        released = StepCount(
            (request.released_s, FOREVER_S) for request in self._axis.requests if request.released_s is not None
        )
        return Timeline(
            times_s=times_s,
            places={place: tuple(row[place] for row in places) for place in Place},
            answered=tuple(self._answered.at(at_s) for at_s, _ in beats),
            failed=tuple(self._failed.at(at_s) for at_s, _ in beats),
            unsent=tuple(planned - released.at(at_s) for at_s, _ in beats),
            certain_until_s=self._service.certain_until_s,
            processes=tuple(process_count(beat) for _, beat in beats),
            threads=tuple(tree_total(beat, "threads") for _, beat in beats),
            open_files=tuple(tree_total(beat, "open_files") for _, beat in beats),
            rss_bytes=tuple(tree_total(beat, "rss_bytes") for _, beat in beats),
        )

    def _beats(self) -> list[tuple[float, Beat | None]]:
        end_s = self._axis.end_s
        inside = beats_to_show(self._axis)
        if inside:
            # The end itself, with the target as it was last seen: what was answered since belongs to the run.
            return [*((beat.at_s, beat) for beat in inside), (end_s, inside[-1])]
        step_s = max(end_s, 0.1) / POINTS_WITHOUT_AGENT
        return [(index * step_s, None) for index in range(POINTS_WITHOUT_AGENT + 1)]

    def _places(self, at_s: float, beat: Beat | None) -> dict[Place, int | None]:
        alive = self._alive.at(at_s)
        counts = outer_connections(beat)
        if counts is None:
            return self._client_places(at_s, alive)
        established = min(counts.established, alive)
        half_open = max(0, min(self._connected.at(at_s), alive) - established)
        accept_queue = min(counts.accept_queue, established)
        unread = min(counts.unread, established - accept_queue)
        read = established - accept_queue - unread
        in_service = min(self._in_service(at_s, read), read)
        in_process = max(0, read - in_service - self._service.finishing.at(at_s))
        return {
            Place.IN_SERVICE: read - in_process,
            Place.IN_PROCESS: in_process,
            Place.UNREAD: unread,
            Place.ACCEPT_QUEUE: accept_queue,
            Place.HALF_OPEN: half_open,
            Place.CONNECTING: alive - established - half_open,
        }

    def _client_places(self, at_s: float, alive: int) -> dict[Place, int | None]:
        """Without an agent the client's side only: connecting, and what is in service by the answers."""
        connected = min(self._connected.at(at_s), alive)
        unknown = dict.fromkeys(Place)
        in_service = min(self._in_service(at_s, connected), connected)
        return unknown | {Place.CONNECTING: alive - connected, Place.IN_SERVICE: in_service}

    def _in_service(self, at_s: float, read: int) -> int:
        certain_until_s = self._service.certain_until_s
        if certain_until_s is None or at_s <= certain_until_s:
            return self._service.count.at(at_s)
        return read if self._level_after is None else self._level_after


def beats_to_show(axis: Axis) -> list[Beat]:
    """The load's beats that have a dump of the connections; all of them where no one has: the rest is worth showing."""
    inside = [beat for beat in axis.beats if -LEAD_S <= beat.at_s <= axis.end_s]
    return counted(inside) or inside


def outer_connections(beat: Beat | None) -> ConnectionCounts | None:
    """The counts on the port that clients are sent to: the first of a sample. None where the beat had no dump."""
    if beat is None or not beat.sample.connections:
        return None
    return beat.sample.connections[0]


def process_count(beat: Beat | None) -> int | None:
    """How many processes the target's tree had; None where it was not seen."""
    if beat is None or beat.sample.processes is None:
        return None
    return len(beat.sample.processes)


def tree_total(beat: Beat | None, name: str) -> int | None:
    """The sum of one of `ProcessSample`'s numbers over the target's tree; None where it was not seen."""
    if beat is None or beat.sample.processes is None:
        return None
    known: list[int | None] = [getattr(process, name) for process in beat.sample.processes]
    return sum(value for value in known if value is not None)
