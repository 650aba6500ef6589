"""One run as asked for, and whether this machine can carry it. Nothing is started here."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.asked import Asked, profile_of
from floodmark.core.errors import LimitError
from floodmark.core.goals import Goals
from floodmark.core.profile import ArrivalsProfile, ClosedProfile, Profile, prove_workers
from floodmark.core.request_spec import RequestSpec
from floodmark.core.source import parse_sources
from floodmark.core.target import TargetSpec
from floodmark_deploy.limits import LoadPlan, check_limits

STEADY_KINDS = (*ClosedProfile.KINDS, *ArrivalsProfile.KINDS)
"""What these do does not depend on how long the server holds a request."""

UNKNOWN_HOLD_S = 1.0
"""Stands in the profile until the hold has been measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run as asked for. Either `spec` (a target that is started and stopped) or `address` (one that runs already).

    `kind` is the profile's, `asked` its options as given. `source` names the addresses to send from as a user writes
    them; empty: the kernel's choice. `verify` False: any certificate will do. `port` 0: the target's own, or any free
    one. `cpu_budget_percent` of one core is for the agent; None: its own default. `text` is that of the file that the
    options were in, where there was one.
    """

    name: str
    spec: TargetSpec | None
    address: Address | None
    request: RequestSpec
    kind: str
    asked: Asked
    source: str = ""
    verify: bool = True
    workers: int
    port: int
    beat_s: float
    folder: Path
    command: tuple[str, ...]
    cpu_budget_percent: float | None = None
    goals: Goals = field(default_factory=Goals)
    text: str = ""

    @property
    def is_steady(self) -> bool:
        """The load goes on for a time, rather than for a number of requests."""
        return self.kind in STEADY_KINDS

    @property
    def hold_known(self) -> bool:
        """How long the server holds a request was said, or is the server told."""
        return self.asked.hold_s is not None or self.request.holds

    @property
    def measures_hold(self) -> bool:
        """The hold has to be measured before the load."""
        return not self.hold_known and not self.is_steady

    @property
    def is_asked_alone(self) -> bool:
        """Requests are sent one by one before the load.

        Not to a server that holds long, whose hold was said: it would be waited for. One that only fails was asked
        when it was started.
        """
        answers = self.spec is None or self.spec.answers
        return answers and (self.request.holds or self.measures_hold or self.is_steady)

    @property
    def sources(self) -> tuple[str, ...]:
        """The addresses to send from. Raises `UsageError`."""
        return parse_sources(self.source)

    def profile(self, measured_hold_s: float | None = None) -> Profile:
        """The load; until the hold is measured, with one that stands in for it. Raises `UsageError`."""
        asked = self.asked
        if not self.hold_known:
            stand_in_s = 0.0 if self.is_steady else self._unknown_hold_s()
            asked = replace(asked, hold_s=stand_in_s if measured_hold_s is None else measured_hold_s)
        return profile_of(self.kind, asked)

    def _unknown_hold_s(self) -> float:
        """Shorter than a time limit that was given: what is not known yet must not be refused."""
        timeout_s = self.asked.timeout_s
        return min(UNKNOWN_HOLD_S, timeout_s / 2 if timeout_s and timeout_s > 0 else math.inf)


def prove_limits(plan: RunPlan) -> None:
    """Raises `LimitError` naming the first limit of this machine that the plan goes beyond, and the remedy.

    Raises `UsageError` where its numbers do not fit its workers.
    """
    profile = plan.profile()
    prove_workers(profile, plan.workers)
    load = LoadPlan(
        connections=profile.most_connections,
        workers=plan.workers,
        target_nofile=plan.spec.limits.nofile if plan.spec else None,
        sources=max(1, len(plan.sources)),
        target_processes=plan.spec.start.processes if plan.spec else 1,
    )
    for finding in check_limits(load):
        if finding.blocking and not finding.ok:
            workers = f"{load.workers} worker{'s' * (load.workers > 1)}"
            raise LimitError(
                f"{load.connections:,} connections at once from {workers} need {finding.name} {finding.need:,}, and"
                f" this machine allows {finding.have:,}: {finding.remedy}; `floodmark doctor` shows all limits"
            )
