"""Numbers, times and short phrases as the report writes them. No layout: every output has its own."""

from floodmark.analysis.document import InService, Judgement, ProfileSummary, WaitingPlace
from floodmark.core.places import WAITING_PLACES, Place

UNKNOWN = "not known"

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


def plural(number: int, noun: str) -> str:
    """``1 request``, ``1,000 requests``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def profile_words(profile: ProfileSummary) -> str:
    """The load in one phrase: ``1,000 requests at one instant, each held 5 s``."""
    spread = "at one instant" if profile.within_s == 0 else f"within {duration(profile.within_s)}"
    return f"{plural(profile.requests, 'request')} {spread}, each held {duration(profile.hold_s)}"


def at_once_words(in_service: InService) -> str:
    """``40 at once``, or that no ceiling was seen."""
    if in_service.ceiling is not None:
        return f"{in_service.ceiling:,} at once"
    return f"at least {in_service.peak:,} at once, no ceiling seen"


def short_words(verdict: Judgement) -> str:
    """The verdict in a caption: how many at once, then the waiting places, fullest first."""
    peaks = {place: waiting_place(verdict, place).peak for place in WAITING_PLACES}
    busy = sorted((place for place in WAITING_PLACES if peaks[place]), key=lambda place: -(peaks[place] or 0))
    places = [f"up to {peaks[place]:,} {_preposition(place)}{place.words}" for place in busy]
    return ", ".join([at_once_words(verdict.in_service), *places])


def waiting_place(verdict: Judgement, place: Place) -> WaitingPlace:
    """The verdict's entry for a place; all unknown where it has none."""
    return verdict.waiting.get(place, WaitingPlace(peak=None, limit=None))


def kind_words(kind: str) -> str:
    """An outcome's kind as words: ``connect timeout``."""
    return kind.replace("_", " ")


def _preposition(place: Place) -> str:
    return {Place.ACCEPT_QUEUE: "in the ", Place.IN_PROCESS: ""}.get(place, "")
