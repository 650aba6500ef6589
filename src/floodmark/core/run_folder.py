"""The run folder: what one run leaves behind, and the seam between measuring and judging. No analysis here.

    run.json         the manifest: what was asked, of whom, with which versions and limits, and how the run ended
    hits.jsonl       one row per planned request, of a steady load a sample; the first line names the columns
    seconds.jsonl    a steady load, per worker and second: counts and histograms
    samples.jsonl    one agent sample per line: the series, fetched after the load
    live.jsonl       the samples that the agent sent while the load was on, a few a second
    pulses.jsonl     the workers' running counts, for the live view
    workers.jsonl    one report per worker
    clocks.jsonl     clock readings of every node against the master's
    steps/NN/        the bursts of a search, each a run folder of its own
    target.log       what the target printed; *.log what master, workers and agent printed
    verdict.json     made by ``floodmark report``, like report.html, waterline.svg and timeline.json: made again from
                     the rest

Lines are appended and flushed as they come, so that a crash at any moment leaves what was measured readable; a last
line that is cut short is skipped. The manifest is written beside and renamed into place.
"""

import contextlib
import dataclasses
import datetime as dt
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from floodmark.core.absence import Absence
from floodmark.core.clock import ClockReading
from floodmark.core.codec import field_types, from_plain, from_row, to_plain, to_row
from floodmark.core.command_line import CommandLine
from floodmark.core.errors import RunFolderError, WireError
from floodmark.core.hit import Hit
from floodmark.core.kept_json import read_kept
from floodmark.core.line_file import LineFile, unwritable
from floodmark.core.messages import WorkerReport
from floodmark.core.profile import Profile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.sample import Sample, TargetLimits
from floodmark.core.second import Second
from floodmark.core.target import ExpectSpec

FORMAT = 1
RUNS_FOLDER = "runs"
MANIFEST = "run.json"
HITS = "hits.jsonl"
SAMPLES = "samples.jsonl"
LIVE = "live.jsonl"
PULSES = "pulses.jsonl"
WORKERS = "workers.jsonl"
CLOCKS = "clocks.jsonl"
SECONDS = "seconds.jsonl"
STEPS = "steps"
TARGET_LOG = "target.log"
VERDICT = "verdict.json"
REPORT = "report.html"
WATERLINE = "waterline.svg"
TIMELINE = "timeline.json"

R = TypeVar("R")


class RunStatus(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldProbe:
    """Requests sent one at a time before the burst: how long each took, and which unit served it.

    `took_s` per answer; `units` the (process id, thread id) that served each, empty where the answers do not say.
    `unexpected` says of each request without the expected answer what came instead: only steady loads go on then.
    """

    took_s: tuple[float, ...] = ()
    units: tuple[tuple[int, int], ...] = ()
    unexpected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStep:
    """One burst of a search: its folder below the search's, and what its verdict was, once there is one.

    `ceiling` None where none was proven; `peak` the most seen in service; `answered` of `requests`.
    """

    folder: str
    requests: int
    judged: bool = False
    valid: bool = False
    ceiling: int | None = None
    peak: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The run as a whole. `fired_s` is the first planned release, `cut_s` the end of the load: master's clock.

    `steps` are a search's, and only a search has some. `sources` are the addresses that load was to come from, none:
    the kernel's choice. `request` is what was sent and which answer counted. `agent` is the name of the agent whose
    samples these are, `absences` are the times when it was not heard. `commands` are those of the target's
    processes, as the agent read them; `command` is the run's own. `strangers` were on the bus and were not heard.
    `thresholds` are what the run was to meet, as it was asked for; `missed_live` those that ended the load. `plan` is
    the text of the file that the run's options were in, none: there was none. `settings` are what the target's file
    sets, without secrets: of two runs of one target they tell which knob was turned.
    """

    format: int = FORMAT
    run_id: str
    status: RunStatus
    started_utc: str
    target: str
    summary: str = ""
    url: str
    profile: Profile
    hold_known: bool
    workers: int
    beat_s: float
    fired_s: float | None = None
    cut_s: float | None = None
    probe: HoldProbe = dataclasses.field(default_factory=HoldProbe)
    expect: ExpectSpec = dataclasses.field(default_factory=ExpectSpec)
    limits: TargetLimits | None = None
    agent: str = ""
    agent_notes: tuple[str, ...] = ()
    absences: tuple[Absence, ...] = ()
    commands: tuple[CommandLine, ...] = ()
    problems: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    host: dict[str, str] = dataclasses.field(default_factory=dict)
    command: tuple[str, ...] = ()
    request: RequestSpec = dataclasses.field(default_factory=RequestSpec)
    sources: tuple[str, ...] = ()
    verify: bool = True
    steps: tuple[SearchStep, ...] = ()
    thresholds: tuple[str, ...] = ()
    missed_live: tuple[str, ...] = ()
    plan: str = ""
    settings: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything measured in one run, read back; times still on each node's own clock."""

    path: str
    manifest: Manifest
    hits: tuple[Hit, ...]
    samples: tuple[Sample, ...]
    workers: tuple[WorkerReport, ...]
    clocks: tuple[ClockReading, ...]
    seconds: tuple[Second, ...] = ()


def new_run_path(target: str) -> Path:
    """A name under ``runs/`` that begins with the time, so that runs sort by when they were made."""
    stamp = dt.datetime.now(tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path(RUNS_FOLDER) / f"{stamp}-{target}-{os.getpid()}"


class RunFolder:
    """One run folder: appends while the run goes on, reads afterwards. Not thread-safe; one writer per file."""

    def __init__(self, path: Path) -> None:
        """Names the folder; `create` or `read` comes next."""
        self.path = path
        self._open: dict[str, LineFile] = {}

    def create(self) -> None:
        """Makes the folder. Raises `RunFolderError` where it exists with anything in it, or cannot be made."""
        if (self.path / MANIFEST).exists():
            raise RunFolderError(f"{self.path}: holds a run already; give another --out")
        if self.path.is_dir() and any(self.path.iterdir()):
            raise RunFolderError(f"{self.path}: is not empty; give --out a new folder")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be made: {error.strerror}") from None

    def write_manifest(self, manifest: Manifest) -> None:
        """Replaces the manifest, whole or not at all. Raises `RunFolderError` where it cannot be written."""
        self.write_text(MANIFEST, json.dumps(to_plain(manifest), indent=2) + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Writes a file beside and renames it into place. Raises `RunFolderError` where it cannot be written."""
        beside = self.path / f".{name}.{os.getpid()}"
        try:
            beside.write_text(text, encoding="utf-8")
            return beside.replace(self.path / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise unwritable(self.path / name, error) from None

    def append_hits(self, hits: list[Hit]) -> None:
        """Appends raw hits as rows."""
        self._append(HITS, [to_row(hit) for hit in hits], header=_header(Hit))

    def append_hit_rows(self, rows: list[Any]) -> None:
        """Appends hits that came as rows; they are checked when they are read."""
        self._append(HITS, rows, header=_header(Hit))

    def append(self, name: str, records: list[Any]) -> None:
        """Appends records to one of the line files.

        Raises `RunFolderError` where they cannot be written now: they are kept, and written with the next.
        """
        self._append(name, [to_plain(record) for record in records])

    def close(self) -> None:
        """Closes every file that was appended to. Raises `RunFolderError` where there is no room for what waits."""
        problems = []
        for name in tuple(self._open):
            try:
                self._open.pop(name).close()
            except RunFolderError as error:
                problems.append(str(error))
        if problems:
            raise RunFolderError("; ".join(problems))

    def manifest(self) -> Manifest:
        """The manifest. Raises `RunFolderError` where there is none, or one of another format."""
        return read_kept(self.path / MANIFEST, Manifest, kind="a run", folder="a run folder", version=FORMAT)

    def read(self) -> Recording:
        """Everything measured so far; also of a run that crashed. Raises `RunFolderError` naming file and line."""
        manifest = self.manifest()
        if manifest.fired_s is not None and not (self.path / HITS).exists():
            raise RunFolderError(f"{self.path / HITS}: is missing; without its requests a run cannot be judged")
        return Recording(
            path=str(self.path),
            manifest=manifest,
            hits=tuple(self._read_rows(HITS, Hit)),
            samples=self._read_samples(),
            workers=tuple(self._read_records(WORKERS, WorkerReport)),
            clocks=tuple(self._read_records(CLOCKS, ClockReading)),
            seconds=tuple(self._read_records(SECONDS, Second)),
        )

    def _read_samples(self) -> tuple[Sample, ...]:
        """The series; where it has gaps, what was sent while the load was on. In order, each sample once."""
        found = {sample.taken_s: sample for name in (LIVE, SAMPLES) for sample in self._read_records(name, Sample)}
        return tuple(found[taken_s] for taken_s in sorted(found))

    def _append(self, name: str, lines: list[Any], header: Any = None) -> None:
        file = self._open.get(name)
        if file is None:
            path = self.path / name
            is_new = not path.exists()
            file = self._open[name] = LineFile(path)
            if is_new and header is not None:
                lines = [header, *lines]
        file.append("".join(map(_line, lines)))

    def _lines(self, name: str) -> Iterator[tuple[str, Any]]:
        path = self.path / name
        if not path.exists():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                where = f"{path}, line {number}"
                try:
                    yield where, json.loads(line.decode("utf-8"))
                except ValueError as error:
                    raise RunFolderError(f"{where}: not JSON: {error}") from None

    def _read_records(self, name: str, record: type[R]) -> Iterator[R]:
        for where, data in self._lines(name):
            try:
                yield from_plain(record, data, where)
            except WireError as error:
                raise RunFolderError(str(error)) from None

    def _read_rows(self, name: str, record: type[R]) -> Iterator[R]:
        lines = self._lines(name)
        where, header = next(lines, ("", None))
        if header is None:
            return
        if header != _header(record):
            raise RunFolderError(f"{where}: the columns are not those of format {FORMAT}")
        for where, row in lines:
            try:
                yield from_row(record, row, where)
            except WireError as error:
                raise RunFolderError(str(error)) from None


def _header(record: type) -> dict[str, Any]:
    return {"format": FORMAT, "record": record.__name__, "columns": list(field_types(record))}


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"
