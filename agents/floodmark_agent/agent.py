"""The agent's loop: it joins the bus, the watch and the contact. It owns no socket and reads no kernel file."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from floodmark.core import messages
from floodmark.core.codec import from_plain
from floodmark.core.errors import TargetError, WireError
from floodmark.core.messages import Fetch, Hello, Mark, Ping, Pong, Rest, Watch, Watching, Welcome
from floodmark.core.sample import Sample
from floodmark_agent.budget import Budget, DumpPace
from floodmark_agent.bus import Incoming
from floodmark_agent.connection import Link
from floodmark_agent.contact import Contact
from floodmark_agent.vigil import EVERY_BLOCK, Vigil, Watched

_LOG = logging.getLogger(__name__)

FORSAKEN_S = 600.0
"""A watch whose master has been silent for so long ends: that one does not come back for it, or begins another."""
HAND_OVER_S = 5.0
"""For what is handed over at the end, on a link that takes it slowly; a service's stop has more time than that."""
# The longest wait for a message: how soon a signal to stop is seen.
_WAIT_S = 0.1
# Below, the loop could do nothing else; above, a run has nothing to show.
_BEAT_MIN_S, _BEAT_MAX_S = 0.001, 60.0


class Agent:
    """Says hello every second and does what the master asks, until told to stop. One thread."""

    def __init__(  # noqa: PLR0913 - what it joins, all by name
        self,
        *,
        link: Link,
        hello: Hello,
        open_target: Callable[[int | None], Watched],
        budget: Budget,
        clock: Callable[[], float],
        tells_commands: bool = True,
        on_sample: Callable[[Sample], None] | None = None,
    ) -> None:
        """`open_target` finds the target whose clients go to a port; it raises `TargetError` where there is none.

        `tells_commands` False: how the target was started is kept from the master. `on_sample` is shown every sample.
        """
        self._link = link
        self._hello = hello
        self._open_target = open_target
        self._budget = budget
        self._clock = clock
        self._tells_commands = tells_commands
        self._on_sample = on_sample
        self._contact = Contact(link, hello, clock=clock, rest_s=budget.rest_s)
        self._vigil: Vigil | None = None

    def run(self, *, stopped: Callable[[], bool]) -> None:
        """Runs until `stopped` says so, then hands over what it has and says goodbye."""
        while not stopped():
            self.step()
        self._rest()
        self._hand_over()
        self._link.send(messages.BYE, self._hello)

    def step(self) -> None:
        """One round: what is due, then at most one message."""
        self._contact.keep(self._watch_number())
        if self._vigil is not None:
            self._vigil.take_due()
            self._report(self._vigil)
        incoming = self._link.receive(self._wait_s())
        if incoming is not None:
            self._contact.heard(incoming.received_s)
            self._handle(incoming)
        elif self._clock() - self._contact.heard_s > FORSAKEN_S:
            self._rest()

    def _handle(self, incoming: Incoming) -> None:
        doing: dict[str, Callable[[], None]] = {
            messages.WELCOME: lambda: self._welcome(self._read(Welcome, incoming)),
            messages.PING: lambda: self._pong(self._read(Ping, incoming), incoming.received_s),
            messages.WATCH: lambda: self._watch(self._read(Watch, incoming)),
            messages.REST: lambda: self._end(None if incoming.data is None else self._read(Rest, incoming)),
            messages.MARK: lambda: self._mark(self._read(Mark, incoming)),
            messages.FETCH: lambda: self._fetch(self._read(Fetch, incoming)),
        }
        try:
            doing.get(incoming.kind, lambda: None)()
        except WireError as error:
            _LOG.warning("a message is dropped: %s", error)

    @staticmethod
    def _read(record: type[Any], incoming: Incoming) -> Any:
        return from_plain(record, incoming.data, incoming.kind)

    def _welcome(self, welcome: Welcome) -> None:
        if self._contact.welcome(welcome):
            # What this agent has is of a run that nobody leads any more.
            self._rest()
            self._vigil = None

    def _pong(self, ping: Ping, received_s: float) -> None:
        pong = Pong(sequence=ping.sequence, ping_sent_s=ping.sent_s, received_s=received_s, sent_s=self._clock())
        self._link.send(messages.PONG, pong)

    def _mark(self, mark: Mark) -> None:
        _LOG.info("mark: %.60s", mark.what)
        if self._vigil is not None:
            self._vigil.mark()

    def _watch(self, watch: Watch) -> None:
        self._rest()
        # What it has of an earlier watch belongs to a run that is over.
        self._vigil = None
        refusal = Watching(problem=None, limits=None, notes=(), number=watch.number)
        if not _BEAT_MIN_S <= watch.beat_s <= _BEAT_MAX_S:
            problem = f"a beat of {watch.beat_s} s is not between {_BEAT_MIN_S} and {_BEAT_MAX_S:g} s"
            self._refuse(replace(refusal, problem=problem))
            return
        try:
            target = self._open_target(watch.port)
        except TargetError as error:
            self._refuse(replace(refusal, problem=str(error)))
            return
        self._begin(watch, target)

    def _begin(self, watch: Watch, target: Watched) -> None:
        self._answer(
            Watching(
                problem=None,
                limits=target.limits(),
                notes=target.notes(),
                commands=target.command_lines() if self._tells_commands else (),
                ports=target.ports(),
                number=watch.number,
            )
        )
        _LOG.info("watching, a sample every %g s", watch.beat_s)
        self._vigil = Vigil(
            target,
            number=watch.number,
            beat_s=watch.beat_s,
            pace=DumpPace(self._budget, clock=self._clock),
            clock=self._clock,
            on_sample=self._on_sample,
        )

    def _refuse(self, refusal: Watching) -> None:
        _LOG.warning("cannot watch: %s", refusal.problem)
        self._answer(refusal)

    def _answer(self, watching: Watching) -> None:
        if not self._link.send(messages.WATCHING, watching):
            _LOG.warning("the bus does not take the answer to a watch; the master must ask again")

    def _report(self, vigil: Vigil, *, is_last: bool = False) -> None:
        report = vigil.report(is_last=is_last)
        if report is not None and self._link.send(messages.SAMPLES, report):
            vigil.reported()

    def _fetch(self, fetch: Fetch) -> None:
        """Sends part of the series; of another watch there is nothing, and the master is not to wait for it."""
        vigil = self._vigil
        if vigil is not None and vigil.number == fetch.number:
            self._link.send(messages.CHUNK, vigil.chunk(fetch))

    def _end(self, rest: Rest | None) -> None:
        """Rests, but not from a watch that has begun since the word was sent."""
        if rest is None or (self._vigil is not None and self._vigil.number == rest.watch):
            self._rest()

    def _rest(self) -> None:
        """Takes a last sample, and stops sampling; what was measured can be fetched."""
        if self._vigil is None or self._vigil.is_resting:
            return
        self._vigil.rest()
        self._report(self._vigil, is_last=True)
        self._budget.begin_rest()
        self._contact.hurry()
        _LOG.info("resting")

    def _hand_over(self) -> None:
        """Sends what nobody has asked for yet: who is told to stop is not there to be asked after the load.

        The last part says that it is the last one. Of a master that is gone nobody waits for it.
        """
        vigil, end_s = self._vigil, self._clock() + HAND_OVER_S
        while vigil is not None:
            chunk = vigil.chunk(Fetch(number=vigil.number, first=vigil.series.first, blocks=EVERY_BLOCK))
            if self._link.send(messages.CHUNK, chunk):
                vigil.series.forget(vigil.series.taken - chunk.left)
                if not chunk.left:
                    return
            elif not chunk.blocks or self._clock() >= end_s or not self._contact.is_heard:
                return
            elif (incoming := self._link.receive(_WAIT_S)) is not None:
                self._contact.heard(incoming.received_s)

    def _watch_number(self) -> int | None:
        return None if self._vigil is None or self._vigil.is_resting else self._vigil.number

    def _wait_s(self) -> float:
        due_s = [self._contact.due_s]
        if self._vigil is not None and self._vigil.due_s is not None:
            due_s.append(self._vigil.due_s)
        return min(max(min(due_s) - self._clock(), 0.0), _WAIT_S)
