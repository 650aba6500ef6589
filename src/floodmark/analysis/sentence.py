"""The verdict in plain words: one paragraph that a person would say. It decides nothing."""

from collections.abc import Mapping

from floodmark.analysis.document import Failure, InService, Judgement, Model, Unit
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Manifest

WAITED = {
    Place.IN_PROCESS: "inside the process",
    Place.UNREAD: "accepted and unread",
    Place.ACCEPT_QUEUE: "in the accept queue",
    Place.HALF_OPEN: "half open",
    Place.CONNECTING: "still connecting",
}

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

NOTEWORTHY_SHARE = 0.02
"""Of the requests: fewer in a place than this are left to the table."""


def verdict_sentence(
    manifest: Manifest, found: Judgement, settled: Mapping[Place, int], outcomes: Mapping[str, int]
) -> str:
    """Who is handled at once and by whom, where the others waited, what became of them, and which knob moves it.

    `settled` has the most requests that stayed in each place for a good part of a hold.
    """
    profile, in_service = manifest.profile, found.in_service
    if not outcomes.get(Outcome.ANSWERED.value) and not in_service.peak:
        first = f"{manifest.target} answered none of {profile.requests:,} requests within the run."
    else:
        first = _how_many(manifest.target, profile, in_service, found.model)
    parts = (
        first,
        _where(profile, found, settled),
        _what_became(outcomes, found.failures),
        _what_moves_it(manifest, in_service),
    )
    return " ".join(part for part in parts if part)


def _how_many(target: str, profile: BurstProfile, in_service: InService, model: Model) -> str:
    if in_service.ceiling is not None:
        return f"{target} handles {_requests(in_service.ceiling)} at once{_who(model, in_service.ceiling)}."
    if in_service.peak >= profile.requests:
        head = f"{target} had all {profile.requests:,} requests in service at once"
    else:
        head = f"{target} had at least {_requests(in_service.peak)} in service at once"
    return f"{head}{_who(model, in_service.peak)}; no ceiling was seen."


def _who(model: Model, count: int) -> str:
    of = f" of {_processes(model.processes)}" if model.processes else ""
    if model.unit is Unit.EVENT_LOOP:
        where = "in one event loop" if (model.processes or 1) == 1 else "in one event loop each"
        return f", {where}{of}" if model.processes else f", {where}"
    if model.unit is Unit.PROCESS:
        if model.reused is False:
            return ", each in a new process"
        return f", one in each of {count:,} reused processes" if count > 1 else ", in its only process"
    if model.unit is Unit.THREAD:
        if model.reused is False:
            return f", each in a new thread{of}"
        kind = "reused thread" if model.reused else "thread"
        return f", in {count:,} {kind}{'' if count == 1 else 's'}{of}"
    return ""


def _where(profile: BurstProfile, found: Judgement, settled: Mapping[Place, int]) -> str:
    others = profile.requests - found.in_service.peak
    least = NOTEWORTHY_SHARE * profile.requests
    noteworthy = sorted(((count, place) for place, count in settled.items() if count > least), reverse=True)
    if not noteworthy or others <= 0:
        return ""
    sent = f"Of {profile.requests:,} sent {_together(profile)}"
    if len(noteworthy) == 1 and noteworthy[0][0] == others:
        return f"{sent} the other {others:,} waited {_place_words(noteworthy[0][1], found)}."
    listed = [f"{count:,} {_place_words(place, found)}" for count, place in noteworthy]
    return f"{sent} the others waited: up to {_and(listed)}."


def _place_words(place: Place, found: Judgement) -> str:
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


def _what_became(outcomes: Mapping[str, int], failures: tuple[Failure, ...]) -> str:
    parts = []
    if failures:
        listed = _and([f"{failure.count:,} {failure.kind.replace('_', ' ')} ({failure.side})" for failure in failures])
        parts.append(f"{sum(failure.count for failure in failures):,} failed: {listed}")
    else:
        parts.append("none was refused, none failed")
    if waiting := outcomes.get(Outcome.WAITING.value):
        parts.append(f"{waiting:,} were still in line when the run ended")
    if unsent := outcomes.get(Outcome.UNSENT.value):
        parts.append(f"{unsent:,} were never sent")
    words = "; ".join(parts)
    return f"{words[0].upper()}{words[1:]}."


def _what_moves_it(manifest: Manifest, in_service: InService) -> str:
    expect = manifest.expect
    if not expect.moved_by or in_service.ceiling is None or in_service.ceiling != expect.ceiling:
        return ""
    return f"What moves the {in_service.ceiling:,}: {expect.moved_by}."


def _together(profile: BurstProfile) -> str:
    return f"within {profile.within_s:g} s" if profile.within_s else "together"


def _requests(count: int) -> str:
    return "one request" if count == 1 else f"{count:,} requests"


def _processes(count: int) -> str:
    if count == 1:
        return "one process"
    return f"{SMALL[count] if count < len(SMALL) else format(count, ',')} processes"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
