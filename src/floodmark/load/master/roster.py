"""Which agents there are: who has joined, is lost, is back. It asks nobody and sends nothing."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from floodmark.core import messages
from floodmark.core.codec import to_plain
from floodmark.core.errors import WireError
from floodmark.core.messages import NAME_CHARACTERS, WIRE_VERSION, Hello, Rest, Welcome
from floodmark.load.bus.doorkeeper import UNKNOWN
from floodmark.load.bus.inbox import Letter
from floodmark.load.bus.strangers import STRANGERS, one_line

logger = logging.getLogger(__name__)

AGENT_SILENT_S = 3.0
"""An agent says hello every second; three missed ones mean that it is gone."""

RIVAL_S = 2.0
"""Who comes when an agent is heard for so long beside it is no successor of that, but another of the same name."""

GIVEN_UP_S = 30.0
"""An agent that was lost for so long keeps its name from another no more; a cut network may be back sooner."""

MOST_REFUSED = 100
"""More are not kept: whoever makes up processes must not fill the memory, nor the log."""
REFUSED_KEPT_S = 600.0
"""After this a refused process makes room for another."""

MOST_SEATS = 100
"""Agents, by name, that are there or were."""

LOOK_LATE_S = 1.0
"""Who looks so much later than he meant to was away himself: what came meanwhile waits to be read."""


@dataclass(slots=True, kw_only=True)
class AgentSeat:
    """An agent by its name, until it is back after it was lost, or speaks from elsewhere: that is another seat.

    `client_id` is its identity on the bus, `seen_s` when it was last heard.

    `process` is its process, `watch` the watch under way by its newest hello, `boot` its host's last start. `ports` is
    what it can watch (none: not known), and `rested_at_s` when it has rested, both by what it said. `lost`: it was
    silent for too long, or has `left`, and said so.
    """

    client_id: str
    name: str
    host: str
    process: str
    pid: int
    seen_s: float
    watch: int | None = None
    boot: str = ""
    ports: tuple[int, ...] = ()
    rested_at_s: float = 0.0
    lost: bool = False
    left: bool = False
    returned: bool = False

    def is_rebooted_as(self, other: "AgentSeat") -> bool:
        """Between the two the host was started again. What an older kernel does not say is no difference."""
        return bool(self.boot and other.boot) and self.boot != other.boot


@dataclass(slots=True, kw_only=True)
class _Refusal:
    """A process that is not used: why, since when, when it was heard last, and whether the log says so yet."""

    words: str
    first_s: float
    last_s: float
    is_said: bool = False


class Roster:
    """The agents heard of, each once by its name, whatever connection or process it speaks from."""

    def __init__(self, runner: Any, *, master: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`runner` is Locust's MasterRunner; `master` is another word for each start of the master."""
        self._runner = runner
        self._clock = clock
        self._welcome = to_plain(Welcome(wire=WIRE_VERSION, master=master))
        self._seats: dict[str, AgentSeat] = {}
        self._refused: dict[str, _Refusal] = {}  # by process
        self._watch: int | None = None
        self._watcher: str | None = None
        self._looked_s = clock()

    def hello(self, letter: Letter) -> None:
        """Notes an agent's hello, which is also its heartbeat, and answers it."""
        wire = letter.data.get("wire") if isinstance(letter.data, Mapping) else None
        if isinstance(wire, int) and wire != WIRE_VERSION:
            # Its other fields may not be as ours are: only its words about itself are looked at.
            name, process = (one_line(str(letter.data.get(field, ""))) for field in ("name", "process"))
            words = f"speaks version {wire}, this master {WIRE_VERSION}: not used, install the same on both"
            self._runner.send_message(messages.WELCOME, self._welcome, client_id=letter.sender)
            self._refuse(process, letter.received_s, f"agent {name} {words}")
            return
        hello = letter.read(Hello)
        _prove_names(hello)
        self._runner.send_message(messages.WELCOME, self._welcome, client_id=letter.sender)
        self._seat(hello, letter)
        if hello.watch is not None and not self._is_ordered(hello):
            # A watch that nobody ended, or the word was lost: it would sample on, at the server's cost, for ever.
            self._runner.send_message(messages.REST, to_plain(Rest(watch=hello.watch)), client_id=letter.sender)

    def order(self, watch: int | None, name: str | None = None) -> None:
        """Notes which watch is under way, and which agent's once it is chosen. Who is at work on another is to rest."""
        self._watch, self._watcher = watch, name

    def _seat(self, hello: Hello, letter: Letter) -> None:
        known = self._seats.get(hello.name)
        if known is not None and not known.lost and known.client_id == letter.sender:
            known.seen_s, known.watch = letter.received_s, hello.watch
            known.rested_at_s = letter.received_s + hello.rest_s
            return
        if known is None and not self._has_room(letter.received_s):
            words = f"is one agent more than the {MOST_SEATS} that there may be"
            STRANGERS.note(letter.peer.host, words, name=hello.name, port=letter.peer.port)
            return
        if known is None:
            logger.info("Agent %s on %s (pid %s) has joined", hello.name, hello.host, hello.pid)
        elif hello.process != known.process and not self._succeeds(hello, known, letter.received_s):
            words = f"two agents are called {hello.name}: give each its own --name"
            self._refuse(hello.process, letter.received_s, words, beside=known)
            return
        elif hello.process in self._refused:
            logger.info(
                "Agent %s on %s (pid %s) takes the place of one that is gone", hello.name, hello.host, hello.pid
            )
        else:
            how = "by another connection" if hello.process == known.process else f"restarted (pid {hello.pid})"
            logger.info("Agent %s is back%s", hello.name, "" if known.client_id == letter.sender else f", {how}")
        self._refused.pop(hello.process, None)
        self._seats[hello.name] = AgentSeat(
            client_id=letter.sender,
            name=hello.name,
            host=hello.host,
            process=hello.process,
            pid=hello.pid,
            seen_s=letter.received_s,
            watch=hello.watch,
            boot=hello.boot,
            ports=hello.ports,
            rested_at_s=letter.received_s + hello.rest_s,
            returned=known is not None,
        )
        if known is not None and known.is_rebooted_as(self._seats[hello.name]):
            logger.warning("Its host %s was restarted", hello.host)

    def heard(self, letter: Letter) -> None:
        """Notes that an agent lives, whatever it has said."""
        for seat in self._seats.values():
            if seat.client_id == letter.sender and not seat.lost:
                seat.seen_s = letter.received_s

    def bye(self, letter: Letter) -> None:
        """Notes that an agent has left."""
        for seat in self._seats.values():
            if seat.client_id == letter.sender and not seat.lost:
                seat.lost = seat.left = True
                logger.info("Agent %s has left", seat.name)

    def look(self) -> None:
        """Notes who is lost; to be called a few times a second."""
        now_s = self._clock()
        was_away, self._looked_s = now_s - self._looked_s > LOOK_LATE_S, now_s
        if was_away:
            return
        for seat in self._seats.values():
            if not seat.lost and now_s - seat.seen_s > AGENT_SILENT_S:
                seat.lost = True
                logger.warning("Agent %s is lost: nothing was heard of it for %g s", seat.name, AGENT_SILENT_S)

    def agents(self) -> list[AgentSeat]:
        """Those that are there, in the order in which they joined."""
        return [seat for seat in self._seats.values() if not seat.lost]

    def seats(self) -> list[AgentSeat]:
        """Those that are there and those that were."""
        return list(self._seats.values())

    def agent(self, name: str) -> AgentSeat | None:
        """The agent of that name, as it was last heard of; None where there never was one."""
        return self._seats.get(name)

    def gone(self) -> list[str]:
        """The names of those that were there."""
        return [seat.name for seat in self._seats.values() if seat.lost]

    def refusals(self) -> list[str]:
        """Why those that are there and not used are not, a sentence each."""
        now_s = self._clock()
        there = [one.words for one in self._refused.values() if now_s - one.last_s <= AGENT_SILENT_S]
        return list(dict.fromkeys(there))

    def _has_room(self, now_s: float) -> bool:
        """There is room for one more, be it that of one that was given up."""
        if len(self._seats) < MOST_SEATS:
            return True
        gone = [seat for seat in self._seats.values() if seat.lost and now_s - seat.seen_s > GIVEN_UP_S]
        if not gone:
            return False
        del self._seats[min(gone, key=lambda seat: seat.seen_s).name]
        return True

    def _is_ordered(self, hello: Hello) -> bool:
        """What it watches is under way, and nobody else was chosen for it."""
        seat = self._seats.get(hello.name)
        is_chosen = self._watcher in {None, hello.name} and seat is not None and seat.process == hello.process
        return is_chosen and hello.watch == self._watch

    def _succeeds(self, hello: Hello, seat: AgentSeat, now_s: float) -> bool:
        """It was started in the place of one that is gone, or has waited for that one's name for long enough."""
        if not seat.lost:
            return False
        rival = self._refused.get(hello.process)
        if rival is None or seat.left or now_s - seat.seen_s > GIVEN_UP_S:
            return True
        return seat.seen_s < rival.first_s + RIVAL_S

    def _refuse(self, process: str, now_s: float, words: str, *, beside: AgentSeat | None = None) -> None:
        """Says it once, not with every hello; of two of a name only when both were heard for a while.

        One that is started again at once is there before the one that it follows is known to be gone.
        """
        if process not in self._refused and len(self._refused) >= MOST_REFUSED:
            oldest = min(self._refused, key=lambda one: self._refused[one].last_s)
            if now_s - self._refused[oldest].last_s < REFUSED_KEPT_S:
                STRANGERS.note(UNKNOWN.host, f"is refused as an agent, and {MOST_REFUSED} others are")
                return
            del self._refused[oldest]
        refusal = self._refused.setdefault(process, _Refusal(words=words, first_s=now_s, last_s=now_s))
        refusal.last_s = now_s
        if not refusal.is_said and (beside is None or beside.seen_s >= refusal.first_s + RIVAL_S):
            refusal.is_said = True
            logger.warning("%s%s", words[0].upper(), words[1:])


def _prove_names(hello: Hello) -> None:
    """What an agent calls itself is written in logs and reports. Raises `WireError`."""
    for field in ("name", "host", "process", "version", "boot"):
        value = getattr(hello, field)
        if len(value) > NAME_CHARACTERS or not value.isprintable():
            most = f"printable text of {NAME_CHARACTERS} characters at the most"
            raise WireError(f"its {field} must be {most}, got {value!a:.60}")
