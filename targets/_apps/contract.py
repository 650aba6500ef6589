"""What every application of the zoo shares: the hold, the evidence, the optional log lines. Imports no framework.

GET /?id=N&hold=S    the handler sleeps S seconds and answers `hello`; without hold it does not sleep
GET /health?hold=S   the handler sleeps S seconds, 0.1 without hold, and answers `ok`
A hold that is no number from 0 to 3600 is answered with HTTP 400.
"""

import itertools
import os
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

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
    begin_s = time.monotonic()
    time.sleep(hold_s)
    end_s = time.monotonic()
    _say(number, request_id, "done")
    return {"Server-Timing": server_timing(begin_s, end_s)}


async def hold_async(
    hold_s: float, request_id: str | None, sleep: Callable[[float], Awaitable[None]]
) -> dict[str, str]:
    """The same, awaiting."""
    number = next(_numbers)
    _say(number, request_id, "sleeping...")
    begin_s = time.monotonic()
    await sleep(hold_s)
    end_s = time.monotonic()
    _say(number, request_id, "done")
    return {"Server-Timing": server_timing(begin_s, end_s)}


def server_timing(begin_s: float, end_s: float) -> str:
    """The evidence as one metric of the W3C header; `dur` is in milliseconds, as the standard has it."""
    # A quoted string (RFC 9110, section 5.6.4): other than printable ASCII has no place in a header.
    name = "".join(letter if " " <= letter <= "~" else "?" for letter in threading.current_thread().name)
    thread = name.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"floodmark;dur={(end_s - begin_s) * 1000:.3f};begin={begin_s:.6f};end={end_s:.6f}"
        f';pid={os.getpid()};tid={threading.get_native_id()};thread="{thread}"'
    )


def _say(number: int, request_id: str | None, what: str) -> None:
    if not LOGGING:
        return
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    name = threading.current_thread().name
    print(f"{at} pid={os.getpid()} thread={name!r} number={number} id={request_id!r} {what}", flush=True)  # noqa: T201 - the log lines of the contract
