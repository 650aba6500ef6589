"""What the browser is told of the master: its run under way, or the last one, and the agents. No HTTP here.

Bounded, whatever the load: some hundred points, a few tables of some rows, short texts.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from floodmark.core.curves import Curves
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import CLOCKS, LIVE, PULSES, REPORT, SECONDS, Manifest, RunStatus
from floodmark.load.bus.strangers import one_line
from floodmark.load.live.load import LiveLoad
from floodmark.load.master.roster import AgentSeat
from floodmark.load.master.run_log import RunLog
from floodmark.load.plan_words import plan_words
from floodmark.load.refusals import last_refusal
from floodmark.load.web.runs import RunShelf, VerdictCard
from floodmark.load.web.tables import Table, short, tables_of

logger = logging.getLogger(__name__)

WORDS_CHARACTERS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One key number and what it counts."""

    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Where the run is: `name` for programs, `words` for people; `is_busy` while it goes on."""

    name: str
    words: str
    is_busy: bool = False
    is_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the page shows of one run; `run` is its name on the shelf, empty where there is none."""

    run: str = ""
    kind: str = ""
    target: str = ""
    plan: str = ""
    phase: Phase
    figures: tuple[Figure, ...] = ()
    curves: Curves | None = None
    tables: tuple[Table, ...] = ()
    verdict: VerdictCard | None = None
    files: tuple[str, ...] = ()


class WatchedRun:
    """One run's log as it is written; an observer of it."""

    def __init__(self, manifest: Manifest, name: str) -> None:
        self.manifest = manifest
        self.name = name
        self.load = LiveLoad(manifest.profile, hold_known=manifest.hold_known)
        self._has_failed = False

    @property
    def search(self) -> str:
        """The name of the search that this is a burst of; empty: of none."""
        search, slash, _ = self.name.partition("/")
        return search if slash else ""

    def took(self, name: str, records: list[Any]) -> None:
        """Records for one of the line files."""
        notes: dict[str, Callable[[list[Any]], None]] = {
            CLOCKS: self.load.note_clocks,
            PULSES: self.load.note_pulses,
            LIVE: self.load.note_samples,
            SECONDS: self.load.note_seconds,
        }
        if name in notes:
            self._note(notes[name], records)

    def took_hits(self, rows: list[Any]) -> None:
        """Hits as rows."""
        self._note(self.load.note_hit_rows, rows)

    def changed(self, manifest: Manifest) -> None:
        """The manifest is another."""
        self.manifest = manifest
        self.load.fired_s, self.load.cut_s = manifest.fired_s, manifest.cut_s

    def _note(self, note: Callable[[list[Any]], None], records: list[Any]) -> None:
        if self._has_failed:
            return
        try:
            note(records)
        except Exception:
            # A picture is no reason to lose a measurement.
            self._has_failed = True
            logger.exception("The web UI's live view of %s ends here; the run goes on", self.name)


class Board:
    """What is shown now."""

    def __init__(self, environment: Any, kind: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`kind` is the profile's that this master was started for."""
        self.kind = kind
        self.shelf = RunShelf()
        self.is_busy: Callable[[], bool] = lambda: False
        self.seats: Callable[[], list[AgentSeat]] = list
        self._environment = environment
        self._clock = clock
        self._watched: WatchedRun | None = None

    def observe(self, log: RunLog) -> None:
        """A run's log, or a search's burst's, that is written from now on."""
        log.observer = self._watched = WatchedRun(log.manifest, self.shelf.note(Path(log.path)))

    def begin(self) -> None:
        """A run begins: what is shown is of that."""
        self._watched = None

    def page(self) -> Page:
        """The run under way, or the last one."""
        refusal, run, is_busy = last_refusal(self._environment), self._watched, self.is_busy()
        if refusal is not None:
            words = one_line(refusal.words, WORDS_CHARACTERS)
            if run is not None and is_busy:
                phase = self._phase(run, is_busy=is_busy)
                return self._page(run, replace(phase, words=f"{phase.words}; not begun: {words}"))
            return self._page(run, Phase(name="refused", words=f"Not measured: {words}", is_bad=True))
        if run is None:
            return self._page(None, _GATHERING if is_busy else _READY)
        return self._page(run, self._phase(run, is_busy=is_busy))

    def _verdict(self, run: WatchedRun) -> VerdictCard | None:
        """The run's; of a search's burst that of the search, once there is one."""
        return self._verdict_of(run, run.search or run.name)

    def _verdict_of(self, run: WatchedRun, name: str) -> VerdictCard | None:
        entry = self.shelf.entry(name)
        # The report is written last: who is told of a verdict can open it.
        is_there = entry is not None and REPORT in entry.files and run.manifest.status is not RunStatus.RUNNING
        return entry.verdict if entry is not None and is_there else None

    def _phase(self, run: WatchedRun, *, is_busy: bool) -> Phase:
        manifest = run.manifest
        lost = [one for one in manifest.problems if " was lost" in one]
        # What is lost for good is a problem by then, and said in full.
        tail = "".join(f"; {one_line(one)}" for one in lost or _away(manifest))
        if manifest.status is RunStatus.RUNNING:
            name, words = _step(manifest)
            return Phase(name=name, words=words + tail, is_busy=True)
        if is_busy and self._verdict(run) is None:
            step = self._verdict_of(run, run.name) if run.search else None
            words = "Making the verdict" if step is None else f"The search goes on. Its last burst: {step.sentence}"
            return Phase(name="judging", words=words, is_busy=True)
        return Phase(name="ended", words=ENDS[manifest.status] + tail, is_bad=manifest.status is RunStatus.FAILED)

    def _page(self, run: WatchedRun | None, phase: Phase) -> Page:
        now_s, seats = self._clock(), self.seats()
        if run is None:
            tables = tables_of(None, seats, now_s)
            return Page(kind=self.kind, target=short(self._environment.host or ""), phase=phase, tables=tuple(tables))
        curves = run.load.curves(now_s)
        name = run.search or run.name
        entry, verdict = self.shelf.entry(name), self._verdict(run)
        if verdict is not None:
            # What `floodmark report` made of all that was measured is better than what was seen meanwhile.
            curves = self.shelf.curves(name) or curves
        return Page(
            run=run.name,
            kind=self.kind,
            target=short(run.manifest.target),
            plan=plan_words(run.manifest.profile),
            phase=phase,
            figures=figures_of(run.load) if verdict is None or entry is None else final_figures(entry.outcomes),
            curves=curves,
            tables=tuple(tables_of(run.load, seats, now_s, curves.places)),
            verdict=verdict,
            files=entry.files if entry else (),
        )


ENDS = {
    RunStatus.COMPLETE: "The run is complete",
    RunStatus.INTERRUPTED: "Interrupted",
    RunStatus.FAILED: "The run failed",
}
"""How a run ended, in words."""

_READY = Phase(name="ready", words="No run yet")
_GATHERING = Phase(name="gathering", words="Gathering workers and agent", is_busy=True)


def _step(manifest: Manifest) -> tuple[str, str]:
    if manifest.fired_s is None:
        return "preparing", "Getting ready: the load comes when the agent has rested and the target is idle"
    if manifest.cut_s is None:
        return "load", "The load is on"
    return "fetching", "The load is over: fetching what the agent measured"


def _away(manifest: Manifest) -> list[str]:
    return [f"agent {one.agent} is {'lost' if one.until_s is None else 'back'}" for one in manifest.absences[-1:]]


def figures_of(load: LiveLoad) -> tuple[Figure, ...]:
    """The key numbers of a load under way."""
    released, answered, failed = (load.total(name) for name in ("released", "answered", "failed"))
    waits = "in flight" if load.cut_s is None else "without an answer at the end"
    return (
        Figure(value=f"{released:,}", words="sent"),
        Figure(value=f"{max(0, released - answered - failed):,}", words=waits),
        Figure(value=f"{answered:,}", words="answered"),
        Figure(value=f"{failed:,}", words="failed"),
    )


def final_figures(outcomes: Mapping[str, int]) -> tuple[Figure, ...]:
    """Those of a verdict; none where it has no requests."""
    if not outcomes:
        return ()
    total, answered = sum(outcomes.values()), outcomes.get(Outcome.ANSWERED.value, 0)
    failed = sum(outcomes.get(outcome.value, 0) for outcome in Outcome if outcome.failed)
    return (
        Figure(value=f"{total:,}", words="requests"),
        Figure(value=f"{total - answered - failed:,}", words="without an answer at the end"),
        Figure(value=f"{answered:,}", words="answered"),
        Figure(value=f"{failed:,}", words="failed"),
    )
