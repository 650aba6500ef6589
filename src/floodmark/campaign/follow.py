"""What a run's folder says while the run goes on, for the live view. It reads; the master writes."""

from floodmark.core.codec import from_plain
from floodmark.core.errors import FloodmarkError
from floodmark.core.messages import Pulse
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import PULSES, SAMPLES, RunFolder, RunStatus
from floodmark.core.sample import Sample
from floodmark.core.tail import LineTail
from floodmark.report.live import LiveState


class Follower:
    """The newest counts of one run under way."""

    def __init__(self, folder: RunFolder, profile: BurstProfile) -> None:
        """Begins with nothing seen."""
        self._folder = folder
        self._profile = profile
        self._pulses = LineTail(folder.path / PULSES)
        self._samples = LineTail(folder.path / SAMPLES)
        self._latest: dict[str, Pulse] = {}
        self._sample: Sample | None = None
        self._last = LiveState(phase="the load is over", elapsed_s=0.0, planned=profile.requests)

    @property
    def fired(self) -> bool:
        """True once the load was released."""
        return bool(self._latest) or self._time_of("fired_s") is not None

    @property
    def over(self) -> bool:
        """True once the load has ended."""
        return self._time_of("cut_s") is not None

    @property
    def ended(self) -> bool:
        """True once the master has written how the run ended."""
        try:
            return self._folder.manifest().status is not RunStatus.RUNNING
        except FloodmarkError:
            return False

    def state(self) -> LiveState:
        """The newest state."""
        for line in self._pulses.new_lines():
            pulse = from_plain(Pulse, line, PULSES)
            self._latest[pulse.worker] = pulse
        for line in self._samples.new_lines():
            self._sample = from_plain(Sample, line, SAMPLES)
        if not self._latest:
            return LiveState(phase="gathering workers and agent", elapsed_s=0.0, planned=self._profile.requests)
        if not self.over:
            self._last = self._loaded()
        return self._last

    def _loaded(self) -> LiveState:
        pulses = self._latest.values()
        counts = self._sample.connections[0] if self._sample and self._sample.connections else None
        tree = self._sample.processes if self._sample else None
        return LiveState(
            phase="load is on",
            elapsed_s=0.0,
            planned=self._profile.requests,
            released=sum(pulse.released for pulse in pulses),
            connected=sum(pulse.connected for pulse in pulses),
            answered=sum(pulse.answered for pulse in pulses),
            failed=sum(pulse.failed for pulse in pulses),
            accept_queue=counts.accept_queue if counts else None,
            unread=counts.unread if counts else None,
            read=counts.read if counts else None,
            threads=sum(process.threads or 0 for process in tree) if tree is not None else None,
            processes=len(tree) if tree is not None else None,
        )

    def _time_of(self, field: str) -> float | None:
        try:
            found: float | None = getattr(self._folder.manifest(), field)
        except FloodmarkError:
            return None
        return found
