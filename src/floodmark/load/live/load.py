"""One load under way: workers' pulses and the agent's samples, joined into curves as they come. It judges nothing.

The verdict is made from the raw records. This is for looking at, and bounded: an hour takes the room of a minute.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from floodmark.core.clock import AGENT_NODE, ClockReading
from floodmark.core.codec import field_types
from floodmark.core.curves import Curves, PlaceCurves
from floodmark.core.hit import Hit
from floodmark.core.intervals import Intervals
from floodmark.core.messages import Pulse
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import BurstProfile, Profile
from floodmark.core.sample import ConnectionCounts, Sample
from floodmark.core.second import Second
from floodmark.core.tracks import Track
from floodmark.load.live.rows import LiveRows
from floodmark.load.live.times import times_of
from floodmark.load.live.tree import TreeSums, is_full, queue_limit

LEAD_S = 0.25
"""How much of the time before the release is shown."""
LATE_S = 1.0
"""A sample waits for the pulses of its time for so long at the most."""
KEEPS_S = 30.0
MOST_PENDING = 200
"""Samples that wait for pulses."""
MOST_BEFORE = 20
"""Samples that wait for the release, which may take minutes: `LEAD_S` of them is shown, and each may be large."""

_TOTALS = ("released", "connected", "answered", "failed", "open_connections")
_COLUMNS = list(field_types(Hit))
_WORKER, _PLANNED, _ENDED, _OUTCOME = (_COLUMNS.index(name) for name in ("worker", "planned_s", "ended_s", "outcome"))


class LiveLoad:
    """All times that go in are the nodes' own; `note_clock` says how they stand to the master's."""

    with_server_means = "in service or in process: told apart when answers come"

    def __init__(self, profile: Profile, *, hold_known: bool) -> None:
        """`hold_known`: the profile's hold is what the server takes, so that its answers tell how many it served."""
        self.fired_s: float | None = None
        self.cut_s: float | None = None
        self.newest: Sample | None = None
        self._is_held = isinstance(profile, BurstProfile)
        self._hold_s = profile.hold_s if hold_known else 0.0
        self._offsets_s: dict[str, float] = {}
        self._tracks: dict[str, dict[str, Track]] = {}
        self._pending: deque[Sample] = deque(maxlen=MOST_PENDING)
        self._rows = LiveRows("read")
        self._intervals = Intervals()
        self._tree = TreeSums()
        self._was_full = False

    # What comes in.

    def note_clocks(self, readings: Iterable[ClockReading]) -> None:
        """Takes readings; the newest of a node is its clock's."""
        for reading in readings:
            self._offsets_s[reading.node] = reading.offset_s

    def note_pulses(self, pulses: Iterable[Pulse]) -> None:
        """Takes workers' running totals."""
        for pulse in pulses:
            at_s = self._at_s(pulse.worker, pulse.at_s)
            tracks = self._tracks.get(pulse.worker)
            if tracks is None:
                tracks = self._tracks[pulse.worker] = {name: Track(KEEPS_S) for name in _TOTALS}
                for track in tracks.values():
                    track.add(0.0, 0.0)
            ended = {name: getattr(pulse, name) - round(tracks[name].at(at_s)) for name in ("answered", "failed")}
            self._intervals.count(at_s, **{name: max(0, number) for name, number in ended.items()})
            for name, track in tracks.items():
                track.add(at_s, getattr(pulse, name))
        self._join()

    def note_samples(self, samples: Iterable[Sample]) -> None:
        """Takes the agent's live figures."""
        for sample in samples:
            self.newest = sample
            self._was_full = self._was_full or is_full(sample)
            self._pending.append(sample)
        while self.fired_s is None and len(self._pending) > MOST_BEFORE:
            self._pending.popleft()
        self._join()

    def note_hit_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Takes a burst's hits as rows: how long its answers took. Of a steady load they are a sample: left out."""
        if not self._is_held:
            return
        for row in rows:
            ended_s, planned_s = row[_ENDED], row[_PLANNED]
            if row[_OUTCOME] == Outcome.ANSWERED and ended_s is not None:
                self._intervals.time(self._at_s(row[_WORKER], ended_s), [ended_s - planned_s])

    def note_seconds(self, seconds: Iterable[Second]) -> None:
        """Takes a steady load's seconds: how long its answers took."""
        for second in seconds:
            self._intervals.time_many(second.second + 0.5, times_of(second.latency))

    # What is shown.

    def curves(self, now_s: float) -> Curves:
        """What there is so far; `now_s` on the master's clock."""
        if self.fired_s is None:
            return Curves()
        end_s = max(0.0, (self.cut_s or now_s) - self.fired_s)
        places, certain_until_s = self._places(end_s)
        return Curves(
            end_s=round(end_s, 3),
            certain_until_s=certain_until_s,
            queue_limit=queue_limit(self.newest),
            places=places,
            rates=self._intervals.curves(end_s),
        )

    def total(self, name: str) -> int:
        """The newest sum over the workers of one of a pulse's numbers."""
        return round(sum(tracks[name].at(tracks[name].newest_s) for tracks in self._tracks.values()))

    def _places(self, end_s: float) -> tuple[PlaceCurves, float | None]:
        totals = {name: round(self._sum(name, end_s)) for name in ("answered", "failed")}
        times_s, found = self._rows.until(end_s, totals)
        columns: dict[str, Any] = dict(found)
        read = columns.pop("read")
        certain_until_s = _split(times_s, columns, read, self._hold_s)
        places = {place: columns.pop(place.value) for place in Place}
        rounded = tuple(round(time_s, 3) for time_s in times_s)
        return PlaceCurves(times_s=rounded, places=places, **columns), certain_until_s

    # How both ends are joined.

    def _at_s(self, node: str, time_s: float) -> float:
        """A node's time since the release."""
        return time_s - self._offsets_s.get(node, 0.0) - (self.fired_s or 0.0)

    def _join(self) -> None:
        if self.fired_s is None:
            return
        known_s = min((tracks["released"].newest_s for tracks in self._tracks.values()), default=float("-inf"))
        newest_s = max((tracks["released"].newest_s for tracks in self._tracks.values()), default=float("-inf"))
        while self._pending:
            sample = self._pending[0]
            at_s = self._at_s(AGENT_NODE, sample.socket_s)
            newest_s = max(newest_s, self._at_s(AGENT_NODE, self._pending[-1].socket_s))
            if at_s > 0 and at_s > known_s and newest_s - at_s < LATE_S:
                return
            self._pending.popleft()
            if at_s >= -LEAD_S and sample.connections:
                self._add(at_s, sample)
        if self.newest is None and known_s > self._rows.last_s:
            self._add(known_s, None)

    def _add(self, at_s: float, sample: Sample | None) -> None:
        ended = self._sum("answered", at_s) + self._sum("failed", at_s)
        row: dict[str, int | None] = {
            "answered": round(self._sum("answered", at_s)),
            "failed": round(self._sum("failed", at_s)),
        }
        if sample is not None:
            row |= self._tree.of(sample)
            self._was_full = self._was_full or bool(row["overflows"])
        counts = sample.connections[0] if sample and sample.connections else None
        row |= self._of_client(at_s, ended) if counts is None else self._of_both(at_s, ended, counts)
        self._rows.add(at_s, row)

    def _of_both(self, at_s: float, ended: float, counts: ConnectionCounts) -> dict[str, int | None]:
        """Each request in one place; what the target counts is cut to what the workers have under way."""
        # Between two pulses more may have been released than the line between them says: the target has seen them.
        released = max(self._sum("released", at_s), min(self._reached("released", at_s), counts.established + ended))
        alive = max(0, round(released - ended))
        established = min(counts.established, alive)
        accept_queue = min(counts.accept_queue, established)
        unread = min(counts.unread, established - accept_queue)
        half_open, connecting = self._outside(at_s, ended, alive, established)
        return {
            Place.ACCEPT_QUEUE: accept_queue,
            Place.UNREAD: unread,
            Place.HALF_OPEN: half_open,
            Place.CONNECTING: connecting,
            "read": established - accept_queue - unread,
        }

    def _outside(self, at_s: float, ended: float, alive: int, established: int) -> tuple[int, int]:
        """Half open and connecting: under way for the workers, and no connection of the target's."""
        outside = alive - established
        if self._is_held and not self._was_full:
            # None is half open where no line was full: the target has closed these, and the next pulse says so.
            return 0, min(outside, max(0, alive - round(self._sum("connected", at_s) - ended)))
        half_open = min(outside, self._half_open(at_s, ended, established))
        return half_open, outside - half_open

    def _half_open(self, at_s: float, ended: float, established: int) -> int:
        if self._is_held:
            return max(0, round(self._sum("connected", at_s) - ended) - established)
        # Of kept-alive connections a difference is a matter of time, unless a line was full.
        return max(0, round(self._sum("open_connections", at_s)) - established) if self._was_full else 0

    def _of_client(self, at_s: float, ended: float) -> dict[str, int | None]:
        """Without an agent: who is connected may wait anywhere."""
        alive = max(0, round(self._sum("released", at_s) - ended))
        name = "connected" if self._is_held else "open_connections"
        connected = round(self._sum(name, at_s) - (ended if self._is_held else 0))
        connected = min(max(0, connected), alive)
        return {Place.CONNECTING: alive - connected, "with_server": connected}

    def _sum(self, name: str, at_s: float) -> float:
        return sum(tracks[name].at(at_s) for tracks in self._tracks.values())

    def _reached(self, name: str, at_s: float) -> float:
        return sum(tracks[name].reached(at_s) for tracks in self._tracks.values())


def _split(times_s: Sequence[float], columns: dict[str, Any], read: Sequence[Any], hold_s: float) -> float | None:
    """Parts what the server has read into in service and in process, and returns up to when that is certain.

    Who is in service at a moment is answered within the hold that follows. Of the newest hold that is not known yet:
    the level before goes on. As long as nothing was answered the two are not told apart.
    """
    answered = [float(value or 0) for value in columns["answered"]]
    in_service, in_process, whole = (
        list(columns["in_service"]),
        list(columns["in_process"]),
        list(columns["with_server"]),
    )
    level: int | None = None
    certain_until_s: float | None = None
    for index, time_s in enumerate(times_s):
        if read[index] is None:
            continue
        served = _served(times_s, answered, time_s, hold_s) if hold_s > 0 else None
        if served is None:
            certain_until_s = time_s if certain_until_s is None and level is not None else certain_until_s
        else:
            level = served
        if not answered or not answered[-1] or level is None:
            whole[index] = read[index]
        else:
            in_service[index] = min(level, read[index])
            in_process[index] = read[index] - in_service[index]
    columns |= {"in_service": tuple(in_service), "in_process": tuple(in_process), "with_server": tuple(whole)}
    return certain_until_s


def _served(times_s: Sequence[float], answered: Sequence[float], time_s: float, hold_s: float) -> int | None:
    """How many of those there at `time_s` were answered a hold later; None where that is still to come."""
    then_s = time_s + hold_s
    if then_s > times_s[-1]:
        return None
    return round(_line(times_s, answered, then_s) - _line(times_s, answered, time_s))


def _line(times_s: Sequence[float], values: Sequence[float], at_s: float) -> float:
    index = bisect_right(times_s, at_s)
    if index == len(times_s):
        return values[-1]
    begin_s, end_s = times_s[index - 1], times_s[index]
    share = (at_s - begin_s) / (end_s - begin_s) if end_s > begin_s else 1.0
    return values[index - 1] + share * (values[index] - values[index - 1])
