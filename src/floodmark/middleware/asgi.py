"""The evidence for an ASGI application. It touches one header of HTTP answers; all else passes through.

FastAPI and Starlette run a `def` handler in AnyIO's pool of threads. A request waits there for a thread long after it
has passed the middleware, so what the middleware sees is not when the handler ran. Therefore AnyIO's
`to_thread.run_sync` is watched: a call of the request's own endpoint is the handler's run. Where an endpoint that is
not async was not seen there, no evidence is given: none is better than a wrong one. Nor is any where a request with an
async endpoint called something else in that pool before its answer, such as a `def` dependency: it waited for a thread
then, and a middleware cannot tell how long.
"""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from floodmark.middleware.handler_run import HEADER, Answering, answering

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_HEADER = HEADER.lower().encode()


class ServerTiming:
    """Wraps an ASGI application: ``app = ServerTiming(app)``, or ``app.add_middleware(ServerTiming)``.

    The handler's run ends where the answer begins (http.response.start): what a streamed body takes comes after it.
    """

    def __init__(self, app: Application) -> None:
        """Wraps `app`."""
        self.app = app
        _watch_anyio()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, or the lifespan, or a WebSocket: only the first is touched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope)

        async def start(message: Message) -> None:
            if message["type"] == "http.response.start" and (value := request.value()):
                message = {**message, "headers": [*message.get("headers", ()), (_HEADER, value.encode())]}
            await send(message)

        token = answering.set(request)
        try:
            await self.app(scope, receive, start)
        finally:
            answering.reset(token)


class _Request(Answering):
    """One HTTP request. Starlette's router puts the handler into its scope as ``endpoint``."""

    __slots__ = ("_pooled", "_scope")

    def __init__(self, scope: Message) -> None:
        """The request reaches the application."""
        super().__init__()
        self._scope = scope
        self._pooled = False

    def value(self) -> str | None:
        """The header's value; None where the handler ran elsewhere, unseen, or waited for something that does."""
        if self.evidence is not None:
            return self.evidence
        here = _runs_here(self._scope.get("endpoint"), self._scope.get("method", ""))
        return self.run.ended() if here and not self._pooled else None

    def in_pool(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` is about to wait for a thread: what to run there. A handler's run is noted."""
        if self.is_handler(function):
            return self.around(function)
        self._pooled = True
        return function

    def is_handler(self, function: Any) -> bool:
        """True where `function` is the endpoint, or a method of it where the endpoint is a class.

        Starlette hands over a partial of it, FastAPI a partial of a helper that is given it by name.
        """
        endpoint = self._scope.get("endpoint")
        if endpoint is None:
            return False
        if not isinstance(function, functools.partial):
            return function is endpoint
        if inspect.isclass(endpoint):
            return isinstance(getattr(function.func, "__self__", None), endpoint)
        return any(part is endpoint for part in (function.func, *function.args, *function.keywords.values()))


def _runs_here(endpoint: Any, method: str) -> bool:
    """True where the handler runs on the event loop: it is async, or none of Starlette's."""
    if endpoint is None:
        return True
    if inspect.isclass(endpoint):
        endpoint = getattr(endpoint, method.lower(), None) or endpoint
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    # A routine is what the router calls by itself; any other object is an application within the application.
    return inspect.iscoroutinefunction(endpoint) or not inspect.isroutine(endpoint)


def _watch_anyio() -> None:
    """Once: whoever runs a handler in a thread has imported AnyIO by now, for the application is there."""
    to_thread = sys.modules.get("anyio.to_thread")
    if to_thread is None or hasattr(to_thread.run_sync, "floodmark"):
        return
    run_sync = to_thread.run_sync

    @functools.wraps(run_sync)
    async def watched(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        request = answering.get()
        if isinstance(request, _Request):
            func = request.in_pool(func)
        return await run_sync(func, *args, **kwargs)

    watched.floodmark = True  # type: ignore[attr-defined]
    to_thread.run_sync = watched  # type: ignore[attr-defined]
