"""One load from the clocks' first reading to their last: watch, order, release at one instant, await, close.

It sends no load itself, and waits for messages that the conductor takes in.
"""

import logging
from collections.abc import Callable
from typing import Any

import gevent

from floodmark.core import messages
from floodmark.core.clock import AGENT_NODE, ClockReading
from floodmark.core.errors import ClusterError
from floodmark.core.messages import Cut, Fire, LoadOrder
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import CLOCKS
from floodmark.load.live.standing import Standing
from floodmark.load.master.agent_watch import AgentWatch
from floodmark.load.master.clock_round import ClockRound
from floodmark.load.master.lookout import Lookout
from floodmark.load.master.run_log import RunLog
from floodmark.load.master.squad import Squad
from floodmark.load.options import LoadOptions
from floodmark.load.patience import GATHER_TIMEOUT_S, Patience

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
        watch: AgentWatch | None,
        *,
        number: int,
        standing: Standing | None = None,
        clocks: ClockRound,
        patience: Patience,
        send: Callable[[str, Any, str], None],
        clock: Callable[[], float],
    ) -> None:
        """`number` is the load's; `send` takes a message's type, its record and the node's identity on the bus.

        `watch` None: no agent takes part. `standing`: what is missed by it ends the load; None: nothing does.
        """
        self.number = number
        self.watch = watch
        self.standing = standing
        if watch and standing:
            watch.lookout.tell = standing.note_samples
        self._options = options
        self._log = log
        self._squad = squad
        self._clocks = clocks
        self._patience = patience
        self._send = send
        self._clock = clock

    def go(self) -> None:
        """From the clocks' first reading to their last. Raises `ClusterError` where the load could not be released.

        Raises `InterruptedRunError` where it was cut before.
        """
        planned, squad = self._log.manifest.workers, self._squad
        if len(squad) < planned:
            raise ClusterError(f"only {len(squad)} of {planned} workers started")
        squad.new_run()
        if squad.lost:
            raise ClusterError(f"{', '.join(squad.lost)} was lost")
        self._patience.closing = False
        if self.watch:
            self.watch.begin()
        try:
            self._load(self._align_clocks(self._nodes()))
        finally:
            self._patience.closing = True
            self._close()

    def cut(self) -> None:
        """Has every worker that has not reported its end end now, and send what it has."""
        for client_id, worker in self._squad.names.items():
            if worker not in self._squad.done:
                self._send(messages.CUT, Cut(number=self.number), client_id)

    def _load(self, clocks: dict[str, ClockReading]) -> None:
        self._give_orders()
        if self.watch:
            lookout = self.watch.lookout
            self._patience.until(lambda: lookout.samples_seen >= BASELINE_BEATS, "the agent's first samples")
            self._await_idle(lookout)
        log = self._log
        fired_s = self._fire(clocks)
        log.update(fired_s=fired_s)
        if self.standing:
            self.standing.begin(fired_s)
        log.keep_hits([])
        self._mark_release(fired_s)
        self._await_end(fired_s)
        log.update(cut_s=self._clock())

    def _align_clocks(self, nodes: dict[str, str]) -> dict[str, ClockReading]:
        clocks = self._clocks
        clocks.ping(nodes, pause=lambda: gevent.sleep(0.01))
        timeout_s = CLOSE_TIMEOUT_S if self._patience.closing else GATHER_TIMEOUT_S
        try:
            self._patience.until(lambda: not clocks.silent(), "a clock answer", timeout_s)
        except ClusterError:
            raise ClusterError(f"{', '.join(clocks.silent())} gave no answer for {timeout_s:g} s") from None
        finally:
            readings = clocks.readings()
            self._log.keep(CLOCKS, list(readings.values()))
        return readings

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

    def _await_idle(self, lookout: Lookout) -> None:
        """Lets go away what a run before has left with the server: it would be served among this run's requests."""
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

    def _mark_release(self, fired_s: float) -> None:
        """Has the agent count the connections as soon as there are some; an interrupt is seen to after it."""
        patience = self._patience
        while not patience.cut_asked and (left_s := fired_s - self._clock()) > 0:
            patience.pause(left_s)
        if self.watch:
            self.watch.mark("the release")

    def _await_end(self, fired_s: float) -> None:
        end_s = fired_s + self._options.profile.longest_s + GRACE_S
        squad = self._squad
        while not squad.all_done and self._clock() < end_s:
            self._patience.pause(0.25)
            if self.watch:
                self.watch.look()
            self._end_where_missed()
            if self._patience.cut_asked:
                end_s = min(end_s, self._clock() + CUT_GRACE_S)
            if lost := squad.lost:
                self._log.add_problems(*(f"{name} was lost while the load was on" for name in lost))
                break
        self._log.add_problems(*(f"{name} did not report its end" for name in squad.missing))
        self.cut()  # who has not is to be free for the next load

    def _end_where_missed(self) -> None:
        """Cuts the load when it misses what it was to meet, and says so in the manifest."""
        if self.standing is None or self._patience.cut_asked or not (missed := self.standing.missed()):
            return
        texts = tuple(threshold.text for threshold in missed)
        words = f"the load was ended by what it missed: {'; '.join(texts)}"
        logger.warning("%s", words[0].upper() + words[1:])
        self._log.update(missed_live=texts)
        self._log.add_problems(words)
        self._patience.cut_asked = True
        self.cut()

    def _close(self) -> None:
        """Lets the agent rest, fetches what it has measured, and reads all clocks again."""
        if self.watch:
            self.watch.rest()
            self.watch.fetch_all()
        try:
            self._align_clocks(self._nodes())
        except ClusterError as error:
            self._log.add_problems(str(error))

    def _nodes(self) -> dict[str, str]:
        """Who is there, by identity on the bus: Locust still knows a worker that it misses."""
        nodes = {identity: name for identity, name in self._squad.names.items() if self._squad.is_known(identity)}
        if self.watch and self.watch.node is not None:
            nodes[self.watch.node] = AGENT_NODE
        return nodes
