"""Between the agent's dumps of all connections: which beats have one, and how long what it counted stands. No words.

A dump costs more than the rest of a beat, so the agent makes it as often as its CPU budget allows. What only a dump
tells is unknown on the beats between two, and never 0.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from floodmark.analysis.axis import Axis, Beat
from floodmark.analysis.document import Timeline
from floodmark.core.profile import BurstProfile
from floodmark.core.sample import Sample

Piece = tuple[float, float, int]


def is_counted(beat: Beat) -> bool:
    """The beat had a dump of the connections."""
    return bool(beat.sample.connections)


def counted(beats: Iterable[Beat]) -> list[Beat]:
    """The beats that had a dump of the connections."""
    return [beat for beat in beats if is_counted(beat)]


def beat_of(axis: Axis) -> float:
    """How far the points of a timeline are apart at least: a beat; without an agent a steady load's are a second."""
    is_steady = not isinstance(axis.recording.manifest.profile, BurstProfile)
    return 1.0 if is_steady and not axis.beats else axis.recording.manifest.beat_s


def standing_pieces(axis: Axis, timeline: Timeline, values: Sequence[int | None]) -> list[Piece]:
    """A counted series as pieces. A count stands for a beat, and from there to the next one the lower of the two.

    That only where the agent looked in between, and had no dump to spare: how it was while the agent was away is not
    known. None values are left out.
    """
    beat_s = beat_of(axis)
    glances_s = [beat.at_s for beat in axis.beats if not is_counted(beat)]
    pieces = []
    for (begin_s, end_s), (value, following) in zip(pairwise(timeline.times_s), pairwise(values), strict=True):
        if value is None:
            continue
        own_end_s = min(end_s, begin_s + beat_s)
        pieces.append((begin_s, own_end_s, value))
        looked = bisect_right(glances_s, end_s) > bisect_right(glances_s, begin_s)
        if looked and following is not None and own_end_s < end_s:
            pieces.append((own_end_s, end_s, min(value, following)))
    return pieces


def longest_uncounted_s(axis: Axis) -> float:
    """The longest time of the load in which nobody knows how the connections were.

    A count holds for as long as the beats after it show nothing changed: the target was quiet, and a dump would have
    told the same again.
    """
    known_s, longest_s, last = 0.0, 0.0, None
    for beat in axis.beats:
        if beat.at_s > axis.end_s:
            break
        if is_counted(beat):
            longest_s = max(longest_s, beat.at_s - known_s)
            last = look_of(beat.sample)
        elif last is None or look_of(beat.sample) != last:
            last = None
            continue
        known_s = max(known_s, beat.at_s)
    return max(longest_s, axis.end_s - known_s)


def look_of(sample: Sample) -> object:
    """All of a sample that is cheap to read, and another once the target has done something."""
    depths = [(listener.inode, listener.depth) for listener in sample.listeners]
    work = [(one.pid, one.cpu_s, one.threads, one.open_files) for one in sample.processes or ()]
    return depths, work, sample.counters
