"""The master's part of a run: gather, have the load released, collect what comes in, end. It sends no load itself."""

import logging
import time
import uuid
from collections.abc import Callable
from itertools import count
from typing import Any

import gevent

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.errors import ClusterError, FloodmarkError, InterruptedRunError, MissedThresholdError, WireError
from floodmark.core.messages import Beat, Done, HitRows, Ready, Seconds
from floodmark.core.profile import SearchProfile, prove_workers
from floodmark.core.run_folder import PULSES, SECONDS, WORKERS, RunStatus
from floodmark.core.threshold_grammar import parse_all
from floodmark.load.bus.doorkeeper import UNKNOWN
from floodmark.load.bus.inbox import Inbox, Letter
from floodmark.load.bus.strangers import LEFT_OUT, STRANGERS, one_line, shown
from floodmark.load.live.standing import Standing
from floodmark.load.master.agent_watch import AgentWatch
from floodmark.load.master.clock_round import ClockRound
from floodmark.load.master.course import Course
from floodmark.load.master.judging import Found
from floodmark.load.master.roster import Roster
from floodmark.load.master.run_log import RunLog
from floodmark.load.master.search import Search
from floodmark.load.master.squad import Squad, is_silent
from floodmark.load.options import LoadOptions
from floodmark.load.patience import GATHER_TIMEOUT_S, LOOK_EVERY_S, Patience

logger = logging.getLogger(__name__)


class Conductor:
    """One run after another on Locust's master runner."""

    def __init__(
        self,
        environment: Any,
        *,
        judge: Callable[[str], int],
        find: Callable[[str], Found],
        observe: Callable[[RunLog], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`judge` is handed a finished run's folder, prints its verdict and returns the exit code for it.

        `find` judges the folder of a search's step without a word. `observe` is shown each log before it is written to.
        """
        self._observe = observe
        self._runner = environment.runner
        self._judge = judge
        self._find = find
        self._clock = clock
        self._patience = Patience(clock)
        self.roster = self._roster = Roster(self._runner, master=uuid.uuid4().hex, clock=clock)
        self._clocks = ClockRound(self._send, clock)
        self._logs: list[RunLog] = []  # the run's; in a search its own, then the step's
        self._squad = Squad(self._runner.clients)
        self._course: Course | None = None  # the load under way
        self._numbers = count(1)
        self._lost_all = False
        inbox = Inbox(self._runner, clock, refuse=_name_stranger)
        for kind, reader in self._readers().items():
            inbox.on(kind, self._waking(reader))
        gevent.spawn(self._tend_agents)

    def _readers(self) -> dict[str, Callable[[Letter], None]]:
        return {
            messages.HELLO: self._roster.hello,
            messages.BYE: self._roster.bye,
            messages.PONG: self._clocks.pong,
            messages.WATCHING: self._of_watch(AgentWatch.note_watching),
            messages.SAMPLES: self._of_watch(AgentWatch.note_samples),
            messages.CHUNK: self._of_watch(AgentWatch.note_chunk),
            messages.READY: self._of_squad(self._note_ready),
            messages.PULSE: self._of_squad(self._keep_pulse),
            messages.HITS: self._of_squad(self._keep_hits),
            messages.SECONDS: self._of_squad(self._keep_seconds),
            messages.DONE: self._of_squad(self._note_done),
        }

    def conduct(self, options: LoadOptions) -> int:
        """Runs one load to its end and returns the exit code. The run folder tells the rest.

        Raises `ClusterError` where the run could not begin or be finished.
        """
        began_s = time.monotonic()
        self._patience.reset()
        self._lost_all, self._course = False, None
        self._squad = self._gather_workers()
        prove_workers(options.profile, len(self._squad))
        self._gather_agents(options)
        log = RunLog(options, workers=len(self._squad), began_s=began_s)
        is_search = isinstance(options.profile, SearchProfile)
        status = self._recorded(log, lambda: (self._search if is_search else self._measure)(options))
        if options.judge:
            return self._judge(log.path)
        if options.goals.thresholds and not options.prepared:
            logger.warning("The thresholds are not judged (--judge no): `floodmark report %s` does it", log.path)
        if log.manifest.missed_live:
            return MissedThresholdError.exit_code
        return InterruptedRunError.exit_code if status is RunStatus.INTERRUPTED else 0

    def cut(self, *, lost: bool = False) -> None:
        """Ends a load under way: every worker sends what it has. `lost`: not asked for, the last worker is gone."""
        self._patience.cut_asked = True
        if lost:
            self._lost_all = True
            self._add_problems("the last worker was lost")
        if self._course is not None:
            self._course.cut()
        self._patience.wake()

    def forget_lost(self) -> None:
        """Takes from Locust the workers that were lost in the load before: it would wait a minute and more for them.

        One that was only cut off joins anew when it is heard again (`guard_master`).
        """
        clients = self._runner.clients
        for identity in self._squad.gone():
            logger.warning("%s is given up: it was lost in the load", self._squad.names[identity])
            del clients[identity]

    def _recorded(self, log: RunLog, measure: Callable[[], None]) -> RunStatus:
        """Measures into a log and closes it, whatever happens."""
        self._logs.append(log)
        if self._observe is not None:
            self._observe(log)
        status, problems = RunStatus.FAILED, []
        try:
            measure()
            status = RunStatus.INTERRUPTED if self._patience.cut_asked and not self._lost_all else RunStatus.COMPLETE
        except FloodmarkError as error:
            problems = [str(error)]
            interrupted = isinstance(error, InterruptedRunError) and not self._lost_all
            status = RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
            raise
        finally:
            self._logs.remove(log)
            log.add_problems(*problems)
            log.close(status)
        return status

    def _search(self, options: LoadOptions) -> None:
        search = Search(
            self._logs[-1],
            options,
            run=lambda log, burst: self._recorded(log, lambda: self._measure(burst)),
            find=self._find,
            is_cut=lambda: self._patience.cut_asked,
            rest=lambda rest_s: self._patience.holds(lambda: self._patience.cut_asked, rest_s),
        )
        search.go()

    def _measure(self, options: LoadOptions) -> None:
        number, log = next(self._numbers), self._logs[-1]
        watch = AgentWatch(
            options,
            log,
            number=number,
            roster=self._roster,
            patience=self._patience,
            send=self._send,
            clock=self._clock,
        )
        self._course = Course(
            options,
            log,
            self._squad,
            watch if options.agents else None,
            number=number,
            standing=self._standing(options),
            clocks=self._clocks,
            patience=self._patience,
            send=self._send,
            clock=self._clock,
        )
        try:
            self._course.go()
        finally:
            self._course = None  # what comes late is of no load

    def _standing(self, options: LoadOptions) -> Standing | None:
        """Where a threshold that is missed is to end the load."""
        goals = options.goals
        if not goals.abort_on_fail or isinstance(options.profile, SearchProfile):
            return None
        thresholds = parse_all(goals.thresholds)
        names = list(self._squad.names.values())
        return Standing(thresholds, options.profile, names, delay_s=goals.abort_delay_s, clock=self._clock)

    def _gather_workers(self) -> Squad:
        """Every worker that Locust has running."""
        clients = self._runner.clients
        self._patience.until(
            lambda: clients.running and not clients.spawning and all(map(is_silent, clients.ready)),
            "every connected worker to start",
        )
        for client in clients.ready:
            words = "said that it is a worker and was not heard again"
            STRANGERS.note(UNKNOWN.host, words, name=client.id)
        return Squad(clients)

    def _gather_agents(self, options: LoadOptions) -> None:
        if self._patience.holds(lambda: len(self._roster.agents()) >= options.agents, GATHER_TIMEOUT_S):
            return
        what = "an agent" if options.agents == 1 else f"{options.agents} agents"
        start = (
            f"start `floodmark-agent --port {options.address.port}` on the target's host,"
            " or measure from this side only with --expect-agents 0"
        )
        raise ClusterError(f"waited {GATHER_TIMEOUT_S:g} s for {what}: {'; '.join(self._roster.refusals()) or start}")

    def _tend_agents(self) -> None:
        """For as long as the process lives: an agent is lost between runs, too."""
        while True:
            gevent.sleep(LOOK_EVERY_S)
            self._roster.look()

    # What comes in.

    def _of_watch(self, reader: Callable[[AgentWatch, Letter], None]) -> Callable[[Letter], None]:
        """What an agent says goes to the watch under way; what comes late is of none."""

        def read(letter: Letter) -> None:
            self._roster.heard(letter)
            if self._course is not None and self._course.watch is not None:
                reader(self._course.watch, letter)

        return read

    def _of_squad(self, reader: Callable[[Letter], None]) -> Callable[[Letter], None]:
        """Only this run's workers have a say in what it measured: rows are kept as they come."""

        def read(letter: Letter) -> None:
            if letter.sender in self._squad.names:
                reader(letter)
            else:
                noted = LEFT_OUT if letter.sender in self._runner.clients else STRANGERS
                words = f"sent a {letter.kind} and is no worker of this run"
                noted.note(letter.peer.host, words, name=letter.sender, port=letter.peer.port)

        return read

    def _note_ready(self, letter: Letter) -> None:
        ready = letter.read(Ready)
        if self._is_under_way(ready.number):
            self._squad.ready[self._name(letter, ready.worker)] = ready

    def _keep_pulse(self, letter: Letter) -> None:
        beat = letter.read(Beat)
        if self._is_under_way(beat.number):
            self._name(letter, beat.pulse.worker)
            self._keep(PULSES, [beat.pulse])

    def _keep_hits(self, letter: Letter) -> None:
        hits = letter.read(HitRows)
        if self._course is not None and self._is_under_way(hits.number) and self._logs:
            self._logs[-1].keep_hits(list(hits.rows))
            if self._course.standing:
                self._course.standing.note_hits(hits.rows)

    def _keep_seconds(self, letter: Letter) -> None:
        seconds = letter.read(Seconds)
        if self._course is not None and self._is_under_way(seconds.number):
            self._keep(SECONDS, list(seconds.seconds))
            if self._course.standing:
                self._course.standing.note_seconds(seconds.seconds)

    def _note_done(self, letter: Letter) -> None:
        done = letter.read(Done)
        if not self._is_under_way(done.number):
            return
        report = done.report
        self._squad.done[self._name(letter, report.worker)] = report
        self._keep(WORKERS, [report])
        if done.problem:
            self._add_problems(f"{report.worker}: {one_line(done.problem)}")
        elif report.cut and not self._patience.cut_asked:
            self._add_problems(f"{report.worker} ended before its time")

    def _name(self, letter: Letter, said: str) -> str:
        """The sender's name in this run. Raises `WireError` where it speaks for another."""
        name = self._squad.names[letter.sender]
        if said != name:
            raise WireError(f"it is {name} and speaks for {shown(said)}")
        return name

    def _is_under_way(self, number: int) -> bool:
        """The load of this number is: a worker that overran may still speak of the one before."""
        return self._course is not None and self._course.number == number

    # Small help.

    def _waking(self, reader: Callable[[Letter], None]) -> Callable[[Letter], None]:
        def read_and_wake(letter: Letter) -> None:
            reader(letter)
            self._patience.wake()

        return read_and_wake

    def _keep(self, name: str, records: list[Any]) -> None:
        if self._logs:
            self._logs[-1].keep(name, records)

    def _add_problems(self, *problems: str) -> None:
        if self._logs:
            self._logs[-1].add_problems(*problems)

    def _send(self, kind: str, record: Any, client_id: str) -> None:
        self._runner.send_message(kind, to_plain(record), client_id=client_id)


def _name_stranger(letter: Letter, error: WireError) -> None:
    words = f"sent a {letter.kind} of another form"
    STRANGERS.note(letter.peer.host, words, name=letter.sender, port=letter.peer.port, detail=letter.reason(error))
