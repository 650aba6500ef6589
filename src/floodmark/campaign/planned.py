"""A run's manifest as its plan has it, and as a master on another host goes on with it. Writes nothing."""

import dataclasses
import datetime as dt
from dataclasses import MISSING, Field, replace
from typing import Any

from floodmark.campaign.plan import RunPlan
from floodmark.campaign.settings import settings_of
from floodmark.core.environment import host_facts, machine_facts, versions_of
from floodmark.core.run_folder import Manifest, RunStatus

PLANNED = ("target", "summary", "hold_known", "command")
"""What a master that was asked at its web UI can only guess."""


def planned_manifest(plan: RunPlan, run_id: str) -> Manifest:
    """All that is known before anything is started."""
    spec = plan.spec
    manifest = Manifest(
        run_id=run_id,
        status=RunStatus.RUNNING,
        started_utc=dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        target=plan.name,
        summary=spec.summary if spec else "a server that was running already",
        url=plan.address.url if plan.address else "",
        profile=plan.profile(),
        hold_known=plan.hold_known,
        workers=plan.workers,
        beat_s=plan.beat_s,
        versions=versions_of(spec.needs.distributions if spec else ()),
        host=host_facts() | machine_facts(),
        command=plan.command,
        request=plan.request,
        sources=plan.sources,
        verify=plan.verify,
        thresholds=plan.goals.thresholds,
        plan=plan.text,
    )
    return replace(manifest, expect=spec.expect, settings=settings_of(spec)) if spec else manifest


def told(recorded: Manifest, planned: Manifest) -> Manifest:
    """What a master has recorded, with what the plan knows and the master was not told: its empty fields are filled."""
    changes = {
        field.name: getattr(planned, field.name)
        for field in dataclasses.fields(Manifest)
        if field.name in PLANNED or getattr(recorded, field.name) == _default(field)
    }
    return replace(recorded, **{**changes, "versions": planned.versions | recorded.versions})


def _default(field: "Field[Any]") -> Any:
    """A field's default; one that must be given has none, and equals nothing."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
