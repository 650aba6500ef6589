"""A worker's part of a load: take the order, prepare, fire at the instant, report. What is sent is the share's."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, UsageError, WireError
from floodmark.core.messages import Fire, LoadOrder, Ping, Pong, Ready, WorkerReport
from floodmark.core.open_files import raise_open_files_limit
from floodmark.engine.dial import Dial, dial_to
from floodmark.engine.ports import (
    PortShare,
    name_of_network,
    port_pressure,
    port_share,
    read_time_wait,
    reuses_time_wait,
    usable_sources,
)
from floodmark.load.drive import drive
from floodmark.load.inbox import Inbox, Letter
from floodmark.load.share import Share, begin_share

logger = logging.getLogger(__name__)

WAKE_BEFORE_S = 0.003
"""Before the first release: more than a sleep of gevent's is late on an idle machine."""

SOURCES_SHOWN = 3
"""Enough to know which were meant; there may be thousands."""


class LoadWorker:
    """Listens for the conductor's messages on Locust's worker runner; runs one load at a time."""

    def __init__(self, environment: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """Registers the messages; `environment.runner` must be Locust's WorkerRunner."""
        self._environment = environment
        self._runner = environment.runner
        self._clock = clock
        self._order: LoadOrder | None = None
        self._dial: Dial | None = None
        self._share: Share | None = None
        self._running: gevent.Greenlet | None = None
        self._was_cut = False
        self.open_files_limit = raise_open_files_limit()
        self._runner.register_message(messages.PING, self._pong)
        inbox = Inbox(self._runner, clock)
        inbox.on(messages.ORDER, self._prepare)
        inbox.on(messages.FIRE, self._fire)
        inbox.on(messages.CUT, self._cut)
        environment.events.quitting.add_listener(self._leave)

    def _pong(self, environment: Any, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust hands both by name
        received_s = self._clock()
        ping = Letter(kind=msg.type, data=msg.data, sender="master", received_s=received_s).read(Ping)
        pong = Pong(sequence=ping.sequence, ping_sent_s=ping.sent_s, received_s=received_s, sent_s=self._clock())
        self._send(messages.PONG, pong)

    def _prepare(self, letter: Letter) -> None:
        order = letter.read(LoadOrder)
        if self._share is not None:
            self._send(messages.READY, Ready(worker=order.worker, problem="is still busy with the load before"))
            return
        self._order, self._dial = order, None
        problem: str | None = None
        notes: tuple[str, ...] = ()
        try:
            self._dial = _dial(order)
            notes = _notes(order, self._dial)
        except FloodmarkError as error:
            problem = str(error)
        self._send(messages.READY, Ready(worker=order.worker, problem=problem, host=name_of_network(), notes=notes))

    def _fire(self, letter: Letter) -> None:
        fire = letter.read(Fire)
        if self._order is None or self._dial is None:
            raise WireError("told to fire without an order")
        ports = port_share(self._dial.sources, fire.slot, fire.slots)
        dial = replace(self._dial, ports=ports.bounds)
        self._was_cut = False
        self._share = begin_share(self._order, dial, fire.at_s, send=self._send, environment=self._environment)
        self._running = gevent.spawn(self._run, self._order, self._share, fire.at_s, ports)

    def _run(self, order: LoadOrder, share: Share, at_s: float, ports: PortShare) -> None:
        try:
            report = self._drive(order, share, at_s, ports)
        finally:
            # Whatever happened, the next load finds this worker free.
            share.load.close()
            self._share = self._order = None
        self._report_to_locust()
        self._send(messages.DONE, report)

    def _drive(self, order: LoadOrder, share: Share, at_s: float, ports: PortShare) -> WorkerReport:
        # gevent sleeps in milliseconds; the last few are waited for by who releases the requests.
        gevent.sleep(max(0.0, at_s - WAKE_BEFORE_S - self._clock()))
        started_s, started_cpu_s = self._clock(), time.process_time()
        cut_at_s = at_s + order.profile.longest_s
        load = share.load
        ended_s = drive(load, cut_at_s=cut_at_s, report=share.report, tend=share.tend, clock=self._clock)
        outcomes = share.end()
        return WorkerReport(
            worker=order.worker,
            started_s=started_s,
            ended_s=ended_s,
            loop_lag_max_s=load.loop_lag_max_s,
            late_max_s=load.late_max_s,
            cpu_share=(time.process_time() - started_cpu_s) / max(ended_s - started_s, 1e-9),
            open_files_limit=self.open_files_limit,
            cut=self._was_cut,
            outcomes=outcomes,
            ports=ports.ports,
            time_wait_max=share.time_wait_max,
            reuses_time_wait=reuses_time_wait(self._dial.endpoint) if self._dial else None,
        )

    def _report_to_locust(self) -> None:
        """Hands Locust's statistics to its master now, not at the next of its 3 s: its table ends with the load."""
        data: dict[str, Any] = {}
        self._environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
        self._runner.send_message("stats", data)

    def _cut(self, letter: Letter) -> None:  # noqa: ARG002 - the message has no content
        if self._share is not None:
            self._was_cut = True
            self._share.load.cut()

    def _leave(self, **_: Any) -> None:
        """Locust is quitting: what was measured goes out first."""
        if self._share is not None and self._running is not None:
            self._was_cut = True
            self._share.load.cut()
            self._running.join(timeout=3)

    def _send(self, kind: str, record: Any) -> None:
        self._runner.send_message(kind, to_plain(record))


def _dial(order: LoadOrder) -> Dial:
    """How this worker gets to the server. Raises `UsageError` where it cannot."""
    dial = dial_to(order.address, verify=order.verify)
    if not order.sources:
        return dial
    sources = usable_sources(order.sources, dial.endpoint)
    if not sources:
        words = ", ".join(order.sources[:SOURCES_SHOWN])
        raise UsageError(
            f"--source {words}: none of {len(order.sources)} is the worker's host's and leads to the server"
        )
    return replace(dial, sources=sources)


def _notes(order: LoadOrder, dial: Dial) -> tuple[str, ...]:
    """What the user should know of this worker's part."""
    notes = []
    if len(dial.sources) < len(order.sources):
        notes.append(
            f"sends from {len(dial.sources)} of the {len(order.sources)} addresses: the others are not its host's"
        )
    connections = -(-order.profile.most_connections // order.step)
    ports = port_share(dial.sources, 0, 1).ports
    if words := port_pressure(connections, ports, read_time_wait(), reuses=reuses_time_wait(dial.endpoint)):
        notes.append(words)
    return tuple(notes)
