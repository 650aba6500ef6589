"""Which of several agents watches the port under load. It asks nobody: it is handed their answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from floodmark.core.errors import ClusterError
from floodmark.core.messages import Watching
from floodmark.load.patience import GATHER_TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The agent that is used, what it said, and a sentence for each of the others."""

    name: str
    watching: Watching
    notes: tuple[str, ...]


def choose(answers: Sequence[tuple[str, Watching | None]], port: int) -> Choice:
    """The first agent that watches the load's `port`; names and answers in the order in which they joined.

    An agent that knows no port of its target yet is taken where no other is better. Raises `ClusterError` where none
    will do, with what each says.
    """
    fit = {name: watching for name, watching in answers if watching and refusal(name, watching, port) is None}
    if not fit:
        words = [refusal(name, watching, port) or "" for name, watching in answers]
        raise ClusterError("; ".join(words) or "no agent is there to watch the target")
    chosen = next((name for name, watching in fit.items() if watching.ports), next(iter(fit)))
    others = tuple(_other(name, watching, chosen, port) for name, watching in answers if name != chosen)
    return Choice(name=chosen, watching=fit[chosen], notes=others)


def refusal(name: str, watching: Watching | None, port: int) -> str | None:
    """Why an agent that gave this answer is not used for a load on `port`; None where it may be."""
    if watching is None:
        return f"waited {GATHER_TIMEOUT_S:g} s for agent {name} to find the target"
    if watching.problem is not None:
        return f"agent {name}: {watching.problem}"
    seen = watching.ports[0] if watching.ports else port
    if seen == port:
        return None
    return f"agent {name} watches port {seen}, and the load goes to port {port}: start it with --port {port}"


def _other(name: str, watching: Watching | None, chosen: str, port: int) -> str:
    if watching is not None and watching.ports and refusal(name, watching, port) is None:
        return (
            f"agent {name} watches port {port}, too: {chosen}, which joined first, is the one whose samples these are"
        )
    if watching is not None and watching.problem is None and watching.ports:
        return f"agent {name} watches port {watching.ports[0]}, not the load's: its samples are not kept"
    said = watching.problem if watching is not None and watching.problem else "it knows no port"
    return f"agent {name} is not used: {said}"
