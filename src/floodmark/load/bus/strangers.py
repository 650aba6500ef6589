"""Who knocked on the bus and was not let in, or said what is no message: each named once in the log, all counted.

It refuses nobody; the bus does. Names are chosen by those that bear them: none gets into the log as it is, and how many
are kept is bounded, for each address and in all.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

MOST_NAMED = 100
"""More are counted together: whoever makes up names must not fill the log or the memory."""
NAMES_PER_HOST = 5
"""Of one address, for one thing that it did: one process there can be as many senders as it likes."""
KEPT_S = 3600.0
"""Whoever was not there for so long makes room for a new one, if room is short."""
SHOWN_CHARACTERS = 40
DETAIL_CHARACTERS = 200

OTHERS = "others"
OTHER_NAMES = "other names"

STRANGER = "A stranger on the bus: %s. It is not heard; the run goes on"
OURS = "Not taken from one of this master's own nodes: %s"

_Key = tuple[str, str, str]


def shown(name: str) -> str:
    """A name that somebody else chose, quoted, in ASCII and short: fit for a line of the log."""
    text = ascii(name[: SHOWN_CHARACTERS + 1])
    return text if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]!a}..."


def one_line(text: str, most: int = DETAIL_CHARACTERS) -> str:
    """Text that may hold somebody else's words: without what a terminal or a reader of lines would act on."""
    text = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


@dataclass(slots=True, kw_only=True)
class _Stranger:
    words: str
    times: int
    last_s: float


class Strangers:
    """All strangers of this process, by host, by what they call themselves and by what they did."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, line: str = STRANGER) -> None:
        """`line` is what the log says of a new one; its ``%s`` becomes who it is and what it did."""
        self._clock = clock
        self._line = line
        self._known: dict[_Key, _Stranger] = {}

    def note(self, host: str, what: str, *, name: str = "", port: str = "", detail: str = "") -> None:
        """Counts one; the first time it is a line of the log.

        `what` says what was wrong, `name` what it calls itself, `detail` this time's more. The port is only told:
        each connection has another.
        """
        host, what, detail = one_line(host), one_line(what), one_line(detail)
        key = (host, shown(name) if name else "", what)
        if key not in self._known and name and self._names(host, what) >= NAMES_PER_HOST:
            key, port = (host, OTHER_NAMES, what), ""
        if key not in self._known and not self._has_room():
            key, port, detail = (OTHERS, "", "were refused or sent what is no message, too"), "", ""
        stranger = self._known.get(key)
        if stranger is None:
            stranger = self._known[key] = self._new(key, port, detail)
        stranger.times += 1
        stranger.last_s = self._clock()

    def since(self, began_s: float) -> tuple[str, ...]:
        """Those that were there after that time, one sentence each, with how often they were there in all."""
        seen = [stranger for stranger in self._known.values() if stranger.last_s >= began_s]
        return tuple(stranger.words + (f" ({stranger.times} times)" if stranger.times > 1 else "") for stranger in seen)

    def _new(self, key: _Key, port: str, detail: str) -> _Stranger:
        host, name, what = key
        words = (f"{host}:{port}" if port else host) + (f" ({name})" if name else "")
        words += f" {what}" + (f": {detail}" if detail else "")
        logger.warning(self._line, words)
        return _Stranger(words=words, times=0, last_s=0.0)

    def _names(self, host: str, what: str) -> int:
        return sum(1 for known in self._known if (known[0], known[2]) == (host, what) and known[1] != OTHER_NAMES)

    def _has_room(self) -> bool:
        """There is room for one more, be it that of one who has not been there for long."""
        if len(self._known) < MOST_NAMED:
            return True
        oldest = min(self._known, key=lambda key: self._known[key].last_s)
        if self._clock() - self._known[oldest].last_s < KEPT_S:
            return False
        del self._known[oldest]
        return True


STRANGERS = Strangers()
"""The process': Locust makes its sockets where nothing can be handed to them."""

LEFT_OUT = Strangers(line=OURS)
"""Nodes that belong here, and what they said and cannot be taken: late, or of a run before. They are no strangers."""
