"""What requests cost the target's processes in memory: told from how it grew while the first ones came in.

Memory that a process has had it seldom gives back, so only the first growth says anything: from before the release to
the first answer. After that, new requests live in what old ones left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Timeline
from floodmark.analysis.memory_records import Memory, RequestMemory
from floodmark.analysis.timeline import tree_total
from floodmark.core.places import Place
from floodmark.core.run_folder import STEPS

NOISE_BYTES = 256 * 2**10
"""RSS is kept per core and read without what each has not handed in: 32 pages of 4 KiB on each of two cores, at most
(percpu_counter_batch in lib/percpu_counter.c)."""

SURE = 2.0
"""In standard errors: the truth is further off in one case of twenty."""

SURE_SHARE = 0.5
"""What may be off by more than half of itself is not told."""

LEAST_SPARE = 2
"""Points beyond the unknowns: with fewer, whatever was measured fits."""

FEW_REQUESTS = 10
"""Fewer than this tell nothing of one."""

SINGULAR = 1e-9
"""Of a matrix whose diagonal is 1: below it, the columns are the same."""

NAMES = ("in service", "waiting inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """The target at one beat: how many were in service and waited inside it, and its memory."""

    counts: tuple[int, int]
    rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guess:
    """Bytes for one request more, and the standard error."""

    each_bytes: float
    error_bytes: float


def memory_of(axis: Axis, timeline: Timeline) -> Memory | None:
    """The target's memory before and under a burst, and what each request took; None where it was not seen.

    A request that is connecting or in the accept queue is the kernel's, and is in no process' memory. A search's bursts
    come to a target that has had others: what they need is there already.
    """
    if PurePath(axis.recording.path).parent.name == STEPS:
        return None
    # Every beat, not those of the timeline alone: of a long load the agent counts the connections at few of them.
    beats = [(beat.at_s, tree_total(beat, "rss_bytes")) for beat in axis.beats if beat.at_s <= axis.end_s]
    seen = [(at_s, rss) for at_s, rss in beats if rss]
    before = [rss for at_s, rss in seen if at_s < 0]
    if not before or len(before) == len(seen):
        return None
    processes = max(count or 0 for count in timeline.processes)
    running, waiting = _told(_filling(axis, timeline), processes * NOISE_BYTES)
    return Memory(
        before_bytes=before[-1],
        peak_bytes=max(rss for _, rss in seen),
        running=running,
        waiting=waiting,
        shared=processes > 1,
    )


def _filling(axis: Axis, timeline: Timeline) -> list[_Point]:
    """The beats until the first answer; of those between which nothing changed, the last: memory follows the count."""
    first_s = min((request.ended_s for request in axis.answered() if request.ended_s is not None), default=math.inf)
    places = (timeline.places[place] for place in (Place.IN_SERVICE, Place.IN_PROCESS, Place.UNREAD))
    points: list[_Point] = []
    for at_s, rss, running, in_process, unread in zip(timeline.times_s, timeline.rss_bytes, *places, strict=True):
        if at_s >= first_s or not rss or running is None or in_process is None or unread is None:
            continue
        point = _Point(counts=(running, in_process + unread), rss_bytes=rss)
        if points and points[-1].counts == point.counts:
            points.pop()
        points.append(point)
    return points


def _told(points: Sequence[_Point], noise_bytes: int) -> tuple[RequestMemory, RequestMemory]:
    """What is known of one that runs, and of one that waits inside."""
    most = tuple(max((point.counts[column] for point in points), default=0) for column in range(2))
    # Where few are left once all have come, the others passed through on their way to a handler.
    last = points[-1].counts if points else (0, 0)
    many = [column for column in range(2) if last[column] >= FEW_REQUESTS]
    guesses = dict(zip(many, _guesses(points, many, noise_bytes / SURE), strict=False))
    found = [
        _judged(guesses[column], most[column], noise_bytes)
        if column in guesses
        else _unknown(_why_not(column, most[column], many))
        for column in range(2)
    ]
    return found[0], found[1]


def _guesses(points: Sequence[_Point], many: Sequence[int], error_bytes: float) -> list[_Guess]:
    """With requests in one place only, the growth divided by their number; in both, least squares over the beats."""
    if len(many) == 1:
        return _by_growth(points, many[0], error_bytes)
    return _by_least_squares(points, error_bytes) if many else []


def _by_growth(points: Sequence[_Point], column: int, error_bytes: float) -> list[_Guess]:
    first = points[0]
    fullest = max(points, key=lambda point: point.counts[column])
    number = fullest.counts[column] - first.counts[column]
    if not number:
        return []
    return [_Guess(each_bytes=(fullest.rss_bytes - first.rss_bytes) / number, error_bytes=error_bytes / number)]


def _by_least_squares(points: Sequence[_Point], error_bytes: float) -> list[_Guess]:
    """RSS as a constant, plus so much for each in service, plus so much for each that waits: two unknowns beside it.

    `error_bytes` is the reading's own. None where the two grew in step. The error is the residuals', and never less.
    """
    spare = len(points) - 3
    if spare < LEAST_SPARE:
        return []
    rss = _centred([float(point.rss_bytes) for point in points])
    runs, waits = (_centred([float(point.counts[column]) for point in points]) for column in range(2))
    run_run, wait_wait, run_wait = _dot(runs, runs), _dot(waits, waits), _dot(runs, waits)
    determinant = run_run * wait_wait - run_wait**2
    if determinant <= SINGULAR * run_run * wait_wait:
        return []
    runs_rss, waits_rss = _dot(runs, rss), _dot(waits, rss)
    each_run = (wait_wait * runs_rss - run_wait * waits_rss) / determinant
    each_wait = (run_run * waits_rss - run_wait * runs_rss) / determinant
    left = [total - each_run * run - each_wait * wait for total, run, wait in zip(rss, runs, waits, strict=True)]
    sigma = max(math.sqrt(_dot(left, left) / spare), error_bytes)
    return [
        _Guess(each_bytes=each_run, error_bytes=sigma * math.sqrt(wait_wait / determinant)),
        _Guess(each_bytes=each_wait, error_bytes=sigma * math.sqrt(run_run / determinant)),
    ]


def _centred(values: list[float]) -> list[float]:
    mean = fmean(values)
    return [value - mean for value in values]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def _judged(guess: _Guess, most: int, noise_bytes: int) -> RequestMemory:
    each, off = guess.each_bytes, SURE * guess.error_bytes
    if each > 0 and off <= SURE_SHARE * each:
        return RequestMemory(each_bytes=round(each), within_bytes=round(off), words=f"from {most:,} at once")
    if abs(each) <= off <= SURE * noise_bytes / most:
        return _unknown(
            f"too little to be seen with {most:,} at once: below {math.ceil((each + off) / 1024):,} KiB each"
        )
    return _unknown(f"with {most:,} at once it cannot be told from what else changed")


def _why_not(column: int, most: int, many: Sequence[int]) -> str:
    if not most:
        return f"none was {NAMES[column]} while the load came in"
    if column not in many:
        return "too few to tell" if most <= FEW_REQUESTS else "they only passed through"
    return "those in service and those waiting inside came too quickly, or in step, to be told apart"


def _unknown(words: str) -> RequestMemory:
    return RequestMemory(each_bytes=None, within_bytes=None, words=words)
