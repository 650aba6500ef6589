"""How many messages each connection may send, and when the listener lets others have their turn. It reads none.

ZeroMQ hands out what has come without giving the other greenlets a turn, and cannot be told to end one connection: what
is too much is dropped unread.
"""

import time
from collections.abc import Callable

MESSAGES_PER_S = 500.0
"""Of a connection of one that is no worker: an agent sends ten a second, and a chunk only when it is asked for one."""
AT_ONCE = 1000.0
TURN_S = 0.005
"""As gevent's own switching interval."""
TOO_MANY = "sends more messages than anybody needs: they are dropped"


class Gate:
    """A token bucket per connection."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}  # by connection: tokens, and when
        self._turn_s = clock()

    def lets_in(self, connection: int) -> bool:
        """One more message of that connection is not too many."""
        now_s = self._clock()
        tokens, before_s = self._buckets.get(connection, (AT_ONCE, now_s))
        tokens = min(tokens + (now_s - before_s) * MESSAGES_PER_S, AT_ONCE)
        is_in = tokens >= 1.0
        self._buckets[connection] = (tokens - 1.0 if is_in else tokens, now_s)
        return is_in

    def forget(self, connection: int) -> None:
        """It is over."""
        self._buckets.pop(connection, None)

    def is_over(self) -> bool:
        """The listener's turn is; the next one begins when `begin` is called."""
        return self._clock() - self._turn_s >= TURN_S

    def begin(self) -> None:
        """The others have had theirs."""
        self._turn_s = self._clock()
