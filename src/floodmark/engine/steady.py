"""What the steady loads share: lanes on one epoll, their answers, their timeouts. When a request is sent, they decide.

It never waits: whoever drives it (`run_steady`, or a watcher of an event loop) waits for `Steady.fileno` to be readable
or for `Steady.next_due_s`, then calls `Steady.step`. No retry: a request is sent once, on one connection.
"""

import select
from _socket import socket
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.burst import BEAT_S, EVENTS_PER_STEP
from floodmark.engine.check import AnswerCheck
from floodmark.engine.client import ClientEpoll
from floodmark.engine.connection import ANY_EVENT, READ_BYTES
from floodmark.engine.counts import Counts
from floodmark.engine.dial import Dial
from floodmark.engine.epoll_events import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLRDHUP
from floodmark.engine.exchange import Exchange
from floodmark.engine.hit_sample import HitSample, Reservoir
from floodmark.engine.known_answers import LONGEST_ANSWER_BYTES, KnownAnswers
from floodmark.engine.known_heads import KnownHeads
from floodmark.engine.lane import Lane
from floodmark.engine.line import Line
from floodmark.engine.route import Route
from floodmark.engine.slice import Slice
from floodmark.engine.tally import Tally

_HUNG_UP = EPOLLRDHUP | EPOLLHUP | EPOLLERR
_ANSWERED = Outcome.ANSWERED  # an enum's member takes as long to look up as to make a small object


class SteadyWork(Protocol):
    """What the shares of all steady loads have."""

    @property
    def worker(self) -> str:
        """Whose share it is."""

    @property
    def dial(self) -> Dial:
        """Where connections go."""

    @property
    def check(self) -> AnswerCheck:
        """Which answer counts."""

    @property
    def timeout_s(self) -> float:
        """How long a request may take, from its planned release."""

    @property
    def starts_s(self) -> float:
        """The first planned release, on the load's clock."""

    @property
    def cut_at_s(self) -> float:
        """When the load is cut at the latest."""


class Steady(ABC):
    """A load of one worker that goes on for a time. Not thread-safe.

    `ended_s` is when it was over, on its clock, before its sockets were closed one by one; None until then.
    `loop_lag_max_s` and `late_max_s` as in `Burst`. A request that ends counts in the second in which its step began.
    A timeout is noticed within `BEAT_S`.
    """

    def __init__(
        self,
        work: SteadyWork,
        *,
        clock: Callable[[], float] = monotonic,
        new_epoll: Callable[[], ClientEpoll] | None = None,
        seed: int = 0,
    ) -> None:
        """`new_epoll` makes the epoll; by default ``select.epoll``, which gevent takes away in a patched process.

        `seed` chooses which requests are in the sample: another for each worker.
        """
        self.ended_s: float | None = None
        self.loop_lag_max_s = 0.0
        self.late_max_s = 0.0
        # For lines.
        self.clock = clock
        self.heads = KnownHeads()
        self.keep_bytes = work.check.kept_body_bytes
        self._worker = work.worker
        self._check = work.check
        self._timeout_s = work.timeout_s
        self._starts_s = work.starts_s
        self._cut_at_s = work.cut_at_s
        self._route = Route(dial=work.dial, connect_timeout_s=work.timeout_s, response_timeout_s=work.timeout_s)
        self._epoll = (new_epoll or select.epoll)()
        self._known = KnownAnswers()
        self._tally = Tally(work.starts_s)
        self._sample = HitSample(seed)
        self._lanes: list[Lane] = []
        self._by_fd: dict[int, Lane] = {}
        self._swept = 0  # how many lanes this sweep has looked at
        self._sweep_due_s = work.starts_s + BEAT_S
        self._due_s: float | None = max(clock(), work.starts_s)

    @property
    def done(self) -> bool:
        """It is over: at its end, or cut."""
        return self._due_s is None

    @property
    def counts(self) -> Counts:
        """How far the load is."""
        tally = self._tally
        return Counts(
            planned=self._planned(),
            released=tally.released,
            connected=tally.released - tally.unconnected,
            answered=tally.answered,
            failed=tally.all_failed,
            open_connections=len(self._by_fd),
        )

    @property
    def outcomes(self) -> Counter[Outcome]:
        """All planned requests by what became of them; before the end, by what becomes of them if it is cut now."""
        tally, counts = self._tally, self.counts
        found = Counter(tally.failed)
        found[Outcome.ANSWERED] = counts.answered
        found[Outcome.WAITING] = counts.released - counts.answered - counts.failed
        found[Outcome.UNSENT] = counts.planned - counts.released
        return +found

    def fileno(self) -> int:
        """The descriptor that is readable while an event is ready."""
        return self._epoll.fileno()

    def next_due_s(self) -> float | None:
        """When `step` has something to do even where no event is ready; None once the load is over."""
        return self._due_s

    def step(self) -> None:
        """Releases what is due, handles what is ready, ends what timed out: a bounded part of each. Never waits."""
        if self._due_s is None:
            return
        now_s = self.clock()
        lag_s = max(now_s - self._due_s, 0.0)
        self.loop_lag_max_s = max(self.loop_lag_max_s, lag_s)
        if self._tally.turn(now_s, lag_s):
            self._sample.turn()
        if now_s >= self._cut_at_s:
            self._end_all(now_s)
            return
        self._release(now_s)
        is_behind = self._handle_events()
        is_behind = self._sweep(now_s) or is_behind
        if self._is_over():
            self.cut()
        else:
            self._due_s = self._next_due_s(self.clock(), is_behind=is_behind)

    def take_hits(self, limit: int | None = None) -> list[Hit]:
        """A sample of the requests of each second that is over (`HitSample`); at most `limit`, the rest next time."""
        return self._sample.take(limit)

    def take_slices(self) -> list[Slice]:
        """What happened since the last call: at most one slice per second, in order."""
        return self._tally.take()

    def cut(self) -> None:
        """Ends the load now: what was not released is unsent, what has no outcome is waiting. Closes every socket."""
        if self._due_s is None:
            return
        self._due_s = None
        if self.ended_s is None:
            self.ended_s = self.clock()
        for lane in self._lanes:
            if lane.exchange is not None:
                self._sample_one(self._sample.unended, lane, Outcome.WAITING, None)
            lane.rest()
            lane.close()
        self._sample_unsent()
        self._sample.turn()

    def close(self) -> None:
        """Cuts what is not over and closes the epoll. `fileno` is of no use afterwards, what was recorded still is."""
        self.cut()
        self._epoll.close()

    # What each load has its own way of.

    @abstractmethod
    def _planned(self) -> int:
        """How many requests are planned."""

    @abstractmethod
    def _is_over(self) -> bool:
        """Nothing is left to wait for."""

    @abstractmethod
    def _release(self, now_s: float) -> None:
        """Sends requests that are due, a bounded number."""

    @abstractmethod
    def _next_due_s(self, now_s: float, *, is_behind: bool) -> float:
        """When the next step is due; `is_behind`: events or timeouts are left."""

    @abstractmethod
    def _follow_known(self, lane: Lane, opened: socket, now_s: float) -> None:
        """A known answer was read from `opened`, `lane`'s socket: what comes next."""

    @abstractmethod
    def _follow(self, lane: Lane, outcome: Outcome) -> None:
        """A request ended in a way that the line knows of: what comes next."""

    @abstractmethod
    def _count_known(self, count: int, received_bytes: int, body_bytes: int) -> None:
        """This many known answers were read in this step."""

    @abstractmethod
    def _hit_id(self, lane: Lane) -> int:
        """A number for a request in the sample that no other has."""

    @abstractmethod
    def _sample_unsent(self) -> None:
        """The load is over: takes some of those that were never released into the sample."""

    # What they share.

    def _handle_events(self) -> bool:
        """Handles what is ready, until nothing is or many were; True where there may be more.

        The way of a known answer is all in here: at a hundred thousand a second each call of a function shows.
        """
        poll, find, clock = self._epoll.poll, self._by_fd.get, self.clock
        follow, note_latency = self._follow_known, self._tally.now.latencies_s.append
        known, sample = self._known.all, self._sample.answered
        handled = answered = received_bytes = body_bytes = 0
        while handled < EVENTS_PER_STEP and (events := poll(0, EVENTS_PER_STEP)):
            handled += len(events)
            for fd, event in events:
                lane = find(fd)
                if lane is None:  # closed earlier in this step
                    continue
                opened = lane.plain
                if opened is None or event & _HUNG_UP:
                    lane.advance(event)
                    self._look(lane)
                    continue
                try:
                    data = opened.recv(READ_BYTES)
                except BlockingIOError:
                    continue
                except OSError as error:
                    lane.fail(error)
                    self._look(lane)
                    continue
                size_bytes = len(data)
                if sample.room and size_bytes <= LONGEST_ANSWER_BYTES and data in known:
                    sample.room -= 1
                    now_s = clock()
                    note_latency(now_s - lane.planned_s)
                    answered += 1
                    received_bytes += size_bytes
                    body_bytes += known[data]
                    follow(lane, opened, now_s)
                else:
                    self._take(lane, data, event)
        self._count_known(answered, received_bytes, body_bytes)
        return handled >= EVENTS_PER_STEP

    def _end_all(self, now_s: float) -> None:
        """The load's time is over: what timed out before is that, the rest is cut. A connection swept is closed."""
        self.ended_s = now_s
        self._sweep_due_s = now_s
        while self._sweep(now_s):
            pass
        self.cut()

    def _take(self, lane: Lane, data: bytes, event: int) -> None:
        """The line takes an answer that is not known, or a piece of one; a good one is known from then on."""
        lane.take(data, event)
        exchange, keeps_alive = lane.exchange, lane.is_open
        if self._look(lane) is _ANSWERED and keeps_alive and exchange is not None:
            self._known.remember(data, exchange.body_bytes)

    def _send(self, lane: Lane, planned_s: float) -> None:
        """Sends a lane's request, which the caller counts as released."""
        was_open = lane.is_open
        lane.send(planned_s)
        if not was_open:
            self._tally.unconnected += 1
            if lane.is_open:
                self._by_fd[lane.fd] = lane
        self._look(lane)

    def _look(self, lane: Lane) -> Outcome | None:
        """What the line's last call did: a connection, an outcome. The outcome, where there is one."""
        exchange = lane.exchange
        if exchange is None:
            return None
        if lane.connected_s is None and exchange.connected_s is not None:
            lane.connected_s = exchange.connected_s
            self._tally.unconnected -= 1
            self._tally.now.connects_s.append(exchange.connected_s - exchange.started_s)
        if exchange.outcome is None:
            lane.find_plain()
            return None
        return self._end(lane, exchange, exchange.outcome)

    def _end(self, lane: Lane, exchange: Exchange, outcome: Outcome) -> Outcome:
        """Judges and books what became of a request."""
        tally, sample, error = self._tally, self._sample.failed, exchange.error
        if exchange.head is not None:
            outcome, error = self._check.judge(exchange.head.status, exchange.head.reason, exchange.body)
        if outcome is _ANSWERED:
            tally.answer(1, lane.received_bytes, exchange.body_bytes)
            sample = self._sample.answered
            _note_times(tally.now, lane.planned_s, exchange)
        else:
            tally.fail(outcome, lane.received_bytes, exchange.body_bytes)
        self._sample_one(sample, lane, outcome, error)
        lane.rest()
        self._follow(lane, outcome)
        return outcome

    def _sample_one(self, sample: Reservoir, lane: Lane, outcome: Outcome, error: str | None) -> None:
        if sample.room:
            sample.room -= 1
        else:
            sample.add(lane.hit(self._worker, self._hit_id(lane), outcome, error))

    def _sweep(self, now_s: float) -> bool:
        """Ends what has had its time, every `BEAT_S`; True where it has not looked at all lanes yet."""
        if not self._swept and now_s < self._sweep_due_s:
            return False
        lanes = self._lanes[self._swept : self._swept + EVENTS_PER_STEP]
        for lane in lanes:
            if lane.planned_s + self._timeout_s <= now_s:
                lane.give_up()
                self._look(lane)
        self._swept += len(lanes)
        if self._swept < len(self._lanes):
            return True
        self._swept = 0
        self._sweep_due_s = now_s + BEAT_S
        return False

    # For lines.

    def watch(self, line: Line) -> None:
        """Registers once, edge-triggered."""
        self._epoll.register(line.fd, ANY_EVENT | EPOLLET)

    def watch_again(self, line: Line) -> None:
        """Modifying a descriptor tells of what is ready there once more (epoll_ctl(2))."""
        self._epoll.modify(line.fd, ANY_EVENT | EPOLLET)

    def forget(self, line: Line) -> None:
        """The kernel forgets a descriptor that is closed by itself."""
        self._by_fd.pop(line.fd, None)

    def remind(self, line: Line) -> None:
        """Lanes are swept: no line needs more than one reminder, of which nothing comes."""
        line.reminder_s = line.deadline_s


def _note_times(now: Slice, planned_s: float, exchange: Exchange) -> None:
    ended_s, first_byte_s = exchange.ended_s, exchange.first_byte_s
    if ended_s is not None and first_byte_s is not None:
        now.latencies_s.append(ended_s - planned_s)
        if first_byte_s < ended_s:
            now.transfers_s.append(ended_s - first_byte_s)
