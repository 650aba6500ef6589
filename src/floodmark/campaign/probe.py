"""A few requests sent one at a time before the load: is the answer right, how long is the hold, who serves it."""

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace

from floodmark.core.address import Address
from floodmark.core.errors import TargetError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import HoldProbe
from floodmark.core.target import RequestSpec
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import dial_to
from floodmark.engine.request import render_get
from floodmark.engine.tls import tls_context, words_of

PROBES = 6
"""Requests at most: a pool of a few units shows its reuse, and a hold its spread."""

PROBE_BUDGET_S = 6.0
"""No further probe begins after this; the first is always sent."""

CONNECT_TIMEOUT_S = 5.0
"""For one connection to a server that is said to be running."""

PROBE_TIMEOUT_S = 60.0
"""One probe may take this long: a hold beyond it must be given with --hold."""

SHORT_HOLD_S = 0.02
"""The hold that targets which can be told are asked for: long enough to be served by a pool's threads one by one."""

NOT_SECURE = "gives no secure connection: {}; is it HTTPS? --insecure takes any certificate"


def probe(
    address: Address,
    request: RequestSpec,
    *,
    verify: bool = True,
    timeout_s: float = PROBE_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
) -> HoldProbe:
    """Sends the probes. Raises `TargetError` where one is not answered as expected.

    `verify` False: over HTTPS any certificate will do.
    """
    where = replace(address, path=request.path.replace("{hold}", f"{SHORT_HOLD_S:g}"))
    dial = dial_to(address, verify=verify)
    work = BurstWork(
        worker="probe",
        dial=dial,
        requests=(),
        render=render_get(where.path, dial.endpoint.authority),
        check=AnswerCheck.of(request),
        timeout_s=timeout_s,
    )
    began_s, hits = clock(), list[Hit]()
    while not hits or (len(hits) < PROBES and clock() - began_s < PROBE_BUDGET_S):
        hits.append(_one(where, replace(work, requests=((0, clock()),)), timeout_s, clock))
    units = tuple((hit.pid, hit.tid) for hit in hits if hit.pid is not None and hit.tid is not None)
    return HoldProbe(took_s=tuple(took(hit) for hit in hits), units=units)


def prove_listening(address: Address, *, verify: bool = True, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Raises `TargetError` where nobody takes a connection, or over HTTPS none that is secure.

    A flood at a closed port would measure nothing. No request is sent.
    """
    try:
        with socket.create_connection((address.host, address.port), timeout=timeout_s) as opened:
            if address.is_secure:
                tls_context(verify=verify).wrap_socket(opened, server_hostname=address.host.partition("%")[0]).close()
    except ssl.SSLError as error:
        raise TargetError(f"{address.url} {NOT_SECURE.format(words_of(error))}") from None
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from None


def _unreachable(address: Address, reason: str) -> TargetError:
    where = f"{address.origin}/"
    return TargetError(f"{where} cannot be reached: {reason.lower()}; is the server running on port {address.port}?")


def took(hit: Hit) -> float:
    """From release to the last byte, in seconds."""
    return (hit.ended_s or hit.planned_s) - (hit.released_s or hit.planned_s)


def measured_hold(found: HoldProbe) -> float:
    """The hold as the probes saw it: their median, of two the quicker: a first request brings imports and caches."""
    ordered = sorted(found.took_s)
    return ordered[(len(ordered) - 1) // 2]


def _one(where: Address, work: BurstWork, timeout_s: float, clock: Callable[[], float]) -> Hit:
    (hit,) = run_burst(Burst(work, clock=clock), timeout_s=timeout_s + 1, clock=clock)
    if hit.outcome is Outcome.ANSWERED:
        return hit
    if hit.outcome is Outcome.REFUSED:
        raise _unreachable(where, "connection refused")
    if hit.outcome in (Outcome.RESPONSE_TIMEOUT, Outcome.CONNECT_TIMEOUT):
        words = f"gave no answer within {timeout_s:g} s when asked alone; is it busy? Give --hold"
    elif hit.outcome is Outcome.TLS_FAILED:
        words = NOT_SECURE.format(hit.error)
    else:
        words = f"did not answer as expected when asked alone: {hit.error or hit.outcome.value}"
    raise TargetError(f"{where.url} {words}")
