"""How a load stands with what it is to meet, while it is on. It ends nothing: whoever asks does.

A threshold is told as missed when no value that the metric can still come to would meet it. Rates, means and
percentiles of a load that has no planned number of requests (a closed loop) can always change: there they are taken as
they stand, as k6 takes them.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from floodmark.core.codec import from_row
from floodmark.core.errors import WireError
from floodmark.core.hit import Hit
from floodmark.core.messages import Samples
from floodmark.core.metric_names import is_told_live
from floodmark.core.outcomes import Outcome, Side
from floodmark.core.profile import BurstProfile, ClosedProfile, LoadProfile
from floodmark.core.second import Second
from floodmark.core.threshold import Threshold
from floodmark.load.live.standing_target import TargetStanding
from floodmark.load.live.times import UNKNOWN, Bounds, HistogramTimes, RawTimes, bounds_of

LOOK_EVERY_S = 0.25
"""Often enough to end a load at once, and seldom enough for the mean of a histogram, which takes 45 ms."""


class Standing:
    """One load's, from its order to its end."""

    def __init__(
        self,
        thresholds: Iterable[Threshold],
        profile: LoadProfile,
        workers: Sequence[str],
        *,
        delay_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of `thresholds` those that can be told; none is told before `delay_s` after the first release."""
        self.target = TargetStanding()
        self._told = [threshold for threshold in thresholds if is_told_live(threshold.metric, profile.kind)]
        self._planned = None if isinstance(profile, ClosedProfile) else profile.requests
        self._is_held = isinstance(profile, BurstProfile)
        self._whole_s = 0 if isinstance(profile, BurstProfile) else int(profile.duration_s)
        self._delay_s = delay_s
        self._clock = clock
        self._next_look_s: float | None = None
        self._has_news = False
        self._outcomes: Counter[Outcome] = Counter()
        self._raw = {name: RawTimes() for name in ("http_req_duration", "http_req_waiting", "http_req_connecting")}
        self._histograms = {name: HistogramTimes() for name in ("http_req_duration", "http_req_connecting")}
        self._answered_in: Counter[int] = Counter()
        self._last_second = dict.fromkeys(workers, -1)

    def begin(self, fired_s: float) -> None:
        """The first release is at `fired_s` on the clock."""
        self._next_look_s = fired_s + self._delay_s

    # What comes in.

    def note_hits(self, rows: Iterable[Any]) -> None:
        """A held load's hits as rows. A steady load's are a sample, and its seconds have it all."""
        if not self._is_held:
            return
        self._has_news = True
        for row in rows:
            self._note_hit(from_row(Hit, row, "hits"))

    def note_seconds(self, seconds: Iterable[Second]) -> None:
        """A steady load's seconds. Raises `WireError` for one whose histogram is none."""
        self._has_news = True
        for second in seconds:
            self._outcomes[Outcome.ANSWERED] += second.answered
            for kind, number in second.failed.items():
                self._outcomes[_outcome(kind)] += number
            self._answered_in[second.second] += second.answered
            self._last_second[second.worker] = second.second
            self._histograms["http_req_duration"].add(second.latency)
            self._histograms["http_req_connecting"].add(second.connect)

    def note_samples(self, samples: Samples) -> None:
        """The agent's live figures."""
        self._has_news = True
        for sample in samples.samples:
            self.target.note(sample)

    def _note_hit(self, hit: Hit) -> None:
        if hit.outcome in (Outcome.WAITING, Outcome.UNSENT):
            return
        self._outcomes[hit.outcome] += 1
        if hit.outcome is not Outcome.ANSWERED:
            return
        for name, from_s, to_s in (
            ("http_req_duration", hit.planned_s, hit.ended_s),
            ("http_req_waiting", hit.planned_s, hit.first_byte_s),
            ("http_req_connecting", hit.released_s, hit.connected_s),
        ):
            if from_s is not None and to_s is not None:
                self._raw[name].add(to_s - from_s)

    # What can be said.

    def missed(self) -> list[Threshold]:
        """Those that are missed by now; a few times a second at most and where there is news, in between none."""
        now_s = self._clock()
        if self._next_look_s is None or now_s < self._next_look_s or not self._has_news:
            return []
        self._next_look_s, self._has_news = now_s + LOOK_EVERY_S, False
        return [threshold for threshold in self._told if threshold.is_missed_between(*self.bounds(threshold.metric))]

    def bounds(self, metric: str) -> Bounds:
        """What the metric's value will be at least and at most; or twice what it is now, where it may change."""
        base, _, last = metric.rpartition(".")
        if base in self._raw:
            return self._of_times(base, last)
        if metric in ("http_reqs.rate", "throughput.least", "throughput.most"):
            return self._of_rate(last)
        if metric == "http_req_failed.rate":
            return self._of_failed_share()
        if base == "target" or base.startswith("target."):
            return self.target.bounds(metric)
        kinds = _KINDS.get(metric)
        return UNKNOWN if kinds is None else self._of_number(kinds)

    def _of_times(self, name: str, statistic: str) -> Bounds:
        if self._is_held:
            return bounds_of(self._raw[name], statistic, self._most_answers())
        if name not in self._histograms:
            return UNKNOWN
        # Of how many connections there will be nothing is known.
        most = self._most_answers() if name == "http_req_duration" else None
        return bounds_of(self._histograms[name], statistic, most)

    def _most_answers(self) -> int | None:
        return None if self._planned is None else self._planned - self._number(_FAILED)

    def _of_number(self, kinds: frozenset[Outcome]) -> Bounds:
        """Requests that ended so: what has ended otherwise does not end so any more."""
        number, ended = self._number(kinds), self._outcomes.total()
        return number, None if self._planned is None else self._planned - (ended - number)

    def _of_failed_share(self) -> Bounds:
        failed, ended = self._number(_FAILED), self._outcomes.total()
        if self._planned is not None:
            return failed / self._planned, (self._planned - (ended - failed)) / self._planned
        return (failed / ended, failed / ended) if ended else UNKNOWN

    def _of_rate(self, statistic: str) -> Bounds:
        """Of the seconds that all workers have told; the load's mean rate as it stands."""
        whole = min(self._whole_s, 1 + min(self._last_second.values(), default=-1))
        if not whole:
            return UNKNOWN
        rates = [self._answered_in[second] for second in range(whole)]
        if statistic == "least":
            return None, min(rates)
        if statistic == "most":
            return max(rates), None
        return sum(rates) / whole, sum(rates) / whole

    def _number(self, kinds: frozenset[Outcome]) -> int:
        return sum(self._outcomes[kind] for kind in kinds)


_FAILED = frozenset(outcome for outcome in Outcome if outcome.failed)

_KINDS = {
    "http_reqs.count": _FAILED | {Outcome.ANSWERED},
    "http_req_failed.count": _FAILED,
    **{
        f"http_req_failed.{side.value}": frozenset(outcome for outcome in Outcome if outcome.side is side)
        for side in Side
    },
    **{f"requests.{outcome.value}": frozenset({outcome}) for outcome in _FAILED | {Outcome.ANSWERED}},
}
"""The outcomes that each of these counts."""


def _outcome(kind: str) -> Outcome:
    try:
        return Outcome(kind)
    except ValueError:
        raise WireError(f"seconds: {kind!r} is no outcome") from None
