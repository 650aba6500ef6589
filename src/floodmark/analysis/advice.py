"""What must be changed, and by which knob: from what is known of the target, else from the evidence alone."""

from dataclasses import replace

from floodmark.analysis.document import Check, Judgement, Unit
from floodmark.analysis.estimates import agree
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

SPARE_FILES = 1
"""A server at its limit closes and opens one all the time."""

_RAISE_BOTH = "Raise the server's backlog, and net.core.somaxconn."


def advise(manifest: Manifest, found: Judgement, files_peak: int | None) -> tuple[str, ...]:
    """Advice, the most useful first; a target's own knob only where its expected ceiling was measured.

    `files_peak` is the most files that any process of the target had open.
    """
    expect, ceiling = manifest.expect, found.in_service.ceiling
    advice = []
    if expect.why and expect.ceiling == ceiling:
        advice = [text for text in (expect.why, expect.knob) if text]
    elif expect.ceiling is not None and expect.ceiling != ceiling and manifest.status is RunStatus.COMPLETE:
        advice = [_unexpected(expect.ceiling, ceiling)]
    elif not _files_are_short(manifest, files_peak):
        advice = [*_of_model(found), *_of_inside(found)]
    if _files_are_short(manifest, files_peak):
        advice.append(_short_files(manifest, files_peak))
    kinds = [Outcome(failure.kind) for failure in found.failures]
    advice += [*_of_lines(manifest, found), *(REMEDIES[kind] for kind in kinds if kind in REMEDIES)]
    return tuple(dict.fromkeys(advice))


def advise_steady(
    manifest: Manifest, found: Judgement, files_peak: int | None, checks: tuple[Check, ...], *, waited: bool
) -> tuple[str, ...]:
    """Advice on a steady load: the generator's part first; the target's own knob where requests waited in it.

    `waited`: requests waited in the target, so that more at once would have served them sooner.
    """
    expect, at_once = manifest.expect, found.in_service.peak
    failed = [check.name for check in checks if check.ok is False]
    advice = [LOAD_REMEDIES[name] for name in failed if name in LOAD_REMEDIES]
    if waited and not advice and expect.ceiling is not None and agree(expect.ceiling, at_once):
        advice += [text for text in (expect.why, expect.knob) if text]
    if _files_are_short(manifest, files_peak):
        advice.append(_short_files(manifest, files_peak))
    kinds = [Outcome(failure.kind) for failure in found.failures]
    # A line that was full was seen full in so many beats; the counter is of all lines of the namespace.
    seen = replace(found, listen_overflows=None)
    advice += [*_of_lines(manifest, seen), *(REMEDIES[kind] for kind in kinds if kind in REMEDIES)]
    return tuple(dict.fromkeys(advice))


def _files_are_short(manifest: Manifest, files_peak: int | None) -> bool:
    limit = manifest.limits.open_files if manifest.limits else None
    return limit is not None and files_peak is not None and files_peak >= limit - SPARE_FILES


def _short_files(manifest: Manifest, files_peak: int | None) -> str:
    limit = (manifest.limits.open_files if manifest.limits else None) or 0
    return (
        f"A process of the target had {files_peak or 0:,} files open, and its limit (RLIMIT_NOFILE) is {limit:,}: each"
        " connection is one. Raise the limit first."
    )


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


def _of_lines(manifest: Manifest, found: Judgement) -> list[str]:
    somaxconn = manifest.limits.somaxconn if manifest.limits else None
    remedy = f"Raise the server's backlog and, above {somaxconn:,}, net.core.somaxconn." if somaxconn else _RAISE_BOTH
    full = [line for line in found.lines if line.depth_peak > line.limit]
    # The counter is the whole namespace's: it speaks of this target only where clients could not get in.
    kept_out = any(found.waiting[place].peak for place in (Place.CONNECTING, Place.HALF_OPEN))
    advice = [
        f"The accept queue of {line.address} was full ({line.depth_peak:,} of {line.limit:,} + 1): the kernel dropped"
        f" what came then. {remedy}"
        for line in full
    ]
    if kept_out and found.listen_overflows and not any(line.outer for line in full):
        times = f"{found.listen_overflows:,} times (retries included)"
        advice.append(f"An accept queue overflowed {times} between two samples, and clients were kept out. {remedy}")
    return advice


def _of_inside(found: Judgement) -> list[str]:
    inside, ceiling = found.waiting[Place.IN_PROCESS].peak, found.in_service.ceiling
    if ceiling is None or not inside or inside <= ceiling:
        return []
    words = "Requests waited inside the process, where neither the kernel nor a load balancer sees them"
    return [f"{words}: bound that line, so that a balancer is told at once."]
