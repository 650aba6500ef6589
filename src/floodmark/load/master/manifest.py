"""The manifest of a run as its master begins it; a caller that prepared the folder has written the target's part."""

import datetime as dt
import sys
from dataclasses import replace

from floodmark.core.environment import host_facts, machine_facts, versions_of
from floodmark.core.profile import SteadyProfile
from floodmark.core.run_folder import MANIFEST, Manifest, RunFolder, RunStatus
from floodmark.load.options import LoadOptions

DISTRIBUTIONS = ("floodmark", "locust", "gevent", "pyzmq", "hdrhistogram")


def begin_manifest(folder: RunFolder, options: LoadOptions, workers: int) -> Manifest:
    """The manifest to begin with: the one that is in the folder already, or a new one from the options."""
    if (folder.path / MANIFEST).exists():
        known = folder.manifest()
        return replace(
            known,
            beat_s=options.beat_s,
            versions=known.versions | versions_of(DISTRIBUTIONS),
            request=options.request,
            sources=options.sources,
            verify=options.verify,
            thresholds=options.goals.thresholds,
        )
    return Manifest(
        run_id=folder.path.name,
        status=RunStatus.RUNNING,
        started_utc=now_utc(),
        target=options.address.authority,
        url=options.address.url,
        profile=options.profile,
        # --hold says it; but where a steady load's path does not pass it on, it may be a default that nobody meant.
        hold_known=options.request.holds or not isinstance(options.profile, SteadyProfile),
        workers=workers,
        beat_s=options.beat_s,
        versions=versions_of(DISTRIBUTIONS),
        host=host_facts() | machine_facts(),
        command=tuple(sys.argv),
        request=options.request,
        sources=options.sources,
        verify=options.verify,
        thresholds=options.goals.thresholds,
    )


def step_manifest(search: Manifest, step: Manifest) -> Manifest:
    """A search's step as the search knows it: who is the target, what is known of it, what it is made of."""
    return replace(
        step,
        run_id=f"{search.run_id}/{step.run_id}",
        target=search.target,
        summary=search.summary,
        url=search.url,
        hold_known=search.hold_known,
        probe=search.probe,
        expect=search.expect,
        versions=search.versions,
        command=search.command,
        settings=search.settings,
    )


def now_utc() -> str:
    """The time as a manifest has it."""
    return dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds")
