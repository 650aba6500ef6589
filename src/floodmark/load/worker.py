"""A worker's part of a burst: take the order, prepare, fire at the instant, send back counts and hits."""

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

from floodmark.core import messages
from floodmark.core.address import Address
from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, WireError
from floodmark.core.hit import Hit
from floodmark.core.messages import BurstOrder, Fire, HitRows, Ping, Pong, Pulse, Ready, WorkerReport
from floodmark.core.open_files import raise_open_files_limit
from floodmark.engine.burst import Burst, BurstWork
from floodmark.engine.check import AnswerCheck
from floodmark.engine.endpoint import Endpoint, resolve
from floodmark.engine.request import render_get
from floodmark.load.drive import drive
from floodmark.load.inbox import Inbox, Letter

logger = logging.getLogger(__name__)

HITS_PER_MESSAGE = 250
"""About 40 kB, and 5 ms of work between two steps of the engine."""


class BurstWorker:
    """Listens for the conductor's messages on Locust's worker runner; runs one burst at a time."""

    def __init__(self, environment: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """Registers the messages; `environment.runner` must be Locust's WorkerRunner."""
        self._environment = environment
        self._runner = environment.runner
        self._clock = clock
        self._order: BurstOrder | None = None
        self._endpoint: Endpoint | None = None
        self._burst: Burst | None = None
        self._running: gevent.Greenlet | None = None
        self._was_cut = False
        self.open_files_limit = raise_open_files_limit()
        self._runner.register_message(messages.PING, self._pong)
        inbox = Inbox(self._runner, clock)
        inbox.on(messages.BURST, self._prepare)
        inbox.on(messages.FIRE, self._fire)
        inbox.on(messages.CUT, self._cut)
        environment.events.quitting.add_listener(self._leave)

    def _pong(self, environment: Any, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust hands both by name
        received_s = self._clock()
        ping = Letter(kind=msg.type, data=msg.data, sender="master", received_s=received_s).read(Ping)
        pong = Pong(sequence=ping.sequence, ping_sent_s=ping.sent_s, received_s=received_s, sent_s=self._clock())
        self._send(messages.PONG, pong)

    def _prepare(self, letter: Letter) -> None:
        order = letter.read(BurstOrder)
        if self._burst is not None:
            busy = Ready(worker=order.worker, problem="is still busy with the burst before")
            self._send(messages.READY, busy)
            return
        self._order, problem = order, None
        try:
            self._endpoint = resolve(Address(host=order.host, port=order.port))
        except FloodmarkError as error:
            problem = str(error)
        self._send(messages.READY, Ready(worker=order.worker, problem=problem))

    def _fire(self, letter: Letter) -> None:
        fire = letter.read(Fire)
        if self._order is None or self._endpoint is None:
            raise WireError("told to fire without an order")
        self._running = gevent.spawn(self._run, self._order, self._endpoint, fire.at_s)

    def _run(self, order: BurstOrder, endpoint: Endpoint, at_s: float) -> None:
        self._was_cut = False
        work = BurstWork(
            worker=order.worker,
            endpoint=endpoint,
            requests=order.profile.share(order.first_id, order.step, at_s),
            render=render_get(order.path, endpoint.authority),
            check=AnswerCheck(status=order.expect_status, text=order.expect_text.encode()),
            timeout_s=order.profile.timeout_s,
        )
        self._burst = burst = Burst(work, clock=self._clock, new_epoll=get_original("select", "epoll"))
        try:
            report = self._drive(order, burst, at_s)
        finally:
            # Whatever happened, the next burst finds this worker free.
            burst.close()
            self._burst = self._order = None
        self._send(messages.DONE, report)

    def _drive(self, order: BurstOrder, burst: Burst, at_s: float) -> WorkerReport:
        gevent.sleep(max(0.0, at_s - self._clock()))
        started_s, started_cpu_s = self._clock(), time.process_time()
        cut_at_s = at_s + order.profile.longest_s
        ended_s = drive(burst, cut_at_s=cut_at_s, report=lambda: self._report(order, burst), clock=self._clock)
        return WorkerReport(
            worker=order.worker,
            started_s=started_s,
            ended_s=ended_s,
            loop_lag_max_s=burst.loop_lag_max_s,
            late_max_s=burst.late_max_s,
            cpu_share=(time.process_time() - started_cpu_s) / max(ended_s - started_s, 1e-9),
            open_files_limit=self.open_files_limit,
            cut=self._was_cut,
        )

    def _report(self, order: BurstOrder, burst: Burst) -> bool:
        """Sends running counts and some finished hits; True where there may be more of these."""
        hits = burst.take_hits(limit=HITS_PER_MESSAGE)
        if hits:
            self._send(messages.HITS, HitRows.of(hits))
        counts = burst.counts
        pulse = Pulse(
            worker=order.worker,
            at_s=self._clock(),
            planned=counts.planned,
            released=counts.released,
            connected=counts.connected,
            answered=counts.answered,
            failed=counts.failed,
        )
        self._send(messages.PULSE, pulse)
        for hit in hits:
            self._tell_locust(order, hit)
        return len(hits) == HITS_PER_MESSAGE

    def _tell_locust(self, order: BurstOrder, hit: Hit) -> None:
        """Feeds Locust's own statistics, so that its table, CSV and web UI stay right."""
        if hit.ended_s is None:
            return
        self._environment.events.request.fire(
            request_type="GET",
            name=order.path,
            response_time=(hit.ended_s - hit.planned_s) * 1000,
            response_length=hit.body_bytes,
            exception=FloodmarkError(hit.error or hit.outcome.value) if hit.outcome.failed else None,
            context={},
            response=None,
            url=order.path,
            start_time=time.time(),
        )

    def _cut(self, letter: Letter) -> None:  # noqa: ARG002 - the message has no content
        if self._burst is not None:
            self._was_cut = True
            self._burst.cut()

    def _leave(self, **_: Any) -> None:
        """Locust is quitting: what was measured goes out first."""
        if self._burst is not None and self._running is not None:
            self._was_cut = True
            self._burst.cut()
            self._running.join(timeout=3)

    def _send(self, kind: str, record: Any) -> None:
        self._runner.send_message(kind, to_plain(record))
