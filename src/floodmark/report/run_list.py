"""Which runs a folder holds, and which of them a name means. It reads what is kept, and judges nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from floodmark.analysis.document import VerdictDocument
from floodmark.core.codec import from_plain
from floodmark.core.errors import FloodmarkError, RunFolderError, UsageError
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import MANIFEST, RUNS_FOLDER, VERDICT, Manifest, RunFolder, RunStatus
from floodmark.core.suite import RowState, SuiteRecord
from floodmark.core.suite_folder import SUITE, SuiteFolder

SHOWN_CANDIDATES = 4


class RunKind(StrEnum):
    """What a folder holds."""

    RUN = "run"
    SEARCH = "search"
    SUITE = "suite"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """One folder. `sentence` is the verdict's; `valid` None: not judged. `problem` says what is wrong with it.

    `ceiling` None: none proven; `peak` None: not judged. Of a suite `rows` and, of these, `done`.
    """

    name: str
    folder: str
    kind: RunKind
    started_utc: str = ""
    target: str = ""
    profile: str = ""
    status: str = ""
    sentence: str = ""
    ceiling: int | None = None
    peak: int | None = None
    answered_per_s: float | None = None
    valid: bool | None = None
    rows: int | None = None
    done: int | None = None
    problem: str = ""


def list_runs(folder: Path) -> list[ListedRun]:
    """Every run, search and suite right below a folder, in the order in which they began.

    One that cannot be read is listed with the reason, and by its name. Raises `UsageError` where the folder is none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; `floodmark run` makes one below {RUNS_FOLDER}/")
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from None
    found = [listed(path) for path in inside]
    known = [one for one in found if one is not None]
    return sorted(known, key=lambda one: (_moment(one), one.name))


def listed(path: Path) -> ListedRun | None:
    """One folder as it is listed; None where nothing says that it is a run's."""
    read: Callable[[Path], ListedRun]
    if (path / SUITE).exists():
        read = _suite
    elif (path / MANIFEST).exists():
        read = _run
    else:
        return _unlike(path)
    try:
        return read(path)
    except (FloodmarkError, OSError) as error:
        return ListedRun(name=path.name, folder=str(path), kind=RunKind.DAMAGED, problem=_one_line(error, path))


def find_run(name: str, folder: Path = Path(RUNS_FOLDER)) -> Path:
    """The folder that a name means: a path, or the begin or any part of a name in `folder` that only one has.

    Raises `UsageError` where none or several fit.
    """
    for path in (Path(name), folder / name):
        if _holds_one(path):
            return path
    names = run_names(folder)
    fitting = [one for one in names if one.startswith(name)] or [one for one in names if name in one]
    if len(fitting) == 1:
        return folder / fitting[0]
    if not fitting:
        raise UsageError(f"{name}: no run folder, and no run in {folder}/ is named so; `floodmark runs` lists them")
    shown = ", ".join(fitting[:SHOWN_CANDIDATES]) + (", ..." if len(fitting) > SHOWN_CANDIDATES else "")
    raise UsageError(f"{name}: fits {len(fitting)} runs in {folder}/: {shown}; give more of the name")


def run_names(folder: Path) -> list[str]:
    """The names of the folders that have a manifest or a suite; empty where the folder is none."""
    try:
        return sorted(path.name for path in folder.iterdir() if _holds_one(path))
    except OSError:
        return []


def _holds_one(path: Path) -> bool:
    """A run, a search or a suite. A name that no file can have has none."""
    try:
        return (path / MANIFEST).exists() or (path / SUITE).exists()
    except OSError:
        return False


def _run(path: Path) -> ListedRun:
    manifest = RunFolder(path).manifest()
    document, problem = _verdict(path, manifest)
    found = document.verdict.in_service if document is not None else None
    pace = document.throughput if document is not None else None
    return ListedRun(
        name=path.name,
        folder=str(path),
        kind=RunKind.SEARCH if isinstance(manifest.profile, SearchProfile) else RunKind.RUN,
        started_utc=manifest.started_utc,
        target=manifest.target,
        profile=_load_words(manifest),
        status=manifest.status.value,
        sentence=document.verdict.sentence if document is not None else "",
        ceiling=found.ceiling if found is not None else None,
        peak=found.peak if found is not None else None,
        answered_per_s=pace.answered_per_s if pace is not None else None,
        valid=document.validity.ok if document is not None else None,
        problem=problem,
    )


def _verdict(path: Path, manifest: Manifest) -> tuple[VerdictDocument | None, str]:
    """The verdict that is kept, and what is wrong; a run that goes on has none yet."""
    file = path / VERDICT
    if not file.exists():
        if manifest.status is RunStatus.RUNNING:
            return None, "it is still going on, or it was cut off"
        if manifest.fired_s is None and not manifest.steps:
            return None, "; ".join(manifest.problems) or "the load was never released"
        return None, f"not judged; `floodmark report {path}` does"
    try:
        document = from_plain(VerdictDocument, json.loads(file.read_text(encoding="utf-8")), VERDICT)
    except (FloodmarkError, OSError, ValueError) as error:
        return None, f"{_one_line(error, path)}; `floodmark report {path}` makes it again"
    failed = [check.name for check in document.validity.checks if check.ok is False]
    return document, f"not valid: {', '.join(failed)}" if failed else ""


def _suite(path: Path) -> ListedRun:
    record: SuiteRecord = SuiteFolder(path).read()
    done = sum(row.state is RowState.DONE for row in record.rows)
    failed = sum(row.state is RowState.FAILED for row in record.rows)
    return ListedRun(
        name=path.name,
        folder=str(path),
        kind=RunKind.SUITE,
        started_utc=record.started_utc,
        target=f"{len({row.target for row in record.rows})} targets",
        profile=f"{len(record.rows)} rows",
        status=record.status.value,
        rows=len(record.rows),
        done=done,
        problem=f"{failed} of its rows failed" if failed else "",
    )


def _unlike(path: Path) -> ListedRun | None:
    """A folder without a manifest: a run's whose files are there, else somebody else's, of which nothing is said."""
    if not any(path.glob("*.jsonl")) and not (path / VERDICT).exists():
        return None
    problem = f"it has no {MANIFEST}"
    return ListedRun(name=path.name, folder=str(path), kind=RunKind.DAMAGED, problem=problem)


def _load_words(manifest: Manifest) -> str:
    profile = manifest.profile
    if isinstance(profile, SearchProfile):
        return f"search to {profile.most:,}"
    amount = getattr(profile, "rate", None) or getattr(profile, "requests", None) or profile.most_connections
    return f"{profile.kind} {amount:,.0f}"


def _moment(one: ListedRun) -> str:
    """When it began; of a damaged one, as its name says, which begins with the time: ``20261121T082233Z-...``."""
    return "".join(letter for letter in one.started_utc if letter.isdigit() or letter == "T")[:15] or one.name[:15]


def _one_line(error: Exception, path: Path) -> str:
    words = " ".join(str(error).split()).replace(f"{path}/", "").replace(f"{path}: ", "")
    return words if isinstance(error, RunFolderError | FloodmarkError) else f"cannot be read: {words}"
