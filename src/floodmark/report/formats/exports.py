"""A judged run into the files and to the receivers that were asked for. What stands in each is others' business."""

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

from floodmark.analysis.document import Judged
from floodmark.analysis.latency import latency_histogram
from floodmark.analysis.search import decisive
from floodmark.core.errors import FloodmarkError
from floodmark.core.outputs import OTLP_ENDPOINTS, OTLP_REMEDY, STEP_SUMMARY, ExportFormat, Outputs, has_otlp
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import RunFolder
from floodmark.report.formats.hgrm import to_hgrm
from floodmark.report.formats.junit import not_run, to_junit
from floodmark.report.formats.markdown import not_judged, to_markdown
from floodmark.report.formats.metrics_csv import to_metrics_csv, to_seconds_csv, to_series_csv
from floodmark.report.formats.otlp import is_switched_off, refused_protocol, send_otlp
from floodmark.report.formats.prometheus import to_prometheus
from floodmark.report.formats.verdict_json import to_json


def export(judged: Judged, folder: RunFolder, outputs: Outputs) -> list[str]:
    """Writes and sends what was asked for, as far as it can be, and returns what could not, one line each."""
    problems = []
    for wanted in outputs.exports:
        try:
            Path(wanted.path).write_text(render(wanted.format, judged, folder), encoding="utf-8")
        except OSError as error:
            problems.append(f"--export {wanted.words}: cannot be written: {error.strerror}")
        except FloodmarkError as error:
            problems.append(f"--export {wanted.words}: {error}")
    if outputs.otlp:
        try:
            send_otlp(judged.document, folder.manifest(), outputs.otlp)
        except FloodmarkError as error:
            problems.append(f"--otlp {error}")
    return problems


def export_as_environment_asks(judged: Judged, folder: RunFolder, environ: Mapping[str, str]) -> list[str]:
    """What CI and OpenTelemetry ask for by variables of their own; what could not be done is worth a warning each."""
    warnings = []
    if path := environ.get(STEP_SUMMARY):
        try:
            _append(path, render(ExportFormat.MARKDOWN, judged, folder))
        except OSError as error:
            warnings.append(f"{STEP_SUMMARY}={path}: cannot be written: {error.strerror}")
    asked = next((name for name in OTLP_ENDPOINTS if environ.get(name)), "")
    if asked and not is_switched_off(environ):
        try:
            _send(judged, folder, environ)
        except FloodmarkError as error:
            warnings.append(f"{asked} is set, and no metrics were sent: {error}")
    return warnings


def export_failure(target: str, words: str, at: dt.datetime, outputs: Outputs, environ: Mapping[str, str]) -> None:
    """Of a run that came to no verdict: what CI reads says so, and has no older verdict in its place.

    What cannot be written is passed over: `words` are told anyway. `at` is in UTC.
    """
    for wanted in outputs.exports:
        if wanted.format is ExportFormat.JUNIT:
            with contextlib.suppress(OSError):
                Path(wanted.path).write_text(not_run(target, words, at.isoformat()), encoding="utf-8")
    if path := environ.get(STEP_SUMMARY):
        with contextlib.suppress(OSError):
            _append(path, not_judged(target, words))


def render(kind: ExportFormat, judged: Judged, folder: RunFolder) -> str:
    """A judged run in one of the formats. Raises `RunFolderError` where it takes raw records that are not there."""
    return _RENDER[kind](judged, folder)


def _measured(folder: RunFolder) -> RunFolder:
    """The folder with the requests: of a search that of its decisive burst, which its verdict is of."""
    manifest = folder.manifest()
    if not isinstance(manifest.profile, SearchProfile):
        return folder
    step = manifest.steps[decisive(manifest.steps, str(folder.path))]
    return RunFolder(folder.path / step.folder)


def _append(path: str, page: str) -> None:
    """Another page below those that are there already. Raises `OSError`."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{page}\n")


def _send(judged: Judged, folder: RunFolder, environ: Mapping[str, str]) -> None:
    if not has_otlp():
        raise FloodmarkError(OTLP_REMEDY)
    if protocol := refused_protocol(environ):
        raise FloodmarkError(f"it is to be {protocol}, and Floodmark speaks http/protobuf: give --otlp URL")
    send_otlp(judged.document, folder.manifest(), "")


_RENDER: dict[ExportFormat, Callable[[Judged, RunFolder], str]] = {
    ExportFormat.JUNIT: lambda judged, folder: to_junit(judged.document, folder.manifest()),
    ExportFormat.MARKDOWN: lambda judged, folder: to_markdown(judged, folder.manifest()),
    ExportFormat.JSON: lambda judged, _: to_json(judged.document),
    ExportFormat.METRICS: lambda judged, _: to_metrics_csv(judged.document),
    ExportFormat.SERIES: lambda judged, _: to_series_csv(judged.timeline),
    ExportFormat.SECONDS: lambda judged, _: to_seconds_csv(judged.seconds),
    ExportFormat.HGRM: lambda _, folder: to_hgrm(latency_histogram(_measured(folder).read())),
    ExportFormat.PROMETHEUS: lambda judged, folder: to_prometheus(judged.document, folder.manifest().run_id),
}
