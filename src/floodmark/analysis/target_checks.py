"""Whether the agent's side of a run may be believed: the same reasons as ``checks``, seen from the target."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

from floodmark.analysis.axis import Axis, Beat
from floodmark.analysis.clocks import reboot_words
from floodmark.analysis.counted import counted, is_counted, longest_uncounted_s
from floodmark.analysis.document import Check, Timeline
from floodmark.analysis.timeline import outer_connections
from floodmark.core.clock import AGENT_NODE
from floodmark.core.profile import ClosedProfile

GAP_BEATS = 5.0
"""The agent may be late by five beats while the flood starves it; what happened in a longer gap is not known."""

GAP_HOLDS = 0.2
"""Or by a fifth of a hold, whichever is longer: the plateau that a ceiling is read from lasts a whole one."""

COUNT_GAP_HOLDS = 1.0
"""Between two dumps of all connections while the target is at work: each batch of a hold is to be counted. With its
usual budget an agent that has a core to run on comes to 1.4 s with 10,000 connections."""

STRANGERS = 0.02
"""Of the most connections there can be: others on the port that are not the generator's, for longer than a moment."""

FEW_CONNECTIONS = 2
"""A load balancer's health check or a forgotten browser tab is no load."""


def check_target(axis: Axis, alive: Mapping[float, int], gap_s: float, count_gap_s: float) -> tuple[Check, ...]:
    """The checks that need the agent; without one they are not made, rather than passed.

    `alive`: the most connections that the generator had about the time of each count. `gap_s`: how long the agent may
    be away, and `count_gap_s` how long it may make no dump of the connections, if that is longer than some beats.
    """
    return (
        _samples_complete(axis, gap_s, count_gap_s),
        _ends_agree(axis, alive),
        _target_idle_before(axis),
        _target_unchanged(axis),
    )


def alive_in(timeline: Timeline) -> dict[float, int]:
    """How many requests of a burst were under way at each time; each has a connection of its own."""
    columns = zip(*timeline.places.values(), strict=True)
    return dict(zip(timeline.times_s, (sum(value or 0 for value in column) for column in columns), strict=True))


def on_grid(beat: Beat) -> float:
    """A beat's time as a timeline has it."""
    return round(beat.at_s, 4)


def milliseconds(seconds: float) -> str:
    """A short time as words: ``12 ms``, ``1.5 s``."""
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:.3g} s"


def _samples_complete(axis: Axis, gap_bound_s: float, count_bound_s: float) -> Check:
    name = "agent's samples complete"
    if not axis.beats:
        return _no_samples(axis, name)
    least_s = GAP_BEATS * axis.recording.manifest.beat_s
    bound_s, count_bound_s = max(least_s, gap_bound_s), max(least_s, count_bound_s)
    during = [beat for beat in axis.beats if 0 <= beat.at_s <= axis.end_s]
    gap_s, uncounted_s = _longest_away_s(axis, during), longest_uncounted_s(axis)
    ok = gap_s <= bound_s and uncounted_s <= count_bound_s
    words = f"{len(during):,} samples, the longest gap {milliseconds(gap_s)} (bound {milliseconds(bound_s)})"
    if gap_s <= bound_s and (uncounted_s > count_bound_s or not all(is_counted(beat) for beat in during)):
        words += f"; {_count_words(during, uncounted_s, count_bound_s)}"
    if not ok:
        words = "; ".join([words, *_absence_words(axis)])
    return Check(name=name, ok=ok, words=words)


def _longest_away_s(axis: Axis, during: list[Beat]) -> float:
    """The longest gap between two beats, less those in it that the agent skipped to keep to its CPU budget."""
    beat_s = axis.recording.manifest.beat_s
    gaps_s = [
        beat.at_s - before - beat.sample.saved * beat_s
        for before, beat in zip([0.0, *(b.at_s for b in during)], during, strict=False)
    ]
    return max([*gaps_s, axis.end_s - (during[-1].at_s if during else 0.0)])


def _count_words(during: list[Beat], uncounted_s: float, bound_s: float) -> str:
    words = f"{len(counted(during)):,} of them counted the connections"
    known = f"how these were was unknown for {milliseconds(uncounted_s)} at most (bound {milliseconds(bound_s)})"
    if uncounted_s <= bound_s:
        return f"{words}, {known}"
    return f"{words}, too seldom: {known}. Give the agent more with --cpu-budget, or hold longer"


def _ends_agree(axis: Axis, alive: Mapping[float, int]) -> Check:
    """The target may hold fewer connections than the client believes (half open), but not more, and not none."""
    name = "both ends agree on the connections"
    if not axis.beats:
        return _no_samples(axis, name)
    beats = counted(axis.beats)
    if not any(on_grid(beat) in alive for beat in beats):
        return Check(name=name, ok=None, words="the agent did not count the connections while the load was on")
    if axis.answered() and not any(_established(beat) for beat in beats):
        if not any(alive.values()):
            return Check(name=name, ok=None, words="every connection was gone before either end was looked at")
        words = "requests were answered, and the agent saw no connection: it watched another port or host"
        return Check(name=name, ok=False, words=words)
    at_beats = [(on_grid(beat), _established(beat)) for beat in beats]
    excess = [count - alive[at_s] for at_s, count in at_beats if at_s in alive]
    # One dump may catch the moment between an answer's end here and its close there: two in a row may not.
    worst = max((min(pair) for pair in pairwise(excess)), default=0)
    bound = _bound(axis) + _reopened(axis, alive)
    words = f"at most {max(worst, 0):,} connections on the port were not this run's (bound {bound:,})"
    return Check(name=name, ok=worst <= bound, words=words)


def _target_idle_before(axis: Axis) -> Check:
    """What the target had before the first release: work of somebody else, or of an earlier run, would be counted.

    The master releases a load when the target has done with what came before, or has not for long: so it counts from
    the first time on at which the target was idle; of one that never was, how it was at the last count.
    """
    name = "target idle before the load"
    bound_s = max((reading.bound_s for reading in axis.recording.clocks if reading.node == AGENT_NODE), default=0.0)
    before = [beat for beat in axis.beats if beat.ended_s < -bound_s]
    seen = [counts for beat in before if (counts := outer_connections(beat)) is not None]
    if not seen:
        return Check(name=name, ok=None, words="its connections were not seen before the load")
    held, bound = [counts.established + counts.abandoned for counts in seen], _bound(axis)
    idle = next((number for number, count in enumerate(held) if count <= bound), len(held) - 1)
    busy = max(held[idle:])
    if busy <= bound:
        return Check(name=name, ok=True, words=f"{busy:,} connections on its port before (bound {bound:,})")
    words = f"{busy:,} connections were on its port before (bound {bound:,}), of another client or of a run before"
    return Check(name=name, ok=False, words=f"{words}: wait until the server has worked them off, or restart it")


def lost_processes(axis: Axis) -> tuple[int, ...] | None:
    """The processes that were there before the load and are gone at its end, rising; None where they were not seen."""
    before, during = _processes_before(axis), _processes_at_end(axis)
    return None if before is None or during is None else tuple(sorted(before - during))


def _target_unchanged(axis: Axis) -> Check:
    """The processes that were there when the load began must be there at its end."""
    name = "target not restarted"
    if reboot := reboot_words(axis.recording):
        return Check(name=name, ok=False, words=f"{reboot}, and what ran there had ended")
    stood, gone = _processes_before(axis), lost_processes(axis)
    if stood is None or gone is None:
        return Check(name=name, ok=None, words="its processes were not seen")
    if gone:
        listed = ", ".join(str(pid) for pid in gone)
        ended = f"{len(gone):,} of its {len(stood):,} processes" if len(stood) > 1 else "its process"
        return Check(name=name, ok=False, words=f"{ended} ended while the load was on: pid {listed}")
    kept = "its process was" if len(stood) == 1 else f"its {len(stood):,} processes were"
    return Check(name=name, ok=True, words=f"{kept} there to the end")


def _processes_before(axis: Axis) -> set[int] | None:
    """As the last beat before the load saw them; None where none did."""
    seen = [beat.sample.processes for beat in axis.beats if beat.at_s < 0 and beat.sample.processes]
    return {process.pid for process in seen[-1]} if seen else None


def _processes_at_end(axis: Axis) -> set[int] | None:
    load = [beat.sample.processes for beat in axis.beats if 0 <= beat.at_s <= axis.end_s]
    seen = [processes for processes in load if processes is not None]
    return {process.pid for process in seen[-1]} if seen else None


def _no_samples(axis: Axis, name: str) -> Check:
    """A run without an agent is not looked into; one that had an agent and has no samples has lost them."""
    if axis.recording.manifest.limits is None:
        return Check(name=name, ok=None, words="no agent took part")
    words = "; ".join(["an agent took part, and samples.jsonl is missing or empty", *_absence_words(axis)])
    return Check(name=name, ok=False, words=words)


def _absence_words(axis: Axis) -> list[str]:
    """Why samples may be missing: when the agent was not there."""
    manifest = axis.recording.manifest
    return [absence.words(manifest.fired_s) for absence in manifest.absences]


def _established(beat: Beat) -> int:
    counts = outer_connections(beat)
    return counts.established if counts else 0


def _bound(axis: Axis) -> int:
    return max(FEW_CONNECTIONS, int(STRANGERS * axis.recording.manifest.profile.most_connections))


def _reopened(axis: Axis, alive: Mapping[float, int]) -> int:
    """How many old connections may be with the target still when their clients have new ones: at most one of each.

    Not more than were opened in one second, without a closed loop's first ones. 0 where every connection was kept.
    """
    profile = axis.recording.manifest.profile
    opened: Counter[int] = Counter()
    for second in axis.recording.seconds:
        opened[second.second] += second.opened
    if opened.total() <= profile.most_connections:
        return 0
    if not isinstance(profile, ClosedProfile):
        return min(max(opened.values()), max(alive.values(), default=0))
    opened[0] -= profile.most_connections
    return min(max(opened.values()), profile.most_connections)
