"""What a sample says of the target's processes and lines, as sums for curves. It keeps the first count of overflows."""

from floodmark.core.sample import Sample


class TreeSums:
    """Sums over the target's process tree; overflows since the first sample."""

    def __init__(self) -> None:
        self._overflows_before: int | None = None

    def of(self, sample: Sample) -> dict[str, int | None]:
        """By the names of the curves; None where the kernel did not say."""
        tree, counters = sample.processes, sample.counters
        if counters is not None and self._overflows_before is None:
            self._overflows_before = counters.listen_overflows
        before = self._overflows_before or 0
        return {
            "processes": None if tree is None else len(tree),
            "threads": None if tree is None else sum(process.threads or 0 for process in tree),
            "open_files": None if tree is None else sum(process.open_files or 0 for process in tree),
            "overflows": None if counters is None else max(0, counters.listen_overflows - before),
        }


def queue_limit(sample: Sample | None) -> int | None:
    """How many fit into the lines at the clients' port; None where no such line was seen."""
    outer = [listener.limit for listener in sample.listeners if listener.outer] if sample else []
    return sum(outer) if outer else None


def is_full(sample: Sample) -> bool:
    """The lines at the clients' port have as many as their limit."""
    depth = sum(listener.depth for listener in sample.listeners if listener.outer)
    limit = queue_limit(sample)
    return limit is not None and depth >= max(1, limit)
