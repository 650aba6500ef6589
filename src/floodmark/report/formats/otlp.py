"""A run's metrics to an OpenTelemetry receiver, over OTLP and HTTP. It alone of the report opens a connection.

Locust's own ``--otel`` sends what Locust counts, from Locust's processes, while the load is on. This sends the
verdict's numbers, once, from the process that judges: the two share a receiver and OpenTelemetry's variables.
"""

import datetime as dt
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import floodmark
from floodmark.analysis.document import VerdictDocument
from floodmark.analysis.metrics import metrics_of
from floodmark.core.errors import FloodmarkError
from floodmark.core.outputs import OTLP_ENDPOINTS
from floodmark.core.run_folder import Manifest
from floodmark.report.words import printable

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData

SCOPE = "floodmark"
PATH = "/v1/metrics"
"""Of the OTLP specification: where a receiver takes metrics."""

HTTP_PROTOCOLS = ("", "http/protobuf", "http")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
UNITS = {"s": "s", "bytes": "By", "bytes/s": "By/s", "ratio": "1", "requests/s": "{request}/s"}
"""UCUM, as OpenTelemetry wants it; whatever is counted is an annotation in braces."""

_ERRNO = re.compile(r"\[Errno \d+\] [\w ]+")
"""What the kernel said, inside three libraries' words about it."""

_EXPORTER_LOG = "opentelemetry.exporter.otlp.proto.http.metric_exporter"


def send_otlp(document: VerdictDocument, manifest: Manifest, url: str) -> None:
    """Sends every metric that the run knows, as gauges of the time at which the run began.

    `url` is the receiver's base address, or the whole one with ``/v1/metrics``; empty: as OpenTelemetry's variables
    say, which also give headers, certificates and timeout. Raises `FloodmarkError` where it was not taken. The extra
    ``otel`` is installed (`floodmark.core.outputs.has_otlp`).
    """
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 an extra's
    from opentelemetry.sdk.metrics.export import MetricExportResult  # noqa: PLC0415 the same

    with _collected_log() as said:
        exporter = OTLPMetricExporter(endpoint=_full(url) if url else None)
        try:
            result = exporter.export(_data(document, manifest))
        finally:
            exporter.shutdown()
    if result is not MetricExportResult.SUCCESS:
        raise FloodmarkError(f"{url or _asked_for()}: did not take the metrics: {_reason(said)}")


def is_switched_off(environ: Mapping[str, str]) -> bool:
    """OpenTelemetry's variables say that no metrics are wanted over OTLP."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporters = environ.get("OTEL_METRICS_EXPORTER", "otlp").split(",")
    return disabled or "otlp" not in (exporter.strip().lower() for exporter in exporters)


def refused_protocol(environ: Mapping[str, str]) -> str:
    """The protocol that OpenTelemetry's variables ask for, where it is none of ours; else empty."""
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "").strip().lower()
    return "" if protocol in HTTP_PROTOCOLS else protocol


def _full(url: str) -> str:
    base = url.rstrip("/")
    return base if base.endswith(PATH) else f"{base}{PATH}"


def _reason(said: Sequence[str]) -> str:
    """Why, from what the exporter logged: it tries again and again, and says the first reason each time."""
    words = said[0] if said else "no reason given"
    errno = _ERRNO.search(words)
    return errno[0].strip() if errno else words.partition(" encountered while ")[0].removeprefix("Transient error ")


def _asked_for() -> str:
    return next((f"{name}={os.environ[name]}" for name in OTLP_ENDPOINTS if os.environ.get(name)), "the receiver")


def _data(document: VerdictDocument, manifest: Manifest) -> "MetricsData":
    """All of it as the SDK's own records: its instruments would stamp them with the time of sending."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics  # noqa: PLC0415 an extra's
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 the same
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 the same

    name = os.environ.get("OTEL_SERVICE_NAME", "floodmark")
    resource = Resource.create({"service.name": name, "service.version": floodmark.__version__})
    scope = ScopeMetrics(
        scope=InstrumentationScope(SCOPE, floodmark.__version__),
        metrics=list(_metrics(document, manifest)),
        schema_url="",
    )
    return MetricsData(resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])


def _metrics(document: VerdictDocument, manifest: Manifest) -> Iterator["Metric"]:
    """Whether it counts and which thresholds were met stand beside the numbers: nobody should use them without."""
    labels = {"target": printable(document.target), "run": printable(manifest.run_id)}
    at_ns = _nanoseconds(manifest.started_utc)
    for metric in metrics_of(document).values():
        if metric.value is not None:
            unit = UNITS.get(metric.unit, f"{{{metric.unit}}}")
            yield _gauge(metric.name, metric.words, unit, at_ns, [(labels, metric.value)])
    yield _gauge("run.valid", "1: the run counts, no check failed", "1", at_ns, [(labels, int(document.validity.ok))])
    met = [({**labels, "threshold": printable(result.threshold)}, int(result.ok)) for result in document.thresholds]
    if met:
        yield _gauge("threshold.ok", "1: the threshold was met", "1", at_ns, met)


def _gauge(name: str, words: str, unit: str, at_ns: int, values: Sequence[tuple[dict[str, str], float]]) -> "Metric":
    from opentelemetry.sdk.metrics.export import Gauge, Metric, NumberDataPoint  # noqa: PLC0415 an extra's

    points = [
        NumberDataPoint(attributes=labels, start_time_unix_nano=0, time_unix_nano=at_ns, value=value)
        for labels, value in values
    ]
    return Metric(name=f"{SCOPE}.{name}", description=words, unit=unit, data=Gauge(data_points=points))


def _nanoseconds(stamp: str) -> int:
    moment = dt.datetime.fromisoformat(stamp)
    return int(moment.timestamp()) * 1_000_000_000


@contextmanager
def _collected_log() -> Iterator[list[str]]:
    """What the exporter logs, instead of on stderr: it belongs into the one line that the user gets."""
    said: list[str] = []

    class _Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split()))

    log, handler = logging.getLogger(_EXPORTER_LOG), _Collector()
    propagated, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)
        log.propagate = propagated
