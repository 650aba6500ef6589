"""Whether a steady load's workers came near to the end of their source ports. Nothing of the target."""

from dataclasses import dataclass

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Check
from floodmark.core.messages import WorkerReport
from floodmark.core.second import Second

PORTS_SHARE = 0.8
"""Of the source ports: the kernel looks longer and longer for a free one before it says that there is none."""

TIME_WAIT_S = 60
"""How long a port stays in TIME_WAIT (TCP_TIMEWAIT_LEN in the kernel's include/net/tcp.h)."""

NAME = "source ports left"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """One worker's ports when most of them were in use."""

    worker: str
    ports: int
    open_connections: int
    time_wait: int
    reuses: bool

    @property
    def share(self) -> float:
        """Of its ports."""
        return (self.open_connections + (0 if self.reuses else self.time_wait)) / max(1, self.ports)


def ports_left(axis: Axis) -> Check:
    """Each worker's connections and TIME_WAIT sockets against the ports that it has to itself."""
    reports = [report for report in axis.recording.workers if report.ports is not None]
    if not reports:
        return Check(name=NAME, ok=None, words="the workers did not say how many there are")
    known = [use for report in reports if (use := _most_used(report, axis.recording.seconds)) is not None]
    if not known:
        return Check(name=NAME, ok=None, words="TIME_WAIT sockets were not counted")
    worst = max(known, key=lambda use: use.share)
    whose = f" of {worst.worker}'s" if len(axis.recording.workers) > 1 else ""
    words = f"at most {worst.open_connections:,} connections and {worst.time_wait:,} TIME_WAIT sockets on"
    words += f" {worst.ports:,}{whose} source ports"
    if worst.reuses and worst.time_wait:
        words += ", whose ports the kernel takes again"
    if worst.share <= PORTS_SHARE:
        return Check(name=NAME, ok=True, words=words)
    return Check(name=NAME, ok=False, words=f"{words} (bound {PORTS_SHARE:.0%}): give more addresses with --source")


def _most_used(report: WorkerReport, seconds: tuple[Second, ...]) -> _Use | None:
    own = {second.second: second for second in seconds if second.worker == report.worker}
    uses = [
        _Use(
            worker=report.worker,
            ports=report.ports or 0,
            open_connections=own[index].open_connections,
            time_wait=min(seen, _closed_lately(own, index)),
            reuses=bool(report.reuses_time_wait),
        )
        for index in own
        if (seen := report.time_wait_max if own[index].time_wait is None else own[index].time_wait) is not None
    ]
    return max(uses, key=lambda use: use.share, default=None)


def _closed_lately(own: dict[int, Second], index: int) -> int:
    """How many connections this load closed in the last minute: no more of the namespace's sockets are its own."""
    since = index - TIME_WAIT_S
    opened = sum(own[second].opened for second in range(max(0, since + 1), index + 1) if second in own)
    before = own[since].open_connections if since in own else 0
    return max(0, opened + before - own[index].open_connections)
