"""The open load: requests at their planned times, whatever the answers do. The plan sets the pace."""

from _socket import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.burst import BEAT_S, EVENTS_PER_STEP, RELEASES_PER_STEP
from floodmark.engine.check import AnswerCheck
from floodmark.engine.client import ClientEpoll
from floodmark.engine.dial import Dial
from floodmark.engine.lane import Lane
from floodmark.engine.steady import Steady


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalsShare:
    """One worker's part of a plan: `count` requests, numbered `first_id`, `first_id` + `step`, ...

    Request 1 of all workers is planned at `starts_s`, on the load's clock, and `rate` requests of all workers each
    second. Nothing is listed: there may be a billion.
    """

    first_id: int
    step: int
    count: int
    rate: float
    starts_s: float

    def id_of(self, index: int) -> int:
        """The number of this worker's request `index`, from 0."""
        return self.first_id + index * self.step

    def planned_s(self, index: int) -> float:
        """When this worker's request `index` is to be released."""
        return self.starts_s + (self.id_of(index) - 1) / self.rate

    def second_of(self, index: int) -> int:
        """The second after the start in which this worker's request `index` is planned, from 0."""
        return int((self.id_of(index) - 1) / self.rate)

    def due_by(self, now_s: float) -> int:
        """How many of this worker's requests are planned for `now_s` or before."""
        found = int(((now_s - self.starts_s) * self.rate + 1 - self.first_id) // self.step) + 1
        found = min(max(found, 0), self.count)
        # The other way about the rounding may be another; `planned_s` is what counts.
        while found < self.count and self.planned_s(found) <= now_s:
            found += 1
        while found and self.planned_s(found - 1) > now_s:
            found -= 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalsWork:
    """One worker's share of an open load, over `connections` connections of its own at the most.

    `ends_s` is when the plan ends, on the load's clock. `timeout_s` counts from a request's planned release, until its
    answer is complete; so long after `ends_s` the load is cut.
    """

    worker: str
    dial: Dial
    requests: ArrivalsShare
    connections: int
    render: Callable[[int], bytes]
    check: AnswerCheck
    timeout_s: float
    ends_s: float

    @property
    def starts_s(self) -> float:
        """The first planned release of all workers."""
        return self.requests.starts_s

    @property
    def cut_at_s(self) -> float:
        """The last request has its time, too."""
        return self.ends_s + self.timeout_s


class Arrivals(Steady):
    """The open load of one worker. It is over when every request has its outcome, or at its time.

    A request takes the idle connection that was used last, or opens one while there are fewer than `connections`; else
    it is released when one is free, in the order of the plan: late, and its latency counts from the plan all the same.
    One whose timeout is over before it was released is not released any more, and ends as unsent: the target never saw
    it. So unsent requests, and late ones, say that this worker had too few connections, or too little time.

    A hit's number is its request's.
    """

    def __init__(
        self,
        work: ArrivalsWork,
        *,
        clock: Callable[[], float] = monotonic,
        new_epoll: Callable[[], ClientEpoll] | None = None,
        seed: int = 0,
    ) -> None:
        """As `Steady`."""
        super().__init__(work, clock=clock, new_epoll=new_epoll, seed=seed)
        self._work = work
        self._requests = work.requests
        self._next = 0  # the first request that is neither released nor given up
        self._due = 0  # how many were due when this step began
        self._idle: list[Lane] = []  # the one used last at the end; a connection may have ended meanwhile
        self._spare: list[Lane] = []  # without a connection

    def _planned(self) -> int:
        return self._requests.count

    def _is_over(self) -> bool:
        tally = self._tally
        return self._next == self._requests.count and tally.released == tally.answered + tally.all_failed

    def _release(self, now_s: float) -> None:
        self._note_planned(now_s)
        self._give_up_late(now_s)
        opened = 0
        for _ in range(min(EVENTS_PER_STEP, self._due - self._next)):
            lane = self._free_lane() if opened < RELEASES_PER_STEP else None
            if lane is None:
                break
            opened += not lane.is_open
            self._begin(lane)

    def _note_planned(self, now_s: float) -> None:
        """Counts what became due since the last step, each in the second that it was planned for."""
        requests, noted = self._requests, self._due
        self._due = requests.due_by(now_s)
        while noted < self._due:
            second = requests.second_of(noted)
            end = min(requests.due_by(self._starts_s + second + 1), self._due)
            while end > noted + 1 and requests.second_of(end - 1) > second:
                end -= 1
            self._tally.plan(second, end - noted)
            noted = end

    def _give_up_late(self, now_s: float) -> None:
        """What was not released within its timeout ends as unsent."""
        late = self._requests.due_by(now_s - self._timeout_s)
        if late > self._next:
            why = "the generator was late" if self._has_free_lane else f"all {len(self._lanes)} connections were busy"
            self._sample_unsent_to(late, f"not released within {self._timeout_s:g} s: {why}")
            self._next = late

    def _begin(self, lane: Lane) -> None:
        index = self._next
        self._next += 1
        request_id, planned_s = self._requests.id_of(index), self._requests.planned_s(index)
        lane.carry(request_id, self._work.render(request_id))
        self._tally.release()
        self._send(lane, planned_s)
        late_s = lane.released_s - planned_s
        self._tally.now.lates_s.append(late_s)
        self.late_max_s = max(self.late_max_s, late_s)

    @property
    def _has_free_lane(self) -> bool:
        return bool(self._idle or self._spare) or len(self._lanes) < self._work.connections

    def _free_lane(self) -> Lane | None:
        """One that nothing is under way on, best with a connection; None where all are busy."""
        while self._idle:
            lane = self._idle.pop()
            if lane.is_open:
                return lane
            self._spare.append(lane)
        if self._spare:
            return self._spare.pop()
        if len(self._lanes) == self._work.connections:
            return None
        self._lanes.append(Lane(self, self._route, len(self._lanes)))
        return self._lanes[-1]

    def _next_due_s(self, now_s: float, *, is_behind: bool) -> float:
        due_s = [now_s + BEAT_S, self._cut_at_s]
        if is_behind:
            due_s.append(now_s)
        if self._next < self._requests.count:
            planned_s = self._requests.planned_s(self._next)
            # One that waits for a connection is woken by an event, or given up.
            due_s.append(planned_s if planned_s > now_s or self._has_free_lane else planned_s + self._timeout_s)
        return max(min(due_s), now_s)

    def _follow_known(self, lane: Lane, opened: socket, now_s: float) -> None:  # noqa: ARG002 - nothing is sent now
        lane.rest()
        self._idle.append(lane)

    def _follow(self, lane: Lane, outcome: Outcome) -> None:  # noqa: ARG002 - the plan goes on whatever it was
        (self._idle if lane.is_open else self._spare).append(lane)

    def _count_known(self, count: int, received_bytes: int, body_bytes: int) -> None:
        self._tally.answer(count, received_bytes, body_bytes)

    def _hit_id(self, lane: Lane) -> int:
        return lane.id

    def _sample_unsent(self) -> None:
        self._sample_unsent_to(self._requests.count, None)

    def _sample_unsent_to(self, end: int, error: str | None) -> None:
        sample, index = self._sample.unended, self._next
        while index + sample.room < end:
            index += sample.room
            sample.room = 0
            hit_id, planned_s = self._requests.id_of(index), self._requests.planned_s(index)
            sample.add(Hit(id=hit_id, worker=self._worker, planned_s=planned_s, outcome=Outcome.UNSENT, error=error))
            index += 1
        sample.room -= max(end - index, 0)
