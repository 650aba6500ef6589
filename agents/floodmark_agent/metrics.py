"""Prometheus text at ``/metrics``, for the times between tests; a thread of its own. It takes no orders.

The format is that of https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4. A scrape looks at the
target anew, at most once a second; the deepest line since the scrape before is of the samples that the agent took in
between, where it was watching.
"""

import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Protocol

from floodmark.core.errors import FloodmarkError, TargetError, WireError
from floodmark.core.sample import ConnectionCounts, ListenerSample, Sample
from floodmark_agent.sampler import Glance

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LOG = logging.getLogger(__name__)

PATH = "/metrics"
LOOK_EVERY_S = 1.0
"""Scrapes that come faster are answered with the same text: what a stranger asks for must not cost."""
CLIENT_TIMEOUT_S = 2.0
"""For a whole request, however it comes."""
CLOSE_TIMEOUT_S = 2 * CLIENT_TIMEOUT_S + 1.0
"""A request and its answer, and the server's own look at whether it is to end."""
_PLACES = ("accept_queue", "unread", "read", "half_open", "abandoned", "closing", "time_wait", "stuck")


class Scraped(Protocol):
    """A target that has been found."""

    def glance(self) -> Glance:
        """The cheap figures."""

    def count(self) -> tuple[ConnectionCounts, ...]:
        """All connections, counted."""

    def close(self) -> None:
        """Ends the watch."""


class Metrics:
    """Serves one address until `close`."""

    def __init__(self, address: tuple[str, int], *, open_target: Callable[[], Scraped]) -> None:
        """Binds and begins to serve. Raises `FloodmarkError` where the address cannot be had, now or ever."""
        self._open_target = open_target
        self._target: Scraped | None = None
        self._peaks: dict[str, int] = {}
        self._lock = threading.Lock()
        self._text = b""
        self._looked_s = -LOOK_EVERY_S
        host, port = address
        try:
            self._server = _Server((host, port), self.text)
        except OSError as error:
            # No usage error: at a host's start an address may be taken, or not be there, for a moment.
            raise FloodmarkError(f"--metrics {host}:{port} cannot be served: {error.strerror or error}") from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        _LOG.info("metrics at http://%s:%d%s", host, self.port, PATH)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Ends serving and gives everything back; a scrape that goes on for longer is left behind with its thread."""
        threading.Thread(target=self._server.shutdown, name="metrics' end", daemon=True).start()
        self._thread.join(timeout_s)
        self._server.server_close()
        if not self._thread.is_alive():
            self._forget()

    def note_sample(self, sample: Sample) -> None:
        """Notes how deep the lines were when the agent looked, between two scrapes."""
        self.note_depths(sample.listeners)

    def note_depths(self, listeners: tuple[ListenerSample, ...]) -> None:
        """Notes how deep the lines of one sample are."""
        with self._lock:
            for one in listeners:
                self._peaks[one.address] = max(one.depth, self._peaks.get(one.address, 0))

    def text(self) -> bytes:
        """The figures as they are now, or were within the last second. Runs in the server's thread."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._text = "".join(f"{line}\n" for line in self._lines()).encode()
        return self._text

    def _lines(self) -> Iterator[str]:
        try:
            if self._target is None:
                self._target = self._open_target()
            glance, counts = self._target.glance(), self._target.count()
        except (TargetError, WireError, OSError) as error:
            _LOG.debug("nothing to show: %s", error)
            self._forget()
            yield from _family("floodmark_up", "gauge", "1 where the target was found", [("", 0)])
            return
        self.note_depths(glance.listeners)
        with self._lock:
            peaks, self._peaks = self._peaks, {}
        yield from _family("floodmark_up", "gauge", "1 where the target was found", [("", 1)])
        yield from _listener_lines(glance.listeners, peaks)
        places = [
            (f'{{port="{one.port}",place="{place}"}}', getattr(one, place)) for one in counts for place in _PLACES
        ]
        yield from _family("floodmark_connections", "gauge", "connections of the server's side, by place", places)
        yield from _process_lines(glance)

    def _forget(self) -> None:
        if self._target is not None:
            self._target.close()
            self._target = None


class _Server(HTTPServer):
    """Answers one request at a time; a slow client is cut off."""

    def __init__(self, address: tuple[str, int], text: Callable[[], bytes]) -> None:
        if ":" in address[0]:
            self.address_family = 10  # AF_INET6
        self.text = text
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own: that one asks the name service who this host is.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Hurried(io.RawIOBase):
    """Reads a request that must be there in time: a socket's own timeout begins anew with every byte."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        self._end_s = time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request was not there in time")
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """GET /metrics, nothing else."""

    timeout = CLIENT_TIMEOUT_S  # for the answer; the request's is kept by `_Hurried`
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Hurried(self.connection, CLIENT_TIMEOUT_S))

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(404, "only /metrics is here")
            return
        body = self.server.text()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        _LOG.debug("metrics: %s", words[1:])


def _listener_lines(listeners: tuple[ListenerSample, ...], peaks: dict[str, int]) -> Iterator[str]:
    def rows(value: Callable[[ListenerSample], int]) -> list[tuple[str, float]]:
        labels = '{{address="{}",outer="{}",inode="{}"}}'
        return [
            (labels.format(_escaped(one.address), str(one.outer).lower(), one.inode), value(one)) for one in listeners
        ]

    yield from _family("floodmark_accept_queue_depth", "gauge", "waiting to be accepted", rows(lambda one: one.depth))
    yield from _family("floodmark_accept_queue_limit", "gauge", "backlog in force", rows(lambda one: one.limit))
    deepest = [(f'{{address="{_escaped(address)}"}}', depth) for address, depth in sorted(peaks.items())]
    yield from _family("floodmark_accept_queue_peak", "gauge", "the deepest seen since the scrape before", deepest)


def _process_lines(glance: Glance) -> Iterator[str]:
    if glance.counters is not None:
        for name in ("listen_overflows", "listen_drops", "req_q_full_do_cookies", "req_q_full_drop"):
            value = getattr(glance.counters, name)
            yield from _family(f"floodmark_{name}_total", "counter", "events of the network namespace", [("", value)])
    if glance.processes is None:
        return
    figures = {"threads": "gauge", "open_files": "gauge", "rss_bytes": "gauge", "cpu_s": "counter"}
    yield from _family("floodmark_processes", "gauge", "processes of the target's tree", [("", len(glance.processes))])
    for field, kind in figures.items():
        name = "floodmark_cpu_seconds_total" if field == "cpu_s" else f"floodmark_{field}"
        known = [value for one in glance.processes if (value := getattr(one, field)) is not None]
        yield from _family(name, kind, "of the target's tree, added up", [("", sum(known))])


def _family(name: str, kind: str, words: str, rows: Sequence[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"
    for labels, value in rows:
        yield f"{name}{labels} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
