"""One load's dealings with its agent: has it watch, notes when it is lost or back, fetches what it has measured.

It sends no load; who the agents are is the roster's.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from floodmark.core import messages
from floodmark.core.absence import Absence
from floodmark.core.errors import ClusterError
from floodmark.core.messages import Chunk, Mark, Samples, Watch, Watching
from floodmark.core.run_folder import LIVE, SAMPLES
from floodmark.load.agent_choice import Choice, choose
from floodmark.load.inbox import Letter
from floodmark.load.lookout import Lookout
from floodmark.load.options import LoadOptions
from floodmark.load.patience import GATHER_TIMEOUT_S, Patience
from floodmark.load.roster import AgentSeat, Roster
from floodmark.load.run_log import RunLog
from floodmark.load.series_fetch import SeriesFetch

logger = logging.getLogger(__name__)

RETURN_S = 7.0
"""Since it was heard last: an agent that is cut off tries another connection when it has heard nothing for five."""

STALLED_S = 10.0
"""One that is there, and sends no more of its series in this time, will not."""

CUT_STALLED_S = 3.0
"""The same when a user interrupts: they wait for it."""

FETCH_LOOK_S = 0.1
"""Between looks while the series comes in; an answer is looked at when it comes."""


class AgentWatch:
    """The watch that goes with one load."""

    def __init__(  # noqa: PLR0913 - who takes part, and what it needs of the conductor
        self,
        options: LoadOptions,
        log: RunLog,
        *,
        number: int,
        roster: Roster,
        patience: Patience,
        send: Callable[[str, Any, str], None],
        clock: Callable[[], float],
    ) -> None:
        """`number` is the load's; `send` takes a message's type, its record and the node's identity on the bus."""
        self.lookout = Lookout(options.address.port)
        self.number = number
        self._options = options
        self._log = log
        self._roster = roster
        self._patience = patience
        self._send = send
        self._clock = clock
        self._order = Watch(beat_s=options.beat_s, number=number, port=options.address.port)
        self._answers: dict[str, Watching] = {}
        self._seat: AgentSeat | None = None
        self._series = SeriesFetch(number)
        self._is_over = False
        self._is_another = False

    @property
    def node(self) -> str | None:
        """The agent's identity on the bus; None where it is not there."""
        return self._seat.client_id if self._seat is not None and not self._seat.lost else None

    def begin(self) -> None:
        """Has every agent watch and keeps the one that watches the load's port. Raises `ClusterError` without one."""
        seats = self._roster.agents()
        for seat in seats:
            self._send(messages.WATCH, self._order, seat.client_id)
        self._patience.holds(lambda: all(seat.client_id in self._answers for seat in seats), GATHER_TIMEOUT_S)
        try:
            choice = choose([(seat.name, self._answers.get(seat.client_id)) for seat in seats], self._order.port or 0)
        except ClusterError:
            for seat in seats:
                self._send(messages.REST, None, seat.client_id)
            raise
        for seat in seats:
            if seat.name == choice.name:
                self._seat = seat
            else:
                self._send(messages.REST, None, seat.client_id)
        self._note(choice)

    def mark(self, what: str) -> None:
        """Tells the agent that something begins."""
        if self.node is not None:
            self._send(messages.MARK, Mark(what=what), self.node)

    # What comes in.

    def note_watching(self, letter: Letter) -> None:
        """Takes an agent's answer to the order."""
        watching = letter.read(Watching)
        if watching.number != self.number:
            return
        self._answers[letter.sender] = watching
        if self._seat is not None and letter.sender == self._seat.client_id:
            # It was asked again: another process watches in place of the one before.
            self._series.begin_anew()
            if watching.problem:
                self._log.add_problems(f"agent {self._seat.name}, after its return: {watching.problem}")
            else:
                self._end_absence(restarted=True)

    def note_samples(self, letter: Letter) -> None:
        """Takes live figures; those of other agents, and of a watch before, are not this run's."""
        report = letter.read(Samples)
        if not self._is_mine(letter, report.number):
            return
        self._log.keep(LIVE, list(report.samples))
        self.lookout.note(report)
        if self._series.is_urgent(report):
            self._fetch(whole=False)

    def note_chunk(self, letter: Letter) -> None:
        """Takes a part of the series."""
        chunk = letter.read(Chunk)
        if self._is_mine(letter, chunk.number):
            self._log.keep(SAMPLES, self._series.take(chunk))

    def _is_mine(self, letter: Letter, number: int) -> bool:
        is_seat = self._seat is not None and letter.sender == self._seat.client_id
        return is_seat and number == self.number and letter.sender in self._answers

    # Lost and back.

    def look(self) -> None:
        """Notes whether the agent is lost or back; to be called a few times a second."""
        before = self._seat
        now = None if before is None else self._roster.agent(before.name)
        if before is None or now is None:
            return
        if now.lost or now.process != before.process:
            self._begin_absence(before)
        if now.lost or now is before:
            return
        self._seat = now
        if now.process == before.process and (self._is_over or now.watch == self.number):
            self._go_on(before, now)
        elif self._is_over:
            self._is_another = True
        else:
            logger.info("Agent %s is to watch again", now.name)
            self._send(messages.WATCH, self._order, now.client_id)

    def _go_on(self, before: AgentSeat, now: AgentSeat) -> None:
        """The same process is heard again: it still has what it has measured."""
        self._answers[now.client_id] = self._answers[before.client_id]
        self._end_absence()
        if self._is_over:
            self._send(messages.REST, None, now.client_id)

    def _begin_absence(self, seat: AgentSeat) -> None:
        absences = self._log.manifest.absences
        if not absences or absences[-1].until_s is not None:
            absence = Absence(agent=seat.name, from_s=seat.seen_s, left=seat.left)
            self._log.update(absences=(*absences, absence))

    def _end_absence(self, *, restarted: bool = False) -> None:
        absences = self._log.manifest.absences
        if absences and absences[-1].until_s is None:
            back = replace(absences[-1], until_s=self._clock(), restarted=restarted)
            self._log.update(absences=(*absences[:-1], back))

    # After the load.

    def rest(self) -> None:
        """Ends the sampling."""
        self._is_over = True
        if self.node is not None:
            self._send(messages.REST, None, self.node)

    def fetch_all(self) -> None:
        """Fetches what there is of the series, and says what is missing. An agent that is cut off has time to return.

        A user who interrupts does not wait for that.
        """
        series = self._series
        progress_s, seen = self._clock(), series.next
        while not (series.is_whole or self._is_another or self._has_gone()):
            self._fetch(whole=True)
            self._patience.pause(FETCH_LOOK_S)
            self.look()
            if series.next != seen or self.node is None:
                seen, progress_s = series.next, self._clock()
            if self._clock() - progress_s > (CUT_STALLED_S if self._patience.cut_asked else STALLED_S):
                break
        self._conclude()

    def _has_gone(self) -> bool:
        """The agent is not there, and is not waited for."""
        if self._seat is None or self._seat.left:
            return True
        return self._seat.lost and (self._patience.cut_asked or self._clock() - self._seat.seen_s > RETURN_S)

    def _fetch(self, *, whole: bool) -> None:
        if self.node is None:
            return
        if (fetch := self._series.ask(self._clock(), whole=whole)) is not None:
            self._send(messages.FETCH, fetch, self.node)

    def _note(self, choice: Choice) -> None:
        watching = choice.watching
        self._log.update(
            agent=choice.name,
            limits=watching.limits,
            agent_notes=(*watching.notes, *choice.notes),
            commands=watching.commands,
        )
        for note in choice.notes:
            logger.warning("%s", note)

    def _conclude(self) -> None:
        manifest = self._log.manifest
        gone = [absence for absence in manifest.absences if absence.until_s is None]
        notes = [absence.words(manifest.fired_s) for absence in manifest.absences if absence.until_s is not None]
        problems = [absence.words(manifest.fired_s) for absence in gone]
        if self._seat is not None and not self._series.is_whole and not any(absence.left for absence in gone):
            problems.append(
                f"of what agent {self._seat.name} measured, {self._series.next:,} samples were fetched:"
                " beyond these there are its live figures only"
            )
        if self._series.dropped:
            problems.append(
                f"agent {manifest.agent} had no room for {self._series.dropped:,} samples, and dropped them"
            )
        for words in (*problems, *notes):
            logger.warning("%s", words)
        self._log.add_problems(*problems)
        self._log.update(agent_notes=(*manifest.agent_notes, *notes))
