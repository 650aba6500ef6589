"""One run as asked for, and whether this machine can carry it. Nothing is started here."""

from dataclasses import dataclass
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.errors import LimitError
from floodmark.core.target import RequestSpec, TargetSpec
from floodmark_deploy.limits import check_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run as asked for. Either `spec` (a target that is started and stopped) or `address` (one that runs already).

    `hold_s` None: the target's own default, or measured. `port` 0: the target's own, or any free one.
    """

    name: str
    spec: TargetSpec | None
    address: Address | None
    request: RequestSpec
    requests: int
    within_s: float
    hold_s: float | None
    timeout_s: float | None
    workers: int
    port: int
    beat_s: float
    folder: Path
    command: tuple[str, ...]


def prove_limits(plan: RunPlan) -> None:
    """Raises `LimitError` naming the first limit of this machine that the plan goes beyond, and the remedy."""
    nofile = plan.spec.limits.nofile if plan.spec else None
    for finding in check_limits(plan.requests, plan.workers, nofile):
        if finding.blocking and not finding.ok:
            workers = f"{plan.workers} worker{'s' * (plan.workers > 1)}"
            raise LimitError(
                f"{plan.requests:,} requests from {workers} need {finding.name} {finding.need:,}, and this machine"
                f" allows {finding.have:,}: {finding.remedy}; `floodmark doctor` shows all limits"
            )
