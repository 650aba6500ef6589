"""A few requests sent one at a time before the load: is the answer right, how long is the hold, who serves it."""

import math
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace

from floodmark.core.address import Address
from floodmark.core.errors import TargetError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome, Side
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import HoldProbe
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import dial_to
from floodmark.engine.request import render_get
from floodmark.engine.tls import tls_context, words_of
from floodmark.report.words import duration

PROBES = 6
"""Requests at most: a pool of a few units shows its reuse, and a hold its spread."""

PROBE_BUDGET_S = 6.0
"""No further probe begins after this; the first is always sent."""

CONNECT_TIMEOUT_S = 5.0
"""For one connection to a server that is said to be running, and again for TLS on it."""

PROBE_TIMEOUT_S = 60.0
"""One probe may take this long where no --timeout says less: a hold beyond it must be given with --hold."""

LEAST_PROBE_TIMEOUT_S = 5.0
"""So long with a short --timeout, too, to say how long it takes rather than that it takes longer."""

LEAST_HOLD_S = 0.02
"""A shorter one is over between two samples of the agent, and before the last request of a burst is sent."""

SHORT_HOLD_S = 0.02
"""The hold that targets which can be told are asked for: long enough to be served by a pool's threads one by one."""

_LATE = frozenset({Outcome.RESPONSE_TIMEOUT, Outcome.WAITING})
_NOT_REACHED = frozenset({Outcome.UNREACHABLE, Outcome.CONNECT_TIMEOUT})


def probe(  # noqa: PLR0913 - what to ask, and four ways to ask it
    address: Address,
    request: RequestSpec,
    *,
    verify: bool = True,
    limit_s: float | None = None,
    forgiving: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> HoldProbe:
    """Sends the probes. Raises `TargetError` where the server cannot be reached, or would answer none in time.

    `verify` False: over HTTPS any certificate will do. `limit_s` is what the load's requests may take. An answer that
    is not the expected one is an error, too, unless `forgiving`: then it is kept.
    """
    if address.is_secure:
        prove_listening(address, verify=verify)
    where = replace(address, path=request.path.replace("{hold}", f"{SHORT_HOLD_S:g}"))
    dial = dial_to(address, verify=verify)
    timeout_s = _bound_s(limit_s)
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
        burst = Burst(replace(work, requests=((0, clock()),)), clock=clock)
        hits += run_burst(burst, timeout_s=timeout_s + 1, clock=clock)
        _prove_reached(where, hits[-1])
        if hits[-1].outcome not in _LATE and not forgiving:
            _prove_answered(where, hits[-1])
        elif not forgiving:
            break
    _prove_in_time(where, hits, limit_s, forgiving=forgiving, advice="" if request.holds else " Give --hold")
    right = [hit for hit in hits if hit.outcome is Outcome.ANSWERED]
    return HoldProbe(
        took_s=tuple(took(hit) for hit in right),
        units=tuple((hit.pid, hit.tid) for hit in right if hit.pid is not None and hit.tid is not None),
        unexpected=tuple(_words_of(hit) for hit in hits if hit.outcome is not Outcome.ANSWERED),
    )


def prove_listening(address: Address, *, verify: bool = True, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Raises `TargetError` where nobody takes a connection, or over HTTPS none that is secure.

    A flood at a closed port would measure nothing. No request is sent.
    """
    try:
        opened = socket.create_connection((address.host, address.port), timeout=timeout_s)
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from None
    with opened:
        if address.is_secure:
            _shake_hands(address, opened, verify=verify, timeout_s=timeout_s)


def prove_long_enough(address: Address, hold_s: float) -> None:
    """Raises `TargetError` for a measured hold that is too short to see where requests wait."""
    if hold_s < LEAST_HOLD_S:
        raise TargetError(
            f"{address.url} answers in {duration(hold_s)}: too quick to see where requests wait; ask it with"
            " --profile closed, or take a path that holds"
        )


def _shake_hands(address: Address, opened: socket.socket, *, verify: bool, timeout_s: float) -> None:
    opened.settimeout(timeout_s)
    name = address.host.partition("%")[0]
    try:
        tls_context(verify=verify).wrap_socket(opened, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        words = f"the certificate is not trusted: {words_of(error)}; --insecure takes any"
    except TimeoutError:
        words = f"no TLS handshake within {timeout_s:g} s: is it HTTPS?"
    except ssl.SSLError as error:
        words = _insecure(words_of(error))
    except OSError as error:
        words = _insecure(error.strerror or str(error))
    else:
        return
    raise TargetError(f"{address.url}: {words}")


def _insecure(reason: str) -> str:
    return f"no secure connection: {reason.lower().replace('_', ' ')}; is it HTTPS?"


def _unreachable(address: Address, reason: str) -> TargetError:
    where = f"{address.origin}/"
    return TargetError(f"{where} cannot be reached: {reason.lower()}; is the server running on port {address.port}?")


def _prove_reached(where: Address, hit: Hit) -> None:
    """What is wrong with the way to the server, or with this side, is wrong with every load."""
    if hit.outcome is Outcome.REFUSED:
        raise _unreachable(where, "connection refused")
    if hit.outcome is Outcome.TLS_FAILED:
        raise TargetError(f"{where.url}: {_insecure(hit.error or '')}")
    if hit.outcome in _NOT_REACHED or hit.outcome.side is Side.GENERATOR:
        raise _unreachable(where, hit.error or hit.outcome.value)


def _prove_answered(where: Address, hit: Hit) -> None:
    if hit.outcome is not Outcome.ANSWERED:
        raise TargetError(f"{where.url} did not answer as expected when asked alone: {_words_of(hit)}")


def _prove_in_time(where: Address, hits: list[Hit], limit_s: float | None, *, forgiving: bool, advice: str) -> None:
    """A server that alone takes longer than the load's time limit would answer nothing.

    Of one that is forgiven much the quickest answer counts, else the usual one, as for the hold.
    """
    ordered = sorted(math.inf if hit.outcome in _LATE else took(hit) for hit in hits)
    usual_s = ordered[0 if forgiving else (len(ordered) - 1) // 2]
    if usual_s < math.inf:
        words = f"{where.url}: one request alone takes {duration(usual_s)}"
    else:
        words = f"{where.url} gave no answer within {_bound_s(limit_s):g} s when asked alone"
        if limit_s is None:
            raise TargetError(f"{words}; is it busy?{advice}")
    if limit_s is not None and usual_s >= limit_s:
        raise TargetError(f"{words}, and --timeout is {limit_s:g}: every request would time out; raise --timeout")


def _bound_s(limit_s: float | None) -> float:
    return PROBE_TIMEOUT_S if limit_s is None else max(limit_s, LEAST_PROBE_TIMEOUT_S)


def _words_of(hit: Hit) -> str:
    return hit.error or hit.outcome.value


def took(hit: Hit) -> float:
    """From release to the last byte, in seconds."""
    return (hit.ended_s or hit.planned_s) - (hit.released_s or hit.planned_s)


def measured_hold(found: HoldProbe) -> float:
    """The hold as the probes saw it: their median, of two the quicker: a first request brings imports and caches."""
    ordered = sorted(found.took_s)
    return ordered[(len(ordered) - 1) // 2]
