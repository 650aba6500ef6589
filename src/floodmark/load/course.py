"""One load from the clocks' first reading to their last: watch, order, release at one instant, await, close.

It sends no load itself, and waits for messages that the conductor takes in.
"""

import logging
from collections.abc import Callable
from typing import Any

import gevent

from floodmark.core import messages
from floodmark.core.clock import ClockReading
from floodmark.core.errors import ClusterError
from floodmark.core.messages import Cut, Fire, LoadOrder, Watch
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import CLOCKS
from floodmark.load.lookout import Lookout
from floodmark.load.options import LoadOptions
from floodmark.load.patience import GATHER_TIMEOUT_S, Patience
from floodmark.load.roster import AGENT_NODE, AgentSeat, Roster
from floodmark.load.run_log import RunLog
from floodmark.load.squad import Squad

logger = logging.getLogger(__name__)

LEAD_S = 0.25
"""From "fire" to the first release: the message must be with every worker by then; on a LAN it takes a millisecond."""

BASELINE_BEATS = 4
"""Samples before the first release: what the target looks like unloaded."""

IDLE_TIMEOUT_S = 20.0
"""For connections of a run before to go away: a server of slow requests may keep its line for much longer."""

GRACE_S = 10.0
"""For the last hits after the load's end: 10,000 of them are two megabytes, and the worker's core may be busy."""

CLOSE_TIMEOUT_S = 3.0
"""For the closing clock answers: who is still there answers at once, and nobody waits for the others."""

CUT_GRACE_S = 3.0
"""The same when a user interrupts: they wait for it."""


class Course:
    """One load of one run; a search has several."""

    def __init__(  # noqa: PLR0913 - who takes part, and what it needs of the conductor
        self,
        options: LoadOptions,
        log: RunLog,
        squad: Squad,
        seat: AgentSeat | None,
        *,
        number: int,
        roster: Roster,
        patience: Patience,
        send: Callable[[str, Any, str], None],
        clock: Callable[[], float],
    ) -> None:
        """`number` is the load's; `send` takes a message's type, its record and the node's identity on the bus."""
        self.number = number
        self.lookout = Lookout(options.address.port)
        self._options = options
        self._log = log
        self._squad = squad
        self._seat = seat
        self._roster = roster
        self._patience = patience
        self._send = send
        self._clock = clock

    def go(self) -> None:
        """From the clocks' first reading to their last. Raises `ClusterError` where the load could not be released.

        Raises `InterruptedRunError` where it was cut before.
        """
        planned, squad, seat = self._log.manifest.workers, self._squad, self._seat
        if len(squad) < planned:
            raise ClusterError(f"only {len(squad)} of {planned} workers started")
        squad.new_run()
        if squad.lost:
            raise ClusterError(f"{', '.join(squad.lost)} was lost")
        self._patience.closing = False
        nodes = squad.names | ({seat.client_id: AGENT_NODE} if seat else {})
        clocks = self._align_clocks(nodes)
        try:
            self._load(clocks)
        finally:
            self._patience.closing = True
            self._close(nodes)

    def cut(self) -> None:
        """Has every worker that has not reported its end end now, and send what it has."""
        for client_id, worker in self._squad.names.items():
            if worker not in self._squad.done:
                self._send(messages.CUT, Cut(number=self.number), client_id)

    def _load(self, clocks: dict[str, ClockReading]) -> None:
        options, seat, lookout = self._options, self._seat, self.lookout
        if seat:
            self._start_watching(seat)
        self._give_orders()
        if seat:
            self._patience.until(lambda: lookout.samples_seen >= BASELINE_BEATS, "the agent's first samples")
            _prove_same_port(options, seat, lookout)
            self._await_idle()
        log = self._log
        fired_s = self._fire(clocks)
        log.update(fired_s=fired_s)
        log.keep_hits([])
        self._await_end(fired_s)
        log.update(cut_s=self._clock())

    def _align_clocks(self, nodes: dict[str, str]) -> dict[str, ClockReading]:
        self._roster.ping(nodes, pause=lambda: gevent.sleep(0.01))
        timeout_s = CLOSE_TIMEOUT_S if self._patience.closing else GATHER_TIMEOUT_S
        try:
            self._patience.until(lambda: not self._roster.silent(), "a clock answer", timeout_s)
        except ClusterError:
            raise ClusterError(f"{', '.join(self._roster.silent())} gave no answer for {timeout_s:g} s") from None
        finally:
            readings = self._roster.readings()
            self._log.keep(CLOCKS, list(readings.values()))
        return readings

    def _start_watching(self, seat: AgentSeat) -> None:
        lookout = self.lookout
        self._send(messages.WATCH, Watch(beat_s=self._options.beat_s), seat.client_id)
        self._patience.until(lambda: lookout.watching is not None, f"agent {seat.name} to find the target")
        if lookout.watching and lookout.watching.problem:
            raise ClusterError(f"agent {seat.name}: {lookout.watching.problem}")
        if lookout.watching:
            self._log.update(limits=lookout.watching.limits, agent_notes=lookout.watching.notes)

    def _give_orders(self) -> None:
        squad, options = self._squad, self._options
        if isinstance(options.profile, SearchProfile):
            raise TypeError("a search is ordered burst by burst")
        for number, (client_id, worker) in enumerate(squad.names.items(), start=1):
            order = LoadOrder(
                worker=worker,
                profile=options.profile,
                address=options.address,
                request=options.sent_request,
                first_id=number,
                step=len(squad),
                number=self.number,
                sources=options.sources,
                verify=options.verify,
            )
            self._send(messages.ORDER, order, client_id)
        self._patience.until(lambda: squad.all_ready, "every worker to take its share")
        for ready in squad.ready.values():
            if ready.problem:
                raise ClusterError(f"{ready.worker}: {ready.problem}")
            for note in ready.notes:
                logger.warning("%s: %s", ready.worker, note)
        for note in squad.port_notes(options.profile.most_connections):
            logger.warning("%s", note)

    def _await_idle(self) -> None:
        """Lets go away what a run before has left with the server: it would be served among this run's requests."""
        lookout = self.lookout
        if lookout.is_idle:
            return
        logger.info("The server still has %d connections of before: waiting for them to end", lookout.held)
        if not self._patience.holds(lambda: lookout.is_idle, IDLE_TIMEOUT_S):
            logger.warning(
                "It still has %d of them after %g s: the load goes on beside these", lookout.held, IDLE_TIMEOUT_S
            )

    def _fire(self, clocks: dict[str, ClockReading]) -> float:
        fired_s = self._clock() + LEAD_S
        slots = self._squad.slots()
        for client_id, worker in self._squad.names.items():
            slot, of_slots = slots[worker]
            fire = Fire(number=self.number, at_s=clocks[client_id].to_node_s(fired_s), slot=slot, slots=of_slots)
            self._send(messages.FIRE, fire, client_id)
        logger.info("Fire in %.0f ms, %d workers", LEAD_S * 1000, len(self._squad))
        return fired_s

    def _await_end(self, fired_s: float) -> None:
        end_s = fired_s + self._options.profile.longest_s + GRACE_S
        squad = self._squad
        while not squad.all_done and self._clock() < end_s:
            self._patience.pause(0.25)
            if self._patience.cut_asked:
                end_s = min(end_s, self._clock() + CUT_GRACE_S)
            if lost := squad.lost:
                self._log.add_problems(*(f"{name} was lost while the load was on" for name in lost))
                break
        self._log.add_problems(*(f"{name} did not report its end" for name in squad.missing))
        self.cut()  # who has not is to be free for the next load

    def _close(self, nodes: dict[str, str]) -> None:
        """Lets the agent rest and reads all clocks again: its answer to that comes after its last samples."""
        if self._seat:
            self._send(messages.REST, None, self._seat.client_id)
        here = {identity: name for identity, name in nodes.items() if self._is_here(identity)}
        try:
            self._align_clocks(here)
        except ClusterError as error:
            self._log.add_problems(str(error))
        if self.lookout.dropped:
            self._log.add_problems(f"the agent had to drop {self.lookout.dropped:,} samples")

    def _is_here(self, identity: str) -> bool:
        return (self._seat is not None and identity == self._seat.client_id) or self._squad.is_known(identity)


def _prove_same_port(options: LoadOptions, seat: AgentSeat, lookout: Lookout) -> None:
    port = options.address.port
    if lookout.other_ports:
        seen = ", ".join(str(other) for other in lookout.other_ports)
        raise ClusterError(
            f"agent {seat.name} watches port {seen}, and the load goes to port {port}: start it with --port {port}"
        )
