"""A test of Locust's own users as the page shows it: the target's side by the agent, the rest by Locust's stats."""

from collections.abc import Sequence

from floodmark.core.curves import Curves, PlaceCurves
from floodmark.core.intervals import Intervals
from floodmark.core.places import Place
from floodmark.core.sample import Sample
from floodmark.load.live.locust_meter import REPORT_S, Ended
from floodmark.load.live.rows import LiveRows
from floodmark.load.live.tree import TreeSums, queue_limit


class PlainLoad:
    """How many requests Locust's users have under way nobody says: connections that the target has read are one place.

    Kept-alive ones that are idle are among these.
    """

    with_server_means = "accepted, and nothing unread: served, or idle"

    def __init__(self, begun_s: float, *, begun_utc_s: float) -> None:
        """`begun_s` on the master's clock is the same moment as `begun_utc_s`."""
        self.newest: Sample | None = None
        self._begun_s, self._begun_utc_s = begun_s, begun_utc_s
        self._ended_s: float | None = None
        self._behind_s: float | None = None
        self._rows = LiveRows()
        self._tree = TreeSums()
        self._intervals = Intervals()
        self._answered = self._failed = 0
        self._counted_s = 0.0

    def note_samples(self, samples: Sequence[Sample], received_s: float) -> None:
        """Takes the agent's live figures. Its clock is known by the quickest message: a picture needs no better."""
        for sample in samples:
            self.newest = sample
        if self.newest is None:
            return
        behind_s = received_s - self.newest.taken_s
        self._behind_s = behind_s if self._behind_s is None else min(behind_s, self._behind_s)
        for sample in samples:
            if sample.connections:
                self._add(sample.socket_s + self._behind_s - self._begun_s, sample)

    def note_ended(self, ended: Ended) -> None:
        """Takes what Locust has counted since."""
        for second, (answered, failed) in ended.seconds.items():
            self._intervals.count(second + 0.5 - self._begun_utc_s, answered=answered, failed=failed)
            self._answered += answered
            self._failed += failed
            self._counted_s = max(self._counted_s, second + 1 - self._begun_utc_s)
        if ended.seconds and ended.took_s:
            self._intervals.time_many(max(ended.seconds) + 0.5 - self._begun_utc_s, ended.took_s)

    def end(self, now_s: float) -> None:
        """The test is over."""
        self._ended_s = now_s

    def curves(self, now_s: float) -> Curves:
        """What there is so far."""
        end_s = max(0.0, (self._ended_s or now_s) - self._begun_s)
        found_s, columns = self._rows.until(end_s, {"answered": self._answered, "failed": self._failed})
        places = {place: columns.pop(place.value) for place in Place}
        times_s = tuple(round(time_s, 3) for time_s in found_s)
        return Curves(
            end_s=round(end_s, 3),
            queue_limit=queue_limit(self.newest),
            places=PlaceCurves(times_s=times_s, places=places, **columns),
            rates=self._intervals.curves(self._counted_until_s(end_s)),
        )

    def _counted_until_s(self, end_s: float) -> float:
        """Of the newest seconds nothing is known before the workers report: that is no rate of 0."""
        waits_s = REPORT_S + 1.0 if self._ended_s is None else 0.0
        return min(end_s, max(self._counted_s, end_s - waits_s))

    def _add(self, at_s: float, sample: Sample) -> None:
        counts = sample.connections[0]
        row: dict[str, int | None] = {
            "answered": self._answered,
            "failed": self._failed,
            "with_server": counts.read,
            Place.UNREAD: counts.unread,
            Place.ACCEPT_QUEUE: counts.accept_queue,
            Place.HALF_OPEN: counts.half_open,
            **self._tree.of(sample),
        }
        self._rows.add(at_s, row)
