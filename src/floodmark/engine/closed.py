"""A closed load: connections that send their next request when the last is answered. The server sets the pace."""

from _socket import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from floodmark.core.outcomes import Outcome
from floodmark.engine.burst import BEAT_S, RELEASES_PER_STEP
from floodmark.engine.check import AnswerCheck
from floodmark.engine.client import ClientEpoll
from floodmark.engine.dial import Dial
from floodmark.engine.lane import Lane
from floodmark.engine.steady import Steady

REST_S = 0.1
"""How long a connection rests after a failure: a dead server is not asked a hundred thousand times a second."""

_NO_REST = frozenset(
    {
        # The server answered.
        Outcome.ANSWERED,
        Outcome.WRONG_ANSWER,
        Outcome.SERVER_ERROR,
        # It took its time already.
        Outcome.CONNECT_TIMEOUT,
        Outcome.RESPONSE_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedWork:
    """One worker's share of a closed load: `connections` of its own, numbered `first_id`, `first_id` + `step`, ...

    Each has its request rendered once, for its number. All begin at `starts_s` and send no more from `ends_s` on, on
    the load's clock. `timeout_s` counts from a request's release, until its answer is complete.
    """

    worker: str
    dial: Dial
    connections: int
    first_id: int
    step: int
    starts_s: float
    ends_s: float
    render: Callable[[int], bytes]
    check: AnswerCheck
    timeout_s: float

    @property
    def cut_at_s(self) -> float:
        """No request gets more time than the load."""
        return self.ends_s


class Closed(Steady):
    """The closed load of one worker.

    A request is planned when it is released. Where its connection is gone the next opens a new one. After a failure
    the connection rests for `REST_S`, but not after an answer that was wrong, nor after a timeout. The hits of the
    sample have numbers of their own: `first_id`, `first_id` + `step`, ... `late_max_s` is the first request's.
    """

    def __init__(
        self,
        work: ClosedWork,
        *,
        clock: Callable[[], float] = monotonic,
        new_epoll: Callable[[], ClientEpoll] | None = None,
        seed: int = 0,
    ) -> None:
        """As `Steady`."""
        super().__init__(work, clock=clock, new_epoll=new_epoll, seed=seed)
        self._work = work
        self._next_hit_id = work.first_id
        for number in range(work.connections):
            lane = Lane(self, self._route, number)
            connection_id = work.first_id + number * work.step
            lane.carry(connection_id, work.render(connection_id))
            self._lanes.append(lane)
        self._ready = deque(self._lanes)  # their next request opens a connection
        self._resting: deque[tuple[float, Lane]] = deque()  # until when

    def _planned(self) -> int:
        return self._tally.released

    def _is_over(self) -> bool:
        return False

    def _release(self, now_s: float) -> None:
        if now_s < self._starts_s:
            return
        if self._ready and not self._tally.released:
            self.late_max_s = now_s - self._starts_s
        while self._resting and self._resting[0][0] <= now_s:
            self._ready.append(self._resting.popleft()[1])
        for _ in range(min(RELEASES_PER_STEP, len(self._ready))):
            self._begin(self._ready.popleft())

    def _begin(self, lane: Lane) -> None:
        self._note_releases(1)
        self._send(lane, self.clock())

    def _next_due_s(self, now_s: float, *, is_behind: bool) -> float:
        if now_s < self._starts_s:
            return self._starts_s
        if is_behind or self._ready:
            return now_s
        rested_s = self._resting[0][0] if self._resting else self._cut_at_s
        return max(min(now_s + BEAT_S, rested_s, self._cut_at_s), now_s)

    def _follow_known(self, lane: Lane, opened: socket, now_s: float) -> None:
        """Sends the request again, as `Lane.send` does, but that the line learns of it only where it must."""
        lane.planned_s = now_s
        try:
            sent_bytes = opened.send(lane.request)
        except OSError:
            sent_bytes = 0
        if sent_bytes != lane.request_bytes:
            lane.owe(lane.request[sent_bytes:])
            self._look(lane)

    def _follow(self, lane: Lane, outcome: Outcome) -> None:
        if outcome not in _NO_REST:
            self._resting.append((self.clock() + REST_S, lane))
        elif lane.is_open:
            self._begin(lane)
        else:
            self._ready.append(lane)

    def _note_releases(self, count: int) -> None:
        self._tally.plan(self._tally.now.second, count)
        self._tally.release(count)

    def _count_known(self, count: int, received_bytes: int, body_bytes: int) -> None:
        self._tally.answer(count, received_bytes, body_bytes)
        self._note_releases(count)

    def _hit_id(self, lane: Lane) -> int:  # noqa: ARG002 - a lane's number is its connection's
        hit_id = self._next_hit_id
        self._next_hit_id += self._work.step
        return hit_id

    def _sample_unsent(self) -> None:
        """Nothing is planned before it is sent."""
