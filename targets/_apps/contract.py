"""What every application of the zoo shares: the hold, the evidence, the optional log lines. Imports no framework.

GET /?id=N&hold=S    the handler sleeps S seconds and answers `hello`; without hold it does not sleep
GET /health?hold=S   the handler sleeps S seconds, 0.1 without hold, and answers `ok`
A hold that is no number from 0 to 3600 is answered with HTTP 400.
"""

import itertools
import os
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

# Bound here as applications bind it: what replaces time.sleep after this module was imported does not reach it.
from time import sleep

from floodmark.middleware.handler_run import HEADER, HandlerRun

HELLO = "hello"
HEALTHY = "ok"
HELLO_HOLD_S = 0.0
HEALTH_HOLD_S = 0.1

LONGEST_HOLD_S = 3_600.0
"""The published studies held 800 s. An hour is where a typing error begins."""

SHOWN_CHARACTERS = 40

# Printing is load, so it is off unless asked for.
LOGGING = os.environ.get("FLOODMARK_LOG") == "1"

_numbers = itertools.count(1)


class BadHoldError(ValueError):
    """The hold cannot be meant: answer with HTTP 400 and this text."""


def parse_hold(text: str | None, default_s: float) -> float:
    """Seconds to hold. Raises `BadHoldError`."""
    if text is None:
        return default_s
    try:
        hold_s = float(text)
    except ValueError:
        hold_s = float("nan")
    if not 0 <= hold_s <= LONGEST_HOLD_S:  # not a number compares false too
        raise BadHoldError(f"hold={text[:SHOWN_CHARACTERS]!r}: give seconds from 0 to {LONGEST_HOLD_S:g}\n")
    return hold_s


def hold(hold_s: float, request_id: str | None) -> dict[str, str]:
    """Sleeps, blocking, and returns the answer's headers: the evidence of when and where it slept."""
    number = next(_numbers)
    _say(number, request_id, "sleeping...")
    run = HandlerRun()
    sleep(hold_s)
    evidence = run.ended()
    _say(number, request_id, "done")
    return {HEADER: evidence}


async def hold_async(
    hold_s: float, request_id: str | None, asleep: Callable[[float], Awaitable[None]]
) -> dict[str, str]:
    """The same, awaiting what `asleep` returns."""
    number = next(_numbers)
    _say(number, request_id, "sleeping...")
    run = HandlerRun()
    await asleep(hold_s)
    evidence = run.ended()
    _say(number, request_id, "done")
    return {HEADER: evidence}


async def block(hold_s: float) -> None:
    """For `hold_async`: async by its name, and blocks all the same."""
    sleep(hold_s)  # noqa: ASYNC251 - that is what it is for


def _say(number: int, request_id: str | None, what: str) -> None:
    if not LOGGING:
        return
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    name = threading.current_thread().name
    print(f"{at} pid={os.getpid()} thread={name!r} number={number} id={request_id!r} {what}", flush=True)  # noqa: T201 - the log lines of the contract
