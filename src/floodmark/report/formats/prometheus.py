"""A run's metrics in Prometheus' text format, for a textfile collector or a Pushgateway. Nothing is sent."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from floodmark.analysis.document import VerdictDocument
from floodmark.analysis.metrics import Metric, metrics_of
from floodmark.report.words import printable

PREFIX = "floodmark"
LABELS = ("target", "run")
UNITS = {"s": "seconds", "bytes/s": "bytes_per_second", "requests/s": "requests_per_second"}
"""Suffixes of units that are no word yet: base units, as Prometheus' naming rules ask for."""


def to_prometheus(document: VerdictDocument, run_id: str) -> str:
    """One gauge per metric that the run knows, whether it counts, and whether each threshold was met."""
    registry = CollectorRegistry()
    registry.register(_Run(document, run_id))
    return generate_latest(registry).decode("utf-8")


def gauge_name(metric: Metric) -> str:
    """``http_req_duration.p95`` in s is ``floodmark_http_req_duration_p95_seconds``."""
    name = f"{PREFIX}_{metric.name.replace('.', '_').replace('-', '_')}"
    unit = UNITS.get(metric.unit, metric.unit)
    return name if name.endswith(f"_{unit}") else f"{name}_{unit}"


class _Run(Collector):
    """One run's numbers, collected once."""

    def __init__(self, document: VerdictDocument, run_id: str) -> None:
        self._document = document
        self._labels = (printable(document.target), printable(run_id))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, in the catalogue's order."""
        document = self._document
        for metric in metrics_of(document).values():
            if metric.value is not None:
                yield self._gauge(gauge_name(metric), metric.words, metric.value)
        yield self._gauge(f"{PREFIX}_run_valid", "1: the run counts, no check failed", document.validity.ok)
        if document.thresholds:
            met = GaugeMetricFamily(f"{PREFIX}_threshold_ok", "1: the threshold was met", labels=(*LABELS, "threshold"))
            for threshold, ok in {printable(result.threshold): result.ok for result in document.thresholds}.items():
                met.add_metric((*self._labels, threshold), ok)
            yield met

    def _gauge(self, name: str, words: str, value: float) -> GaugeMetricFamily:
        gauge = GaugeMetricFamily(name, words, labels=LABELS)
        gauge.add_metric(self._labels, value)
        return gauge
