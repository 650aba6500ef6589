"""Metrics over OTLP: what a real receiver gets, and what a user is told where it does not take them."""

import socket
import sys
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from export_cases import judged
from judged_builder import manifest_for
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from floodmark.analysis.metrics import metrics_of
from floodmark.core.errors import FloodmarkError
from floodmark.core.outputs import OTLP_MODULE, Outputs
from floodmark.core.run_folder import MANIFEST, RunFolder
from floodmark.report.formats.exports import export, export_as_environment_asks
from floodmark.report.formats.otlp import send_otlp


class Receiver:
    """Keeps what it is sent, and answers with one status."""

    def __init__(self, status):
        self.status, self.got = status, []

    @contextmanager
    def listening(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, self.headers, ExportMetricsServiceRequest.FromString(body)))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.send_header("Retry-After", "0")
                self.end_headers()

            def log_message(self, *_):
                """Nothing: stderr is the test's."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def receiver():
    return Receiver(200)


@pytest.fixture(autouse=True)
def _no_variables_of_others(monkeypatch):
    for name in ("ENDPOINT", "METRICS_ENDPOINT", "PROTOCOL", "METRICS_PROTOCOL", "HEADERS", "TIMEOUT"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_SDK_DISABLED", "OTEL_METRICS_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def kept(tmp_path):
    """A judged run, and a folder with its manifest."""
    found = judged("fastapi-uvicorn-sync")
    folder = RunFolder(tmp_path)
    folder.write_manifest(manifest_for(found))
    return found, folder


def gauges(message):
    """Name to (unit, [(attributes, value, time)]) of what came."""
    (resource,) = message.resource_metrics
    (scope,) = resource.scope_metrics
    return {
        metric.name: (
            metric.unit,
            [
                (
                    {pair.key: pair.value.string_value for pair in point.attributes},
                    point.as_double if point.HasField("as_double") else point.as_int,
                    point.time_unix_nano,
                )
                for point in metric.gauge.data_points
            ],
        )
        for metric in scope.metrics
    }


def test_every_number_of_the_run_arrives_with_its_unit_and_the_runs_own_time(receiver):
    found = judged("arrivals")
    manifest = manifest_for(found)
    with receiver.listening() as url:
        send_otlp(found.document, manifest, url)
    ((path, headers, message),) = receiver.got
    assert (path, headers["Content-Type"]) == ("/v1/metrics", "application/x-protobuf")
    came = gauges(message)
    labels = {"target": found.document.target, "run": manifest.run_id}
    at_ns = int(datetime.fromisoformat(manifest.started_utc).timestamp()) * 10**9
    known = {metric.name: metric for metric in metrics_of(found.document).values() if metric.value is not None}
    assert {name: points for name, (_, points) in came.items()} == {
        **{f"floodmark.{name}": [(labels, metric.value, at_ns)] for name, metric in known.items()},
        "floodmark.run.valid": [(labels, int(found.document.validity.ok), at_ns)],
        "floodmark.threshold.ok": [
            ({**labels, "threshold": result.threshold}, int(result.ok), at_ns) for result in found.document.thresholds
        ],
    }
    assert came["floodmark.http_req_duration.p95"][0] == "s"
    assert came["floodmark.data_received.rate"][0] == "By/s"
    assert came["floodmark.requests.planned"][0] == "{requests}"
    resource = {pair.key: pair.value.string_value for pair in message.resource_metrics[0].resource.attributes}
    assert resource["service.name"] == "floodmark"


def test_an_address_with_the_path_is_taken_as_it_is(receiver, kept):
    found, folder = kept
    with receiver.listening() as url:
        assert export(found, folder, Outputs(otlp=f"{url}/v1/metrics")) == []
        assert export(found, folder, Outputs(otlp=f"{url}/collector/")) == []
    assert [path for path, _, _ in receiver.got] == ["/v1/metrics", "/collector/v1/metrics"]


def test_opentelemetrys_variables_ask_for_it_and_give_headers_and_name(receiver, kept, monkeypatch):
    found, folder = kept
    with receiver.listening() as url:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue"}
        for name, value in {**environ, "OTEL_SERVICE_NAME": "checkout"}.items():
            monkeypatch.setenv(name, value)
        assert export_as_environment_asks(found, folder, environ) == []
    ((path, headers, message),) = receiver.got
    assert (path, headers["x-team"]) == ("/v1/metrics", "blue")
    resource = {pair.key: pair.value.string_value for pair in message.resource_metrics[0].resource.attributes}
    assert resource["service.name"] == "checkout"


@pytest.mark.parametrize("no", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_METRICS_EXPORTER": "none"}])
def test_where_opentelemetry_is_switched_off_nothing_is_sent_and_nothing_said(receiver, kept, no):
    found, folder = kept
    with receiver.listening() as url:
        assert export_as_environment_asks(found, folder, {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **no}) == []
    assert receiver.got == []


def test_a_receiver_that_is_to_be_spoken_to_in_grpc_is_a_warning(kept):
    found, folder = kept
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    (warning,) = export_as_environment_asks(found, folder, environ)
    assert warning == (
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and no metrics were sent: it is to be grpc, and Floodmark speaks"
        " http/protobuf: give --otlp URL"
    )


def test_a_receiver_that_refuses_is_one_line_with_its_reason(kept, capfd, caplog):
    found, folder = kept
    refusing = Receiver(403)
    with refusing.listening() as url:
        (problem,) = export(found, folder, Outputs(otlp=url))
    assert problem.startswith(f"--otlp {url}: did not take the metrics: ")
    assert "code: 403" in problem
    assert "\n" not in problem
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_receiver_that_is_too_busy_is_one_line_however_often_it_is_asked(kept):
    found, folder = kept
    busy = Receiver(503)
    with busy.listening() as url:
        (problem,) = export(found, folder, Outputs(otlp=url))
    assert len(busy.got) > 1
    assert problem == f"--otlp {url}: did not take the metrics: Service Unavailable"


def test_a_receiver_that_is_not_there_is_one_line(kept, monkeypatch):
    found, folder = kept
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")  # enough for it to try again once
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(
            FloodmarkError, match=r"^http://127.* did not take the metrics: \[Errno 111\] Connection refused$"
        ):
            send_otlp(found.document, folder.manifest(), url)


def test_without_the_extra_it_is_one_line_that_says_what_to_install(kept, monkeypatch):
    found, folder = kept
    monkeypatch.setitem(sys.modules, OTLP_MODULE, None)
    (warning,) = export_as_environment_asks(found, folder, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    assert warning.endswith("OpenTelemetry's exporter is not installed: pip install 'floodmark[otel]'")
    assert (folder.path / MANIFEST).exists()
