"""Recordings of servers that were never run, with known answers, so that a verdict can be held against the truth.

A simulated server has a number of slots (None: as many as come), a hold, and lets everybody in at once or keeps a line
in the kernel. Time is the recording's own; nothing waits.
"""

import heapq
from dataclasses import dataclass, field, replace

from floodmark.core.clock import ClockReading
from floodmark.core.hit import Hit
from floodmark.core.messages import WorkerReport
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import HoldProbe, Manifest, Recording, RunStatus
from floodmark.core.sample import ConnectionCounts, ListenerSample, NetCounters, ProcessSample, Sample

FIRED_S = 1000.0
"""On the master's clock; the worker's and the agent's are elsewhere, as on other hosts."""

WORKER_OFFSET_S = 50.0
AGENT_OFFSET_S = -300.0
BEAT_S = 0.05
PORT = 8000
CONNECT_S = 0.001
REACT_S = 0.002


@dataclass(frozen=True, kw_only=True)
class Server:
    """What to simulate. `slots` None: no ceiling. `reads_at_once`: the others wait in the process, else in the kernel.

    `lets_in`: how many connections get in at first, the others after `late_s` (a SYN retry). `evidence`: the answers
    carry handler times. `accept_every_s`: it takes one connection in this time. `processes`: its units are spread over
    these. `warm_up_s`: its slots open one after another over this time. `unit`: thread, process or loop;
    `reused`: a unit serves again. `running_bytes`, `waiting_bytes`: what a request takes of the first process' memory.
    """

    slots: int | None
    reads_at_once: bool = True
    lets_in: int | None = None
    late_s: float = 1.0
    evidence: bool = True
    unit: str = "thread"
    reused: bool = True
    pool_stands: bool = True
    backlog: int = 2048
    warm_up_s: float = 0.0
    accept_every_s: float = 0.0
    processes: int = 1
    running_bytes: int = 0
    waiting_bytes: int = 0


@dataclass(kw_only=True)
class _Served:
    connected_s: float
    begin_s: float | None = None
    end_s: float | None = None
    slot: int = 0


@dataclass(kw_only=True)
class Simulation:
    """One run of `server`; `record` makes it a recording."""

    server: Server
    requests: int
    hold_s: float = 5.0
    run_s: float | None = None
    told_hold_s: float | None = None
    served: list[_Served] = field(default_factory=list)

    def record(self) -> Recording:
        """The recording, as a run folder would give it."""
        self._serve()
        profile = BurstProfile(requests=self.requests, within_s=0.0, hold_s=self.told_hold_s or self.hold_s)
        manifest = Manifest(
            run_id="simulated",
            status=RunStatus.COMPLETE,
            started_utc="2026-01-01T00:00:00+00:00",
            target="simulated",
            url="http://127.0.0.1:8000/",
            profile=profile,
            hold_known=True,
            workers=1,
            beat_s=BEAT_S,
            fired_s=FIRED_S,
            cut_s=FIRED_S + self.end_s,
            probe=HoldProbe(took_s=(self.hold_s,) * 3, units=self._probe_units()),
        )
        return Recording(
            path="simulated",
            manifest=manifest,
            hits=tuple(self._hit(number, served) for number, served in enumerate(self.served, start=1)),
            samples=tuple(self._samples()),
            workers=(self._report(),),
            clocks=(
                ClockReading(node="worker-1", offset_s=WORKER_OFFSET_S, bound_s=0.0001),
                ClockReading(node="agent", offset_s=AGENT_OFFSET_S, bound_s=0.0001),
            ),
        )

    @property
    def end_s(self) -> float:
        """The end of the load."""
        return self.run_s or 3 * self.hold_s

    def _serve(self) -> None:
        server = self.server
        lets_in = self.requests if server.lets_in is None else server.lets_in
        self.served = [
            _Served(connected_s=CONNECT_S * (1 + index / self.requests) + (0 if index < lets_in else server.late_s))
            for index in range(self.requests)
        ]
        if server.slots is None:
            for index, served in enumerate(self.served):
                taken_s = max(served.connected_s, index * server.accept_every_s)
                served.begin_s, served.slot = taken_s + REACT_S, index
        else:
            free = [(server.warm_up_s * slot / server.slots, slot) for slot in range(server.slots)]
            heapq.heapify(free)
            for served in self.served:
                free_s, served.slot = heapq.heappop(free)
                served.begin_s = max(free_s, served.connected_s) + REACT_S
                heapq.heappush(free, (served.begin_s + self.hold_s, served.slot))
        for served in self.served:
            served.end_s = (served.begin_s or 0.0) + self.hold_s

    def _hit(self, number: int, served: _Served) -> Hit:
        assert served.begin_s is not None
        assert served.end_s is not None
        ended_s = served.end_s + REACT_S
        answered = ended_s <= self.end_s
        connected = served.connected_s <= self.end_s
        hit = Hit(
            id=number,
            worker="worker-1",
            planned_s=self._worker(0.0),
            released_s=self._worker(0.0),
            connected_s=self._worker(served.connected_s) if connected else None,
            ended_s=self._worker(ended_s) if answered else None,
            first_byte_s=self._worker(ended_s) if answered else None,
            outcome=Outcome.ANSWERED if answered else Outcome.WAITING,
            status=200 if answered else None,
        )
        if not (answered and self.server.evidence):
            return hit
        pid, tid, thread = self._unit(number, served.slot)
        begin_s, end_s = self._agent(served.begin_s), self._agent(served.end_s)
        return replace(hit, handler_begin_s=begin_s, handler_end_s=end_s, pid=pid, tid=tid, thread=thread)

    def _unit(self, number: int, slot: int) -> tuple[int, int, str]:
        index = slot if self.server.reused else number
        if self.server.unit == "loop":
            return 100, 100, "MainThread"
        if self.server.unit == "process":
            return 200 + index, 200 + index, "MainThread"
        return 100 + index % self.server.processes, 300 + index, f"Thread-{index}"

    def _probe_units(self) -> tuple[tuple[int, int], ...]:
        if not self.server.evidence:
            return ()
        return tuple(self._unit(90_000 + index, 0)[:2] for index in range(3))

    def _samples(self) -> list[Sample]:
        beats = int((self.end_s + 0.2) / BEAT_S)
        return [self._sample(index, -0.2 + index * BEAT_S) for index in range(beats + 1)]

    def _sample(self, index: int, at_s: float) -> Sample:
        stamp_s = self._agent(at_s)
        waiting, running = self._counts(at_s)
        queued = 0 if self.server.reads_at_once else waiting
        counts = ConnectionCounts(
            port=PORT,
            accept_queue=queued,
            unread=0,
            read=running + waiting - queued,
            half_open=0,
            abandoned=0,
            abandoned_queue=0,
            closing=0,
            time_wait=0,
        )
        listener = ListenerSample(
            address="127.0.0.1:8000",
            family="inet",
            inode=7,
            depth=queued,
            limit=self.server.backlog,
            outer=True,
            owners=(100,),
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
            processes=self._processes(at_s, running, waiting - queued),
            counters=NetCounters(listen_overflows=0, listen_drops=0, req_q_full_do_cookies=0, req_q_full_drop=0),
        )

    def _counts(self, at_s: float) -> tuple[int, int]:
        inside = [s for s in self.served if s.connected_s <= at_s < (s.end_s or 0.0) + REACT_S]
        running = sum(1 for served in inside if (served.begin_s or 0.0) <= at_s)
        return len(inside) - running, running

    def _processes(self, at_s: float, running: int, inside: int) -> tuple[ProcessSample, ...]:
        server, slots = self.server, self.server.slots or 1
        first = ProcessSample(
            pid=100,
            parent=1,
            name="server",
            threads=1,
            threads_started=0,
            threads_ended=0,
            open_files=10,
            rss_bytes=(1 << 20) + running * server.running_bytes + inside * server.waiting_bytes,
            cpu_s=0.1,
        )
        began = sum(1 for s in self.served if at_s - BEAT_S < (s.begin_s or 0.0) <= at_s)
        if server.unit == "loop":
            return (first,)
        if server.unit == "process":
            count = slots if server.pool_stands else running
            return (first, *(replace(first, pid=200 + index, parent=100) for index in range(count)))
        threads = 1 + (slots if server.pool_stands else running)
        return (replace(first, threads=threads, threads_started=0 if server.reused else began),)

    def _report(self) -> WorkerReport:
        return WorkerReport(
            worker="worker-1",
            started_s=self._worker(0.0),
            ended_s=self._worker(self.end_s),
            loop_lag_max_s=0.002,
            late_max_s=0.01,
            cpu_share=0.1,
            open_files_limit=20_000,
        )

    def _worker(self, at_s: float) -> float:
        return FIRED_S + at_s + WORKER_OFFSET_S

    def _agent(self, at_s: float) -> float:
        return FIRED_S + at_s + AGENT_OFFSET_S
