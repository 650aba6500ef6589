"""One time axis: a recording's hits and samples in seconds since the first planned release. No counting yet."""

from collections.abc import Callable
from dataclasses import dataclass

from floodmark.core.clock import AGENT_NODE, clock_courses
from floodmark.core.errors import RunFolderError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Recording
from floodmark.core.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A hit on the common axis: seconds since the first planned release; None where it did not get that far."""

    hit: Hit
    planned_s: float
    released_s: float | None
    connected_s: float | None
    first_byte_s: float | None
    ended_s: float | None
    handler_begin_s: float | None
    handler_end_s: float | None

    @property
    def took_s(self) -> float | None:
        """From release to end; None where it was not released or has not ended."""
        return None if self.released_s is None or self.ended_s is None else self.ended_s - self.released_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """An agent's sample on the common axis, at the moment of its socket dump, or else of reading the listeners."""

    at_s: float
    sample: Sample

    @property
    def ended_s(self) -> float:
        """When all of it was read: a dump under way when a load is released has some of that."""
        return self.at_s + self.sample.taken_s + self.sample.cost_s - self.sample.socket_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Everything measured, on one axis. `end_s` is the end of the load; beats rise in time."""

    recording: Recording
    requests: tuple[Request, ...]
    beats: tuple[Beat, ...]
    end_s: float

    @property
    def burst(self) -> BurstProfile:
        """The load, where it is a number of requests. Raises `TypeError` for a load of another kind."""
        profile = self.recording.manifest.profile
        if not isinstance(profile, BurstProfile):
            raise TypeError(f"a {profile.kind} load has no fixed number of requests")
        return profile

    @property
    def hold_s(self) -> float:
        """How long the server holds one request, as it was given or measured."""
        return self.recording.manifest.profile.hold_s

    @property
    def quickest_s(self) -> float | None:
        """How long the quickest answers took, from release to end; None without answers.

        The twentieth part of the way up, not the least: one answer may come from a cache.
        """
        took_s = sorted(took_s for request in self.answered() if (took_s := request.took_s) is not None)
        return took_s[len(took_s) // 20] if took_s else None

    @property
    def served_hold_s(self) -> float:
        """The hold to reckon with: no request was served for longer than it took."""
        quickest_s = self.quickest_s
        return self.hold_s if quickest_s is None else min(self.hold_s, quickest_s)

    def answered(self) -> list[Request]:
        """The requests that were answered, in the order in which they ended."""
        done = [request for request in self.requests if request.hit.outcome is Outcome.ANSWERED]
        return sorted(done, key=lambda request: request.ended_s or 0.0)


def put_on_axis(recording: Recording) -> Axis:
    """The recording on one axis. Raises `RunFolderError` where the load was never released."""
    fired_s = recording.manifest.fired_s
    if fired_s is None:
        reasons = "; ".join(recording.manifest.problems) or "the run ended before that"
        raise RunFolderError(f"{recording.path}: the load was never released: {reasons}")
    clocks = _Clocks(recording)
    target_s = _target_clock(recording, clocks, fired_s)
    requests = tuple(
        _request(hit, clocks.offset_s(hit.worker, hit.planned_s) + fired_s, target_s) for hit in recording.hits
    )
    beats = tuple(
        Beat(at_s=sample.socket_s - clocks.offset_s(AGENT_NODE, sample.socket_s) - fired_s, sample=sample)
        for sample in recording.samples
    )
    return Axis(
        recording=recording,
        requests=requests,
        beats=tuple(sorted(beats, key=lambda beat: beat.at_s)),
        end_s=_end(recording, requests, clocks, fired_s),
    )


class _Clocks:
    """The nodes' clocks against the master's; a node without a reading has the master's own."""

    def __init__(self, recording: Recording) -> None:
        self._courses = clock_courses(recording.clocks)

    def __contains__(self, node: str) -> bool:
        return node in self._courses

    def offset_s(self, node: str, at_s: float) -> float:
        """The node's offset at a time of its own."""
        course = self._courses.get(node)
        return course.offset_at(at_s) if course else 0.0


def _target_clock(recording: Recording, clocks: _Clocks, fired_s: float) -> Callable[[float], float]:
    """What puts a handler's stamp on the axis.

    Without an agent the target's clock is placed by the answers: a handler cannot end after its answer's first byte,
    and the quickest answer came at once.
    """
    if AGENT_NODE in clocks:
        return lambda at_s: at_s - clocks.offset_s(AGENT_NODE, at_s) - fired_s
    gaps = [
        hit.handler_end_s - (hit.first_byte_s - clocks.offset_s(hit.worker, hit.first_byte_s) - fired_s)
        for hit in recording.hits
        if hit.handler_end_s is not None and hit.first_byte_s is not None
    ]
    shift_s = max(gaps, default=fired_s)
    return lambda at_s: at_s - shift_s


def _request(hit: Hit, shift_s: float, target_s: Callable[[float], float]) -> Request:
    def moved(time_s: float | None) -> float | None:
        return None if time_s is None else time_s - shift_s

    return Request(
        hit=hit,
        planned_s=hit.planned_s - shift_s,
        released_s=moved(hit.released_s),
        connected_s=moved(hit.connected_s),
        first_byte_s=moved(hit.first_byte_s),
        ended_s=moved(hit.ended_s),
        handler_begin_s=None if hit.handler_begin_s is None else target_s(hit.handler_begin_s),
        handler_end_s=None if hit.handler_end_s is None else target_s(hit.handler_end_s),
    )


def _end(recording: Recording, requests: tuple[Request, ...], clocks: _Clocks, fired_s: float) -> float:
    """The end of the load: the last outcome, or the cut where requests were still without one."""
    ends = [request.ended_s for request in requests if request.ended_s is not None]
    cuts = [report.ended_s - clocks.offset_s(report.worker, report.ended_s) - fired_s for report in recording.workers]
    if cuts:
        return max([*ends, *cuts])
    if recording.manifest.cut_s is not None:
        return recording.manifest.cut_s - fired_s
    return max(ends, default=0.0)
