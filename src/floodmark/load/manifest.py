"""The manifest of a run as its master begins it; a caller that prepared the folder has written the target's part."""

import datetime as dt
import sys
from dataclasses import replace

from floodmark.core.environment import host_facts, versions_of
from floodmark.core.run_folder import MANIFEST, Manifest, RunFolder, RunStatus
from floodmark.load.options import BurstOptions

DISTRIBUTIONS = ("floodmark", "locust", "gevent", "pyzmq")


def begin_manifest(folder: RunFolder, options: BurstOptions, workers: int) -> Manifest:
    """The manifest to begin with: the one that is in the folder already, or a new one from the options."""
    if (folder.path / MANIFEST).exists():
        known = folder.manifest()
        return replace(known, beat_s=options.beat_s, versions=known.versions | versions_of(DISTRIBUTIONS))
    return Manifest(
        run_id=folder.path.name,
        status=RunStatus.RUNNING,
        started_utc=dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        target=options.address.authority,
        url=options.address.url,
        profile=options.profile,
        hold_known=True,  # --hold says it, whether or not the path passes it on
        workers=workers,
        beat_s=options.beat_s,
        versions=versions_of(DISTRIBUTIONS),
        host=host_facts(),
        command=tuple(sys.argv),
    )
