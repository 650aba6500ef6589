"""What requests cost the target in memory, in words. No estimating: that is `floodmark.analysis.memory`."""

from floodmark.analysis.memory_records import Memory, RequestMemory
from floodmark.core.suite import FoundMemory
from floodmark.report.words import size_words

NOTHING = "-"


def memory_words(memory: Memory | None) -> str | None:
    """``57.3 MB before the load, 79.9 MB at most. A request in service took 23 kB ...``; None where it was not seen."""
    if memory is None:
        return None
    most = "upper bounds, for what processes share is counted in each" if memory.shared else ""
    known = memory.running.each_bytes is not None or memory.waiting.each_bytes is not None
    parts = [
        f"{size_words(memory.before_bytes)} before the load, {size_words(memory.peak_bytes)} at most",
        f"a request in service: {_each(memory.running)}",
        f"one that waits inside: {_each(memory.waiting)}",
    ]
    return f"{'; '.join(parts)}{f' ({most})' if most and known else ''}"


def _each(request: RequestMemory) -> str:
    if request.each_bytes is None or request.within_bytes is None:
        return f"not known ({request.words})"
    return f"{size_words(request.each_bytes)}, give or take {size_words(request.within_bytes)}"


def memory_cell(memory: FoundMemory | None) -> str:
    """A table's cell, running and waiting: ``32.5 kB / -``; ``<`` where it is an upper bound."""
    if memory is None:
        return NOTHING
    least = "< " if memory.shared else ""
    sizes = (memory.running_bytes, memory.waiting_bytes)
    words = [NOTHING if size is None else f"{least}{size_words(size)}" for size in sizes]
    return NOTHING if words == [NOTHING, NOTHING] else " / ".join(words)


def found_memory_words(memory: FoundMemory | None) -> str:
    """A sentence for a target's paragraph; empty where nothing is known of one request."""
    if memory is None:
        return ""
    named = (("in service", memory.running_bytes), ("that waits inside it", memory.waiting_bytes))
    known = [f"each request {name} takes about {size_words(size)}" for name, size in named if size is not None]
    if not known:
        return ""
    bound = ", at most: what its processes share is counted in each" if memory.shared else ""
    return f"Memory: {size_words(memory.before_bytes)} before the load; {' and '.join(known)}{bound}."
