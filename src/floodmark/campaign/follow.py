"""What a run's folder says while the run goes on, for the live view. It reads; the master writes."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from floodmark.core.clock import ClockReading
from floodmark.core.codec import from_plain
from floodmark.core.errors import FloodmarkError
from floodmark.core.messages import Pulse
from floodmark.core.profile import BurstProfile, ClosedProfile, LoadProfile, Profile, SearchProfile
from floodmark.core.run_folder import CLOCKS, LIVE, PULSES, Manifest, RunFolder, RunStatus
from floodmark.core.sample import ConnectionCounts, Sample
from floodmark.core.tail import LineTail
from floodmark.report.live.run import LiveState

PACE_S = 1.0
"""A rate is taken over about this long: a shorter one jumps with each report of a worker."""

SILENT_S = 3.0
"""A worker says how far it is a few times a second: one that is so far behind the others is not at work."""

GATHERING = "gathering workers and agent"


class Follower:
    """The newest counts of one run under way: those of its load, or of a search's newest burst."""

    def __init__(self, folder: RunFolder, profile: Profile) -> None:
        """Begins with nothing seen."""
        self._folder = folder
        self._bursts = profile.bursts if isinstance(profile, SearchProfile) else ()
        self._load = None if isinstance(profile, SearchProfile) else LoadFollower(folder, profile, before=GATHERING)
        self._steps = 0

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._folder.path

    @property
    def fired(self) -> bool:
        """True once the load, or a search's first burst, was released."""
        load = self._newest()
        return self._steps > 1 or (load is not None and load.fired)

    @property
    def ended(self) -> bool:
        """True once the master has written how the run ended."""
        manifest = _manifest(self._folder)
        return manifest is not None and manifest.status is not RunStatus.RUNNING

    def state(self) -> LiveState:
        """The newest state."""
        load = self._newest()
        if load is None:
            return LiveState(phase=GATHERING)
        state = load.state()
        if not self._bursts:
            return state
        if (end := self._end()) is not None:
            return LiveState(phase=end)
        requests = f"{state.planned:,} request{'s' * (state.planned != 1)}"
        burst = f"burst {self._steps} of up to {len(self._bursts)}, {requests}"
        return replace(state, phase=f"{burst}: {state.phase}")

    def _end(self) -> str | None:
        """Of a search that is complete: why there is no larger burst."""
        manifest = _manifest(self._folder)
        if manifest is None or manifest.status is not RunStatus.COMPLETE or not manifest.steps:
            return None
        last = manifest.steps[-1]
        found = "no ceiling is proven" if last.ceiling is None else f"a ceiling of {last.ceiling:,} is proven"
        return f"the search ends with {last.requests:,} request{'s' * (last.requests != 1)}: {found}"

    def _newest(self) -> "LoadFollower | None":
        manifest = _manifest(self._folder) if self._bursts else None
        if manifest is not None and len(manifest.steps) > self._steps:
            self._steps, step = len(manifest.steps), manifest.steps[-1]
            profile = replace(self._bursts[0], requests=step.requests)
            self._load = LoadFollower(RunFolder(self._folder.path / step.folder), profile, before="getting ready")
        return self._load


class LoadFollower:
    """The newest counts of one load."""

    def __init__(self, folder: RunFolder, profile: LoadProfile, *, before: str) -> None:
        """`before` says what goes on until the first counts come."""
        self._folder = folder
        # Over all workers; how many a closed loop will send nobody knows.
        self._planned = 0 if isinstance(profile, ClosedProfile) else profile.requests
        self._duration_s = None if isinstance(profile, BurstProfile) else profile.duration_s
        self._longest_s = profile.longest_s
        self._pulses = LineTail(folder.path / PULSES)
        self._samples = LineTail(folder.path / LIVE)
        self._clock_lines = LineTail(folder.path / CLOCKS)
        self._clocks: dict[str, ClockReading] = {}
        self._recent: dict[str, deque[Pulse]] = {}
        self._sample: Sample | None = None
        self._counts: ConnectionCounts | None = None  # the newest: not every sample has some
        self._last = LiveState(phase=before, planned=self._planned, duration_s=self._duration_s)

    @property
    def fired(self) -> bool:
        """True once the load was released."""
        manifest = _manifest(self._folder)
        return bool(self._recent) or (manifest is not None and manifest.fired_s is not None)

    def state(self) -> LiveState:
        """The newest state."""
        for line in self._clock_lines.new_lines():
            reading = from_plain(ClockReading, line, CLOCKS)
            self._clocks.setdefault(reading.node, reading)
        for line in self._pulses.new_lines():
            self._note(from_plain(Pulse, line, PULSES))
        for line in self._samples.new_lines():
            self._sample = from_plain(Sample, line, LIVE)
            self._counts = self._sample.connections[0] if self._sample.connections else self._counts
        manifest = _manifest(self._folder)
        if manifest is not None and manifest.cut_s is not None:
            # No counts: the newest are from before the end, and the verdict has the right ones.
            self._last = LiveState(phase=_phase("the load is over", manifest), planned=self._planned)
        elif self._recent:
            self._last = self._loaded(manifest)
        return self._last

    def _note(self, said: Pulse) -> None:
        """On the master's clock: workers of other hosts have others, hours apart."""
        clock = self._clocks.get(said.worker)
        pulse = replace(said, at_s=clock.to_master_s(said.at_s)) if clock else said
        recent = self._recent.setdefault(pulse.worker, deque())
        recent.append(pulse)
        while len(recent) > 2 and recent[1].at_s <= pulse.at_s - PACE_S:  # noqa: PLR2004 - a rate needs two
            recent.popleft()

    def _loaded(self, manifest: Manifest | None) -> LiveState:
        pulses = [recent[-1] for recent in self._recent.values()]
        newest_s = max(pulse.at_s for pulse in pulses)
        at_work = [recent for recent in self._recent.values() if recent[-1].at_s > newest_s - SILENT_S]
        silent = [pulse for pulse in pulses if pulse.at_s <= newest_s - SILENT_S]
        counts = self._counts
        tree = self._sample.processes if self._sample else None
        load_s = newest_s - manifest.fired_s if manifest and manifest.fired_s is not None else 0.0
        return LiveState(
            phase=_phase("load is on", manifest),
            planned=self._planned,
            released=sum(pulse.released for pulse in pulses),
            connected=sum(pulse.connected for pulse in pulses),
            answered=sum(pulse.answered for pulse in pulses),
            failed=sum(pulse.failed for pulse in pulses),
            accept_queue=counts.accept_queue if counts else None,
            unread=counts.unread if counts else None,
            read=counts.read if counts else None,
            threads=sum(process.threads or 0 for process in tree) if tree is not None else None,
            processes=len(tree) if tree is not None else None,
            duration_s=self._duration_s,
            longest_s=self._longest_s,
            load_s=max(0.0, load_s),
            answered_per_s=_answered_per_s(at_work),
            open_connections=sum(recent[-1].open_connections for recent in at_work),
            silent=sum(max(0, pulse.released - pulse.answered - pulse.failed) for pulse in silent),
        )


def _phase(words: str, manifest: Manifest | None) -> str:
    """With the workers that were lost, and whether the agent is, where the run says so."""
    problems = [] if manifest is None else [one for one in manifest.problems if not one.startswith("agent ")]
    lost = [problem.removesuffix(" while the load was on") for problem in problems if " was lost" in problem]
    absences = () if manifest is None else manifest.absences[-1:]
    away = [f"agent {one.agent} is {'lost' if one.until_s is None else 'back'}" for one in absences]
    return "; ".join([words, *lost, *away])


def _answered_per_s(workers: Iterable[deque[Pulse]]) -> float | None:
    """Over all workers; None until each has reported for half of `PACE_S`, since a rate over less is noise."""
    total = 0.0
    for recent in workers:
        took_s = recent[-1].at_s - recent[0].at_s
        if took_s < PACE_S / 2:
            return None
        total += (recent[-1].answered - recent[0].answered) / took_s
    return total


def _manifest(folder: RunFolder) -> Manifest | None:
    """None where there is none yet."""
    try:
        return folder.manifest()
    except FloodmarkError:
        return None
