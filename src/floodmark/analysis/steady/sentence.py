"""The verdict on a steady load in plain words: how fast, how late, where requests waited, and what was the limit."""

from collections.abc import Mapping
from dataclasses import dataclass

from floodmark.analysis.document import Check, Judgement, Percentiles, ServiceTime, Throughput
from floodmark.analysis.sentence import listing, noteworthy_places, place_words, requests_of, what_became
from floodmark.analysis.steady.checks import LATE, LOST, PORTS
from floodmark.analysis.steady.line import LIMIT_LEAST_S, Line
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, ClosedProfile, SteadyProfile

NOTEWORTHY_SHARE = 0.05
"""Of the requests in flight: fewer in a place than this are left to the table. Rate times time is no finer."""

PASSING_SHARE = 0.25
"""The same where no line stood for long: what is worth a word then is a crowd while connections are made, say."""

IN_VAIN_SHARE = 0.1
"""Of the answered: with more that timed out, a server that does not notice is busy with these as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a steady load's sentence is made of.

    `at_once` is throughput times service time; None: not known. `settled` has the most requests that stayed in each
    place for a while, which chooses the places that are named; `most_in_flight` the most at the end of any second,
    those that waited for a connection among them; `on_way` how many were on their way there or back, as a mean.
    `line`: whether requests waited in the target throughout. `line_grew` and `many_failed` are an open model's, and
    `full_from`: the second from which on that line filled all connections. `fault`: the check that found the generator
    to be the limit. `lost`: a worker did not come to its end. `ended_early`: the run did not.
    """

    target: str
    profile: SteadyProfile
    found: Judgement
    outcomes: Mapping[str, int]
    throughput: Throughput
    latency: Percentiles | None
    service: ServiceTime
    at_once: float | None
    settled: Mapping[Place, int]
    most_in_flight: int
    on_way: float
    line: Line
    full_from: int | None
    line_grew: bool
    many_failed: bool
    fault: Check | None
    lost: bool
    ended_early: bool


def steady_sentence(story: Story) -> str:
    """How fast it answered and how late; who was in service and where the others waited; what failed."""
    parts = (_pace(story), _limit(story), _in_service(story), _became(story))
    return " ".join(part for part in parts if part)


def amount(number: float) -> str:
    """Three digits are enough for a sentence: ``391``, ``12,345``, ``0.102``."""
    if abs(number) >= 100:  # noqa: PLR2004  where whole numbers have three digits
        return f"{number:,.0f}"
    return f"{number:.3g}"


def seconds_words(time_s: float) -> str:
    """``1.22 s``, ``12.4 ms``, ``85 us``."""
    if time_s >= 0.9995:  # noqa: PLR2004  where a second begins, rounded
        return f"{amount(time_s)} s"
    if time_s >= 0.0009995:  # noqa: PLR2004  where a millisecond begins, rounded
        return f"{amount(time_s * 1e3)} ms"
    return f"{amount(time_s * 1e6)} us"


def _pace(story: Story) -> str:
    rate, took = f"{amount(story.throughput.answered_per_s)}", _for(story.throughput.duration_s)
    if story.latency is None:
        planned = sum(story.outcomes.values())
        return f"{story.target} gave none of {requests_of(planned)} the expected answer{took}."
    late = (
        f"half within {seconds_words(story.latency.p50_s)}, 99 % within {seconds_words(story.latency.p99_s)}"
        if story.latency.count > 1
        else f"within {seconds_words(story.latency.max_s)}"
    )
    profile = story.profile
    if isinstance(profile, ClosedProfile):
        clients = "one connection" if profile.connections == 1 else f"{profile.connections:,} connections"
        return f"{story.target} answered {rate} requests/s from {clients}{took}{_ended(story)}: {late}."
    asked = f"{amount(profile.rate)} requests/s for {amount(profile.duration_s)} s"
    if story.lost or story.ended_early:
        return f"{story.target} answered {rate}/s of {asked}{_ended(story)}: {late}."
    if story.fault or (story.many_failed and not story.line_grew):
        return f"{story.target} answered {rate} of {asked}: {late}."
    if not story.line_grew:
        return f"{story.target} kept up with {asked}: {late}."
    grew = f"the line grew to {story.most_in_flight:,}"
    if story.full_from is not None:
        busy = f"{profile.connections:,} connections and the requests that waited for one"
        grew += f" (from second {story.full_from:,} on, {busy})"
    return f"{story.target} did not keep up with {asked}: it answered {rate}/s, {late}, and {grew}."


def _ended(story: Story) -> str:
    """Where the load did not come to its end: neither that it was kept up with nor that it was not can be said."""
    return " until it was ended" if story.ended_early else " until a worker was lost" if story.lost else ""


def _for(duration_s: float) -> str:
    return f" over {amount(duration_s)} s"


def _limit(story: Story) -> str:
    if story.fault is None:
        return ""
    if story.fault.name == LATE:
        return f"The generator was late, and its lateness is in these times: {story.fault.words}."
    if story.fault.name == LOST:
        return f"The generator was short of workers: {story.fault.words}."
    if story.fault.name == PORTS:
        return f"The generator was near its own limit, which may be in these times: {story.fault.words}."
    return f"The generator was the limit, and not {story.target}: {story.fault.words}."


def _in_service(story: Story) -> str:
    if story.latency is None:
        return _waited_anyway(story)
    if story.at_once is None:
        return (
            f"How many were in service at once is not known ({story.service.words}). {_with_the_server(story)}".rstrip()
        )
    service_s = story.service.mean_s or 0.0
    rate = story.at_once / service_s if service_s else story.throughput.answered_per_s
    served = f"{amount(rate)}/s times {seconds_words(service_s)}"
    few = story.at_once < 1
    head = f"{'On average' if few else 'About'} {amount(story.at_once) if few else format(round(story.at_once), ',')}"
    head += f" {'was' if round(story.at_once, 1) == 1 else 'were'} in service at once ({served})"
    if _works_in_vain(story):
        head = f"Of those that were answered, {head[0].lower()}{head[1:]}, beside requests that had timed out by then"
    return f"{head}{_the_others(story)}."


def _works_in_vain(story: Story) -> bool:
    """So many requests timed out that what the server does for them is a part of what is in service."""
    timed_out = story.outcomes.get(Outcome.RESPONSE_TIMEOUT, 0)
    return timed_out > IN_VAIN_SHARE * story.outcomes.get(Outcome.ANSWERED, 0)


def _the_others(story: Story) -> str:
    """Where those were that were not in service, and what that says of a closed loop's limit."""
    on_way = f"; about {words}" if (words := _on_way(story)) else ""
    is_open = not isinstance(story.profile, ClosedProfile)
    if story.line.waited and (story.line.is_clear or is_open):
        waiting = f", up to {words}" if (words := _waiting(story, NOTEWORTHY_SHARE)) else ""
        return f"{on_way}; the others waited{waiting}{_limit_said(story, ': the server was the limit')}"
    waiting = f"; up to {words} for a while" if (words := _waiting(story, PASSING_SHARE)) else ""
    if story.line.waited is None:
        return f"{on_way}{waiting}" or "; no agent saw where the others were"
    limit = _limit_said(story, _load_was_the_limit(story.profile))
    if not story.line.is_clear and not is_open:
        return f"{on_way}{waiting}{limit}"
    return f"{on_way}{waiting}, and no line stood in the server{' for long' if waiting else ''}{limit}"


def _limit_said(story: Story, words: str) -> str:
    """The words where a closed loop's limit can be told, else why not; nothing where it is the generator's."""
    if story.fault or not isinstance(story.profile, ClosedProfile):
        return ""
    if story.line.is_clear:
        return words
    if story.throughput.duration_s < LIMIT_LEAST_S - 1e-3:
        return ". What the limit was cannot be told from so short a load"
    return ". What the limit was cannot be told: the network, the generator and the server may each have been it"


def _on_way(story: Story) -> str:
    """Those on their way, where they are worth a word."""
    if story.on_way <= max(1.0, NOTEWORTHY_SHARE * story.most_in_flight):
        return ""
    number = min(round(story.on_way), story.profile.most_connections)
    return f"{number:,} were on their way there or back ({seconds_words(story.service.way_s)})"


def _load_was_the_limit(profile: SteadyProfile) -> str:
    number = profile.most_connections
    return f": the {'one connection was' if number == 1 else f'{number:,} connections were'} the limit"


def _waiting(story: Story, share: float) -> str:
    """The places in which more than this share of the requests stayed, the fullest first."""
    least = max(1.0, share * story.most_in_flight)
    noteworthy = noteworthy_places(story.found, story.settled, least)
    listed = [f"{count:,} {place_words(place, story.found)}" for count, place in noteworthy]
    when = ", not all at the same time" if len(listed) > 1 else ""
    return f"{listing(listed)}{when}" if listed else ""


def _with_the_server(story: Story) -> str:
    waiting = _waiting(story, NOTEWORTHY_SHARE)
    with_it = f"Up to {story.found.in_service.peak:,} were with the server" if story.found.in_service.peak else ""
    others = f"up to {waiting}" if waiting else ""
    words = "; ".join(part for part in (with_it, others) if part)
    return f"{words[0].upper()}{words[1:]}." if words else ""


def _waited_anyway(story: Story) -> str:
    waiting = _waiting(story, NOTEWORTHY_SHARE)
    return f"They waited, up to {waiting}." if waiting else ""


def _became(story: Story) -> str:
    """A closed loop always ends with a request on every connection: that is no line."""
    outcomes = dict(story.outcomes)
    if not isinstance(story.profile, ArrivalsProfile):
        outcomes.pop(Outcome.WAITING.value, None)
    return what_became(outcomes, story.found.failures, lost=story.lost)
