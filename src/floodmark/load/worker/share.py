"""A worker's share of one load, under way: the engine's load, and what it says meanwhile. Whom it tells is given to it.

A held share (burst, ramp) tells every hit; a steady one (closed, arrivals) seconds, and a sample of hits.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from gevent.monkey import get_original

from floodmark.core import messages
from floodmark.core.errors import FloodmarkError
from floodmark.core.hit import Hit
from floodmark.core.messages import Beat, HitRows, LoadOrder, Pulse, Seconds
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile
from floodmark.core.second import Second
from floodmark.engine.ahead import Ahead
from floodmark.engine.arrivals import Arrivals, ArrivalsShare, ArrivalsWork
from floodmark.engine.burst import Burst, BurstWork
from floodmark.engine.check import AnswerCheck
from floodmark.engine.closed import Closed, ClosedWork
from floodmark.engine.collector import Pause
from floodmark.engine.counts import Counts
from floodmark.engine.dial import Dial
from floodmark.engine.ports import TimeWait
from floodmark.engine.request import render_get
from floodmark.engine.slice import Slice
from floodmark.load.worker.drive import Driven
from floodmark.load.worker.histogram import count_micros
from floodmark.load.worker.locust_stats import LocustTable
from floodmark.load.worker.recorder import Recorder

HITS_PER_MESSAGE = 250
"""About 40 kB, and 5 ms of work between two steps of the engine."""

METHOD = "GET"

ALONE_S = 0.5
"""How long the release of a burst may keep all else waiting: 10,000 requests are out within a quarter of it, and what
the host's other processes miss by it is less than they miss by a pause of the machine."""

Send = Callable[[str, Any], None]
"""Sends a message of this type with this record as its payload."""


class Load(Driven, Protocol):
    """What every load of the engine has."""

    loop_lag_max_s: float
    late_max_s: float

    @property
    def counts(self) -> Counts:
        """How far it is."""

    def take_hits(self, limit: int | None = None) -> list[Hit]:
        """Requests that ended since the last call."""

    def close(self) -> None:
        """Cuts what is not done and closes everything."""


class SteadyLoad(Load, Protocol):
    """What closed loops and arrivals have beside."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        """All planned requests by what became of them."""

    def take_slices(self) -> list[Slice]:
        """What happened since the last call."""


class Share(Protocol):
    """A share under way."""

    @property
    def load(self) -> Load:
        """What is driven."""

    @property
    def time_wait_max(self) -> int | None:
        """The most TIME_WAIT sockets seen, once it has ended."""

    @property
    def was_ahead(self) -> bool:
        """Its requests were released at a real-time priority."""

    def stand_by(self) -> None:
        """From now on the worker waits for the instant of the first release."""

    def begin(self) -> None:
        """The first release is near: what was done before is not the load's."""

    def is_alone(self) -> bool:
        """All else in this worker waits: its requests are being released at one instant."""

    def tend(self) -> None:
        """Counts what has happened, some times in each second."""

    def report(self) -> bool:
        """Says how far it is; True where there is more to say at once."""

    def end(self) -> dict[str, int]:
        """The load is over: says the rest, and returns its requests by what became of them."""

    def close(self) -> None:
        """Cuts what is not over, and gives everything back."""


def begin_share(order: LoadOrder, dial: Dial, at_s: float, *, send: Send, environment: Any) -> Share:
    """Opens nothing yet: the load begins at `at_s` on the monotonic clock, when it is driven."""
    if isinstance(order.profile, BurstProfile):
        burst = _burst(order, order.profile, dial, at_s)
        until_s = at_s + ALONE_S if not order.profile.within_s else None
        return HeldShare(order, burst, send, environment.events.request, alone_until_s=until_s)
    if isinstance(order.profile, ClosedProfile):
        load: SteadyLoad = _closed(order, order.profile, dial, at_s)
    else:
        load = _arrivals(order, order.profile, dial, at_s)
    table = LocustTable(environment.stats, METHOD, order.request.path)
    return SteadyShare(order, load, send, table, at_s)


class HeldShare:
    """A burst's or a ramp's: Locust's request event is fired for each hit."""

    def __init__(
        self, order: LoadOrder, load: Load, send: Send, request_event: Any, *, alone_until_s: float | None
    ) -> None:
        """Until `alone_until_s` at the latest all else in this worker waits, and on its host where that is allowed.

        None: it goes on beside all else.
        """
        self.load: Load = load
        self.time_wait_max: int | None = None
        self.was_ahead = False
        self._order = order
        self._send = send
        self._ahead, self._pause, self._alone_until_s = Ahead(), Pause(), alone_until_s
        self._request_event = request_event
        self._outcomes: Counter[Outcome] = Counter()
        self._time_wait = TimeWait()

    def stand_by(self) -> None:
        """Goes ahead where it may: waking up at the instant is what others would keep it from."""
        if self.is_alone():
            self._pause.begin()
            self.was_ahead = self._ahead.begin()

    def begin(self) -> None:
        """Nothing: only seconds are measured."""

    def is_alone(self) -> bool:
        """Until it has stepped back."""
        return self._alone_until_s is not None

    def tend(self) -> None:
        """Steps back once all are released; hits wait in the engine until they are reported."""
        until_s = self._alone_until_s
        if until_s is not None and self._is_out(until_s):
            self._step_back()

    def _is_out(self, until_s: float) -> bool:
        counts = self.load.counts
        return self.load.done or counts.released >= counts.planned or time.monotonic() >= until_s

    def report(self) -> bool:
        """Sends running counts and some finished hits; True where there may be more of these."""
        hits = self.load.take_hits(limit=HITS_PER_MESSAGE)
        if hits:
            self._send(messages.HITS, HitRows.of(hits, self._order.number))
        self._send(messages.PULSE, _beat(self._order, self.load.counts))
        self._outcomes.update(hit.outcome for hit in hits)
        for hit in hits:
            self._tell_locust(hit)
        return len(hits) == HITS_PER_MESSAGE

    def end(self) -> dict[str, int]:
        """Says the rest."""
        while self.report():
            pass
        self.time_wait_max = self._time_wait.read()
        return _plain(self._outcomes)

    def close(self) -> None:
        """Closes the load and the kernel's file."""
        self._step_back()
        self.load.close()
        self._time_wait.close()

    def _step_back(self) -> None:
        self._alone_until_s = None
        self._ahead.end()
        self._pause.end()

    def _tell_locust(self, hit: Hit) -> None:
        """Feeds Locust's own statistics, so that its table, CSV and web UI stay right."""
        if hit.ended_s is None:
            return
        self._request_event.fire(
            request_type=METHOD,
            name=self._order.request.path,
            response_time=(hit.ended_s - hit.planned_s) * 1000,
            response_length=hit.body_bytes,
            exception=FloodmarkError(hit.error or hit.outcome.value) if hit.outcome.failed else None,
            context={},
            response=None,
            url=self._order.request.path,
            start_time=time.time(),
        )


class SteadyShare:
    """A closed loop's or an open model's: seconds are recorded, and Locust's statistics are fed in bulk."""

    def __init__(self, order: LoadOrder, load: SteadyLoad, send: Send, table: LocustTable, at_s: float) -> None:
        self.load: SteadyLoad = load
        self.time_wait_max: int | None = None
        self.was_ahead = False
        self._order = order
        self._open_connections = 0
        self._send = send
        self._table = table
        self._time_wait = TimeWait()
        self._recorder = Recorder(order.worker, at_s, time_wait=self._time_wait.read)

    def stand_by(self) -> None:
        """Nothing: its releases are spread over seconds."""

    def begin(self) -> None:
        """Measures from now on."""
        self._recorder.begin()

    def is_alone(self) -> bool:
        """Never: Locust's own greenlets go on beside it."""
        return False

    def tend(self) -> None:
        """Books what happened since the last time."""
        pieces, counts = self.load.take_slices(), self._counts()
        for piece in pieces:
            latencies = count_micros(piece.latencies_s)
            self._recorder.add(piece, latencies, counts)
            self._table.add(piece, latencies)
        self._recorder.tick(counts)

    def report(self) -> bool:
        """Sends running counts, seconds that are over, and some of the sampled hits; True where there may be more."""
        if seconds := self._recorder.take():
            self._send_seconds(seconds)
        hits = self.load.take_hits(limit=HITS_PER_MESSAGE)
        if hits:
            self._send(messages.HITS, HitRows.of(hits, self._order.number))
        self._send(messages.PULSE, _beat(self._order, self.load.counts))
        return len(hits) == HITS_PER_MESSAGE

    def end(self) -> dict[str, int]:
        """Says the rest."""
        self.tend()
        self._send_seconds(self._recorder.end(self._counts()))
        while self.report():
            pass
        self.time_wait_max = self._recorder.time_wait_max
        return _plain(self.load.outcomes)

    def close(self) -> None:
        """Closes the load and the kernel's file."""
        self.load.close()
        self._time_wait.close()

    def _send_seconds(self, seconds: list[Second]) -> None:
        self._send(messages.SECONDS, Seconds(number=self._order.number, seconds=tuple(seconds)))

    def _counts(self) -> Counts:
        """The load's; at its end all connections are closed, and what counts are those before."""
        counts = self.load.counts
        if self.load.done:
            return replace(counts, open_connections=self._open_connections)
        self._open_connections = counts.open_connections
        return counts


def _plain(outcomes: Counter[Outcome]) -> dict[str, int]:
    return {outcome.value: count for outcome, count in outcomes.items() if count}


def _beat(order: LoadOrder, counts: Counts) -> Beat:
    pulse = Pulse(
        worker=order.worker,
        at_s=time.monotonic(),
        planned=counts.planned,
        released=counts.released,
        connected=counts.connected,
        answered=counts.answered,
        failed=counts.failed,
        open_connections=counts.open_connections,
    )
    return Beat(number=order.number, pulse=pulse)


def _burst(order: LoadOrder, profile: BurstProfile, dial: Dial, at_s: float) -> Load:
    work = BurstWork(
        worker=order.worker,
        dial=dial,
        requests=profile.share(order.first_id, order.step, at_s),
        render=render_get(order.request.path, dial.endpoint.authority),
        check=AnswerCheck.of(order.request),
        timeout_s=profile.timeout_s,
    )
    return Burst(work, new_epoll=get_original("select", "epoll"))


def _closed(order: LoadOrder, profile: ClosedProfile, dial: Dial, at_s: float) -> SteadyLoad:
    work = ClosedWork(
        worker=order.worker,
        dial=dial,
        connections=_count(order, profile.connections),
        first_id=order.first_id,
        step=order.step,
        starts_s=at_s,
        ends_s=at_s + profile.duration_s,
        render=render_get(order.request.path, dial.endpoint.authority, keeps_alive=True),
        check=AnswerCheck.of(order.request),
        timeout_s=profile.timeout_s,
    )
    return Closed(work, new_epoll=get_original("select", "epoll"), seed=order.first_id)


def _arrivals(order: LoadOrder, profile: ArrivalsProfile, dial: Dial, at_s: float) -> SteadyLoad:
    work = ArrivalsWork(
        worker=order.worker,
        dial=dial,
        requests=ArrivalsShare(
            first_id=order.first_id,
            step=order.step,
            count=_count(order, profile.requests),
            rate=profile.rate,
            starts_s=at_s,
        ),
        connections=_count(order, profile.connections),
        render=render_get(order.request.path, dial.endpoint.authority, keeps_alive=True),
        check=AnswerCheck.of(order.request),
        timeout_s=profile.timeout_s,
        ends_s=at_s + profile.duration_s,
    )
    return Arrivals(work, new_epoll=get_original("select", "epoll"), seed=order.first_id)


def _count(order: LoadOrder, total: int) -> int:
    """How many of the numbers 1 to `total` are this worker's."""
    return len(range(order.first_id, total + 1, order.step))
