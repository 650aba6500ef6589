"""Who knocked on the bus and was not let in, or said what is no message: each named once in the log, all counted.

It refuses nobody; the bus does.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

MOST_NAMED = 100
"""More are counted together: whoever makes up names must not fill the log or the memory."""

OTHERS = "others"


@dataclass(slots=True, kw_only=True)
class _Stranger:
    words: str
    times: int
    last_s: float


class Strangers:
    """All strangers of this process, by host, by what they call themselves and by what they did."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str, str], _Stranger] = {}

    def note(self, host: str, what: str, *, name: str = "", port: str = "", detail: str = "") -> None:
        """Counts one; the first time it is a line of the log.

        `what` says what was wrong, `name` what it calls itself, `detail` this time's more. The port is only told:
        each connection has another.
        """
        key = (host, name, what)
        if key not in self._known and len(self._known) >= MOST_NAMED:
            key, host, name, port, detail = (OTHERS, "", ""), OTHERS, "", "", ""
            what = "were refused or sent what is no message, too"
        stranger = self._known.get(key)
        if stranger is None:
            words = (f"{host}:{port}" if port else host) + (f" ({name})" if name else "")
            words += f" {what}" + (f": {detail}" if detail else "")
            self._known[key] = stranger = _Stranger(words=words, times=0, last_s=0.0)
            logger.warning("A stranger on the bus: %s. It is not heard; the run goes on", words)
        stranger.times += 1
        stranger.last_s = self._clock()

    def since(self, began_s: float) -> tuple[str, ...]:
        """Those that were there after that time, one sentence each, with how often they were there in all."""
        seen = [stranger for stranger in self._known.values() if stranger.last_s >= began_s]
        return tuple(stranger.words + (f" ({stranger.times} times)" if stranger.times > 1 else "") for stranger in seen)


STRANGERS = Strangers()
"""The process': Locust makes its sockets where nothing can be handed to them."""
