"""What a run looks like while it runs: a bar redrawn in place on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, Group
from rich.text import Text

from floodmark.core.places import Place
from floodmark.report.colours import FILL
from floodmark.report.live_region import LiveRegion
from floodmark.report.words import count, duration, printable

REDRAW_EVERY_S = 0.1
LINE_EVERY_S = 2.0
BAR_CELLS = 60

_ANSWERED = "#7d8794"
_FAILED = "#e5484d"
_UNSENT = "#3a424d"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """Where a run is. The first counts are the workers' running totals, the rest the agent's last sample.

    `read` counts connections that the server has read everything from: in process or in service, which only the
    verdict can tell apart. None where not known. `duration_s` is a steady load's, None for one of so many requests;
    `load_s` counts from its release, `answered_per_s` is over about the last second. `silent` are requests under way
    with workers that say nothing any more.
    """

    phase: str
    elapsed_s: float = 0.0
    planned: int = 0
    released: int = 0
    connected: int = 0
    answered: int = 0
    failed: int = 0
    accept_queue: int | None = None
    unread: int | None = None
    read: int | None = None
    threads: int | None = None
    processes: int | None = None
    duration_s: float | None = None
    load_s: float = 0.0
    answered_per_s: float | None = None
    open_connections: int = 0
    silent: int = 0

    @property
    def in_flight(self) -> int:
        """Requests that were released and have no outcome yet."""
        return max(0, self.released - self.answered - self.failed - self.silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the bar: so many requests in one place."""

    words: str
    colour: str
    requests: int


class LiveView(LiveRegion):
    """Shows states as they come; leaves nothing behind on a terminal, since the verdict follows.

    Not on a terminal it writes a line at each change of phase, and in between one at most every `LINE_EVERY_S`.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives monotonic seconds."""
        super().__init__(console)
        self._clock = clock
        self._phase: str | None = None
        self._shown_s: float | None = None

    def update(self, state: LiveState) -> None:
        """Shows the state, or leaves it out when the one before was shown just now."""
        every_s = LINE_EVERY_S if self._live is None else REDRAW_EVERY_S
        now_s = self._clock()
        is_new = state.phase != self._phase
        if not is_new and self._shown_s is not None and now_s - self._shown_s < every_s:
            return
        self._phase, self._shown_s = state.phase, now_s
        if self._live is None:
            self._console.print(Text(line(state)), soft_wrap=True)
        else:
            self._live.update(table(state, max(1, min(BAR_CELLS, self._console.width - 2))), refresh=True)

    def warn(self, words: str) -> None:
        """Writes a line that stays, on a terminal above what is drawn."""
        self._console.print(Text(printable(words)), soft_wrap=True)


def segments(state: LiveState) -> list[Segment]:
    """Where the requests are, from answered to not yet sent; they add up to the requests planned.

    Of a steady load only those in flight: beside all that were answered, nothing else would be seen.
    """
    if state.duration_s is not None:
        return _in_flight(state)
    return [
        Segment(words="answered", colour=_ANSWERED, requests=state.answered),
        *_in_flight(state),
        Segment(words="failed", colour=_FAILED, requests=state.failed),
        Segment(words="with a silent worker", colour=_UNSENT, requests=state.silent),
        Segment(words="not sent", colour=_UNSENT, requests=max(0, state.planned - state.released)),
    ]


def _in_flight(state: LiveState) -> list[Segment]:
    """Client and target report at different moments: the target's counts are cut to what the client has under way."""
    left = state.in_flight
    parts = []
    for words, place, number in (
        ("with the server", Place.IN_SERVICE, state.read),
        ("unread", Place.UNREAD, state.unread),
        ("accept queue", Place.ACCEPT_QUEUE, state.accept_queue),
    ):
        requests = min(number or 0, left)
        left -= requests
        parts.append(Segment(words=words, colour=FILL[place], requests=requests))
    known = state.read is not None or state.accept_queue is not None
    parts.append(Segment(words="on the way" if known else "sent", colour=FILL[Place.CONNECTING], requests=left))
    return parts


def line(state: LiveState) -> str:
    """The state as one plain line."""
    shown = [f"{part.requests:,} {part.words}" for part in segments(state) if part.requests]
    parts = [", ".join(_progress(state) + shown)] if state.released else []
    if state.threads is not None or state.processes is not None:
        parts.append(_server_words(state))
    head = f"{state.elapsed_s:6.1f} s  {printable(state.phase)}"
    return f"{head}: {'; '.join(parts)}" if parts else head


def table(state: LiveState, cells: int) -> Group:
    """The state as a few lines for a terminal: the phase, the bar, and what its colours mean."""
    head = Text.assemble((printable(state.phase), "bold"), (f"   {duration(round(state.elapsed_s, 1))}", "dim"))
    if not state.released:
        return Group(head)
    parts, progress = segments(state), _progress(state)
    rows = [Text("   ".join(progress))] if progress else []
    return Group(head, *rows, bar(parts, cells), key(parts, cells), Text(_server_words(state), style="dim"))


def _progress(state: LiveState) -> list[str]:
    """How far a steady load is, and how fast it goes; nothing for another load."""
    if state.duration_s is None:
        return []
    # A load in its drain is over its time: the rest of the answers is waited for.
    gone_s = min(state.load_s, state.duration_s)
    rate = [] if state.answered_per_s is None else [f"{state.answered_per_s:,.0f} requests/s"]
    return [
        f"{gone_s:,.1f} of {state.duration_s:,g} s",
        *rate,
        f"{state.answered:,} answered",
        f"{state.failed:,} failed",
        f"{state.in_flight:,} in flight",
        *([f"{state.silent:,} with a silent worker"] if state.silent else []),
    ]


def key(parts: list[Segment], cells: int) -> Text:
    """What the bar's colours mean, with the counts; no entry is broken over two lines."""
    drawn, used = Text(), 0
    for part in parts:
        if not part.requests:
            continue
        words = f"{part.requests:,} {part.words}   "
        if used and used + len(words) + 2 > cells:
            drawn.append("\n")
            used = 0
        drawn.append("\N{BLACK SQUARE} ", style=part.colour).append(words)
        used += len(words) + 2
    return drawn


def bar(parts: list[Segment], cells: int) -> Text:
    """One row of `cells` blocks, each part's share of it in its colour; a part above 0 has one block at least."""
    drawn = Text()
    for part, width in zip(parts, _widths([part.requests for part in parts], cells), strict=True):
        drawn.append("\N{FULL BLOCK}" * width, style=part.colour)
    return drawn


def _widths(requests: list[int], cells: int) -> list[int]:
    """One cell for each part above 0, as far as there are cells; the others by share, largest remainders first."""
    widths = [0] * len(requests)
    shown = [index for index, number in enumerate(requests) if number > 0][:cells]
    total, free = sum(requests[index] for index in shown), cells - len(shown)
    exact = {index: requests[index] * free / total for index in shown}
    for index in shown:
        widths[index] = 1 + int(exact[index])
    left = cells - sum(widths) if shown else 0
    for index in sorted(shown, key=lambda index: exact[index] % 1, reverse=True)[:left]:
        widths[index] += 1
    return widths


def _server_words(state: LiveState) -> str:
    if state.threads is None and state.processes is None:
        return "the target's host has not reported yet"
    return f"threads {count(state.threads)}, processes {count(state.processes)}"
