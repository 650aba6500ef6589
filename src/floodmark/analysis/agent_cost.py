"""What the agent took of the target's host while it watched, and how often it counted. It judges nothing."""

from itertools import pairwise

from floodmark.analysis.document import AgentCost
from floodmark.core.run_folder import Recording


def agent_cost(recording: Recording) -> AgentCost | None:
    """Of all samples of the run; None without any."""
    samples = recording.samples
    if not samples:
        return None
    return AgentCost(
        samples=len(samples),
        counted=sum(bool(sample.connections) for sample in samples),
        saved=sum(sample.saved for sample in samples),
        cpu_share=_cpu_share(recording),
    )


def _cpu_share(recording: Recording) -> float | None:
    """CPU time from the end of each sample to that of the next, over the times between; None where not known.

    Where the agent was restarted its samples are numbered from 0 again, and its counter begins anew: what either of
    both took in between is in no reading, and that time is left out.
    """
    known = [(s.sequence, s.taken_s + s.cost_s, s.agent_cpu_s) for s in recording.samples if s.agent_cpu_s is not None]
    took_s = over_s = 0.0
    for (number, before_s, cpu_s), (following, at_s, later_cpu_s) in pairwise(known):
        if following > number and later_cpu_s >= cpu_s:
            took_s += later_cpu_s - cpu_s
            over_s += at_s - before_s
    return round(took_s / over_s, 5) if over_s > 0 else None
