"""Times, rates and releases as rows and phrases: the same for the terminal and the page. No layout."""

from floodmark.analysis.document import Percentiles, VerdictDocument
from floodmark.analysis.steady_sentence import amount, seconds_words
from floodmark.report.words import duration, size_words

PERCENTILE_COLUMNS = ("mean", "50 %", "75 %", "90 %", "95 %", "99 %", "99.9 %", "max")


def latency_rows(document: VerdictDocument) -> list[tuple[str, Percentiles]]:
    """The times of answered requests that are known, the whole first."""
    named = (
        ("to the last byte", document.latency),
        ("to the first byte", document.first_byte),
        ("connecting alone", document.connect),
    )
    return [(name, times) for name, times in named if times is not None]


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
    return f"{words}; the first of {release.workers:,} workers {seconds_words(release.spread_s)} apart{bound}"
