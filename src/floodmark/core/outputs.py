"""Where a run's results are to go beside its folder, as `--export` and `--otlp` say it. Nothing is written here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from floodmark.core.asked_file import prove_file
from floodmark.core.errors import UsageError

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""GitHub Actions' own: a file per step, to which Markdown is appended."""

OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own, the narrower one first (its specification of the OTLP exporter)."""

OTLP_MODULE = "opentelemetry.exporter.otlp.proto.http"
OTLP_REMEDY = "OpenTelemetry's exporter is not installed: pip install 'floodmark[otel]'"


class ExportFormat(StrEnum):
    """The formats of `--export`; the values are what may stand before the colon."""

    JUNIT = "junit"
    MARKDOWN = "markdown"
    JSON = "json"
    METRICS = "metrics"
    SERIES = "series"
    SECONDS = "seconds"
    HGRM = "hgrm"
    PROMETHEUS = "prometheus"


ENDINGS = {
    "series.csv": ExportFormat.SERIES,
    "seconds.csv": ExportFormat.SECONDS,
    ".csv": ExportFormat.METRICS,
    ".xml": ExportFormat.JUNIT,
    ".md": ExportFormat.MARKDOWN,
    ".json": ExportFormat.JSON,
    ".hgrm": ExportFormat.HGRM,
    ".prom": ExportFormat.PROMETHEUS,
}
"""The format that a file's name means; the first that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One file to be written."""

    format: ExportFormat
    path: str

    @property
    def words(self) -> str:
        """As `--export` takes it."""
        return f"{self.format.value}:{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was asked for: files, and the base URL of an OpenTelemetry receiver; empty: none."""

    exports: tuple[Export, ...] = ()
    otlp: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a command line that ask for the same."""
        exports = tuple(word for export in self.exports for word in ("--export", export.words))
        return (*exports, "--otlp", self.otlp) if self.otlp else exports


def parse_outputs(exports: Sequence[str], otlp: str = "") -> Outputs:
    """What `--export` and `--otlp` say. Raises `UsageError` where it could not be written when the run is over."""
    found = tuple(_parse_export(words) for words in exports)
    seen: dict[str, str] = {}
    for export, words in zip(found, exports, strict=True):
        prove_file("--export", export.path)
        place = os.path.realpath(export.path)
        if place in seen:
            raise UsageError(f"--export {words}: {seen[place]} goes to the same file; give each a file of its own")
        seen[place] = words
    if otlp:
        prove_otlp(otlp)
    return Outputs(exports=found, otlp=otlp)


def prove_otlp(url: str) -> None:
    """Raises `UsageError` for what is no address of a receiver, or where the exporter is not installed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--otlp {url!r}: give the receiver's address, as in http://127.0.0.1:4318")
    if not has_otlp():
        raise UsageError(f"--otlp {url}: {OTLP_REMEDY}")


def has_otlp() -> bool:
    """Whether the extra ``otel`` is installed. Nothing of it is imported."""
    try:
        return find_spec(OTLP_MODULE) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False


def asked_by_environment(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables by which the environment asks for results."""
    return tuple(name for name in (STEP_SUMMARY, *OTLP_ENDPOINTS) if environ.get(name))


def _parse_export(words: str) -> Export:
    name, colon, path = words.partition(":")
    if colon and "/" not in name:
        if name not in list(ExportFormat):
            raise UsageError(f"--export {words}: no format {name!r}; {_known()}")
        return _named(words, path, ExportFormat(name))
    for ending, known in ENDINGS.items():
        if Path(words).name.endswith(ending):
            return _named(words, words, known)
    raise UsageError(f"--export {words}: no format is known by this ending; {_known()}")


def _named(words: str, path: str, known: ExportFormat) -> Export:
    if path in ("", "-"):
        raise UsageError(f"--export {words}: give the name of a file; only --json can print")
    return Export(format=known, path=path)


def _known() -> str:
    endings: dict[str, list[str]] = {}
    for ending, known in ENDINGS.items():
        endings.setdefault(known.value, []).append(ending)
    listed = ", ".join(f"{known.value} ({', '.join(endings[known.value])})" for known in ExportFormat)
    return f"there are {listed}; a format goes before the file's name, as in junit:FILE"
