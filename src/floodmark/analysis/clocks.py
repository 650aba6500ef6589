"""The nodes' clocks over a run: what the verdict says of them, and whether they may be believed."""

from floodmark.analysis.document import Check, NodeClock
from floodmark.core.clock import AGENT_NODE, ClockCourse, clock_courses
from floodmark.core.run_folder import Recording


def node_clocks(recording: Recording) -> tuple[NodeClock, ...]:
    """Each node's clock, in the order in which they were read first."""
    return tuple(
        NodeClock(
            node=node,
            offset_s=round(course.best.offset_s, 9),
            bound_s=round(course.bound_s, 9),
            drift_s=None if course.drift_s is None else round(course.drift_s, 9),
            over_s=None if course.over_s is None else round(course.over_s, 3),
        )
        for node, course in clock_courses(recording.clocks).items()
    )


def check_clocks(recording: Recording) -> Check:
    """Every node's clock is known better than the agent's beat, and has not jumped by more than that."""
    name, beat_s = "clocks aligned", recording.manifest.beat_s
    courses = clock_courses(recording.clocks)
    if not courses:
        return Check(name=name, ok=False, words="no clock was read: clocks.jsonl is missing or empty")
    node, worst = max(courses.items(), key=lambda item: item[1].bound_s)
    if worst.jumped_s and worst.bound_s > beat_s:
        if node == AGENT_NODE and (reboot := reboot_words(recording)):
            words = f"{reboot}, and its clock began anew: times of before and after do not go together"
            return Check(name=name, ok=False, words=words)
        words = f"the clock of {node} jumped: {_time(abs(worst.drift_s or 0.0))} in {worst.over_s:,.0f} s"
        return Check(name=name, ok=False, words=f"{words}, times of both hosts do not go together")
    words = f"within {_time(worst.bound_s)} of the master (bound {_time(beat_s)}){_drift_words(courses)}"
    return Check(name=name, ok=worst.bound_s <= beat_s, words=words)


def reboot_words(recording: Recording) -> str:
    """When the target's host was started again during the run; empty where it was not."""
    manifest = recording.manifest
    return "; ".join(absence.words(manifest.fired_s) for absence in manifest.absences if absence.rebooted)


def _drift_words(courses: dict[str, ClockCourse]) -> str:
    """Where one has drifted by more than the reading's own error, which on one host none does."""
    node, course = max(courses.items(), key=lambda item: item[1].moved_s)
    if not course.moved_s or course.drift_s is None or not course.over_s:
        return ""
    ppm = course.drift_s / course.over_s * 1e6
    return f"; {node} drifted by {_time(abs(course.drift_s))} ({ppm:+,.0f} ppm), which is taken off"


def _time(seconds: float) -> str:
    """``0.12 ms``, ``50 ms``, ``1.5 s``."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
