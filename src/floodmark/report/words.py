"""Numbers, times and short phrases as the report writes them. No layout: every output has its own."""

from floodmark.analysis.document import InService, Judgement, ProfileSummary, VerdictDocument, WaitingPlace
from floodmark.core.places import WAITING_PLACES, Place

UNKNOWN = "not known"
WITH_THE_SERVER = "with the server"
OR_ON_THE_WAY = " or on the way"

WAY_SHARE = 0.1
"""Of those in service: fewer that are on their way are within what the number in service is right to."""

MEANING = {
    Place.IN_SERVICE: "A handler is running the request.",
    Place.IN_PROCESS: "The server has read the request and keeps it in a queue of its own until a handler is free.",
    Place.UNREAD: "A process has accepted the connection and not read the request: it lies in the kernel's buffer.",
    Place.ACCEPT_QUEUE: "The kernel has made the connection and no process has accepted it yet.",
    Place.HALF_OPEN: "The client believes it is connected. The accept queue was full, so the server's kernel dropped"
    " the last step, and the request has not arrived.",
    Place.CONNECTING: "The first packet has had no answer. The client's kernel sends it again after a second or more.",
}
"""What it means for a request to be in each place, for a reader who has not read the method."""


def printable(text: str) -> str:
    r"""The text on one line with every character that does not print written out, as ``\x1b``.

    Names and errors come from outside: an escape code must not reach a terminal, nor a NUL an XML document.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in " ".join(text.split())
    )


def count(number: int | None) -> str:
    """``1,000``; the words for None."""
    return UNKNOWN if number is None else f"{number:,}"


def quantity(number: float) -> str:
    """``1,000``, or ``39.6`` where the number is not whole."""
    return f"{number:,.0f}" if round(number, 1) == round(number) else f"{number:,.1f}"


def duration(time_s: float) -> str:
    """``5 s``, ``0.25 s``, ``20 ms``."""
    if 0 < time_s < 0.1:  # noqa: PLR2004  where milliseconds read better than a fraction
        return f"{time_s * 1000:.3g} ms"
    return f"{time_s:,.0f} s" if time_s == round(time_s) else f"{time_s:,.3g} s"


def size_words(size_bytes: float) -> str:
    """``312 bytes``, ``4.1 kB``, ``1.2 MB``: thousands, as networks count."""
    for unit, per in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= per:
            return f"{size_bytes / per:,.3g} {unit}"
    return f"{size_bytes:,.0f} bytes"


def plural(number: int, noun: str) -> str:
    """``1 request``, ``1,000 requests``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def as_sentence(words: str) -> str:
    """The words with a capital letter and a full stop."""
    return f"{words[0].upper()}{words[1:]}."


def profile_words(profile: ProfileSummary) -> str:
    """The load in one phrase: ``1,000 requests at one instant, each held 5 s``."""
    held = f", each held {duration(profile.hold_s)}" if profile.hold_s else ""
    return f"{_load_words(profile)}{held}"


def _load_words(profile: ProfileSummary) -> str:
    lasts = f"for {duration(profile.duration_s or 0.0)}"
    if profile.rate is not None:
        return (
            f"{quantity(profile.rate)} requests per second {lasts}, over up to {profile.connections or 0:,} connections"
        )
    if profile.is_steady:
        return f"{plural(profile.connections or 0, 'connection')} {lasts}, the next request when the last is answered"
    if profile.first is not None:
        return f"bursts from {profile.first:,} up to {profile.requests or 0:,} requests at one instant"
    spread = "at one instant" if not profile.within_s else f"within {duration(profile.within_s)}"
    return f"{plural(profile.requests or 0, 'request')} {spread}"


def at_once_words(in_service: InService) -> str:
    """``40 at once``, or that no ceiling was seen."""
    if in_service.ceiling is not None:
        return f"{in_service.ceiling:,} at once"
    return f"at least {in_service.peak:,} at once, no ceiling seen"


def is_with_the_server(document: VerdictDocument) -> bool:
    """In service cannot be told from in process: how long a handler takes is not known."""
    return document.profile.is_steady and (document.service is None or document.service.mean_s is None)


def place_name(document: VerdictDocument, place: Place) -> str:
    """A place's name; where in service cannot be told from in process, both are with the server."""
    return WITH_THE_SERVER if place is Place.IN_SERVICE and is_with_the_server(document) else place.words


def place_meaning(document: VerdictDocument, place: Place) -> str:
    """What it means to be in a place of this run."""
    if place is Place.IN_SERVICE and is_with_the_server(document):
        return "The server has read the request: a handler is running it, or it stands in a queue of the server's own."
    if place is Place.IN_SERVICE and document.profile.is_steady:
        return f"{MEANING[place]} Throughput times service time (Little's law)."
    return MEANING[place]


def at_once(document: VerdictDocument) -> int:
    """How many of a steady load were in service at once, as a mean; the most where there is no estimate of that."""
    in_service = document.verdict.in_service
    value = next((estimate.value for estimate in in_service.estimates if estimate.value is not None), None)
    return in_service.peak if value is None else round(value)


def on_way(document: VerdictDocument) -> int:
    """How many of a steady load were on their way there or back, as a mean; 0 where they are few beside the others."""
    if document.service is None or document.throughput is None:
        return 0
    number = document.throughput.answered_per_s * document.service.way_s
    return round(number) if number > max(1.0, WAY_SHARE * at_once(document)) else 0


def in_service_words(document: VerdictDocument) -> str:
    """How many at once, as far as this kind of load can tell."""
    in_service = document.verdict.in_service
    if not document.profile.is_steady:
        return at_once_words(in_service)
    if is_with_the_server(document):
        return f"up to {in_service.peak:,} {WITH_THE_SERVER}"
    return f"about {at_once(document):,} in service at once"


def short_words(document: VerdictDocument) -> str:
    """The verdict in a caption: how many at once, then the waiting places, fullest first."""
    verdict = document.verdict
    peaks = {place: waiting_place(verdict, place).peak for place in WAITING_PLACES}
    busy = sorted((place for place in WAITING_PLACES if peaks[place]), key=lambda place: -(peaks[place] or 0))
    places = [f"up to {peaks[place]:,} {_preposition(place)}{place.words}" for place in busy]
    return ", ".join([in_service_words(document), *places])


def waiting_place(verdict: Judgement, place: Place) -> WaitingPlace:
    """The verdict's entry for a place; all unknown where it has none."""
    return verdict.waiting.get(place, WaitingPlace(peak=None, limit=None))


def kind_words(kind: str) -> str:
    """An outcome's kind as words: ``connect timeout``."""
    return kind.replace("_", " ")


def _preposition(place: Place) -> str:
    return {Place.ACCEPT_QUEUE: "in the ", Place.IN_PROCESS: ""}.get(place, "")
