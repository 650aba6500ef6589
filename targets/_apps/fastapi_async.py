"""The zoo's FastAPI application with `async def` handlers that await: all run on the event loop's one thread."""

import asyncio

import contract
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/")
async def hello(request: Request) -> PlainTextResponse:
    return await _held(request, contract.HELLO, contract.HELLO_HOLD_S)


@app.get("/health")
async def health(request: Request) -> PlainTextResponse:
    return await _held(request, contract.HEALTHY, contract.HEALTH_HOLD_S)


@app.exception_handler(contract.BadHoldError)
async def bad_hold(_: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(str(error), status_code=400)


async def _held(request: Request, answer: str, default_s: float) -> PlainTextResponse:
    query = request.query_params
    hold_s = contract.parse_hold(query.get("hold"), default_s)
    return PlainTextResponse(answer, headers=await contract.hold_async(hold_s, query.get("id"), asyncio.sleep))
