"""The evidence a handler leaves in its answer: when it ran, and in which process and thread.

It travels in ``Server-Timing``, the W3C header, as one metric named ``floodmark``
(https://www.w3.org/TR/server-timing/):

    Server-Timing: floodmark;dur=5001.2;begin=8123.456789;end=8128.457989;pid=7;tid=9;thread="Thread-1"

``begin`` and ``end`` are seconds of CLOCK_MONOTONIC on the target's host; ``dur`` is milliseconds, the standard's unit.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

METRIC = "floodmark"

MAX_ID = 2**32 - 1
"""A process or thread id above this is none; and what no message can carry must not come in by a header."""

# Where our metric begins: at the header's begin or behind the comma that ends another's.
_METRIC = re.compile(rf"(?:^|,)\s*{METRIC}(?=\s*;)")

# One `;name=value` of a metric; a value is a token or a quoted string (RFC 9110, section 5.6).
_PARAMETER = re.compile(r'\s*;\s*([!#$%&\'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerEvidence:
    """One handler's run, on the target's clock. `tid` is the kernel's thread id, not Python's."""

    begin_s: float
    end_s: float
    pid: int
    tid: int
    thread: str


def format_server_timing(begin_s: float, end_s: float, pid: int, tid: int, thread: str) -> str:
    """The evidence as the value of a header."""
    # A quoted string (RFC 9110, section 5.6.4): other than printable ASCII has no place in a header.
    if not (thread.isascii() and thread.isprintable()):
        thread = "".join(letter if " " <= letter <= "~" else "?" for letter in thread)
    thread = thread.replace("\\", "\\\\").replace('"', '\\"')
    took_ms = (end_s - begin_s) * 1000
    return f'{METRIC};dur={took_ms:.3f};begin={begin_s:.6f};end={end_s:.6f};pid={pid};tid={tid};thread="{thread}"'


def _parameters(value: str, start: int) -> Iterator[tuple[str, str]]:
    """The parameters of the metric that ends at `start`, up to the next metric."""
    while match := _PARAMETER.match(value, start):
        name, quoted, token = match.groups()
        yield name.lower(), quoted if quoted is not None else token
        start = match.end()


def parse_server_timing(value: str) -> HandlerEvidence | None:
    """Reads the ``floodmark`` metric of a Server-Timing header; None where there is none, or it is not whole."""
    metric = _METRIC.search(value)
    if metric is None:
        return None
    parameters = dict(_parameters(value, metric.end()))
    try:
        evidence = HandlerEvidence(
            begin_s=float(parameters["begin"]),
            end_s=float(parameters["end"]),
            pid=int(parameters["pid"]),
            tid=int(parameters["tid"]),
            thread=parameters.get("thread", ""),
        )
    except (KeyError, ValueError):
        return None
    is_finite = math.isfinite(evidence.begin_s) and math.isfinite(evidence.end_s)
    return evidence if is_finite and 0 <= evidence.pid <= MAX_ID and 0 <= evidence.tid <= MAX_ID else None
