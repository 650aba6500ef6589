"""Records that several tests of the run folder begin with."""

from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Manifest, RunStatus

RUNNING = Manifest(
    run_id="r",
    status=RunStatus.RUNNING,
    started_utc="2026-01-01",
    target="t",
    url="http://h/",
    profile=BurstProfile(requests=3, within_s=0, hold_s=1),
    hold_known=True,
    workers=1,
    beat_s=0.05,
)
"""A run that has just begun."""
