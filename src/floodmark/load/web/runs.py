"""The run folders that a master has: which there are, what became of each, and their files by name. It writes nothing.

A name from a browser is looked up among those that are there, never put into a path.
"""

import dataclasses
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floodmark.core.codec import from_plain
from floodmark.core.curves import Curves
from floodmark.core.errors import FloodmarkError
from floodmark.core.run_folder import MANIFEST, REPORT, RUNS_FOLDER, STEPS, TIMELINE, VERDICT, Manifest, RunFolder
from floodmark.load.bus.strangers import one_line
from floodmark.load.plan_words import plan_words
from floodmark.load.web.tables import short

MOST_RUNS = 40
"""That are listed, the newest first."""
SENTENCE_CHARACTERS = 600
MOST_REASONS = 12
MOST_KNOWN = 1_000
"""Entries that are kept between looks."""
SETTLED_S = 2.0
"""A stamp's clock ticks a hundred times a second, or less on a network's disk: what has just changed may change again
without another stamp."""
JSON_BYTES = 4 << 20
"""Of a verdict or a timeline: both are far below, and what is above was not written by Floodmark."""
SERVED = frozenset(
    [".csv", ".hgrm", ".html", ".json", ".jsonl", ".log", ".md", ".png", ".prom", ".svg", ".txt", ".xml"]
)
"""Endings of what is handed out of a run folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCard:
    """What became of a run, short. `reasons` say why it does not count, `advice` what to change."""

    sentence: str
    valid: bool
    status: str
    ceiling: int | None
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
    thresholds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One line in the list of runs. `files` are those of `SERVED`, `verdict` None where there is none yet.

    `outcomes` are its requests by what became of them.
    """

    name: str
    kind: str
    target: str
    status: str
    started_utc: str
    files: tuple[str, ...]
    verdict: VerdictCard | None
    plan: str = ""
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)


class RunShelf:
    """The runs below ``runs/`` where the master was started, and those that it keeps elsewhere."""

    def __init__(self, root: Path = Path(RUNS_FOLDER)) -> None:
        self._root = root
        self._elsewhere: dict[str, Path] = {}
        self._drawn: tuple[tuple[Path, float], Curves | None] | None = None
        self._known: dict[str, tuple[tuple[float, ...], RunEntry | None]] = {}
        self._listed: tuple[float, dict[str, Path]] | None = None

    def note(self, path: Path) -> str:
        """Takes a run in that is written now, and returns its name here: that of a search's burst has its search's."""
        if path.parent.name == STEPS:
            return f"{self.note(path.parent.parent)}/{STEPS}/{path.name}"
        if path.parent.resolve() != self._root.resolve():
            self._elsewhere[path.name] = path
        return path.name

    def entries(self) -> list[RunEntry]:
        """The newest runs."""
        found = [self.entry(name) for name in sorted(self._folders(), reverse=True)[:MOST_RUNS]]
        return [entry for entry in found if entry is not None]

    def entry(self, name: str) -> RunEntry | None:
        """One run; None where there is none of this name, or it cannot be read."""
        path = self.folder(name)
        if path is None:
            return None
        stamps = tuple(_stamp(path / file) for file in (MANIFEST, VERDICT, REPORT))
        known = self._known.get(name)
        if known is None or known[0] != stamps:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[name] = (stamps, _entry(name, path))
        return known[1]

    def folder(self, name: str) -> Path | None:
        """A run's folder, or that of a search's burst (``NAME/steps/01-16``)."""
        run, _, step = name.partition(f"/{STEPS}/")
        path = self._folders().get(run)
        if path is None or not step:
            return path
        return _children(path / STEPS).get(step)

    def file(self, name: str, file: str) -> Path | None:
        """A file of a run, or of one of a search's bursts (``steps/01-16/report.html``), where it may be handed out."""
        within, _, last = file.rpartition("/")
        path = self.folder(f"{name}/{within}" if within else name)
        found = _children(path).get(last) if path is not None else None
        return found if found is not None and found.is_file() and found.suffix in SERVED else None

    def curves(self, name: str) -> Curves | None:
        """A finished run's curves as `floodmark report` wrote them; None where it has not."""
        file = self.file(name, TIMELINE)
        if file is None:
            return None
        key = file, _stamp(file)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, _curves(file)
        return self._drawn[1]

    def _folders(self) -> dict[str, Path]:
        """By name. A master may have thousands, and is asked several times a second: it looks where there is news."""
        stamp = _stamp(self._root)
        if self._listed is None or self._listed[0] != stamp or time.time() - stamp < SETTLED_S:
            self._listed = stamp, {name: path for name, path in _children(self._root).items() if path.is_dir()}
        return self._listed[1] | self._elsewhere


def _children(path: Path) -> dict[str, Path]:
    try:
        return {child.name: child for child in path.iterdir() if not child.name.startswith(".")}
    except OSError:
        return {}


def _stamp(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _entry(name: str, path: Path) -> RunEntry | None:
    try:
        manifest = RunFolder(path).manifest()
    except FloodmarkError:
        return None
    names = [child.name for child in _children(path).values() if child.suffix in SERVED]
    verdict = _json(path / VERDICT)
    return RunEntry(
        name=name,
        kind=manifest.profile.kind,
        target=short(manifest.target),
        status=manifest.status.value,
        started_utc=manifest.started_utc,
        files=tuple(sorted(names)),
        verdict=_card(verdict, manifest),
        plan=plan_words(manifest.profile),
        outcomes=_outcomes(verdict),
    )


def _card(data: Any, manifest: Manifest) -> VerdictCard | None:
    """Of ``verdict.json`` the part that is shown; it is another room's record, so that it is read as plain data."""
    try:
        verdict, validity = data["verdict"], data["validity"]
        failed = [f"{check['name']}: {check['words']}" for check in validity["checks"] if check["ok"] is False]
        thresholds = [("met: " if one["ok"] else "missed: ") + one["words"] for one in data.get("thresholds", [])]
        return VerdictCard(
            sentence=one_line(verdict["sentence"], SENTENCE_CHARACTERS),
            valid=bool(validity["ok"]),
            status=manifest.status.value,
            ceiling=verdict["in_service"]["ceiling"],
            reasons=_lines(failed),
            advice=_lines(verdict["advice"]),
            thresholds=_lines(thresholds),
        )
    except (TypeError, KeyError):
        return None


def _curves(file: Path) -> Curves | None:
    data = _json(file)
    try:
        return None if data is None else from_plain(Curves, data, str(file))
    except FloodmarkError:
        return None


def _outcomes(data: Any) -> dict[str, int]:
    found = data.get("outcomes", {}) if isinstance(data, dict) else {}
    return {short(name): count for name, count in found.items() if isinstance(count, int)}


def _lines(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(one_line(str(one), SENTENCE_CHARACTERS) for one in list(words)[:MOST_REASONS])


def _json(file: Path) -> Any:
    """None where it is not there, is too long, or is no JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size <= JSON_BYTES else None
    except (OSError, ValueError):
        return None
