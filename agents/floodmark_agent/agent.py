"""The agent's loop: it joins the bus, the sampler and the outbox. It owns no socket and reads no kernel file."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from floodmark.core import messages
from floodmark.core.codec import from_plain
from floodmark.core.errors import TargetError, WireError
from floodmark.core.messages import Hello, Mark, Ping, Pong, Watch, Watching
from floodmark.core.sample import Sample, TargetLimits
from floodmark_agent.budget import Budget, DumpPace
from floodmark_agent.bus import Incoming
from floodmark_agent.outbox import BATCH_SAMPLES, FLUSH_EVERY_S, Outbox
from floodmark_agent.sampler import Reader, Sampler

_LOG = logging.getLogger(__name__)

HELLO_EVERY_S = 1.0
# The longest wait for a message: how soon a signal to stop is seen.
_WAIT_S = 0.1
# How soon a hello that no master was there for is said again.
_RETRY_S = 0.1
# Five seconds of such retries: a connection on any network stands sooner.
_UNHEARD_WARNING = 50
# Below, the loop could do nothing else; above, a run has nothing to show.
_BEAT_MIN_S, _BEAT_MAX_S = 0.001, 60.0


class Link(Protocol):
    """The bus as the loop needs it."""

    def receive(self, timeout_s: float) -> Incoming | None:
        """The next message, or None after `timeout_s`."""

    def send(self, kind: str, record: Any) -> bool:
        """Sends, or says that it cannot now."""


class Watched(Reader, Protocol):
    """A target that has been found."""

    def limits(self) -> TargetLimits | None:
        """The limits in force on it."""

    def notes(self) -> tuple[str, ...]:
        """What cannot be seen of it."""

    def close(self) -> None:
        """Ends the watch."""


class Agent:
    """Says hello every second and does what the master asks, until told to stop. One thread."""

    def __init__(
        self,
        *,
        link: Link,
        hello: Hello,
        open_target: Callable[[], Watched],
        budget: Budget,
        clock: Callable[[], float],
    ) -> None:
        """`open_target` finds the target; it raises `TargetError` where there is none."""
        self._link = link
        self._hello = hello
        self._open_target = open_target
        self._budget = budget
        self._clock = clock
        self._target: Watched | None = None
        self._sampler: Sampler | None = None
        self._outbox = Outbox()
        self._blocked = False
        self._unheard = 1
        self._hello_due_s = self._flush_due_s = clock()

    def run(self, *, stopped: Callable[[], bool]) -> None:
        """Runs until `stopped` says so, then says goodbye."""
        while not stopped():
            self.step()
        self._rest()
        self._link.send(messages.BYE, self._hello)

    def step(self) -> None:
        """One round: what is due, then at most one message."""
        self._say_hello()
        self._take_sample()
        self._flush()
        incoming = self._link.receive(self._wait_s())
        if incoming is not None:
            self._handle(incoming)

    def _handle(self, incoming: Incoming) -> None:
        try:
            if incoming.kind == messages.PING:
                self._pong(from_plain(Ping, incoming.data, incoming.kind), incoming.received_s)
            elif incoming.kind == messages.WATCH:
                self._watch(from_plain(Watch, incoming.data, incoming.kind).beat_s)
            elif incoming.kind == messages.REST:
                self._rest()
            elif incoming.kind == messages.MARK:
                self._mark(from_plain(Mark, incoming.data, incoming.kind))
        except WireError as error:
            _LOG.warning("a message is dropped: %s", error)

    def _pong(self, ping: Ping, received_s: float) -> None:
        pong = Pong(sequence=ping.sequence, ping_sent_s=ping.sent_s, received_s=received_s, sent_s=self._clock())
        self._link.send(messages.PONG, pong)

    def _mark(self, mark: Mark) -> None:
        _LOG.info("mark: %.60s", mark.what)
        if self._sampler is not None:
            self._sampler.mark()

    def _watch(self, beat_s: float) -> None:
        self._rest()
        if not _BEAT_MIN_S <= beat_s <= _BEAT_MAX_S:
            self._refuse(f"a beat of {beat_s} s is not between {_BEAT_MIN_S} and {_BEAT_MAX_S:g} s")
            return
        try:
            target = self._open_target()
        except TargetError as error:
            self._refuse(str(error))
            return
        # What the bus did not take of an earlier watch belongs to a run that is over.
        self._outbox = Outbox()
        self._answer(Watching(problem=None, limits=target.limits(), notes=target.notes()))
        _LOG.info("watching, a sample every %g s", beat_s)
        self._target = target
        pace = DumpPace(self._budget, clock=self._clock)
        self._sampler = Sampler(target, beat_s=beat_s, pace=pace, clock=self._clock)

    def _refuse(self, problem: str) -> None:
        _LOG.warning("cannot watch: %s", problem)
        self._answer(Watching(problem=problem, limits=None, notes=()))

    def _answer(self, watching: Watching) -> None:
        if not self._link.send(messages.WATCHING, watching):
            _LOG.warning("the bus does not take the answer to a watch; the master must ask again")

    def _rest(self) -> None:
        """Takes a last sample, hands over what the bus will take, and stops sampling."""
        if self._sampler is None or self._target is None:
            return
        self._keep(self._sampler.take_last())
        self._target.close()
        self._target = self._sampler = None
        self._send_batches()
        _LOG.info("resting")

    def _say_hello(self) -> None:
        now_s = self._clock()
        if now_s >= self._hello_due_s:
            sent = self._link.send(messages.HELLO, self._hello)
            self._hello_due_s = now_s + (HELLO_EVERY_S if sent else _RETRY_S)
            self._note_master(is_there=sent)

    def _note_master(self, *, is_there: bool) -> None:
        """Says in the log when a master has come, and when none is there for long."""
        if is_there and self._unheard:
            _LOG.info("a master is there")
        self._unheard = 0 if is_there else self._unheard + 1
        if self._unheard == _UNHEARD_WARNING:
            _LOG.warning("no master can be reached; trying on")

    def _take_sample(self) -> None:
        if self._sampler is not None:
            self._keep(self._sampler.take_due())

    def _keep(self, sample: Sample | None) -> None:
        if sample is not None:
            self._outbox.add(sample)

    def _flush(self) -> None:
        now_s = self._clock()
        if now_s >= self._flush_due_s or (len(self._outbox) >= BATCH_SAMPLES and not self._blocked):
            self._flush_due_s = now_s + FLUSH_EVERY_S
            self._send_batches()

    def _send_batches(self) -> None:
        while len(self._outbox):
            batch = self._outbox.batch()
            if not self._link.send(messages.SAMPLES, batch):
                self._blocked = True
                return
            self._outbox.sent(batch)
        self._blocked = False

    def _wait_s(self) -> float:
        due_s = [self._hello_due_s]
        if self._sampler is not None:
            due_s.append(self._sampler.next_due_s)
        if len(self._outbox):
            due_s.append(self._flush_due_s)
        return min(max(min(due_s) - self._clock(), 0.0), _WAIT_S)
