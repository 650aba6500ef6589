"""Who runs a request: thread, process or event loop, reused or new. From unit identities, else from the kernel."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

from floodmark.analysis.axis import Axis, Beat, Request
from floodmark.analysis.document import Model, Unit
from floodmark.analysis.steps import StepCount
from floodmark.core.sample import ProcessSample

NEW_SHARE = 0.8
"""Of the requests must have got a unit of their own for "new for each"; a reused pool gives few units many requests."""

SEEN_BEATS = 4
"""A thread that lives for a hold of four beats is in at least three samples."""

GROWTH_SHARE = 0.5
"""Threads or processes that came with the load explain the number in service when they are at least half of it."""

LOOP_SHARE = 1.5
"""Of the units seen: with more in service than that, a unit runs several at once, though no two of a sample met."""


def judge_model(axis: Axis, peak: int, ceiling: int | None) -> Model:
    """The execution model; `peak` is the most in service at once."""
    served = [request for request in axis.requests if request.hit.tid is not None and request.hit.pid is not None]
    if served:
        return _by_identities(axis, served, ceiling)
    return _by_kernel(axis, peak, ceiling, _Load(answered=len(axis.answered()), held_s=axis.served_hold_s))


def judge_sampled_model(axis: Axis, at_once: float, answered: int, service_s: float | None) -> Model:
    """The execution model of a steady load, of whose `answered` requests a sample is known, `at_once` in service.

    That two of a sample met in one unit proves an event loop; that none did proves nothing. That a unit came again
    proves that it is used again. `service_s` None: who runs a request cannot be told from the kernel alone.
    """
    served = [request for request in axis.requests if request.hit.tid is not None and request.hit.pid is not None]
    if not served:
        load = _Load(answered=answered, held_s=service_s or 0.0)
        return _by_kernel(axis, round(at_once) if service_s is not None else 0, None, load)
    model = _by_identities(axis, served, None)
    units = len({(request.hit.pid, request.hit.tid) for request in served})
    words = model.words.replace(" came from", " of a sample came from", 1)
    if model.unit is not Unit.EVENT_LOOP and at_once > LOOP_SHARE * units:
        return replace(model, unit=Unit.EVENT_LOOP, reused=True, words=words.replace(_unit_noun(model), "event loop"))
    return replace(model, words=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """How many were answered, and how long each was with a handler."""

    answered: int
    held_s: float


def _unit_noun(model: Model) -> str:
    return model.unit.value.replace("-", " ") if model.unit is not None else ""


def _by_identities(axis: Axis, served: list[Request], ceiling: int | None) -> Model:
    by_unit: dict[tuple[int, int], list[Request]] = {}
    for request in served:
        by_unit.setdefault((request.hit.pid or 0, request.hit.tid or 0), []).append(request)
    processes = len({pid for pid, _ in by_unit})
    if any(_overlap(requests) for requests in by_unit.values()):
        unit = Unit.EVENT_LOOP
    elif all(pid == tid for pid, tid in by_unit):
        unit = Unit.PROCESS
    else:
        unit = Unit.THREAD
    reused = _reused(axis, unit, len(served), set(by_unit))
    per_process = _per_process(unit, ceiling, processes, reused=reused) if _even(by_unit) else None
    inside = "" if unit is Unit.PROCESS else f" in {counted(processes, 'process')}"
    units = counted(len(by_unit), unit.value.replace("-", " "))
    words = f"{counted(len(served), 'answer')} came from {units}{inside}{_example(served)}"
    return Model(unit=unit, reused=reused, processes=processes, per_process=per_process, words=words)


def _even(by_unit: dict[tuple[int, int], list[Request]]) -> bool:
    """True where every process ran equally many at its best: only then is there a number per process."""
    by_process: dict[int, list[tuple[float, float]]] = {}
    for (pid, _), requests in by_unit.items():
        by_process.setdefault(pid, []).extend((r.handler_begin_s or 0.0, r.handler_end_s or 0.0) for r in requests)
    peaks = set()
    for intervals in by_process.values():
        count = StepCount(intervals)
        peaks.add(max(count.at((begin_s + end_s) / 2) for begin_s, end_s in intervals))
    return len(peaks) == 1


def _overlap(requests: list[Request]) -> bool:
    """True where one unit ran two of its requests at the same time: only an event loop does."""
    known = [(r.handler_begin_s or 0.0, r.handler_end_s or 0.0) for r in requests]
    if len(known) < 2:  # noqa: PLR2004 - two is what an overlap takes
        return False
    count = StepCount(known)
    return any(count.at((begin_s + end_s) / 2) > 1 for begin_s, end_s in known)


def _reused(axis: Axis, unit: Unit, served: int, units: set[tuple[int, int]]) -> bool | None:
    """True where a unit served twice; else the requests that were sent one at a time before the burst decide.

    A pool answers these from one unit, or from a unit that serves the burst too; a new unit each time does neither.
    """
    if unit is Unit.EVENT_LOOP or len(units) < NEW_SHARE * served:
        return True
    probed = axis.recording.manifest.probe.units
    if set(probed) & units or len(set(probed)) < len(probed):
        return True
    # Each served once: that says "new for each" only where a unit that was done could have been taken again.
    return False if probed or _had_a_choice(axis) else None


def _had_a_choice(axis: Axis) -> bool:
    begins = [request.handler_begin_s for request in axis.requests if request.handler_begin_s is not None]
    ends = [request.handler_end_s for request in axis.requests if request.handler_end_s is not None]
    return bool(begins and ends) and max(begins) > min(ends)


def _per_process(unit: Unit | None, ceiling: int | None, processes: int | None, *, reused: bool | None) -> int | None:
    if ceiling is None or not processes:
        return None
    if unit is Unit.PROCESS:
        return 1
    return round(ceiling / processes) if reused or processes == 1 else None


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 process``, ``1,000 processes``."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def _example(served: list[Request]) -> str:
    """``: 'Thread-1'``; empty where the evidence has no names."""
    names = Counter(request.hit.thread for request in served if request.hit.thread)
    if not names:
        return ""
    common, _ = names.most_common(1)[0]
    return f": {common!r}" if len(names) == 1 else f": {len(names):,} thread names, such as {common!r}"


def _by_kernel(axis: Axis, peak: int, ceiling: int | None, load: _Load) -> Model:
    """Without evidence in the answers: what the agent saw of processes and threads while the load was on."""
    before = _tree_before(axis)
    during = [beat.sample.processes for beat in axis.beats if beat.at_s >= 0 and beat.sample.processes is not None]
    if before is None or not during or not peak:
        return Model(
            unit=None, reused=None, processes=None, per_process=None, words="no evidence of who runs a request"
        )
    most = max(during, key=lambda tree: (_threads(tree), len(tree)))
    new_processes = len(most) - len(before)
    new_threads = _threads(most) - _threads(before)
    started = sum(process.threads_started for tree in during for process in tree)
    unit: Unit | None
    reused: bool | None
    if new_processes >= GROWTH_SHARE * peak:
        unit, reused = Unit.PROCESS, _pool(started, load.answered, peak)
    elif new_threads >= GROWTH_SHARE * peak:
        unit, reused = Unit.THREAD, _pool(started, load.answered, peak)
        if reused and _unlisted_s(axis) > load.held_s:
            reused = None
    else:
        held_beats = load.held_s / axis.recording.manifest.beat_s
        unit = _standing_unit(before, peak, ceiling, started, held_beats)
        reused = None if unit is None else True
    words = (
        f"with {peak:,} in service the target had {counted(len(most), 'process')} and"
        f" {counted(_threads(most), 'thread')} ({len(before):,} and {_threads(before):,} before);"
        f" {counted(started, 'new thread')} seen during the load"
    )
    processes = _serving(before, most, unit, new_processes)
    return Model(
        unit=unit,
        reused=reused,
        processes=processes,
        per_process=_per_process(unit, ceiling, processes, reused=reused),
        words=words,
    )


def _tree_before(axis: Axis) -> tuple[ProcessSample, ...] | None:
    before = [beat.sample.processes for beat in axis.beats if beat.at_s < 0 and beat.sample.processes is not None]
    return before[-1] if before else None


def _threads(tree: tuple[ProcessSample, ...]) -> int:
    return sum(process.threads or 0 for process in tree)


def _pool(started: int, answered: int, peak: int) -> bool | None:
    """Whether units that came with the load are a pool: that starts as many as run at once, not as many as are served.

    None where no more were answered than ran at once: both would have started the same number.
    """
    if answered <= peak * (1 + GROWTH_SHARE):
        return None
    return started < NEW_SHARE * answered


def _unlisted_s(axis: Axis) -> float:
    """The longest time of the load between two listings of all threads: those that lived for less may not be seen."""
    during = [beat for beat in axis.beats if beat.at_s >= 0]
    if all(_listed(beat) for beat in during):
        return 0.0
    listed_s = [0.0, *(beat.at_s for beat in during if _listed(beat)), axis.end_s]
    return max(later - sooner for sooner, later in pairwise(listed_s))


def _listed(beat: Beat) -> bool:
    return all(process.threads_listed for process in beat.sample.processes or ())


def _standing_unit(
    before: tuple[ProcessSample, ...], peak: int, ceiling: int | None, started: int, held_beats: float
) -> Unit | None:
    """The units were there before: as many threads as run at once, as many processes, or loops that run many each.

    A loop is concluded from what did not happen (no thread came), so the holds must be long enough to have seen it.
    """
    if ceiling is not None and ceiling in (len(before), len(before) - 1) and _threads(before) < ceiling + len(before):
        return Unit.PROCESS
    if peak > _threads(before):
        return Unit.EVENT_LOOP if held_beats >= SEEN_BEATS and not started else None
    return Unit.THREAD if ceiling is not None else None


def _serving(
    before: tuple[ProcessSample, ...], most: tuple[ProcessSample, ...], unit: Unit | None, new_processes: int
) -> int | None:
    """How many processes ran handlers: a first process that only keeps others is not one of them."""
    if unit is Unit.PROCESS and new_processes > 0:
        return new_processes
    if unit is None:
        return None
    parents = {process.parent for process in before}
    leaves = [process for process in most if process.pid not in parents]
    return max(1, len(leaves))
