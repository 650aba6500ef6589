"""The zoo's FastAPI application with `def` handlers: FastAPI runs them in AnyIO's pool of threads."""

import contract
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/")
def hello(request: Request) -> PlainTextResponse:
    return _held(request, contract.HELLO, contract.HELLO_HOLD_S)


@app.get("/health")
def health(request: Request) -> PlainTextResponse:
    return _held(request, contract.HEALTHY, contract.HEALTH_HOLD_S)


@app.exception_handler(contract.BadHoldError)
def bad_hold(_: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(str(error), status_code=400)


def _held(request: Request, answer: str, default_s: float) -> PlainTextResponse:
    query = request.query_params
    hold_s = contract.parse_hold(query.get("hold"), default_s)
    return PlainTextResponse(answer, headers=contract.hold(hold_s, query.get("id")))
