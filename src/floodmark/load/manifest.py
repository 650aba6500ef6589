"""The manifest of a run as its master begins it; a caller that prepared the folder has written the target's part."""

import datetime as dt
import platform
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from floodmark.core.run_folder import MANIFEST, Manifest, RunFolder, RunStatus
from floodmark.load.options import BurstOptions

DISTRIBUTIONS = ("floodmark", "locust", "gevent", "pyzmq")


def begin_manifest(folder: RunFolder, options: BurstOptions, workers: int) -> Manifest:
    """The manifest to begin with: the one that is in the folder already, or a new one from the options."""
    if (folder.path / MANIFEST).exists():
        known = folder.manifest()
        return replace(known, beat_s=options.beat_s, versions=known.versions | versions())
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
        versions=versions(),
        host=host_facts(),
        command=tuple(sys.argv),
    )


def versions() -> dict[str, str]:
    """Versions of what measured, by distribution; one that is not installed as a distribution is left out."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def host_facts() -> dict[str, str]:
    """The machine this process runs on: kernel and processor kind."""
    return {"kernel": f"{platform.system()} {platform.release()}", "machine": platform.machine()}
