"""The ASGI middleware around FastAPI, Starlette and hand-made applications, without a server."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Annotated, Any

import anyio
import anyio.to_thread
import pytest
import trio
from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from floodmark.core.evidence import HandlerEvidence, parse_server_timing
from floodmark.middleware.asgi import ServerTiming
from floodmark.middleware.handler_run import answering, handler


def _scope(path: str = "/") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def _receiver() -> Callable[[], Awaitable[dict[str, Any]]]:
    """A client that has sent its request and stays."""
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop()

    return receive


async def _ask(app: Any, path: str = "/") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(_scope(path), _receiver(), send)
    return sent


def _evidence(sent: list[dict[str, Any]]) -> HandlerEvidence | None:
    values = [value.decode() for name, value in sent[0]["headers"] if name == b"server-timing"]
    return parse_server_timing(", ".join(values))


def _body(sent: list[dict[str, Any]]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent[1:])


def _fastapi() -> FastAPI:
    app = FastAPI()

    @app.get("/sync")
    def sync() -> str:
        time.sleep(0.01)
        return threading.current_thread().name

    @app.get("/async")
    async def awaiting() -> str:
        await anyio.sleep(0.01)
        return threading.current_thread().name

    app.add_middleware(ServerTiming)
    return app


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(_awaiting, coroutine)])
def test_a_def_handler_is_noted_in_the_thread_that_runs_it_and_not_while_it_waits_for_one(run: Callable) -> None:
    async def one_thread() -> list[HandlerEvidence | None]:
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        found: list[HandlerEvidence | None] = []
        app = _fastapi()

        async def ask() -> None:
            found.append(_evidence(await _ask(app, "/sync")))

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(ask)
        return found

    spans = sorted((one.begin_s, one.end_s, one.tid) for one in run(one_thread()) if one is not None)
    assert len(spans) == 4
    assert all(end_s <= next_s for (_, end_s, _), (next_s, _, _) in pairwise(spans))
    assert threading.get_native_id() not in {tid for _, _, tid in spans}


async def _awaiting(coroutine: Awaitable[Any]) -> Any:
    return await coroutine


def test_an_async_handler_is_noted_on_the_event_loops_thread() -> None:
    before_s = time.monotonic()
    found = _evidence(asyncio.run(_ask(_fastapi(), "/async")))
    assert found is not None
    assert (found.pid, found.tid) == (os.getpid(), threading.get_native_id())
    assert before_s - 1e-6 <= found.begin_s <= found.end_s - 0.01


def test_what_runs_in_threads_beside_the_handler_is_not_taken_for_it() -> None:
    app = FastAPI()
    times_s: list[float] = []

    def depended() -> None:
        times_s.append(time.monotonic())

    @app.get("/", dependencies=[Depends(depended)])
    def sync() -> str:
        times_s.extend((time.monotonic(), time.monotonic()))
        return "checked in a thread, after the handler"

    found = _evidence(asyncio.run(_ask(ServerTiming(app))))
    assert found is not None
    depended_s, began_s, ended_s = times_s
    # The header has microseconds, so it may round a microsecond past either end.
    assert depended_s - 1e-6 <= found.begin_s <= began_s + 1e-6
    assert ended_s - 1e-6 <= found.end_s


def _database() -> Iterator[str]:
    yield "a session"


@pytest.mark.parametrize("depended", [_database, lambda: "plain"], ids=["with a yield", "plain"])
def test_an_async_endpoint_that_waited_for_a_threads_dependency_has_no_evidence(depended: Any) -> None:
    app = FastAPI()

    @app.get("/report")
    async def report(found: Annotated[str, Depends(depended)]) -> str:
        return found

    @app.get("/alone")
    async def alone() -> str:
        return "alone"

    app.add_middleware(ServerTiming)
    sent = asyncio.run(_ask(app, "/report"))
    assert sent[0]["status"] == 200
    assert _evidence(sent) is None
    assert _evidence(asyncio.run(_ask(app, "/alone"))) is not None


def test_an_async_endpoint_that_waited_for_an_async_dependency_has_its_evidence() -> None:
    app = FastAPI()

    async def depended() -> str:
        return "on the loop"

    @app.get("/")
    async def report(found: Annotated[str, Depends(depended)]) -> str:
        return found

    assert _evidence(asyncio.run(_ask(ServerTiming(app)))) is not None


def test_an_async_endpoint_that_hands_its_work_to_the_pool_has_no_evidence() -> None:
    async def endpoint(_: Request) -> PlainTextResponse:
        return PlainTextResponse(await run_in_threadpool(lambda: "done in a thread"))

    app = Starlette(routes=[Route("/", endpoint)])
    assert _evidence(asyncio.run(_ask(ServerTiming(app)))) is None


def test_what_runs_in_threads_once_the_answer_has_begun_takes_no_evidence_away() -> None:
    async def endpoint(_: Request) -> StreamingResponse:
        return StreamingResponse(iter((b"a", b"b")))

    sent = asyncio.run(_ask(ServerTiming(Starlette(routes=[Route("/", endpoint)]))))
    assert _body(sent) == b"ab"
    assert _evidence(sent) is not None


def test_a_class_endpoint_is_noted_too() -> None:
    class InThread(HTTPEndpoint):
        def get(self, _: Request) -> PlainTextResponse:
            return PlainTextResponse(str(threading.get_native_id()))

    class OnLoop(HTTPEndpoint):
        async def get(self, _: Request) -> PlainTextResponse:
            return PlainTextResponse(str(threading.get_native_id()))

    app = ServerTiming(Starlette(routes=[Route("/thread", InThread), Route("/loop", OnLoop)]))
    for path in ("/thread", "/loop"):
        sent = asyncio.run(_ask(app, path))
        found = _evidence(sent)
        assert found is not None, path
        assert found.tid == int(_body(sent)), path


def test_a_def_endpoint_that_was_not_seen_gives_no_evidence_rather_than_a_wrong_one() -> None:
    def endpoint() -> None:
        pass

    async def app(scope: dict[str, Any], _: Any, send: Any) -> None:
        scope["endpoint"] = endpoint
        await asyncio.to_thread(time.sleep, 0)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    assert _evidence(asyncio.run(_ask(ServerTiming(app)))) is None


def test_an_application_within_an_application_is_noted() -> None:
    class Inner:
        async def __call__(self, _: Any, __: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
            await send({"type": "http.response.body", "body": b"inner"})

    app = ServerTiming(Starlette(routes=[Mount("/", app=Inner())]))
    sent = asyncio.run(_ask(app))
    assert _body(sent) == b"inner"
    assert sent[0]["headers"][0] == (b"x-own", b"1")
    assert _evidence(sent) is not None


def test_a_decorated_handler_is_noted_in_any_framework() -> None:
    @handler
    def slow() -> str:
        return threading.current_thread().name

    @handler
    async def awaiting() -> int:
        return threading.get_native_id()

    async def app(scope: dict[str, Any], _: Any, send: Any) -> None:
        body = await asyncio.to_thread(slow) if scope["path"] == "/thread" else str(await awaiting())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    sent = asyncio.run(_ask(ServerTiming(app), "/thread"))
    found = _evidence(sent)
    assert found is not None
    assert found.thread == _body(sent).decode()
    found = _evidence(asyncio.run(_ask(ServerTiming(app))))
    assert found is not None
    assert found.tid == threading.get_native_id()
    assert asyncio.run(awaiting()) == threading.get_native_id()


def test_a_stream_goes_out_piece_by_piece() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"a", b"b"):
            yield piece

    app = FastAPI()

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces())

    sent = asyncio.run(_ask(ServerTiming(app)))
    assert [message["body"] for message in sent[1:] if message["body"]] == [b"a", b"b"]


def test_lifespan_and_websocket_pass_through_untouched() -> None:
    started: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        started.append("up")
        yield
        started.append("down")

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        assert answering.get() is None
        await socket.send_text(await socket.receive_text())
        await socket.close()

    async def lives() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        wrapped = ServerTiming(app)
        life = await _talk(wrapped, {"type": "lifespan", "asgi": {}}, "lifespan.startup", "lifespan.shutdown")
        scope = {**_scope("/echo"), "type": "websocket", "subprotocols": []}
        words = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hi"}]
        return life, await _talk(wrapped, scope, *words)

    life, talk = asyncio.run(lives())
    assert started == ["up", "down"]
    assert [message["type"] for message in life] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [message["type"] for message in talk] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert talk[1]["text"] == "hi"


async def _talk(app: Any, scope: dict[str, Any], *words: Any) -> list[dict[str, Any]]:
    waiting = [word if isinstance(word, dict) else {"type": word} for word in words]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def test_an_error_reaches_the_server_as_it_was() -> None:
    async def app(*_: Any) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(_ask(ServerTiming(app)))


def test_an_answer_to_a_def_handler_that_raised_carries_its_run() -> None:
    app = FastAPI()

    @app.get("/")
    def broken() -> None:
        raise RuntimeError("broken")

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(ServerTiming(app)(_scope(), _receiver(), send))
    assert sent[0]["status"] == 500
    assert _evidence(sent) is not None


def test_anyio_is_watched_once_and_calls_of_others_pass_through() -> None:
    async def elsewhere() -> int:
        ServerTiming(_fastapi())
        ServerTiming(_fastapi())
        return await anyio.to_thread.run_sync(lambda number: number + 1, 1, abandon_on_cancel=True)

    assert asyncio.run(elsewhere()) == 2
    watched: Any = anyio.to_thread.run_sync
    assert watched.floodmark
    assert not hasattr(watched.__wrapped__, "floodmark")
