"""What the agent took of the target's host while it watched, and how often it counted. It judges nothing."""

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
    """CPU time from the end of the first sample to that of the last, over the time between; None where not known."""
    known = [(s.taken_s + s.cost_s, s.agent_cpu_s) for s in recording.samples if s.agent_cpu_s is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:  # noqa: PLR2004 - a share takes two readings
        return None
    (began_s, before_s), (ended_s, after_s) = known[0], known[-1]
    return round((after_s - before_s) / (ended_s - began_s), 5)
