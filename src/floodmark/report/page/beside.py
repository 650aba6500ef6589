"""The files of a run's folder as the report links to them: names within the folder, so that both may be moved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.run_folder import (
    CLOCKS,
    HITS,
    LIVE,
    MANIFEST,
    PULSES,
    REPORT,
    SAMPLES,
    SECONDS,
    STEPS,
    TARGET_LOG,
    TIMELINE,
    VERDICT,
    WATERLINE,
    WORKERS,
)
from floodmark.report.words import size_words

WHAT = {
    MANIFEST: "the manifest: what was asked, of whom, with which versions and limits, and how the run ended",
    HITS: "each request with the time of every step; of a steady load a sample",
    SECONDS: "a steady load by worker and second: counts and histograms",
    SAMPLES: "what the agent read from the target's kernel, beat by beat",
    LIVE: "those of its samples that it sent while the load was on",
    PULSES: "the workers' running counts",
    WORKERS: "each worker's own report",
    CLOCKS: "every node's clock against the master's",
    TARGET_LOG: "what the target printed",
    VERDICT: "the verdict as data: every number on this page",
    WATERLINE: "the picture above as a file",
    TIMELINE: "its curves as data, for the web UI's page",
}
"""What there is in this order; then whatever else lies there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBeside:
    """A file in the report's folder; `name` is its path from there, in the form of a URL's but not quoted."""

    name: str
    size: str
    words: str


def files_beside(folder: Path) -> tuple[FileBeside, ...]:
    """The folder's files but for the report itself; of a search also its bursts' reports."""
    paths = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    paths += folder.glob(f"{STEPS}/*/{REPORT}")
    known = list(WHAT)
    ranks = {name: rank for rank, name in enumerate(known)}
    named = {path.relative_to(folder).as_posix(): path for path in paths if path != folder / REPORT}
    ordered = sorted(named, key=lambda name: (ranks.get(name, len(known)), name))
    return tuple(FileBeside(name=name, size=_size(name, named[name]), words=_words(name)) for name in ordered)


def reports_of(files: Sequence[FileBeside]) -> frozenset[str]:
    """The folders of those bursts that have a report."""
    return frozenset(_folders(file.name for file in files))


def _folders(names: Iterable[str]) -> Iterable[str]:
    return (name.removesuffix(f"/{REPORT}") for name in names if name.endswith(f"/{REPORT}"))


def _size(name: str, path: Path) -> str:
    """Of what was recorded: what is made from it is made again with the page."""
    return "" if name in {VERDICT, WATERLINE, TIMELINE} or name.endswith(REPORT) else size_words(path.stat().st_size)


def _words(name: str) -> str:
    if name.endswith(f"/{REPORT}"):
        return "the report of one of the search's bursts"
    return WHAT.get(name, f"what {name.removesuffix('.log')} printed" if name.endswith(".log") else "")
