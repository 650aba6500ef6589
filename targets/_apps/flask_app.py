"""The zoo's Flask applications: `app` with `def` handlers, `async_app` and `async_blocking_app` with `async def`.

Which server runs them is the target's business.
"""

import asyncio
from collections.abc import Awaitable, Callable

import contract
from flask import Flask, Response, request


def _build(hello: Callable, health: Callable) -> Flask:
    flask = Flask(__name__)
    flask.get("/")(hello)
    flask.get("/health")(health)
    flask.register_error_handler(contract.BadHoldError, _bad_hold)
    return flask


def _build_async(asleep: Callable[[float], Awaitable[None]]) -> Flask:
    async def hello() -> Response:
        return _answer(contract.HELLO, await contract.hold_async(_hold_s(contract.HELLO_HOLD_S), _id(), asleep))

    async def health() -> Response:
        return _answer(contract.HEALTHY, await contract.hold_async(_hold_s(contract.HEALTH_HOLD_S), _id(), asleep))

    return _build(hello, health)


def _hello() -> Response:
    return _answer(contract.HELLO, contract.hold(_hold_s(contract.HELLO_HOLD_S), _id()))


def _health() -> Response:
    return _answer(contract.HEALTHY, contract.hold(_hold_s(contract.HEALTH_HOLD_S), _id()))


def _bad_hold(error: contract.BadHoldError) -> Response:
    return Response(str(error), status=400, mimetype="text/plain")


def _hold_s(default_s: float) -> float:
    return contract.parse_hold(request.args.get("hold"), default_s)


def _id() -> str | None:
    return request.args.get("id")


def _answer(text: str, headers: dict[str, str]) -> Response:
    return Response(text, mimetype="text/plain", headers=headers)


app = _build(_hello, _health)
async_app = _build_async(asyncio.sleep)
async_blocking_app = _build_async(contract.block)
