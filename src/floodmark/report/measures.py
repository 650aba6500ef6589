"""Times, rates and releases as rows and phrases: the same for the terminal and the page. No layout."""

from collections.abc import Collection
from dataclasses import dataclass

from floodmark.analysis.document import NodeClock, Percentiles, VerdictDocument
from floodmark.analysis.steady.sentence import amount, seconds_words
from floodmark.report.words import duration, plural, size_words

PERCENTILE_COLUMNS = ("mean", "50 %", "75 %", "90 %", "95 %", "99 %", "99.9 %", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One of a verdict's times: its own `words`, and the `joined` ones where two of them are the same."""

    words: str
    joined: str = ""

    def row(self, rows: Collection[str]) -> str | None:
        """Which of the names in `latency_rows` stands for it; None where it has none of its own."""
        return next((name for name in (self.joined, self.words) if name and name in rows), None)


TIMES = {
    "latency": Times(words="to the last byte", joined="to the first and last byte"),
    "first_byte": Times(words="to the first byte"),
    "connect": Times(words="connecting alone"),
}
"""The fields of `VerdictDocument` that have percentiles, the whole first."""


def latency_rows(document: VerdictDocument) -> list[tuple[str, Percentiles]]:
    """The times of answered requests that are known, the whole first.

    Answers that came in one piece have their first byte with their last: that is one row, and not the same one twice.
    """
    last, first = document.latency, document.first_byte
    if last is not None and first is not None and percentile_words(last) == percentile_words(first):
        named = [(TIMES["latency"].joined, last), (TIMES["connect"].words, document.connect)]
    else:
        named = [(times.words, getattr(document, name)) for name, times in TIMES.items()]
    return [(name, found) for name, found in named if found is not None]


def latency_title(document: VerdictDocument) -> str:
    """What the table of the times is called: a closed loop has no plan of when to send."""
    since = "sending" if document.profile.kind == "closed" else "planned release"
    return f"How long an answer took, from its {since}"


def percentile_words(times: Percentiles) -> tuple[str, ...]:
    """The times in the order of `PERCENTILE_COLUMNS`."""
    ranked = (times.p50_s, times.p75_s, times.p90_s, times.p95_s, times.p99_s, times.p99_9_s)
    return tuple(seconds_words(time_s) for time_s in (times.mean_s, *ranked, times.max_s))


def rate_words(document: VerdictDocument) -> str | None:
    """A steady load's throughput in one phrase; None for another load."""
    throughput = document.throughput
    if throughput is None:
        return None
    words = f"{amount(throughput.answered_per_s)} answered per second over {duration(throughput.duration_s)}"
    if throughput.least_per_s is not None and throughput.most_per_s is not None:
        words += f" ({throughput.least_per_s:,} in the least second, {throughput.most_per_s:,} in the most)"
    return f"{words}, {size_words(throughput.received_bytes_per_s)} received per second"


def clock_words(document: VerdictDocument) -> str | None:
    """How well the nodes' clocks are known, and how far each has drifted; None where none was read."""
    if not document.clock:
        return None
    worst = max(document.clock, key=lambda node: node.bound_s)
    drifts = [f"{node.node} {_drift(node)}" for node in document.clock if node.drift_s is not None and node.over_s]
    drifted = f"; from before the load to after it these drifted: {', '.join(drifts)}" if drifts else ""
    return f"known within {seconds_words(worst.bound_s)} of the master's ({worst.node}){drifted}"


def _drift(node: NodeClock) -> str:
    ppm = (node.drift_s or 0.0) / (node.over_s or 1.0) * 1e6
    return f"{seconds_words(abs(node.drift_s or 0.0))} ({ppm:+,.1f} ppm)"


def release_words(document: VerdictDocument) -> str | None:
    """How the load was released; None where nothing is planned to the instant."""
    release = document.release
    if release is None:
        return None
    words = (
        f"half within {seconds_words(release.median_late_s)} of the plan, 99 % within"
        f" {seconds_words(release.p99_late_s)}, all within {seconds_words(release.max_late_s)}"
    )
    if release.spread_s is None:
        return words
    bound = (
        f" (clocks known within {seconds_words(release.clock_bound_s)})" if release.clock_bound_s is not None else ""
    )
    words += f"; the first of {release.workers:,} workers {seconds_words(release.spread_s)} apart"
    if release.skew_median_s is not None and release.skew_p99_s is not None:
        words += (
            f", request by request half within {seconds_words(release.skew_median_s)} of each other, 99 % within"
            f" {seconds_words(release.skew_p99_s)}"
        )
    return words + bound


def agent_words(document: VerdictDocument) -> str | None:
    """How often the agent counted the connections, and what it took of its host; None without an agent."""
    agent = document.agent
    if agent is None:
        return None
    counted = "all" if agent.counted == agent.samples else f"{agent.counted:,}"
    words = f"{counted} of its {agent.samples:,} samples have the connections counted"
    if agent.saved:
        words += f"; {plural(agent.saved, 'beat')} it left out, to keep to its CPU budget"
    return words if agent.cpu_share is None else f"{words}. It used {agent.cpu_share * 100:.1f} % of one core"
