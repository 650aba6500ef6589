"""The zoo's Flask application with plain `def` handlers. Which server runs it is the target's business."""

import contract
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def hello() -> Response:
    return _held(contract.HELLO, contract.HELLO_HOLD_S)


@app.get("/health")
def health() -> Response:
    return _held(contract.HEALTHY, contract.HEALTH_HOLD_S)


@app.errorhandler(contract.BadHoldError)
def bad_hold(error: contract.BadHoldError) -> Response:
    return Response(str(error), status=400, mimetype="text/plain")


def _held(answer: str, default_s: float) -> Response:
    hold_s = contract.parse_hold(request.args.get("hold"), default_s)
    return Response(answer, mimetype="text/plain", headers=contract.hold(hold_s, request.args.get("id")))
