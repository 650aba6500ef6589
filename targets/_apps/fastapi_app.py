"""The zoo's FastAPI applications: `sync_app` with `def` handlers, the others with `async def`.

`async_app` awaits asyncio's sleep, `async_anyio_app` AnyIO's, which works under trio too; `async_blocking_app` blocks.
With ZOO_THREAD_TOKENS in the environment the limit of AnyIO's thread pool is set to it when the server starts.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import contract
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

TOKENS = os.environ.get("ZOO_THREAD_TOKENS")


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    if TOKENS:
        current_default_thread_limiter().total_tokens = int(TOKENS)
    yield


def _build(hello: Callable, health: Callable) -> FastAPI:
    fastapi = FastAPI(lifespan=_lifespan)
    fastapi.get("/")(hello)
    fastapi.get("/health")(health)
    fastapi.add_exception_handler(contract.BadHoldError, _bad_hold)
    return fastapi


def _build_async(asleep: Callable[[float], Awaitable[None]]) -> FastAPI:
    async def hello(request: Request) -> PlainTextResponse:
        hold_s = _hold_s(request, contract.HELLO_HOLD_S)
        return PlainTextResponse(contract.HELLO, headers=await contract.hold_async(hold_s, _id(request), asleep))

    async def health(request: Request) -> PlainTextResponse:
        hold_s = _hold_s(request, contract.HEALTH_HOLD_S)
        return PlainTextResponse(contract.HEALTHY, headers=await contract.hold_async(hold_s, _id(request), asleep))

    return _build(hello, health)


def _hello(request: Request) -> PlainTextResponse:
    hold_s = _hold_s(request, contract.HELLO_HOLD_S)
    return PlainTextResponse(contract.HELLO, headers=contract.hold(hold_s, _id(request)))


def _health(request: Request) -> PlainTextResponse:
    hold_s = _hold_s(request, contract.HEALTH_HOLD_S)
    return PlainTextResponse(contract.HEALTHY, headers=contract.hold(hold_s, _id(request)))


async def _bad_hold(_: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(str(error), status_code=400)


def _hold_s(request: Request, default_s: float) -> float:
    return contract.parse_hold(request.query_params.get("hold"), default_s)


def _id(request: Request) -> str | None:
    return request.query_params.get("id")


sync_app = _build(_hello, _health)
async_app = _build_async(asyncio.sleep)
async_anyio_app = _build_async(anyio.sleep)
async_blocking_app = _build_async(contract.block)
