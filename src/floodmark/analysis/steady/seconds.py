"""A steady load's seconds, put together over its workers: counts added, histograms merged. No judging."""

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from floodmark.analysis.document import SecondPoint
from floodmark.analysis.percentiles import US_PER_S, decoded_histogram, empty_histogram
from floodmark.analysis.service import SERVED
from floodmark.analysis.steady.way import QUICKEST_RANK
from floodmark.core.errors import RunFolderError
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import SECONDS, Recording
from floodmark.core.second import Second

LATE_END_S = 60.0
"""A worker's last second may lie behind the plan's end, where the worker was held up; a minute behind it is a mistake.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadySeconds:
    """All seconds of a load. The histograms are of microseconds, over all workers and seconds.

    `served[k]` counts the requests that a handler ran for in second k, whatever its answer was worth.
    `quickest_s[k]` is what the quickest twentieth of its answers took at most; None without answers.
    `failed` are all failures by outcome, `failed_in` those of each second; `received_bytes` per second.
    """

    points: tuple[SecondPoint, ...]
    served: tuple[int, ...]
    quickest_s: tuple[float | None, ...]
    received_bytes: tuple[int, ...]
    failed: Counter[Outcome]
    failed_in: tuple[Counter[Outcome], ...]
    latency: Any
    transfer: Any
    late: Any
    connect: Any


@dataclass(slots=True, kw_only=True)
class _Worker:
    """One worker's seconds, and what is known of it as they are walked through; `planned` of the newest ones."""

    seconds: dict[int, Second]
    last: int
    latest: Second | None = None
    unreleased: int = 0
    planned: deque[int] = field(default_factory=deque)


def merge_seconds(recording: Recording) -> SteadySeconds:
    """The seconds over all workers, from 0 to the last. Raises `RunFolderError` that names a second that is broken."""
    workers = _by_worker(recording)
    timeout_s = recording.manifest.profile.timeout_s or 0.0
    number = 1 + max((worker.last for worker in workers), default=-1)
    whole = {name: empty_histogram() for name in ("latency", "transfer", "late", "connect")}
    points, served, received = [], [], []
    quickest: list[float | None] = []
    failed_in: list[Counter[Outcome]] = []
    for index in range(number):
        found = [worker.seconds[index] for worker in workers if index in worker.seconds]
        own = empty_histogram()
        for second in found:
            _add(own, second.latency, recording, second)
            _add(whole["transfer"], second.transfer, recording, second)
            _add(whole["late"], second.late, recording, second)
            _add(whole["connect"], second.connect, recording, second)
        whole["latency"].add(own)
        kinds = _kinds(found, recording)
        failed_in.append(kinds)
        at_end = [_advance(worker, index, timeout_s) for worker in workers]
        points.append(_point(index, found, sum(kinds.values()), at_end, own))
        quickest.append(own.get_value_at_percentile(QUICKEST_RANK) / US_PER_S if own.get_total_count() else None)
        served.append(sum(second.answered for second in found) + sum(kinds[kind] for kind in SERVED))
        received.append(sum(second.received_bytes for second in found))
    return SteadySeconds(
        points=tuple(points),
        served=tuple(served),
        quickest_s=tuple(quickest),
        received_bytes=tuple(received),
        failed=sum(failed_in, Counter()),
        failed_in=tuple(failed_in),
        **whole,
    )


def _by_worker(recording: Recording) -> list[_Worker]:
    found: dict[str, dict[int, Second]] = {}
    for second in recording.seconds:
        if not 0 <= second.second <= recording.manifest.profile.longest_s + LATE_END_S:
            where = f"{recording.path}/{SECONDS}: {second.worker}"
            raise RunFolderError(f"{where}: second {second.second} is none of this load")
        found.setdefault(second.worker, {})[second.second] = second
    return [_Worker(seconds=own, last=max(own)) for own in found.values()]


def _add(whole: Any, encoded: str, recording: Recording, second: Second) -> None:
    if not encoded:
        return
    try:
        whole.add(decoded_histogram(encoded))
    except ValueError as error:
        where = f"{recording.path}/{SECONDS}: {second.worker}, second {second.second}"
        raise RunFolderError(f"{where}: {error}") from None


def _kinds(found: Iterable[Second], recording: Recording) -> Counter[Outcome]:
    kinds: Counter[Outcome] = Counter()
    for second in found:
        for kind, number in second.failed.items():
            try:
                kinds[Outcome(kind)] += number
            except ValueError:
                where = f"{recording.path}/{SECONDS}: {second.worker}, second {second.second}"
                raise RunFolderError(f"{where}: {kind!r} is no outcome") from None
    return kinds


def _advance(worker: _Worker, index: int, timeout_s: float) -> tuple[int, int, int]:
    """In flight, unreleased and open connections of one worker at the end of a second; nothing when it is over.

    What was planned and not released waits for a connection, but not for longer than its timeout: then it is given up.
    """
    second = worker.seconds.get(index)
    if second is not None:
        worker.latest = second
        worker.unreleased += second.planned - second.released
        worker.planned.append(second.planned)
        while len(worker.planned) > math.ceil(timeout_s) + 1:
            worker.planned.popleft()
    if worker.latest is None or index > worker.last:
        return 0, 0, 0
    unreleased = max(0, min(worker.unreleased, sum(worker.planned)))
    return worker.latest.in_flight, unreleased, worker.latest.open_connections


def _point(
    index: int, found: list[Second], failed: int, at_end: list[tuple[int, int, int]], latency: Any
) -> SecondPoint:
    p50_s = p99_s = max_s = None
    if latency.get_total_count():
        ranked = latency.get_percentile_to_value_dict([50.0, 99.0])
        p50_s, p99_s = ranked[50.0] / US_PER_S, ranked[99.0] / US_PER_S
        max_s = latency.get_max_value() / US_PER_S
    return SecondPoint(
        second=index,
        planned=sum(second.planned for second in found),
        released=sum(second.released for second in found),
        answered=sum(second.answered for second in found),
        failed=failed,
        in_flight=sum(in_flight for in_flight, _, _ in at_end),
        unreleased=sum(unreleased for _, unreleased, _ in at_end),
        open_connections=sum(connections for _, _, connections in at_end),
        p50_s=p50_s,
        p99_s=p99_s,
        max_s=max_s,
    )
