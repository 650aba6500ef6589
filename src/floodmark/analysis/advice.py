"""What must be changed, and by which knob: from what is known of the target, else from the evidence alone."""

from floodmark.analysis.document import Check, Judgement, LimitKind, Unit
from floodmark.analysis.estimates import agree
from floodmark.analysis.known_server import Recognised
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.run_folder import Manifest, RunStatus

LOAD_REMEDIES = {
    "connections enough": "The generator had too few connections for this rate: give more --connections.",
    "generator not overloaded": "A generator's worker was at its limit: give more --workers, on other cores or hosts.",
    "released on time": "The generator was late: give more --workers, or keep other work off its cores.",
    "source ports left": "Source ports are running out: give more addresses with --source, or keep connections alive.",
}
"""What to do where the generator was the limit, by the check that found it."""

REMEDIES = {
    Outcome.REFUSED: "Connections were refused: nothing listened on the port then; look for a restart in the log.",
    Outcome.RESET: "Connections were reset: the target closed sockets with unread data, or gave up half-open ones;"
    " look for a limit on open files, and at its backlog.",
    Outcome.CLOSED: "Connections were closed without an answer: look in the log for a crashed or killed worker.",
    Outcome.CONNECT_TIMEOUT: "Clients could not connect in time: the accept queue was full, and the kernel dropped"
    " their SYN.",
    Outcome.RESPONSE_TIMEOUT: "Requests ran into the time limit while in line: more at once, a shorter line, or a"
    " longer --timeout.",
    Outcome.SERVER_ERROR: "The target answered 5xx: its own log says why.",
    Outcome.WRONG_ANSWER: "Answers were not the expected ones: compare the example with the expected status and text.",
    Outcome.UNREACHABLE: "There was no way to the target: look at routes and firewalls.",
    Outcome.MALFORMED: "What came is not HTTP/1.1: a TLS port, or another protocol, answers so.",
    Outcome.TLS_FAILED: "No secure connection was made: look at the certificate, the name in it, and the scheme.",
    Outcome.OUT_OF_PORTS: "The generator ran out of source ports: spread the load over more workers on more addresses.",
    Outcome.OUT_OF_FILES: "The generator ran out of open files: raise `ulimit -n`, or use more workers.",
    Outcome.OUT_OF_MEMORY: "The generator ran out of memory for sockets: use more workers on more hosts.",
}


_AT_WORK = (
    "Nothing was answered and nothing failed: the server had other work. It may still work off what a run before has"
    " left, for clients that are gone: wait, or start it anew, and run again. Or its hold is longer than was said."
)


def advise(
    manifest: Manifest, found: Judgement, outcomes: dict[str, int], known: Recognised | None = None
) -> tuple[str, ...]:
    """Advice, the most useful first; a target's own knob only where its expected ceiling was measured.

    `outcomes` has all requests by what became of them; `known` is a server that was recognised.
    """
    expect, ceiling = manifest.expect, found.in_service.ceiling
    advice = list(known.advice) if known else []
    if known and known.tells.why:
        pass
    elif expect.why and expect.ceiling == ceiling:
        advice = [text for text in (expect.why, expect.knob) if text]
    elif expect.ceiling is not None and expect.ceiling != ceiling and manifest.status is RunStatus.COMPLETE:
        advice = [_unexpected(expect.ceiling, ceiling)]
    elif not any(limit.kind is LimitKind.OPEN_FILES for limit in found.limits):
        advice += [*_of_model(found), *_of_inside(found)]
    return tuple(dict.fromkeys([*_of_silence(manifest, found, outcomes), *advice, *_of_limits(found)]))


def advise_steady(
    manifest: Manifest,
    found: Judgement,
    checks: tuple[Check, ...],
    *,
    waited: bool,
    known: Recognised | None = None,
) -> tuple[str, ...]:
    """Advice on a steady load: the generator's part first; the target's own knob where requests waited in it.

    `waited`: requests waited in the target, so that more at once would have served them sooner. `known` is a server
    that was recognised.
    """
    expect, at_once = manifest.expect, found.in_service.peak
    failed = [check.name for check in checks if check.ok is False]
    advice = [LOAD_REMEDIES[name] for name in failed if name in LOAD_REMEDIES]
    number, own = expect.ceiling, [text for text in (expect.why, expect.knob) if text]
    if known:
        number, own = known.server.number, list(known.advice)
    if waited and not advice and number is not None and agree(number, at_once):
        advice += own
    elif known:
        advice.append(known.server.words)
    return tuple(dict.fromkeys([*advice, *_of_limits(found)]))


def _of_silence(manifest: Manifest, found: Judgement, outcomes: dict[str, int]) -> list[str]:
    """A server that takes requests and answers none, though a whole run of several holds went by."""
    kinds = {kind for kind, count in outcomes.items() if count}
    is_silent = kinds == {Outcome.WAITING.value} and manifest.status is RunStatus.COMPLETE
    took = any(found.waiting[place].peak for place in (Place.IN_PROCESS, Place.UNREAD, Place.ACCEPT_QUEUE))
    return [_AT_WORK] if is_silent and took else []


def _of_limits(found: Judgement) -> list[str]:
    """The limits that were reached, then what no limit explains."""
    explained = {kind for limit in found.limits for kind in limit.explains}
    kinds = [Outcome(failure.kind) for failure in found.failures if failure.kind not in explained]
    return [*(limit.words for limit in found.limits), *(REMEDIES[kind] for kind in kinds if kind in REMEDIES)]


def _unexpected(expected: int, ceiling: int | None) -> str:
    measured = "no ceiling was seen" if ceiling is None else f"{ceiling:,} was measured"
    return f"A ceiling of {expected:,} was expected of this target, and {measured}: compare versions and limits."


def _of_model(found: Judgement) -> list[str]:
    """For a server that nothing is known of."""
    ceiling, model = found.in_service.ceiling, found.model
    if ceiling is None:
        return []
    if model.unit is Unit.PROCESS:
        return [f"Each process runs one request: more processes raise the {ceiling:,}."]
    if model.unit is Unit.THREAD and model.reused:
        return [f"A pool of threads runs the requests: a larger pool, or more processes, raises the {ceiling:,}."]
    if model.unit is Unit.EVENT_LOOP and ceiling == (model.processes or 1):
        return ["An event loop ran one request at a time: its handler blocks; await, or hand the work to threads."]
    return []


def _of_inside(found: Judgement) -> list[str]:
    inside, ceiling = found.waiting[Place.IN_PROCESS].peak, found.in_service.ceiling
    if ceiling is None or not inside or inside <= ceiling:
        return []
    words = "Requests waited inside the process, where neither the kernel nor a load balancer sees them"
    return [f"{words}: bound that line, so that a balancer is told at once."]
