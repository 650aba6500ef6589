"""The verdict in plain words: one paragraph that a person would say. It decides nothing."""

from collections.abc import Mapping, Sequence

from floodmark.analysis.document import Failure, InService, Judgement, LimitKind, Model, Unit
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Manifest, RunStatus

WAITED = {
    Place.IN_PROCESS: "inside the process",
    Place.UNREAD: "accepted and unread",
    Place.ACCEPT_QUEUE: "in the accept queue",
    Place.HALF_OPEN: "half open",
    Place.CONNECTING: "still connecting",
}

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

OWN_LIMITS = (LimitKind.OPEN_FILES, LimitKind.THREADS)

NOTEWORTHY_SHARE = 0.02
"""Of the requests: fewer in a place than this are left to the table."""


def verdict_sentence(
    manifest: Manifest,
    profile: BurstProfile,
    found: Judgement,
    settled: Mapping[Place, int],
    outcomes: Mapping[str, int],
) -> str:
    """Who is handled at once and by whom, where the others waited, what became of them, and which knob moves it.

    `settled` has the most requests that stayed in each place for a good part of a hold: it chooses the places that are
    named. The numbers that are said are the most seen there, as in the table.
    """
    parts = (
        _how_many(manifest, found, settled, outcomes),
        _where(profile, found, settled),
        what_became(outcomes, found.failures, lost=manifest.status is RunStatus.COMPLETE),
        _what_ran_out(found),
        _what_moves_it(manifest, found.in_service),
    )
    return " ".join(part for part in parts if part)


def _how_many(manifest: Manifest, found: Judgement, settled: Mapping[Place, int], outcomes: Mapping[str, int]) -> str:
    target, planned = manifest.target, sum(outcomes.values())
    peak, ceiling, answered = found.in_service.peak, found.in_service.ceiling, outcomes.get(Outcome.ANSWERED.value, 0)
    if ceiling is not None:
        return f"{target} handles {requests_of(ceiling)} at once{_who(found.model, ceiling)}."
    if not peak:
        if answered:
            return f"{target} answered {requests_of(answered)}, too quickly to count how many were in service at once."
        return f"{target} gave none of {requests_of(planned)} the expected answer within the run."
    if peak >= planned:
        head = f"{target} had {'its one request' if planned == 1 else f'all {planned:,} requests'} in service at once"
    else:
        head = f"{target} had at least {requests_of(peak)} in service at once"
    waited = any(settled[place] for place in (Place.ACCEPT_QUEUE, Place.UNREAD, Place.IN_PROCESS))
    return f"{head}{_who(found.model, peak)}; no ceiling {'is proven' if waited else 'was seen'}."


def _who(model: Model, count: int) -> str:
    of = f" of {_processes(model.processes)}" if model.processes else ""
    if model.unit is Unit.EVENT_LOOP:
        return f", in one event loop in each{of}" if (model.processes or 1) > 1 else f", in one event loop{of}"
    if model.unit is Unit.PROCESS:
        kind = {True: "reused process", False: "new process", None: "process"}[model.reused]
        many = f"one in each of {count:,} {kind}es" if model.reused is not False else f"each in a {kind}"
        return f", {many}" if count > 1 else f", in a {kind}"
    if model.unit is Unit.THREAD:
        kind = {True: "reused thread", False: "new thread", None: "thread"}[model.reused]
        many = f"in {count:,} {kind}s" if model.reused is not False else f"each in a {kind}"
        return f", {many}{of}" if count > 1 else f", in a {kind}{of}"
    return ""


def _where(profile: BurstProfile, found: Judgement, settled: Mapping[Place, int]) -> str:
    others = profile.requests - found.in_service.peak
    least = NOTEWORTHY_SHARE * profile.requests
    noteworthy = noteworthy_places(found, settled, least)
    if others <= 0:
        return _late(profile, found)
    if not noteworthy:
        return ""
    sent = f"Of {profile.requests:,} sent {_together(profile)}"
    if len(noteworthy) == 1 and noteworthy[0][0] == others:
        rest = "one" if others == 1 else f"{others:,}"
        return f"{sent} the other {rest} waited {place_words(noteworthy[0][1], found)}."
    listed = [f"{count:,} {place_words(place, found)}" for count, place in noteworthy]
    when = "" if len(listed) == 1 else ", not all at the same time"
    return f"{sent} the others waited: up to {listing(listed)}{when}."


def _late(profile: BurstProfile, found: Judgement) -> str:
    """Where all were in service in the end, and many of them came late: their first SYN was dropped."""
    late = max(found.waiting[place].peak or 0 for place in (Place.CONNECTING, Place.HALF_OPEN))
    queue = found.waiting[Place.ACCEPT_QUEUE]
    overflowed = bool(found.listen_overflows) or (queue.peak or 0) > (queue.limit or 0)
    if queue.limit is None or not overflowed or late <= NOTEWORTHY_SHARE * profile.requests:
        return ""
    return f"Up to {late:,} of them got in late: the accept queue (limit {queue.limit:,}) was full when they came."


def noteworthy_places(found: Judgement, settled: Mapping[Place, int], least: float) -> list[tuple[int, Place]]:
    """The places in which more than `least` requests stayed, with the most that was seen there, the fullest first."""
    peaks = ((found.waiting[place].peak or 0, place) for place, count in settled.items() if count > least)
    return sorted(((peak, place) for peak, place in peaks if peak > least), reverse=True)


def place_words(place: Place, found: Judgement) -> str:
    """Where they waited: ``in the accept queue (limit 128)``."""
    words = WAITED[place]
    queue = found.waiting[Place.ACCEPT_QUEUE]
    if place is Place.ACCEPT_QUEUE and queue.limit is not None:
        full = (queue.peak or 0) > queue.limit
        return f"{words}, which was full (limit {queue.limit:,})" if full else f"{words} (limit {queue.limit:,})"
    inner = [line for line in found.lines if not line.outer and line.depth_peak]
    if place is Place.IN_PROCESS and inner:
        deepest = max(inner, key=lambda line: line.depth_peak)
        return f"{words}, {deepest.depth_peak:,} of them in its inner line {deepest.address} (limit {deepest.limit:,})"
    return words


def what_became(outcomes: Mapping[str, int], failures: tuple[Failure, ...], *, lost: bool) -> str:
    """What became of those that were not answered: one sentence. `lost`: the unsent ones had a worker that was lost."""
    parts = []
    if failures:
        listed = listing(
            [f"{failure.count:,} {failure.kind.replace('_', ' ')} ({failure.side})" for failure in failures]
        )
        parts.append(f"{sum(failure.count for failure in failures):,} failed: {listed}")
    else:
        parts.append("none was refused, none failed")
    if waiting := outcomes.get(Outcome.WAITING.value):
        parts.append(f"{waiting:,} had no answer yet when the run ended")
    if unsent := outcomes.get(Outcome.UNSENT.value):
        parts.append(f"{unsent:,} have no outcome: their worker was lost" if lost else f"{_were(unsent)} never sent")
    words = "; ".join(parts)
    return f"{words[0].upper()}{words[1:]}."


def _what_ran_out(found: Judgement) -> str:
    """The limits that explain a failure, and those that nobody should run into; a full line was told of before."""
    kinds = {failure.kind for failure in found.failures}
    told = [limit.short for limit in found.limits if kinds & {*limit.explains} or limit.kind in OWN_LIMITS]
    return f"What ran out: {listing(list(dict.fromkeys(told)))}." if told else ""


def _what_moves_it(manifest: Manifest, in_service: InService) -> str:
    expect = manifest.expect
    if not expect.moved_by or in_service.ceiling is None or in_service.ceiling != expect.ceiling:
        return ""
    return f"What moves the {in_service.ceiling:,}: {expect.moved_by}."


def _together(profile: BurstProfile) -> str:
    return f"within {profile.within_s:g} s" if profile.within_s else "together"


def _were(count: int) -> str:
    return "1 was" if count == 1 else f"{count:,} were"


def requests_of(count: int) -> str:
    """``one request``, ``1,000 requests``."""
    return "one request" if count == 1 else f"{count:,} requests"


def _processes(count: int) -> str:
    if count == 1:
        return "one process"
    return f"{SMALL[count] if count < len(SMALL) else format(count, ',')} processes"


def listing(words: Sequence[str]) -> str:
    """``one, two and three``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
