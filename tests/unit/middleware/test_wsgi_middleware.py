"""The WSGI middleware around real and hand-made applications, without a server."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from flask import Flask, Response

from floodmark.core.evidence import HandlerEvidence, parse_server_timing
from floodmark.middleware.handler_run import handler
from floodmark.middleware.wsgi import ServerTiming

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "test",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
OK = [("Content-Type", "text/plain")]


class Started:
    """A server's start_response: what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *words: Any) -> Callable[[bytes], object]:
        self.calls.append(words)
        return lambda _: None

    @property
    def timings(self) -> list[str]:
        return [value for name, value in self.calls[-1][1] if name == "Server-Timing"]

    @property
    def evidence(self) -> HandlerEvidence:
        found = parse_server_timing(", ".join(self.timings))
        assert found is not None
        return found


def _call(app: Callable[..., Iterable[bytes]]) -> tuple[Started, Iterable[bytes]]:
    started = Started()
    return started, ServerTiming(app)(dict(ENVIRON), started)


def test_an_answer_says_when_and_where_its_handler_ran() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        time.sleep(0.01)
        start_response("200 OK", OK)
        return [b"hello"]

    before_s = time.monotonic()
    started, body = _call(app)
    found = started.evidence
    assert before_s - 1e-6 <= found.begin_s <= found.end_s - 0.01
    assert found.end_s <= time.monotonic() + 1e-6
    assert (found.pid, found.tid) == (os.getpid(), threading.get_native_id())
    assert found.thread == threading.current_thread().name
    assert body == [b"hello"]


def test_the_iterable_is_the_applications_own() -> None:
    class Body(list[bytes]):
        pass

    body = Body([b"a"])

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Body:
        start_response("200 OK", OK)
        return body

    assert _call(app)[1] is body


def test_a_generator_that_starts_late_streams_and_still_has_its_evidence() -> None:
    said: list[str] = []

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", OK)
        said.append("first")
        yield b"a"
        said.append("second")
        yield b"b"

    started, body = _call(app)
    assert (started.calls, said) == ([], [])
    chunks = iter(body)
    assert next(chunks) == b"a"
    assert said == ["first"]
    assert started.evidence.pid == os.getpid()
    assert list(chunks) == [b"b"]


def test_the_headers_that_the_application_gave_stay_as_they_were() -> None:
    given = [*OK, ("Server-Timing", "db;dur=5")]

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", given)
        return []

    started, _ = _call(app)
    assert given == [*OK, ("Server-Timing", "db;dur=5")]
    assert started.timings[0] == "db;dur=5"
    assert started.evidence.tid == threading.get_native_id()


def test_an_error_reaches_the_server_and_its_second_start_carries_exc_info() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", OK)
        start_response("500 Oh", OK, ("type", "value", "traceback"))
        raise RuntimeError("broken")

    started = Started()
    with pytest.raises(RuntimeError, match="broken"):
        ServerTiming(app)(dict(ENVIRON), started)
    assert [len(call) for call in started.calls] == [2, 3]
    assert started.calls[1][2] == ("type", "value", "traceback")


def test_it_is_a_valid_wsgi_application_on_both_sides() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [*OK, ("Content-Length", "1")])
        return [b"a"]

    class Stream:
        def read(self, *_: Any) -> bytes:
            return b""

        readline = readlines = write = writelines = flush = read
        __iter__ = None

    environ = {**ENVIRON, "wsgi.input": Stream(), "wsgi.errors": Stream()}
    started = Started()
    body = validator(ServerTiming(validator(app)))(environ, started)
    assert list(body) == [b"a"]
    body.close()


def test_flask_takes_it_in_one_line() -> None:
    flask = Flask("own")
    flask.get("/")(lambda: Response(iter(["a", "b"])))
    flask.wsgi_app = ServerTiming(flask.wsgi_app)  # type: ignore[method-assign]
    answer = flask.test_client().get("/")
    found = parse_server_timing(answer.headers["Server-Timing"])
    assert answer.text == "ab"
    assert found is not None
    assert found.thread == threading.current_thread().name


def test_a_decorated_handler_is_noted_in_its_own_thread() -> None:
    import contextvars  # noqa: PLC0415 - for this one

    @handler
    def slow() -> str:
        return threading.current_thread().name

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        context = contextvars.copy_context()
        worker = threading.Thread(target=context.run, args=(slow,), name="pool-1")
        worker.start()
        worker.join()
        start_response("200 OK", OK)
        return []

    started, _ = _call(app)
    assert started.evidence.thread == "pool-1"
    assert started.evidence.tid != threading.get_native_id()
    assert slow() == threading.current_thread().name
