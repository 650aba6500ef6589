"""The zoo's Sanic application; its handlers await."""

import asyncio

import contract
from sanic import Request, Sanic
from sanic.response import HTTPResponse, text

app = Sanic("zoo")


@app.get("/")
async def hello(request: Request) -> HTTPResponse:
    return await _held(request, contract.HELLO, contract.HELLO_HOLD_S)


@app.get("/health")
async def health(request: Request) -> HTTPResponse:
    return await _held(request, contract.HEALTHY, contract.HEALTH_HOLD_S)


@app.exception(contract.BadHoldError)
async def bad_hold(_: Request, error: Exception) -> HTTPResponse:
    return text(str(error), status=400)


async def _held(request: Request, answer: str, default_s: float) -> HTTPResponse:
    # Sanic leaves out what is empty unless told otherwise.
    query = request.get_args(keep_blank_values=True)
    hold_s = contract.parse_hold(query.get("hold"), default_s)
    return text(answer, headers=await contract.hold_async(hold_s, query.get("id"), asyncio.sleep))
