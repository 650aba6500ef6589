"""The records of what requests cost the target in memory. How that is found out: `floodmark.analysis.memory`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMemory:
    """Resident memory that one request more takes in the target's processes, `within_bytes` more or less.

    `each_bytes` None: it cannot be told, and `words` says why.
    """

    each_bytes: int | None
    within_bytes: int | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory (RSS) of the target's processes, before a burst and at most, and what each request took.

    `running` is a request in service, `waiting` one that waits inside the target: unread, or in process. `shared`:
    there were several processes, and what they share is counted in each: the figures are upper bounds then.
    """

    before_bytes: int
    peak_bytes: int
    running: RequestMemory
    waiting: RequestMemory
    shared: bool
