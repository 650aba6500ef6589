"""The tables of the web UI: places, listeners, processes, agents, as rows of text. It counts nothing and draws nothing.

Names come from other hosts: what shows them escapes them, and here they are made short and printable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from floodmark.core.curves import Counts, PlaceCurves
from floodmark.core.places import Place
from floodmark.core.sample import ListenerSample, ProcessSample, Sample
from floodmark.load.bus.strangers import one_line
from floodmark.load.live.tree import queue_limit
from floodmark.load.master.roster import AgentSeat

MOST_ROWS = 40
"""Of one table: who has more looks at the run folder."""
NAME_CHARACTERS = 60
JUST_NOW_S = 2.5
NOT_SEEN = "\N{EN DASH}"

MEANINGS = {
    Place.IN_SERVICE: "a handler runs",
    Place.IN_PROCESS: "read by the server, no handler runs yet",
    Place.UNREAD: "accepted, the request still unread",
    Place.ACCEPT_QUEUE: "established, accepted by no process",
    Place.HALF_OPEN: "the client believes it is connected, the server does not",
    Place.CONNECTING: "SYN sent, not answered",
}
WITH_SERVER = "with the server"


class Seen(Protocol):
    """A load under way, as far as tables show it: the newest sample, and what "with the server" means of it."""

    newest: Sample | None
    with_server_means: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: its columns' names, those of numbers marked, and rows of text."""

    key: str
    title: str
    caption: str
    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(
    load: Seen | None, seats: Iterable[AgentSeat], now_s: float, places: PlaceCurves | None = None
) -> list[Table]:
    """All tables, those that have nothing to show left out but for the agents'."""
    sample = load.newest if load else None
    tables = [_places(load, places)] if load is not None and places is not None and places.times_s else []
    if sample is not None and load is not None:
        tables += [_listeners(sample), _processes(sample)]
    return [*tables, _agents(seats, now_s)]


def _places(load: Seen, curves: PlaceCurves) -> Table:
    limits = {Place.ACCEPT_QUEUE: queue_limit(load.newest)}
    rows = [
        (place.words, *_now_and_most(curves.places[place]), shown(limits.get(place)), MEANINGS[place])
        for place in Place
    ]
    if _is_whole(curves):
        rows.insert(0, (WITH_SERVER, *_now_and_most(curves.with_server), NOT_SEEN, load.with_server_means))
    return Table(
        key="places",
        title="Places",
        caption="Where the requests are: each is in one place at a time",
        columns=("place", "now", "most", "limit", "meaning"),
        numbers=(1, 2, 3),
        rows=tuple(rows),
    )


def _is_whole(curves: PlaceCurves) -> bool:
    """When something was seen last, in service and in process were not told apart."""
    pairs = zip(reversed(curves.with_server), reversed(curves.places[Place.IN_SERVICE]), strict=True)
    return next((whole is not None for whole, part in pairs if whole is not None or part is not None), False)


def _now_and_most(counts: Counts) -> tuple[str, str]:
    return shown(counts[-1]), shown(max((count for count in counts if count is not None), default=None))


def _listeners(sample: Sample) -> Table:
    rows = [
        (
            short(listener.address) + (" (clients)" if listener.outer else ""),
            shown(listener.depth),
            shown(listener.limit),
            _fullness(listener),
            ", ".join(map(str, listener.owners[:8])) + (" \N{HORIZONTAL ELLIPSIS}" if len(listener.owners) > 8 else ""),  # noqa: PLR2004
        )
        for listener in sample.listeners[:MOST_ROWS]
    ]
    return Table(
        key="listeners",
        title="Listeners",
        caption="Sockets that listen: how many connections wait to be accepted, and how many may",
        columns=("address", "depth", "limit", "state", "held by process"),
        numbers=(1, 2),
        rows=tuple(rows),
    )


def _fullness(listener: ListenerSample) -> str:
    # The kernel lets in one more than the limit.
    return "full" if listener.depth >= max(1, listener.limit) else "has room"


def _processes(sample: Sample) -> Table:
    known = sorted(sample.processes or (), key=lambda one: (-(one.threads or 0), one.pid))
    total = _total(known)
    rows = [_process(process) for process in known[:MOST_ROWS]]
    more = len(known) - len(rows)
    caption = "The target's processes, those with the most threads first"
    return Table(
        key="processes",
        title="Processes and threads",
        caption=caption + (f"; {more:,} more are not listed" if more > 0 else ""),
        columns=("process", "pid", "threads", "open files", "memory", "CPU time"),
        numbers=(1, 2, 3, 4, 5),
        rows=(total, *rows) if known else (),
    )


def _process(process: ProcessSample) -> tuple[str, ...]:
    return (
        short(process.name),
        str(process.pid),
        shown(process.threads),
        shown(process.open_files),
        NOT_SEEN if process.rss_bytes is None else f"{process.rss_bytes / (1 << 20):,.0f} MiB",
        NOT_SEEN if process.cpu_s is None else f"{process.cpu_s:,.1f} s",
    )


def _total(processes: Sequence[ProcessSample]) -> tuple[str, ...]:
    return (
        f"all {len(processes):,}",
        NOT_SEEN,
        shown(sum(one.threads or 0 for one in processes)),
        shown(sum(one.open_files or 0 for one in processes)),
        f"{sum(one.rss_bytes or 0 for one in processes) / (1 << 20):,.0f} MiB",
        f"{sum(one.cpu_s or 0.0 for one in processes):,.1f} s",
    )


def _agents(seats: Iterable[AgentSeat], now_s: float) -> Table:
    rows = [
        (
            short(seat.name),
            short(seat.host),
            str(seat.pid),
            _agent_state(seat, now_s),
            _heard(now_s - seat.seen_s),
        )
        for seat in list(seats)[:MOST_ROWS]
    ]
    return Table(
        key="agents",
        title="Agents",
        caption="Agents read the kernel of the target's host, and say every second that they are there",
        columns=("agent", "host", "pid", "state", "last heard"),
        numbers=(2, 4),
        rows=tuple(rows),
    )


def _heard(since_s: float) -> str:
    # One that is there says so every second: a figure that changed each time would be no news.
    return "just now" if since_s < JUST_NOW_S else f"{since_s:,.0f} s ago"


def _agent_state(seat: AgentSeat, now_s: float) -> str:
    if seat.lost:
        return "left" if seat.left else "lost"
    state = "watching" if seat.watch is not None else "ready" if seat.rested_at_s <= now_s else "rests"
    return f"back, {state}" if seat.returned else state


def shown(number: int | None) -> str:
    """A count as it is read."""
    return NOT_SEEN if number is None else f"{number:,}"


def short(name: str) -> str:
    """A name that somebody else chose."""
    return one_line(name, NAME_CHARACTERS)


TAB_COLUMNS = {
    "part": "What",
    "which": "Which",
    "now": "Now",
    "most": "Most",
    "limit": "Limit",
    "state": "State",
}
"""Of the one table that a tab of Locust's has."""

_IN_TAB: dict[str, tuple[str, tuple[int | None, int | None, int | None, int | None, int | None]]] = {
    "places": ("Place", (0, 1, 2, 3, 4)),
    "listeners": ("Listener", (0, 1, None, 2, 3)),
    "agents": ("Agent", (0, None, None, None, 3)),
}


def tab_rows(tables: Iterable[Table]) -> list[dict[str, str]]:
    """All tables as one, for Locust's: it sorts by `name`, which is not shown."""
    rows = [row for table in tables for row in _of_tab(table)]
    return [{"name": f"{number:04}", **row} for number, row in enumerate(rows)]


def _of_tab(table: Table) -> list[dict[str, str]]:
    if table.key == "processes":
        return [_process_in_tab(row) for row in table.rows]
    part, places = _IN_TAB[table.key]
    names = list(TAB_COLUMNS)[1:]
    return [
        {"part": part} | {name: "" if place is None else row[place] for name, place in zip(names, places, strict=True)}
        for row in table.rows
    ]


def _process_in_tab(row: tuple[str, ...]) -> dict[str, str]:
    name, pid, threads, files, memory, cpu = row
    which = name if pid == NOT_SEEN else f"{name} ({pid})"
    words = f"{files} open files, {memory}, CPU time {cpu}"
    return {"part": "Threads", "which": which, "now": threads, "most": "", "limit": "", "state": words}
