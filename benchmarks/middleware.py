"""What `floodmark.middleware` adds to a request, without a server: the same application with and without it.

    python benchmarks/middleware.py

CPU time of the whole process for one request: the median and the smallest of several takes. What it adds is the
difference of the smallest. The bare application answers at once; Flask's and FastAPI's cost is theirs.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from flask import Flask, Response

from floodmark.middleware import asgi, wsgi

TAKES = 15
REQUESTS = 3_000
POOL_REQUESTS = 500
"""For a handler in AnyIO's pool: a change of threads is a hundred times the rest."""

ENVIRON = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "bench"} | {
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http",
}
SCOPE = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": ""} | {
    "query_string": b"",
    "headers": [],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


def bare_wsgi(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The least that a WSGI application does."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


async def bare_asgi(_: Any, __: Any, send: Any) -> None:
    """The least that an ASGI application does."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ok"})


def flask_app() -> Any:
    """Flask with one handler."""
    app = Flask("bench")
    app.get("/")(lambda: Response("ok"))
    return app.wsgi_app


def fastapi_app() -> FastAPI:
    """FastAPI with a handler of either kind."""
    app = FastAPI()

    @app.get("/loop")
    async def loop() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/thread")
    def thread() -> PlainTextResponse:
        return PlainTextResponse("ok")

    return app


def wsgi_take(app: Any) -> float:
    """Microseconds of CPU for one request."""
    began_s = time.process_time()
    for _ in range(REQUESTS):
        for _ in app(dict(ENVIRON), lambda *_: None):
            pass
    return (time.process_time() - began_s) / REQUESTS * 1e6


async def asgi_take(app: Any, path: str, requests: int) -> float:
    """Microseconds of CPU for one request."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    began_s = time.process_time()
    for _ in range(requests):
        await app({**SCOPE, "path": path, "raw_path": path.encode()}, receive, send)
    return (time.process_time() - began_s) / requests * 1e6


def compare(name: str, without: Callable[[], float], with_it: Callable[[], float]) -> None:
    """Takes turns, so that a change of the machine's pace meets both."""
    pairs = [(without(), with_it()) for _ in range(TAKES)]
    plain, wrapped = zip(*pairs, strict=True)
    print(
        f"{name:<34}{statistics.median(plain):>9.1f} us {min(plain):>9.1f} us"
        f"{statistics.median(wrapped):>9.1f} us {min(wrapped):>9.1f} us {min(wrapped) - min(plain):>9.1f} us"
    )


def main() -> None:
    """All of it."""
    print(f"{'application':<34}{'without':>12}{'least':>13}{'with it':>12}{'least':>13}{'added':>13}")
    for name, app in (("WSGI, bare", bare_wsgi), ("Flask", flask_app())):
        timed = wsgi.ServerTiming(app)
        compare(name, lambda app=app: wsgi_take(app), lambda timed=timed: wsgi_take(timed))
    cases = (
        ("ASGI, bare", bare_asgi, "/", REQUESTS),
        ("FastAPI, async def", fastapi_app(), "/loop", REQUESTS),
        ("FastAPI, def (AnyIO's pool)", fastapi_app(), "/thread", POOL_REQUESTS),
    )
    for name, app, path, requests in cases:
        timed = asgi.ServerTiming(app)
        compare(
            name,
            lambda app=app, path=path, requests=requests: asyncio.run(asgi_take(app, path, requests)),
            lambda timed=timed, path=path, requests=requests: asyncio.run(asgi_take(timed, path, requests)),
        )


if __name__ == "__main__":
    main()
