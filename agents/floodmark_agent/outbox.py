"""The live figures: of the samples since the report before, the few that the master is shown. No socket, no series."""

from floodmark.core.sample import Sample

REPORT_EVERY_S = 0.25
"""What a person can follow; the whole series comes after the load."""


class Outbox:
    """Notes samples; what goes into a report is the newest, the newest with the connections counted, and the peak.

    The peak is the sample in which most requests waited to be read: nothing that is over between two reports is missed
    in the live view, and a run whose series was lost still has its deepest queue.
    """

    def __init__(self) -> None:
        self._newest: Sample | None = None
        self._counted: Sample | None = None
        self._peak: Sample | None = None

    def __len__(self) -> int:
        return len({one.sequence for one in (self._newest, self._counted, self._peak) if one is not None})

    def note(self, sample: Sample) -> None:
        """Notes the next sample."""
        self._newest = sample
        if sample.connections:
            self._counted = sample
        if self._peak is None or waiting(sample) > waiting(self._peak):
            self._peak = sample

    def samples(self) -> tuple[Sample, ...]:
        """The report's samples in their order, each once."""
        noted = [sample for sample in (self._newest, self._counted, self._peak) if sample is not None]
        return tuple({sample.sequence: sample for sample in sorted(noted, key=lambda one: one.sequence)}.values())

    def sent(self) -> None:
        """The report has gone: the next begins."""
        self._newest = self._counted = self._peak = None


def waiting(sample: Sample) -> int:
    """How many requests of its clients the target has not read, as far as the sample says."""
    depth = sum(listener.depth for listener in sample.listeners if listener.outer)
    counts = sample.connections[0] if sample.connections else None
    return depth if counts is None else max(depth, counts.accept_queue) + counts.unread
