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
from floodmark.core.messages import Cut, Done, Fire, LoadOrder, Ping, Pong, Ready, WorkerReport
from floodmark.core.open_files import make_room, raise_open_files_limit
from floodmark.engine.collector import Aside
from floodmark.engine.dial import Dial, dial_to
from floodmark.engine.ports import (
    PortShare,
    name_of_network,
    port_share,
    read_time_wait,
    reuses_time_wait,
    usable_sources,
)
from floodmark.load.bus.inbox import Inbox, Letter
from floodmark.load.worker.drive import drive
from floodmark.load.worker.share import Share, begin_share

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
        self._aside = Aside()
        self._cut_number: int | None = None  # the load that is to be cut, which may not be released yet
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
            busy = Ready(worker=order.worker, number=order.number, problem="is still busy with the load before")
            self._send(messages.READY, busy)
            return
        self._order, self._dial = order, None
        try:
            self._dial = _dial(order)
            ready = _ready(order, self._dial)
            self._aside.begin()
            make_room(-(-order.profile.most_connections // order.step))
        except (FloodmarkError, OSError) as error:
            ready = Ready(worker=order.worker, number=order.number, problem=str(error))
        self._send(messages.READY, ready)

    def _fire(self, letter: Letter) -> None:
        fire = letter.read(Fire)
        order, dial = self._order, self._dial
        if order is None or dial is None or order.number != fire.number or self._share is not None:
            raise WireError(f"told to fire load {fire.number} without its order")
        try:
            ports = port_share(dial.sources, fire.slot, fire.slots)
            dial = replace(dial, ports=ports.bounds)
            share = begin_share(order, dial, fire.at_s, send=self._send, environment=self._environment)
        except Exception as error:
            logger.exception("The load of %s could not begin", order.worker)
            self._order = None
            self._aside.end()
            self._send(messages.DONE, self._broken(order, error, {}))
            return
        self._share = share
        if self._cut_number == order.number:
            share.load.cut()
        self._running = gevent.spawn(self._run, order, share, fire.at_s, ports)

    def _run(self, order: LoadOrder, share: Share, at_s: float, ports: PortShare) -> None:
        try:
            done = Done(number=order.number, report=self._drive(order, share, at_s, ports))
        except Exception as error:
            logger.exception("The load of %s ended on a bug", order.worker)
            done = self._broken(order, error, _rest_of(share))
        finally:
            # Whatever happened, the next load finds this worker free.
            share.close()
            self._aside.end()
            self._share = self._order = None
        self._report_to_locust()
        self._send(messages.DONE, done)

    def _broken(self, order: LoadOrder, error: Exception, outcomes: dict[str, int]) -> Done:
        """What the master is told of a load that raised, so that it waits no longer."""
        now_s = self._clock()
        report = WorkerReport(
            worker=order.worker,
            started_s=now_s,
            ended_s=now_s,
            loop_lag_max_s=0.0,
            late_max_s=0.0,
            cpu_share=0.0,
            open_files_limit=self.open_files_limit,
            cut=True,
            outcomes=outcomes,
        )
        words = f"its load ended on a bug: {type(error).__name__}: {error}"
        return Done(number=order.number, report=report, problem=words)

    def _drive(self, order: LoadOrder, share: Share, at_s: float, ports: PortShare) -> WorkerReport:
        share.stand_by()
        # gevent sleeps in milliseconds; the last few are waited for by who releases the requests.
        gevent.sleep(max(0.0, at_s - WAKE_BEFORE_S - self._clock()))
        started_s, started_cpu_s = self._clock(), time.process_time()
        cut_at_s = at_s + order.profile.longest_s
        load = share.load
        share.begin()
        ended_s = drive(
            load, cut_at_s=cut_at_s, report=share.report, tend=share.tend, is_alone=share.is_alone, clock=self._clock
        )
        outcomes = share.end()
        return WorkerReport(
            worker=order.worker,
            started_s=started_s,
            ended_s=ended_s,
            loop_lag_max_s=load.loop_lag_max_s,
            late_max_s=load.late_max_s,
            cpu_share=(time.process_time() - started_cpu_s) / max(ended_s - started_s, 1e-9),
            open_files_limit=self.open_files_limit,
            cut=self._cut_number == order.number,
            outcomes=outcomes,
            ports=ports.ports,
            time_wait_max=share.time_wait_max,
            was_ahead=share.was_ahead,
            reuses_time_wait=reuses_time_wait(self._dial.endpoint) if self._dial else None,
        )

    def _report_to_locust(self) -> None:
        """Hands Locust's statistics to its master now, not at the next of its 3 s: its table ends with the load."""
        data: dict[str, Any] = {}
        self._environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
        self._runner.send_message("stats", data)

    def _cut(self, letter: Letter) -> None:
        number = letter.read(Cut).number
        if self._order is None or self._order.number != number:
            return
        self._cut_number = number
        if self._share is not None:
            self._share.load.cut()
        else:
            self._aside.end()

    def _leave(self, **_: Any) -> None:
        """Locust is quitting: what was measured goes out first."""
        if self._share is not None and self._running is not None and self._order is not None:
            self._cut_number = self._order.number
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


def _ready(order: LoadOrder, dial: Dial) -> Ready:
    """What the user and the master should know of this worker's part."""
    used, given = len(dial.sources), len(order.sources)
    note = f"sends from {used} of the {given} addresses: the others are not its host's"
    return Ready(
        worker=order.worker,
        number=order.number,
        problem=None,
        host=name_of_network(),
        ports=port_share(dial.sources, 0, 1).ports,
        time_wait=read_time_wait(),
        reuses_time_wait=reuses_time_wait(dial.endpoint),
        notes=(note,) if used < given else (),
    )


def _rest_of(share: Share) -> dict[str, int]:
    """What a load that broke has to say yet, and its requests by what became of them; none where it cannot say."""
    try:
        share.load.cut()
        return share.end()
    except Exception:
        logger.exception("What it has to say yet is lost")
        return {}
