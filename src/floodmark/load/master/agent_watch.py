"""One load's dealings with its agent: has it watch, notes when it is lost or back, fetches what it has measured.

It sends no load; who the agents are is the roster's.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent

from floodmark.core import messages
from floodmark.core.absence import Absence
from floodmark.core.errors import ClusterError, FloodmarkError
from floodmark.core.messages import Chunk, Mark, Samples, Watch, Watching
from floodmark.core.run_folder import LIVE, SAMPLES
from floodmark.core.sample import Sample
from floodmark.load.bus.inbox import Letter
from floodmark.load.master.agent_choice import Choice, choose, refusal
from floodmark.load.master.lookout import Lookout
from floodmark.load.master.roster import AgentSeat, Roster
from floodmark.load.master.run_log import RunLog
from floodmark.load.master.series_fetch import SeriesFetch
from floodmark.load.options import LoadOptions
from floodmark.load.patience import GATHER_TIMEOUT_S, Patience

logger = logging.getLogger(__name__)

RETURN_S = 7.0
"""Since it was heard last: an agent that is cut off tries another connection when it has heard nothing for five."""

REST_S = 30.0
"""For an agent that has used up its CPU budget: it has all of it again after half a minute."""

STALLED_S = 10.0
"""One that is there, and sends no more of its series in this time, will not."""

CUT_STALLED_S = 3.0
"""The same when a user interrupts: they wait for it."""

FETCH_TIMEOUT_S = 120.0
"""For all of a series, however it comes: an agent's room of 4 MiB takes a minute at 64 KiB/s."""

CUT_FETCH_TIMEOUT_S = 15.0
"""The same when a user interrupts."""

OVERRUN_S = 1.0
"""Samples of so long beyond the load's time may be an agent's that was told late; then it has no end."""

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
        self._began_s = self._progress_s = clock()
        self._samples_most = 0
        self._is_asked_again = False
        self._is_resuming = False
        self._is_over = False
        self._is_another = False
        self._is_concluded = False

    @property
    def node(self) -> str | None:
        """The agent's identity on the bus; None where it is not there."""
        return self._seat.client_id if self._seat is not None and not self._seat.lost else None

    def begin(self) -> None:
        """Has every agent watch and keeps the one that watches the load's port. Raises `ClusterError` without one.

        Raises `InterruptedRunError` where the run is cut meanwhile. Nobody watches then.
        """
        try:
            self._choose(self._rested(self._gather()))
        except FloodmarkError:
            self._roster.order(None)
            for seat in self._roster.agents():
                self._send(messages.REST, None, seat.client_id)
            raise

    def _gather(self) -> list[AgentSeat]:
        """Those that are there; one that was cut off, as between two bursts of a search, has time to return."""
        self._patience.holds(lambda: len(self._roster.agents()) >= self._options.agents, RETURN_S)
        if not (seats := self._roster.agents()):
            gone = ", ".join(self._roster.gone()) or "that is asked for"
            raise ClusterError(f"agent {gone} was lost before the load, and was not back {RETURN_S:g} s later")
        return seats

    def _rested(self, seats: list[AgentSeat]) -> list[AgentSeat]:
        """Lets them rest after a load: with no CPU time in hand they would count the connections too seldom."""
        end_s, said = self._clock() + REST_S, set[str]()
        while tired := self._tired():
            if (left_s := end_s - self._clock()) <= 0:
                logger.warning("Agent %s has not rested in %g s: the load goes on without", tired[0].name, REST_S)
                break
            for seat in tired:
                if seat.name not in said:
                    rest_s = min(seat.rested_at_s - self._clock(), left_s)
                    logger.info("Agent %s has used what its CPU budget allows: it rests for %.0f s", seat.name, rest_s)
                    said.add(seat.name)
            self._patience.holds(lambda: not self._tired(), left_s)
            seats = self._gather()
        return seats

    def _tired(self) -> list[AgentSeat]:
        """Those that may be the one for this load."""
        now_s, port = self._clock(), self._options.address.port
        return [
            seat
            for seat in self._roster.agents()
            if seat.rested_at_s > now_s and (not seat.ports or port in seat.ports)
        ]

    def _choose(self, seats: list[AgentSeat]) -> None:
        self._began_s = self._clock()
        self._roster.order(self.number)
        for seat in seats:
            self._send(messages.WATCH, self._order, seat.client_id)
        self._patience.holds(lambda: all(seat.client_id in self._answers for seat in seats), GATHER_TIMEOUT_S)
        answers = [(seat.name, self._answers.get(seat.client_id)) for seat in seats]
        choice = choose(answers, self._options.address.port)
        self._roster.order(self.number, choice.name)
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
        if self._seat is None:
            self._answers[letter.sender] = watching
        elif letter.sender == self._seat.client_id and self._is_asked_again:
            self._note_return(self._seat, watching)

    def _note_return(self, seat: AgentSeat, watching: Watching) -> None:
        """It was asked again: a new series begins, of another process or after a rest."""
        self._is_asked_again = False
        if (words := refusal(seat.name, watching, self._options.address.port)) is not None:
            self._log.add_problems(f"after its return: {words}")
            self._send(messages.REST, None, seat.client_id)
            return
        self._answers[seat.client_id] = watching
        self._series.begin_anew()
        self._end_absence(restarted=not self._is_resuming, rested=self._is_resuming)
        self._is_resuming = False

    def note_samples(self, letter: Letter) -> None:
        """Takes live figures; those of other agents, and of a watch before, are not this run's."""
        report = letter.read(Samples)
        if not self._is_mine(letter, report.number):
            return
        self.lookout.note(report)
        self._log.keep(LIVE, list(report.samples))
        if self._series.is_urgent(report):
            self._fetch(whole=False)

    def note_chunk(self, letter: Letter) -> None:
        """Takes a part of the series, block by block: while one is unfolded nothing else is heard."""
        chunk = letter.read(Chunk)
        if not self._is_mine(letter, chunk.number):
            return
        self._series.prove(chunk)
        for block in chunk.blocks:
            if self._is_concluded:
                return
            self._keep(self._series.unfold(block))
            gevent.sleep(0)
        self._series.took(chunk)
        if self._is_over and not chunk.resting:
            # The word was lost, or has not come yet: without it there would be more with every answer.
            self._send(messages.REST, None, letter.sender)

    def _keep(self, samples: list[Sample]) -> None:
        self._log.keep(SAMPLES, samples)
        if samples:
            self._series.kept(samples)
            self._progress_s = self._clock()

    def _is_mine(self, letter: Letter, number: int) -> bool:
        is_seat = self._seat is not None and letter.sender == self._seat.client_id
        return is_seat and number == self.number and letter.sender in self._answers

    # Lost and back.

    def look(self) -> None:
        """Notes whether the agent is lost or back; to be called a few times a second."""
        self._note_seat()
        if self._is_resuming and not self._is_asked_again and not self._is_over and self.node is not None:
            self._resume()

    def _note_seat(self) -> None:
        before = self._seat
        now = None if before is None else self._roster.agent(before.name)
        if before is None or now is None:
            return
        if now.lost or now.process != before.process:
            self._begin_absence(before)
        if now.lost or now is before:
            return
        if before.is_rebooted_as(now):
            self._note_reboot()
        self._seat = now
        is_same = now.process == before.process and before.client_id in self._answers
        if is_same:
            # It still has what it has measured.
            self._answers[now.client_id] = self._answers[before.client_id]
        if is_same and (self._is_over or (now.watch == self.number and not self._is_asked_again)):
            self._go_on(now)
        elif self._is_over:
            self._is_another = True
        elif is_same and not self._is_asked_again:
            self._is_resuming, self._progress_s = True, self._clock()
        else:
            self._is_resuming &= is_same
            self._ask_again(now)

    def _go_on(self, seat: AgentSeat) -> None:
        """The same process is heard again."""
        self._end_absence(rested=self._is_resuming)
        self._is_resuming = False
        if self._is_over:
            self._send(messages.REST, None, seat.client_id)

    def _resume(self) -> None:
        """It rests, since it heard nothing for long. A new order ends what it has, so that is fetched first."""
        if self._series.is_whole or self._clock() - self._progress_s > CUT_STALLED_S:
            self._ask_again(self._seat)
        else:
            self._fetch(whole=True)

    def _ask_again(self, seat: AgentSeat | None) -> None:
        if seat is not None:
            logger.info("Agent %s is to watch again", seat.name)
            self._is_asked_again = True
            self._send(messages.WATCH, self._order, seat.client_id)

    def _begin_absence(self, seat: AgentSeat) -> None:
        absences = self._log.manifest.absences
        if not absences or absences[-1].until_s is not None:
            absence = Absence(agent=seat.name, from_s=seat.seen_s, left=seat.left)
            self._log.update(absences=(*absences, absence))

    def _note_reboot(self) -> None:
        """Its host was started again meanwhile: with the agent everything else that ran there ended, the target too."""
        absences = self._log.manifest.absences
        self._log.update(absences=(*absences[:-1], replace(absences[-1], rebooted=True)))

    def _end_absence(self, *, restarted: bool = False, rested: bool = False) -> None:
        absences = self._log.manifest.absences
        if absences and absences[-1].until_s is None:
            back = replace(absences[-1], until_s=self._clock(), restarted=restarted, rested=rested)
            self._log.update(absences=(*absences[:-1], back))

    # After the load.

    def rest(self) -> None:
        """Ends the sampling."""
        self._is_over = True
        self._roster.order(None)
        time_s = self._clock() - self._began_s + OVERRUN_S
        self._samples_most = int(time_s / self._options.beat_s) + 2  # the first and the last are on no beat
        if self._is_resuming:
            self._end_absence(rested=True)
        if self.node is not None:
            self._send(messages.REST, None, self.node)

    def fetch_all(self) -> None:
        """Fetches what there is of the series, and says what is missing. An agent that is cut off has time to return.

        A user who interrupts does not wait for that.
        """
        began_s = self._progress_s = self._clock()
        while not (self._is_whole or self._is_another or self._has_gone() or self._is_late(began_s)):
            self._fetch(whole=True)
            self._patience.pause(FETCH_LOOK_S)
            self.look()
            if self.node is None:
                self._progress_s = self._clock()
        self._is_concluded = True
        if self._is_whole and self.node is not None:
            self._send(messages.FETCH, self._series.receipt(), self.node)
        self._conclude()

    @property
    def _is_whole(self) -> bool:
        """All that was measured in the load's time is here; what an agent measures beyond that is of no use."""
        return self._series.is_whole or self._series.next >= self._samples_most

    def _is_late(self, began_s: float) -> bool:
        is_cut, now_s = self._patience.cut_asked, self._clock()
        stalled = now_s - self._progress_s > (CUT_STALLED_S if is_cut else STALLED_S)
        return stalled or now_s - began_s > (CUT_FETCH_TIMEOUT_S if is_cut else FETCH_TIMEOUT_S)

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
        if self._seat is not None and not self._is_whole:
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
