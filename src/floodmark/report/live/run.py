"""What a run looks like while it runs: redrawn in place on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.text import Text

from floodmark.core.places import Place
from floodmark.report.live.drawing import Segment, bar, joined, key, progress, sparkline
from floodmark.report.live.region import LiveRegion
from floodmark.report.pictures.colours import FILL
from floodmark.report.words import count, duration, printable, quantity

REDRAW_EVERY_S = 0.1
LINE_EVERY_S = 2.0
BAR_CELLS = 100
PACE_EVERY_S = 0.5
PACES = 24
"""How many rates are shown beside each other, the newest last: twelve seconds."""

_ANSWERED = "#7d8794"
_FAILED = "#e5484d"
_UNSENT = "#3a424d"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """Where a run is. The first counts are the workers' running totals, the rest the agent's last sample.

    `read` counts connections that the server has read everything from: in process or in service, which only the
    verdict can tell apart. None where not known. `duration_s` is a steady load's, None for one of so many requests;
    `longest_s` is how long any load can last; `load_s` counts from its release, `answered_per_s` is over about the last
    second. `silent` are requests under way with workers that say nothing any more.
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
    longest_s: float | None = None
    load_s: float = 0.0
    answered_per_s: float | None = None
    open_connections: int = 0
    silent: int = 0

    @property
    def in_flight(self) -> int:
        """Requests that were released and have no outcome yet."""
        return max(0, self.released - self.answered - self.failed - self.silent)

    @property
    def left_s(self) -> float | None:
        """How long the load still lasts; of a number of requests, at most. None where that is not known."""
        return None if self.whole_s is None else max(0.0, self.whole_s - self.load_s)

    @property
    def whole_s(self) -> float | None:
        """How long the load lasts from its release, as far as that is planned; what is in its drain then is not."""
        return self.longest_s if self.duration_s is None else self.duration_s


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
        self._paces: deque[float] = deque(maxlen=PACES)
        self._paced_s: float | None = None

    def update(self, state: LiveState) -> None:
        """Shows the state, or leaves it out when the one before was shown just now."""
        every_s = LINE_EVERY_S if self._live is None else REDRAW_EVERY_S
        now_s = self._clock()
        self._note_pace(state, now_s)
        is_new = state.phase != self._phase
        if not is_new and self._shown_s is not None and now_s - self._shown_s < every_s:
            return
        self._phase, self._shown_s = state.phase, now_s
        if self._live is None:
            self._console.print(Text(line(state)), soft_wrap=True)
            return
        cells, ascii_only = max(1, min(BAR_CELLS, self._console.width - 2)), self._console.options.ascii_only
        self._live.update(table(state, cells, self._paces, ascii_only=ascii_only), refresh=True)

    def warn(self, words: str) -> None:
        """Writes a line that stays, on a terminal above what is drawn."""
        self._console.print(Text(printable(words)), soft_wrap=True)

    def _note_pace(self, state: LiveState, now_s: float) -> None:
        if state.answered_per_s is None or (self._paced_s is not None and now_s - self._paced_s < PACE_EVERY_S):
            return
        self._paces.append(state.answered_per_s)
        self._paced_s = now_s


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
    pace = [*_time_words(state), *_rate_words(state), *([] if state.duration_s is None else _totals(state))]
    parts = [", ".join([*pace, *shown])] if state.released else []
    if state.threads is not None or state.processes is not None:
        parts.append(_server_words(state))
    head = f"{state.elapsed_s:6.1f} s  {printable(state.phase)}"
    return f"{head}: {'; '.join(parts)}" if parts else head


def table(state: LiveState, cells: int, paces: Sequence[float] = (), *, ascii_only: bool = False) -> Group:
    """The state as a few lines for a terminal: phase and progress, places, rate and errors, the server.

    `paces` are the last rates. No line is longer than `cells`.
    """
    head = [Text(printable(state.phase), style="bold"), Text(duration(round(state.elapsed_s, 1)), style="dim")]
    if not state.released:
        return Group(joined(head, cells))
    head += [Text(words, style="dim") for words in _time_words(state)]
    rows = [joined(head, cells)]
    if state.whole_s:
        rows.append(progress(state.load_s / state.whole_s, cells, ascii_only=ascii_only))
    parts = segments(state)
    rows += [bar(parts, cells, ascii_only=ascii_only), key(parts, cells, ascii_only=ascii_only)]
    rows.append(joined(_pace(state, paces, ascii_only=ascii_only), cells))
    rows.append(joined([Text(_server_words(state), style="dim")], cells))
    return Group(*rows)


def _pace(state: LiveState, paces: Sequence[float], *, ascii_only: bool) -> list[Text]:
    """How fast answers come, and what came of all so far."""
    shown = [Text(words) for words in _rate_words(state)]
    if any(paces) and not ascii_only:
        shown.append(Text(sparkline(paces), style=FILL[Place.IN_SERVICE]))
    of = f" of {state.planned:,}" if state.duration_s is None and state.planned else ""
    failed = Text(f"{state.failed:,} failed", style=_FAILED if state.failed else "dim")
    shown += [Text(f"{state.answered:,}{of} answered"), failed]
    if state.duration_s is not None:
        shown += [Text(words) for words in _totals(state)[2:]]
    return shown


def _time_words(state: LiveState) -> list[str]:
    """How far the load is, and how long it still lasts, as far as that is planned."""
    if state.left_s is None:
        return []
    left = f"{duration(round(state.left_s))} left" if round(state.left_s) else ""
    if state.duration_s is None:
        return [f"at most {left}"] if left else []
    # A load in its drain is over its time: the rest of the answers is waited for.
    gone_s = min(state.load_s, state.duration_s)
    return [f"{gone_s:,.1f} of {state.duration_s:,g} s", *([left] if left else [])]


def _rate_words(state: LiveState) -> list[str]:
    """How fast answers come: ``391 requests/s``; below ten with a decimal."""
    per_s = state.answered_per_s
    if per_s is None:
        return []
    return [f"{per_s:,.0f} requests/s" if per_s >= 10 else f"{quantity(per_s)} requests/s"]  # noqa: PLR2004 as it says


def _totals(state: LiveState) -> list[str]:
    """A steady load's: its bar has those in flight only."""
    return [
        f"{state.answered:,} answered",
        f"{state.failed:,} failed",
        f"{state.in_flight:,} in flight",
        *([f"{state.silent:,} with a silent worker"] if state.silent else []),
    ]


def _server_words(state: LiveState) -> str:
    if state.threads is None and state.processes is None:
        return "the target's host has not reported yet"
    return f"threads {count(state.threads)}, processes {count(state.processes)}"
