"""The master's part of a burst: gather, align clocks, release at one instant, collect, end. It sends no load itself."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event

from floodmark.core import messages
from floodmark.core.clock import ClockReading
from floodmark.core.codec import to_plain
from floodmark.core.errors import ClusterError, FloodmarkError, InterruptedRunError
from floodmark.core.messages import BurstOrder, Fire, HitRows, Pulse, Ready, Samples, Watch, Watching, WorkerReport
from floodmark.core.run_folder import CLOCKS, PULSES, SAMPLES, WORKERS, Manifest, RunFolder, RunStatus, new_run_path
from floodmark.load.inbox import Inbox, Letter
from floodmark.load.manifest import begin_manifest
from floodmark.load.options import BurstOptions
from floodmark.load.roster import AGENT_NODE, AgentSeat, Roster

logger = logging.getLogger(__name__)

GATHER_TIMEOUT_S = 15.0
"""For workers, agent, clocks and orders, each: a Python process starts in a second or two, a busy host takes longer."""

LEAD_S = 0.25
"""From "fire" to the first release: the message must be with every worker by then; on a LAN it takes a millisecond."""

BASELINE_BEATS = 4
"""Samples before the first release: what the target looks like unloaded."""

GRACE_S = 10.0
"""For the last hits after the load's end: 10,000 of them are two megabytes, and the worker's core may be busy."""

CLOSE_TIMEOUT_S = 3.0
"""For the closing clock answers: who is still there answers at once, and nobody waits for the others."""

CUT_GRACE_S = 3.0
"""The same when a user interrupts: they wait for it."""


class Conductor:
    """One burst after another on Locust's master runner."""

    def __init__(
        self, environment: Any, *, judge: Callable[[str], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`judge` is handed a finished run's folder, prints its verdict and returns the exit code for it."""
        self._runner = environment.runner
        self._judge = judge
        self._clock = clock
        self._changed = Event()
        self._roster = Roster(self._runner, clock)
        self._folder: RunFolder | None = None
        self._manifest: Manifest | None = None
        self._watching: Watching | None = None
        self._ready: dict[str, Ready] = {}
        self._done: dict[str, WorkerReport] = {}
        self._squad: dict[str, str] = {}
        self._samples_seen = 0
        self._samples_dropped = 0
        self._ports_seen: set[int] = set()
        self._cut_asked = False
        self._closing = False
        self._lost_all = False
        inbox = Inbox(self._runner, clock)
        for kind, reader in self._readers().items():
            inbox.on(kind, self._waking(reader))

    def _readers(self) -> dict[str, Callable[[Letter], None]]:
        return {
            messages.HELLO: self._roster.hello,
            messages.BYE: self._roster.bye,
            messages.PONG: self._roster.pong,
            messages.WATCHING: self._note_watching,
            messages.SAMPLES: self._keep_samples,
            messages.READY: self._note_ready,
            messages.PULSE: self._keep_pulse,
            messages.HITS: self._keep_hits,
            messages.DONE: self._note_done,
        }

    def conduct(self, options: BurstOptions) -> int:
        """Runs one burst to its end and returns the exit code. The run folder tells the rest.

        Raises `ClusterError` where the run could not begin or be finished.
        """
        self._reset()
        squad = self._gather_workers()
        seat = self._gather_agent(options)
        self._open_folder(options, workers=len(squad))
        status, problems = RunStatus.FAILED, []
        try:
            self._measure(options, squad, seat)
            status = RunStatus.INTERRUPTED if self._cut_asked and not self._lost_all else RunStatus.COMPLETE
        except FloodmarkError as error:
            problems = [str(error)]
            interrupted = isinstance(error, InterruptedRunError) and not self._lost_all
            status = RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
            raise
        finally:
            folder = self._close_folder(status, problems)
        if options.judge:
            return self._judge(folder)
        return InterruptedRunError.exit_code if status is RunStatus.INTERRUPTED else 0

    def cut(self, *, lost: bool = False) -> None:
        """Ends a burst under way: every worker sends what it has. `lost`: not asked for, the last worker is gone."""
        self._cut_asked = True
        if lost:
            self._lost_all = True
            self._add_problems(["the last worker was lost"])
        for client_id in self._squad:
            self._send(messages.CUT, None, client_id)
        self._changed.set()

    # The course of a run, in order.

    def _measure(self, options: BurstOptions, squad: dict[str, str], seat: AgentSeat | None) -> None:
        planned = self._manifest.workers if self._manifest else len(squad)
        if len(squad) < planned:
            raise ClusterError(f"only {len(squad)} of {planned} workers started")
        nodes = squad | ({seat.client_id: AGENT_NODE} if seat else {})
        clocks = self._align_clocks(nodes)
        try:
            self._burst(options, squad, seat, clocks)
        finally:
            self._closing = True
            self._close(nodes, seat)

    def _burst(
        self, options: BurstOptions, squad: dict[str, str], seat: AgentSeat | None, clocks: dict[str, ClockReading]
    ) -> None:
        if seat:
            self._start_watching(seat, options)
        self._give_orders(options, squad)
        if seat:
            self._until(lambda: self._samples_seen >= BASELINE_BEATS, "the agent's first samples")
            self._prove_same_port(options, seat)
        fired_s = self._fire(squad, clocks)
        self._update(fired_s=fired_s)
        if self._folder is not None:
            self._folder.append_hits([])  # its header: a folder without the file has lost it
        self._await_end(options, fired_s)
        self._update(cut_s=self._clock())

    def _gather_workers(self) -> dict[str, str]:
        """Client id to worker name, for every worker that Locust has running."""
        runner = self._runner
        clients = runner.clients
        self._until(
            lambda: clients.running and not clients.spawning and not clients.ready, "every connected worker to start"
        )
        client_ids = sorted(client.id for client in runner.clients.running)
        self._squad = {client_id: f"worker-{number}" for number, client_id in enumerate(client_ids, start=1)}
        return self._squad

    def _gather_agent(self, options: BurstOptions) -> AgentSeat | None:
        if options.agents:
            self._until(
                lambda: self._roster.agent() is not None,
                f"an agent: start `floodmark-agent --port {options.address.port}` on the target's host,"
                " or measure from this side only with --expect-agents 0",
            )
        return self._roster.agent() if options.agents else None

    def _open_folder(self, options: BurstOptions, workers: int) -> None:
        path = options.folder or new_run_path("burst")
        self._folder = RunFolder(path)
        if not options.prepared:
            self._folder.create()
        self._manifest = begin_manifest(self._folder, options, workers)
        self._folder.write_manifest(self._manifest)
        logger.info("Recording to %s", path)

    def _align_clocks(self, nodes: dict[str, str]) -> dict[str, ClockReading]:
        self._roster.ping(nodes, pause=lambda: gevent.sleep(0.01))
        timeout_s = CLOSE_TIMEOUT_S if self._closing else GATHER_TIMEOUT_S
        try:
            self._until(lambda: not self._roster.silent(), "a clock answer", timeout_s=timeout_s)
        except ClusterError:
            raise ClusterError(f"{', '.join(self._roster.silent())} gave no answer for {timeout_s:g} s") from None
        finally:
            readings = self._roster.readings()
            self._keep(CLOCKS, list(readings.values()))
        return readings

    def _start_watching(self, seat: AgentSeat, options: BurstOptions) -> None:
        self._send(messages.WATCH, Watch(beat_s=options.beat_s), seat.client_id)
        self._until(lambda: self._watching is not None, f"agent {seat.name} to find the target")
        if self._watching and self._watching.problem:
            raise ClusterError(f"agent {seat.name}: {self._watching.problem}")
        if self._watching:
            self._update(limits=self._watching.limits, agent_notes=self._watching.notes)

    def _prove_same_port(self, options: BurstOptions, seat: AgentSeat) -> None:
        port = options.address.port
        if self._ports_seen and port not in self._ports_seen:
            seen = ", ".join(str(other) for other in sorted(self._ports_seen))
            raise ClusterError(
                f"agent {seat.name} watches port {seen}, and the burst goes to port {port}: start it with --port {port}"
            )

    def _give_orders(self, options: BurstOptions, squad: dict[str, str]) -> None:
        for number, (client_id, worker) in enumerate(squad.items(), start=1):
            order = BurstOrder(
                worker=worker,
                profile=options.profile,
                host=options.address.host,
                port=options.address.port,
                path=options.path,
                expect_status=options.request.status,
                expect_text=options.request.contains,
                first_id=number,
                step=len(squad),
            )
            self._send(messages.BURST, order, client_id)
        self._until(lambda: len(self._ready) == len(squad), "every worker to take its share")
        for ready in self._ready.values():
            if ready.problem:
                raise ClusterError(f"{ready.worker}: {ready.problem}")

    def _fire(self, squad: dict[str, str], clocks: dict[str, ClockReading]) -> float:
        fired_s = self._clock() + LEAD_S
        for client_id in squad:
            self._send(messages.FIRE, Fire(at_s=clocks[client_id].to_node_s(fired_s)), client_id)
        logger.info("Fire in %.0f ms, %d workers", LEAD_S * 1000, len(squad))
        return fired_s

    def _await_end(self, options: BurstOptions, fired_s: float) -> None:
        end_s = fired_s + options.profile.longest_s + GRACE_S
        while len(self._done) < len(self._squad) and self._clock() < end_s:
            self._changed.clear()
            self._changed.wait(timeout=0.25)
            if self._cut_asked:
                end_s = min(end_s, self._clock() + CUT_GRACE_S)
            if lost := self._lost_workers():
                self._add_problems(f"{name} was lost during the burst" for name in lost)
                break
        missing = sorted(set(self._squad.values()) - set(self._done))
        self._add_problems(f"{name} did not report its end" for name in missing)

    def _lost_workers(self) -> list[str]:
        clients = self._runner.clients
        gone = [
            client_id for client_id in self._squad if client_id not in clients or clients[client_id].state == "missing"
        ]
        return [self._squad[client_id] for client_id in gone if self._squad[client_id] not in self._done]

    def _close(self, nodes: dict[str, str], seat: AgentSeat | None) -> None:
        """Lets the agent rest and reads all clocks again: its answer to that comes after its last samples."""
        if seat:
            self._send(messages.REST, None, seat.client_id)
        try:
            self._align_clocks({client_id: name for client_id, name in nodes.items() if self._is_here(client_id, seat)})
        except ClusterError as error:
            self._add_problems([str(error)])
        if self._samples_dropped:
            self._add_problems([f"the agent had to drop {self._samples_dropped:,} samples"])

    def _is_here(self, client_id: str, seat: AgentSeat | None) -> bool:
        clients = self._runner.clients
        return (seat is not None and client_id == seat.client_id) or client_id in clients

    def _close_folder(self, status: RunStatus, problems: list[str]) -> str:
        self._add_problems(problems)
        self._update(status=status)
        folder = self._folder
        if folder is None:
            raise ClusterError("no run folder is open")
        folder.close()
        self._folder = self._manifest = None
        self._squad = {}
        return str(folder.path)

    # What comes in.

    def _note_watching(self, letter: Letter) -> None:
        self._watching = letter.read(Watching)

    def _keep_samples(self, letter: Letter) -> None:
        samples = letter.read(Samples)
        if self._watching is None:
            return  # of a watch before: this run's begins with the agent's word that it watches
        self._samples_seen += len(samples.samples)
        self._ports_seen |= {counts.port for sample in samples.samples for counts in sample.connections[:1]}
        self._keep(SAMPLES, list(samples.samples))
        self._samples_dropped = samples.dropped

    def _note_ready(self, letter: Letter) -> None:
        ready = letter.read(Ready)
        self._ready[ready.worker] = ready

    def _keep_pulse(self, letter: Letter) -> None:
        self._keep(PULSES, [letter.read(Pulse)])

    def _keep_hits(self, letter: Letter) -> None:
        if self._folder is not None:
            self._folder.append_hit_rows(list(letter.read(HitRows).rows))

    def _note_done(self, letter: Letter) -> None:
        report = letter.read(WorkerReport)
        self._done[report.worker] = report
        self._keep(WORKERS, [report])
        if report.cut and not self._cut_asked:
            self._add_problems([f"{report.worker} ended before its time"])

    # Small help.

    def _waking(self, reader: Callable[[Letter], None]) -> Callable[[Letter], None]:
        def read_and_wake(letter: Letter) -> None:
            reader(letter)
            self._changed.set()

        return read_and_wake

    def _until(self, condition: Callable[[], bool], what: str, timeout_s: float = GATHER_TIMEOUT_S) -> None:
        deadline_s = self._clock() + timeout_s
        while not condition():
            if self._cut_asked and not self._closing:
                raise InterruptedRunError("interrupted before the load was released")
            remaining_s = deadline_s - self._clock()
            if remaining_s <= 0:
                raise ClusterError(f"waited {timeout_s:g} s for {what}")
            self._changed.clear()
            self._changed.wait(timeout=min(remaining_s, 0.1))

    def _reset(self) -> None:
        self._watching, self._samples_seen, self._samples_dropped = None, 0, 0
        self._ports_seen = set()
        self._ready, self._done = {}, {}
        self._cut_asked = self._closing = self._lost_all = False
        self._squad = {}

    def _keep(self, name: str, records: list[Any]) -> None:
        if self._folder is not None:
            self._folder.append(name, records)

    def _update(self, **changes: Any) -> None:
        if self._manifest is not None and self._folder is not None:
            self._manifest = replace(self._manifest, **changes)
            self._folder.write_manifest(self._manifest)

    def _add_problems(self, problems: Any) -> None:
        new = tuple(problems)
        if new and self._manifest is not None:
            self._update(problems=self._manifest.problems + new)

    def _send(self, kind: str, record: Any, client_id: str) -> None:
        self._runner.send_message(kind, to_plain(record), client_id=client_id)
