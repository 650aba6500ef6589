"""Recordings of steady loads that were never run: a server with so many slots, and what its clients would have seen.

Every request is known to the simulation; the recording has what real workers would have kept of it. Time is the
recording's own; nothing waits.
"""

import heapq
import random
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from hdrh.histogram import HdrHistogram

from floodmark.core.clock import ClockReading
from floodmark.core.hit import Hit
from floodmark.core.messages import WorkerReport
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile, ClosedProfile
from floodmark.core.run_folder import Manifest, Recording, RunStatus
from floodmark.core.sample import ConnectionCounts, ListenerSample, NetCounters, ProcessSample, Sample
from floodmark.core.second import HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS, Second

FIRED_S = 1000.0
AGENT_OFFSET_S = -300.0
BEAT_S = 0.05
SAMPLED_PER_S = 50
WAY_S = 0.001


def offset_of(worker: int) -> float:
    """Each worker's clock is elsewhere."""
    return 50.0 + 1000 * worker


@dataclass(kw_only=True)
class _Request:
    id: int
    worker: int
    planned_s: float
    released_s: float | None = None
    begin_s: float | None = None
    done_s: float | None = None
    ended_s: float | None = None
    outcome: Outcome = Outcome.WAITING
    slot: int = 0


@dataclass(kw_only=True)
class SteadySimulation:
    """One steady load on a server with `slots`, each busy for `service_s` per request; `record` makes it a recording.

    `unit`: thread or loop. `reads_at_once`: those in line are read by the process, else they lie unread. `agent`: one
    took part. `evidence`: answers carry handler times. `late_s`: every release comes so late. `services_s`: as many
    services in turn, in place of the one. `way_s`: one way through the network. `never`: every so many-th request is
    lost in the server. `read_late_s`: so long an answer lies at the generator. `first_only`: the sample of a second is
    what it answered first, else drawn by lot.
    """

    profile: ClosedProfile | ArrivalsProfile
    slots: int
    service_s: float
    workers: int = 1
    unit: str = "thread"
    reads_at_once: bool = True
    agent: bool = True
    evidence: bool = True
    late_s: float = 0.0
    cpu_share: float = 0.2
    loop_lag_s: float = 0.001
    fails: Outcome | None = None
    services_s: tuple[float, ...] = ()
    way_s: float = WAY_S
    never: int = 0
    read_late_s: float = 0.0
    first_only: bool = False
    requests: list[_Request] = field(default_factory=list)

    def record(self) -> Recording:
        """The recording, as a run folder would give it."""
        if isinstance(self.profile, ClosedProfile):
            self._closed()
        else:
            self._arrivals()
        manifest = Manifest(
            run_id="simulated",
            status=RunStatus.COMPLETE,
            started_utc="2026-01-01T00:00:00+00:00",
            target="simulated",
            url="http://127.0.0.1:8000/",
            profile=self.profile,
            hold_known=True,
            workers=self.workers,
            beat_s=BEAT_S,
            fired_s=FIRED_S,
            cut_s=FIRED_S + self.end_s,
        )
        clocks = [ClockReading(node="agent", offset_s=AGENT_OFFSET_S, bound_s=0.0001)] if self.agent else []
        clocks += [
            ClockReading(node=f"worker-{w + 1}", offset_s=offset_of(w), bound_s=0.0002) for w in range(self.workers)
        ]
        return Recording(
            path="simulated",
            manifest=manifest,
            hits=tuple(self._hits()),
            samples=tuple(self._samples()) if self.agent else (),
            workers=tuple(self._report(worker) for worker in range(self.workers)),
            clocks=tuple(clocks),
            seconds=tuple(self._seconds()),
        )

    @cached_property
    def end_s(self) -> float:
        """The end of the load: the plan's, or of an open model the last outcome."""
        if isinstance(self.profile, ClosedProfile):
            return self.profile.duration_s
        return max((r.ended_s for r in self.requests if r.ended_s is not None), default=self.profile.duration_s)

    def _closed(self) -> None:
        free = [0.0] * self.slots
        ready = [(0.0, connection) for connection in range(self.profile.connections)]
        heapq.heapify(ready)
        while ready:
            at_s, connection = heapq.heappop(ready)
            if at_s >= self.profile.duration_s:
                continue
            request = _Request(
                id=len(self.requests) + 1, worker=connection % self.workers, planned_s=at_s, released_s=at_s
            )
            self._serve(request, free)
            self.requests.append(request)
            heapq.heappush(ready, (request.ended_s, connection))
        for request in self.requests:
            if request.ended_s > self.profile.duration_s:
                request.ended_s, request.outcome = None, Outcome.WAITING

    def _arrivals(self) -> None:
        free = [0.0] * self.slots
        carrying = [0.0] * self.profile.connections
        for index in range(self.profile.requests):
            planned_s = self.profile.planned_offset_s(index + 1)
            free_s = heapq.heappop(carrying)
            request = _Request(id=index + 1, worker=index % self.workers, planned_s=planned_s)
            if free_s > planned_s + self.profile.timeout_s:
                request.outcome = Outcome.UNSENT
                heapq.heappush(carrying, free_s)
            else:
                request.released_s = max(planned_s, free_s) + self.late_s
                self._serve(request, free)
                heapq.heappush(carrying, request.ended_s)
            self.requests.append(request)

    def _serve(self, request: _Request, free: list[float]) -> None:
        """A request whose client gave up before its turn is not served."""
        gives_up_s = request.planned_s + self.profile.timeout_s
        if self.never and request.id % self.never == 0:
            request.ended_s, request.outcome = gives_up_s, Outcome.RESPONSE_TIMEOUT
            return
        slot_s = heapq.heappop(free)
        begin_s = max(slot_s, request.released_s + self.way_s)
        if begin_s > gives_up_s:
            request.ended_s, request.outcome = gives_up_s, Outcome.RESPONSE_TIMEOUT
            heapq.heappush(free, slot_s)
            return
        request.begin_s, request.done_s = begin_s, begin_s + self._service_of(request)
        request.ended_s, request.outcome = request.done_s + self.way_s + self.read_late_s, Outcome.ANSWERED
        request.slot = request.id % self.slots
        if self.fails is not None and request.id % 10 == 0:
            request.outcome = self.fails
        heapq.heappush(free, request.done_s)

    def _service_of(self, request: _Request) -> float:
        return self.services_s[request.id % len(self.services_s)] if self.services_s else self.service_s

    def _seconds(self) -> list[Second]:
        return [
            self._second(worker, index) for worker in range(self.workers) for index in range(int(self.end_s - 1e-9) + 1)
        ]

    def _second(self, worker: int, index: int) -> Second:
        own = [request for request in self.requests if request.worker == worker]
        ended = [r for r in own if r.ended_s is not None and int(r.ended_s) == index and r.ended_s <= self.end_s]
        answered = [request for request in ended if request.outcome is Outcome.ANSWERED]
        planned = [request for request in own if int(request.planned_s) == index]
        released = [r for r in own if r.released_s is not None and int(r.released_s) == index]
        is_open = isinstance(self.profile, ArrivalsProfile)
        at_end_s = min(index + 1.0, self.end_s)
        in_flight = sum(
            r.released_s < at_end_s and (r.ended_s is None or r.ended_s > at_end_s)
            for r in own
            if r.released_s is not None
        )
        return Second(
            worker=f"worker-{worker + 1}",
            second=index,
            planned=len(planned),
            released=len(released),
            opened=self.profile.most_connections // self.workers if index == 0 else 0,
            answered=len(answered),
            failed={
                kind.value: n for kind, n in Counter(r.outcome for r in ended).items() if kind is not Outcome.ANSWERED
            },
            in_flight=in_flight,
            open_connections=min(in_flight, self.profile.connections // self.workers) if is_open else in_flight,
            received_bytes=100 * len(answered),
            latency=histogram([r.ended_s - r.planned_s for r in answered]),
            transfer=histogram([]),
            late=histogram([r.released_s - r.planned_s for r in released] if is_open else []),
            connect=histogram([2 * self.way_s] * (self.profile.most_connections if index == 0 else 0)),
            loop_lag_max_s=self.loop_lag_s,
            cpu_share=self.cpu_share,
            time_wait=10,
        )

    def _hits(self) -> list[Hit]:
        """Up to so many of each second and worker, answered or not, in the order in which they ended."""
        groups: dict[tuple[int, int, bool], list[_Request]] = {}
        for request in sorted((r for r in self.requests if r.ended_s is not None), key=lambda r: r.ended_s):
            if request.ended_s <= self.end_s:
                which = (request.worker, int(request.ended_s), request.outcome is Outcome.ANSWERED)
                groups.setdefault(which, []).append(request)
        lot = random.Random(3)  # noqa: S311 - no secret
        kept = [
            request
            for group in groups.values()
            for request in (group if self.first_only else lot.sample(group, len(group)))[:SAMPLED_PER_S]
        ]
        return [self._hit(request) for request in sorted(kept, key=lambda r: r.ended_s)]

    def _hit(self, request: _Request) -> Hit:
        def stamp(at_s: float | None) -> float | None:
            return None if at_s is None else FIRED_S + at_s + offset_of(request.worker)

        answered = request.outcome is Outcome.ANSWERED
        begin_s, done_s = request.begin_s, request.done_s
        handled = answered and self.evidence
        tid = 100 if self.unit == "loop" else 300 + request.slot
        return Hit(
            id=request.id,
            worker=f"worker-{request.worker + 1}",
            planned_s=stamp(request.planned_s),
            released_s=stamp(request.released_s),
            connected_s=stamp(request.released_s),
            first_byte_s=stamp(request.ended_s) if answered else None,
            ended_s=stamp(request.ended_s),
            outcome=request.outcome,
            status=200 if answered else None,
            error=None if answered else f"simulated {request.outcome.value}",
            handler_begin_s=FIRED_S + begin_s + AGENT_OFFSET_S if handled else None,
            handler_end_s=FIRED_S + done_s + AGENT_OFFSET_S if handled else None,
            pid=100 if handled else None,
            tid=tid if handled else None,
            thread=f"Thread-{tid}" if handled else None,
        )

    def _samples(self) -> list[Sample]:
        sent = sorted(r.released_s for r in self.requests if r.released_s is not None)
        over = sorted(
            self.end_s + 9 if r.ended_s is None else r.ended_s for r in self.requests if r.released_s is not None
        )
        beats = int((self.end_s + 0.2) / BEAT_S)
        times_s = [-0.2 + index * BEAT_S for index in range(beats + 1)]
        counts = [(bisect_right(sent, at_s), bisect_right(over, at_s)) for at_s in times_s]
        return [self._sample(i, at_s, *count) for i, (at_s, count) in enumerate(zip(times_s, counts, strict=True))]

    def _sample(self, index: int, at_s: float, sent: int, over: int) -> Sample:
        stamp_s = FIRED_S + at_s + AGENT_OFFSET_S
        unread = 0 if self.reads_at_once else max(0, sent - over - self.slots)
        counts = ConnectionCounts(
            port=8000,
            accept_queue=0,
            unread=unread,
            read=max(0, sent - over - unread),
            half_open=0,
            abandoned=0,
            abandoned_queue=0,
            closing=0,
            time_wait=0,
        )
        listener = ListenerSample(
            address="127.0.0.1:8000", family="inet", inode=7, depth=0, limit=2048, outer=True, owners=(100,)
        )
        process = ProcessSample(
            pid=100,
            parent=1,
            name="server",
            threads=1 if self.unit == "loop" else 1 + self.slots,
            threads_started=0,
            threads_ended=0,
            open_files=10 + sent - over,
            rss_bytes=1 << 20,
            cpu_s=0.1,
        )
        return Sample(
            sequence=index,
            due_s=stamp_s,
            taken_s=stamp_s,
            socket_s=stamp_s,
            cost_s=0.001,
            missed=0,
            listeners=(listener,),
            connections=(counts,),
            processes=(process,),
            counters=NetCounters(listen_overflows=0, listen_drops=0, req_q_full_do_cookies=0, req_q_full_drop=0),
        )

    def _report(self, worker: int) -> WorkerReport:
        own = Counter(request.outcome.value for request in self.requests if request.worker == worker)
        return WorkerReport(
            worker=f"worker-{worker + 1}",
            started_s=FIRED_S + offset_of(worker),
            ended_s=FIRED_S + offset_of(worker) + self.end_s,
            loop_lag_max_s=self.loop_lag_s,
            late_max_s=self.late_s,
            cpu_share=self.cpu_share,
            open_files_limit=20_000,
            outcomes=dict(own),
            ports=28_232 // self.workers,
            time_wait_max=10,
        )


def histogram(times_s: list[float]) -> str:
    """Times as a worker writes them."""
    made = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)
    for microseconds, count in Counter(max(1, round(time_s * 1e6)) for time_s in times_s).items():
        made.record_value(microseconds, count)
    return made.encode().decode("ascii")
