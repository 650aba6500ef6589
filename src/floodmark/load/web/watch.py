"""A target watched beside any locustfile: agents sample while Locust's test runs, and the web UI shows what they see.

It sends no load, and writes no run folder: who needs a verdict takes a profile.
"""

import logging
import time
import uuid
from collections.abc import Callable
from itertools import count
from typing import Any

import gevent
from locust import events
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner

from floodmark.core import messages
from floodmark.core.address import parse_url
from floodmark.core.codec import to_plain
from floodmark.core.errors import UsageError
from floodmark.core.messages import Samples, Watch, Watching
from floodmark.load.bus.inbox import Inbox, Letter
from floodmark.load.bus.sockets import secure_bus
from floodmark.load.bus.strangers import one_line
from floodmark.load.live.locust_meter import LocustMeter
from floodmark.load.live.plain_load import PlainLoad
from floodmark.load.master.roster import Roster
from floodmark.load.patience import LOOK_EVERY_S
from floodmark.load.web.board import Figure, Page, Phase
from floodmark.load.web.runs import RunShelf
from floodmark.load.web.tables import short, tables_of
from floodmark.load.web.ui import join_web_ui

logger = logging.getLogger(__name__)

BEAT_S = 0.1
"""Between two samples: nothing is judged by them, and a long test is to cost the target's host little."""
LOCUST = "locust"
"""The kind of load that is shown."""


def watch_target() -> None:
    """Adds the target's tab and page to a locustfile's web UI; call it once, at the locustfile's end.

    Agents join as they do a profile's master: ``floodmark-agent --master HOST:5557 --port PORT`` on the target's host.
    """
    secure_bus()
    events.init.add_listener(_on_init)  # type: ignore[no-untyped-call] # Locust's


def _on_init(environment: Any, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        board = WatchBoard(environment)
        if environment.web_ui is not None:
            join_web_ui(environment, board, None)
    elif environment.web_ui is not None:
        logger.warning("watch_target: agents join a master only: start Locust with --master, or with --processes 2")


class WatchBoard:
    """Has every agent watch while a test runs, and keeps what the page shows."""

    def __init__(self, environment: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Agents are heard from now on."""
        self.shelf = RunShelf()
        self._environment = environment
        self._runner = environment.runner
        self._clock = clock
        self._roster = Roster(self._runner, master=uuid.uuid4().hex, clock=clock)
        self._numbers = count(1)
        self._number: int | None = None
        self._load: PlainLoad | None = None
        self._problems: dict[str, str] = {}
        self._agent: str | None = None
        self._meter = LocustMeter(environment)
        inbox = Inbox(self._runner, clock)
        for kind, reader in (
            (messages.HELLO, self._hello),
            (messages.BYE, self._roster.bye),
            (messages.WATCHING, self._note_watching),
            (messages.SAMPLES, self._note_samples),
        ):
            inbox.on(kind, reader)
        environment.events.test_start.add_listener(self._begin)
        environment.events.test_stop.add_listener(self._end)
        environment.events.quitting.add_listener(self._end)
        gevent.spawn(self._tend)

    def page(self) -> Page:
        """The test under way, or the last one."""
        load, now_s = self._load, self._clock()
        curves = load.curves(now_s) if load is not None else None
        total = self._environment.stats.total
        figures = (
            Figure(value=f"{total.num_requests:,}", words="requests"),
            Figure(value=f"{total.num_failures:,}", words="failed"),
            Figure(value=f"{self._runner.user_count:,}", words="users"),
        )
        return Page(
            kind=LOCUST,
            target=short(self._environment.host or ""),
            plan="Locust's users, the target's side beside them",
            phase=self._phase(),
            figures=figures if load is not None else (),
            curves=curves,
            tables=tuple(tables_of(load, self._roster.seats(), now_s, curves.places if curves else None)),
        )

    def _phase(self) -> Phase:
        if self._number is not None:
            problem = self._problem()
            words = "The test is running" + (f"; {problem}" if problem else "")
            return Phase(name="load", words=words, is_busy=True)
        if self._load is not None:
            return Phase(name="ended", words="The test is over")
        return Phase(name="ready", words="No test yet")

    def _problem(self) -> str | None:
        if self._agent is None:
            return next(iter(self._problems.values()), None)
        names = [seat.name for seat in self._roster.seats() if seat.client_id == self._agent and seat.lost]
        return f"agent {short(names[0])} is lost" if names else None

    def _begin(self, **_: Any) -> None:
        self._number, self._agent = next(self._numbers), None
        self._problems = {}
        self._load = PlainLoad(self._clock(), begun_utc_s=time.time())
        self._meter.begin()
        self._roster.order(self._number)
        for seat in self._roster.agents():
            self._order(seat.client_id)

    def _order(self, client_id: str) -> None:
        order = Watch(beat_s=BEAT_S, number=self._number or 0, port=self._port())
        self._runner.send_message(messages.WATCH, to_plain(order), client_id=client_id)

    def _port(self) -> int | None:
        try:
            return parse_url(self._environment.host or "").port
        except UsageError:
            return None

    def _end(self, **_: Any) -> None:
        if self._number is None:
            return
        self._number = None
        if self._load is not None:
            self._load.note_ended(self._meter.since_last())
            self._load.end(self._clock())
        self._roster.order(None)
        for seat in self._roster.agents():
            self._runner.send_message(messages.REST, None, client_id=seat.client_id)

    def _hello(self, letter: Letter) -> None:
        """One that joins, or comes back, while a test runs is to watch, too."""
        self._roster.hello(letter)
        if self._number is None:
            return
        for seat in self._roster.agents():
            if seat.client_id == letter.sender and seat.watch != self._number:
                self._order(seat.client_id)

    def _note_watching(self, letter: Letter) -> None:
        self._roster.heard(letter)
        watching = letter.read(Watching)
        if watching.number != self._number:
            return
        if watching.problem is not None:
            self._problems[letter.sender] = one_line(watching.problem)
            return
        is_there = any(seat.client_id == self._agent for seat in self._roster.agents())
        if not is_there or watching.ports[:1] == (self._port(),):
            # Of several the one that watches the port that the load goes to; one that was lost comes back as another.
            self._agent = letter.sender

    def _note_samples(self, letter: Letter) -> None:
        self._roster.heard(letter)
        report = letter.read(Samples)
        if self._load is not None and report.number == self._number and letter.sender == self._agent:
            self._load.note_samples(report.samples, letter.received_s)

    def _tend(self) -> None:
        """For as long as the process lives."""
        while True:
            gevent.sleep(LOOK_EVERY_S)
            self._roster.look()
            if self._load is not None and self._runner.state in {STATE_SPAWNING, STATE_RUNNING}:
                self._load.note_ended(self._meter.since_last())
