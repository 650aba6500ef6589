"""One run of a handler, noted where it happens: begin, end, process, thread. It wraps no application by itself."""

import functools
import inspect
import os
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

from floodmark.core.evidence import format_server_timing

HEADER = "Server-Timing"

_P = ParamSpec("_P")
_R = TypeVar("_R")


class HandlerRun:
    """A handler's run: it begins when this is made. Make it and end it in the handler's own thread."""

    __slots__ = ("begin_s",)

    def __init__(self) -> None:
        """The run begins."""
        self.begin_s = time.monotonic()

    def ended(self) -> str:
        """The run ends: its evidence, the value of one Server-Timing header."""
        end_s = time.monotonic()
        tid, name = threading.get_native_id(), threading.current_thread().name
        return format_server_timing(self.begin_s, end_s, os.getpid(), tid, name)


class Answering:
    """One request on its way through a middleware. `evidence` is set by whoever is closest to the handler."""

    __slots__ = ("evidence", "run")

    def __init__(self) -> None:
        """The request reaches the application."""
        self.run = HandlerRun()
        self.evidence: str | None = None

    def around(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """`function` is the handler, and its run the evidence."""

        def noted(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            run = HandlerRun()
            try:
                return function(*args, **kwargs)
            finally:
                self.evidence = run.ended()

        return noted


answering: ContextVar[Answering | None] = ContextVar("floodmark_answering", default=None)
"""The request that this context answers. Contexts are copied into the threads of AnyIO, asyncio and asgiref."""


def handler(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorates a handler whose run the middleware cannot see: one that waits for a thread after the middleware.

    FastAPI and Starlette need none of this. Outside of a middleware it does nothing.
    """
    if inspect.iscoroutinefunction(function):
        return cast("Callable[_P, _R]", _awaited(function))

    @functools.wraps(function)
    def noted(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        found = answering.get()
        return found.around(function)(*args, **kwargs) if found else function(*args, **kwargs)

    return noted


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def noted(*args: Any, **kwargs: Any) -> Any:
        found, run = answering.get(), HandlerRun()
        try:
            return await function(*args, **kwargs)
        finally:
            if found:
                found.evidence = run.ended()

    return noted
