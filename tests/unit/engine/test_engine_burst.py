import errno
import os
import select
import socket
from collections import Counter
from collections.abc import Iterator
from select import EPOLLIN

import pytest
from descriptors import open_files
from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.core.outcomes import Outcome
from floodmark.engine.burst import BEAT_S, RELEASES_PER_STEP, Burst, BurstWork, Epoll, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.request import render_get

START_S = 1000.0


class HandClock:
    """A clock that stands still until it is moved; it counts how often it was read."""

    def __init__(self) -> None:
        self.now_s = START_S
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now_s


class FullEpoll:
    """An epoll whose user has no watches left; and it reports a descriptor that nobody knows."""

    def fileno(self) -> int:
        return -1

    def register(self, fd: int, eventmask: int = 0, /) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), fd, None, eventmask)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        del timeout, maxevents
        return [(123456, 1)]

    def close(self) -> None:
        pass


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def silent() -> Iterator[Endpoint]:
    """A server whose kernel accepts connections, and nobody else does."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield endpoint_of(listener)


@pytest.fixture
def deaf() -> Iterator[Endpoint]:
    """A port that is taken and not listened on: connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield endpoint_of(bound)


def endpoint_of(opened: socket.socket) -> Endpoint:
    return Endpoint(family=opened.family, sockaddr=opened.getsockname(), authority="test")


def work_for(endpoint: Endpoint, *planned_s: float, timeout_s: float | None = None) -> BurstWork:
    return BurstWork(
        worker="w1",
        dial=Dial(endpoint=endpoint),
        requests=tuple(enumerate(planned_s, start=1)),
        render=render_get("/{id}", endpoint.authority),
        check=AnswerCheck(),
        timeout_s=timeout_s,
    )


def test_nothing_is_released_before_its_time(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S + 1, START_S + 2), clock=clock)
    burst.step()
    assert (burst.counts.released, burst.next_due_s()) == (0, START_S + 1)
    clock.now_s = START_S + 1.5
    burst.step()
    assert (burst.counts.released, burst.counts.connected) == (1, 1)
    assert burst.late_max_s == 0.5
    burst.close()


def test_a_step_releases_a_bounded_number_and_is_due_again_at_once(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, *[START_S] * (RELEASES_PER_STEP + 1)), clock=clock)
    burst.step()
    assert burst.counts.released == RELEASES_PER_STEP
    assert burst.next_due_s() == clock.now_s
    burst.step()
    assert burst.counts.released == RELEASES_PER_STEP + 1
    burst.close()


def test_a_step_that_comes_when_it_is_due_or_before_shows_no_lag(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S + 1, START_S + 5), clock=clock)
    for now_s in (START_S + 0.5, START_S + 1, START_S + 1.05):
        clock.now_s = now_s
        burst.step()
    assert burst.loop_lag_max_s == 0.0
    burst.close()


def test_a_late_release_is_lag(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S + 1), clock=clock)
    clock.now_s = START_S + 4
    burst.step()
    assert burst.loop_lag_max_s == 3.0
    burst.close()


def test_being_away_while_connections_are_held_is_lag(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S), clock=clock)
    burst.step()
    assert burst.next_due_s() == START_S + BEAT_S
    clock.now_s = START_S + BEAT_S + 2
    burst.step()
    assert burst.loop_lag_max_s == pytest.approx(2.0)
    burst.close()


def test_a_burst_made_after_its_first_release_was_due_is_not_blamed_for_that(
    silent: Endpoint, clock: HandClock
) -> None:
    burst = Burst(work_for(silent, START_S - 7), clock=clock)
    burst.step()
    assert (burst.loop_lag_max_s, burst.late_max_s) == (0.0, 7.0)
    burst.close()


def test_a_response_timeout_counts_from_the_planned_release(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S, START_S + 3, timeout_s=10.0), clock=clock)
    clock.now_s = START_S + 3
    burst.step()
    clock.now_s = START_S + 10
    burst.step()
    (hit,) = burst.take_hits()
    assert (hit.id, hit.outcome, hit.ended_s) == (1, Outcome.RESPONSE_TIMEOUT, START_S + 10)
    assert hit.error == "no answer within 10 s, 0 bytes of it"
    burst.close()


def test_a_timeout_is_due_without_any_event(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S, timeout_s=BEAT_S / 2), clock=clock)
    burst.step()
    assert burst.next_due_s() == START_S + BEAT_S / 2
    burst.close()


class BlindEpoll(FullEpoll):
    """Has not come round to any event yet."""

    def register(self, fd: int, eventmask: int = 0, /) -> None:
        pass

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        del timeout, maxevents
        return []


class FloodedEpoll(BlindEpoll):
    """Has as many events as it is asked for."""

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        del timeout
        return [(123456, 1)] * maxevents


def test_an_answer_whose_event_is_still_in_line_is_not_timed_out(clock: HandClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        burst = Burst(work_for(endpoint_of(listener), START_S, timeout_s=1.0), clock=clock, new_epoll=BlindEpoll)
        burst.step()
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            ((fd, _connection),) = burst._open.items()
            assert select.select([fd], [], [], 30.0)[0]
            clock.now_s += 1
            burst.step()
    assert [hit.outcome for hit in burst.take_hits()] == [Outcome.ANSWERED]


class EndlessSocket:
    """Sends a body without end, as fast as it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def recv(self, size_bytes: int) -> bytes:
        self.reads += 1
        return (b"HTTP/1.1 200 OK\r\n\r\n" if self.reads == 1 else b"").ljust(size_bytes, b"x")

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    def close(self) -> None:
        pass


def test_unfinished_reading_makes_the_next_step_due_at_once(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S), clock=clock)
    burst.step()
    (connection,) = burst._open.values()
    assert connection._socket is not None
    connection._socket.close()
    connection._socket = EndlessSocket()  # type: ignore[assignment]  # the three verbs that reading needs
    assert burst.next_due_s() == START_S + BEAT_S
    burst._advance(connection, EPOLLIN)
    burst.step()
    assert burst.next_due_s() == START_S
    burst.close()


def test_a_full_batch_of_events_makes_the_next_step_due_at_once(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S), clock=clock, new_epoll=FloodedEpoll)
    burst.step()
    assert burst.next_due_s() == START_S
    burst.close()


def test_requests_that_are_over_are_not_kept_for_their_timeout(clock: HandClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        burst = Burst(work_for(endpoint_of(listener), START_S, START_S + 9, timeout_s=5.0), clock=clock)
        burst.step()
        listener.accept()[0].close()
        assert select.select([burst.fileno()], [], [], 30.0)[0]
        burst.step()
    assert burst.counts.failed == 1
    assert burst.next_due_s() == START_S + 9
    burst.close()


def test_a_timeout_in_the_middle_of_reading_is_booked_once(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, START_S, START_S + 99, timeout_s=1.0), clock=clock)
    burst.step()
    (connection,) = burst._open.values()
    assert connection._socket is not None
    connection._socket.close()
    endless = connection._socket = EndlessSocket()  # type: ignore[assignment]  # the three verbs that reading needs
    burst._advance(connection, EPOLLIN)
    assert burst.counts.failed == 0
    clock.now_s += 1
    burst.step()
    reads = endless.reads
    burst.step()
    assert (burst.counts.failed, endless.reads, burst.done) == (1, reads, False)
    burst.close()


def test_thousands_of_timeouts_end_in_bounded_steps(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, *[START_S] * 600, timeout_s=1.0), clock=clock)
    while burst.counts.released < 600:
        burst.step()
    clock.now_s += 1
    burst.step()
    assert 0 < burst.counts.failed < 600
    assert burst.next_due_s() == clock.now_s
    while not burst.done:
        burst.step()
    assert burst.counts.failed == 600
    burst.close()


def test_a_step_costs_no_more_for_the_connections_that_are_held(silent: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(silent, *[START_S] * 600, timeout_s=60.0), clock=clock)
    while burst.counts.released < 600:
        burst.step()
    reads = clock.reads
    burst.step()
    assert clock.reads - reads < 10
    burst.close()


def test_a_cut_leaves_waiting_and_unsent_and_no_descriptor(silent: Endpoint, clock: HandClock) -> None:
    before = open_files()
    burst = Burst(work_for(silent, START_S, START_S, START_S + 60), clock=clock)
    burst.step()
    burst.cut()
    burst.cut()
    burst.step()
    assert burst.done
    assert burst.next_due_s() is None
    hits = burst.take_hits()
    assert [hit.outcome for hit in hits] == [Outcome.WAITING, Outcome.WAITING, Outcome.UNSENT]
    assert [hit.ended_s for hit in hits] == [None] * 3
    assert all(hit.local_port for hit in hits[:2])
    assert (hits[2].released_s, hits[2].planned_s) == (None, START_S + 60)
    burst.close()
    assert open_files() <= before


def test_hits_are_taken_once_and_may_be_taken_in_parts(deaf: Endpoint, clock: HandClock) -> None:
    burst = Burst(work_for(deaf, *[START_S] * 5), clock=clock)
    burst.step()
    assert [hit.id for hit in burst.take_hits(2)] == [1, 2]
    assert [hit.id for hit in burst.take_hits()] == [3, 4, 5]
    assert burst.take_hits() == []
    burst.close()


def test_a_refused_request_has_the_kernels_words(deaf: Endpoint, clock: HandClock) -> None:
    (hit,) = run_burst(Burst(work_for(deaf, START_S), clock=clock), timeout_s=9.0, clock=clock)
    assert (hit.outcome, hit.error, hit.connected_s) == (Outcome.REFUSED, "Connection refused", None)


def test_no_watches_left_is_the_generators_failure(silent: Endpoint, clock: HandClock) -> None:
    before = open_files()
    burst = Burst(work_for(silent, START_S, timeout_s=1.0), clock=clock, new_epoll=FullEpoll)
    burst.step()
    assert burst.done
    assert [hit.outcome for hit in burst.take_hits()] == [Outcome.OUT_OF_MEMORY]
    assert open_files() <= before


def test_no_requests_are_done_at_once(silent: Endpoint) -> None:
    assert run_burst(Burst(work_for(silent)), timeout_s=9.0) == []


def test_a_burst_is_cut_when_its_time_is_over(silent: Endpoint) -> None:
    hits = run_burst(Burst(work_for(silent, 0.0)), timeout_s=0.05)
    assert [hit.outcome for hit in hits] == [Outcome.WAITING]


def test_planned_times_that_fall_are_a_bug(silent: Endpoint) -> None:
    with pytest.raises(ValueError, match="in the order"):
        work_for(silent, 2.0, 1.0)


def test_an_epoll_of_the_standard_library_is_what_a_burst_needs() -> None:
    epoll: Epoll = select.epoll()
    epoll.close()


actions = st.lists(
    st.one_of(st.just("step"), st.floats(min_value=0, max_value=2), st.integers(min_value=0, max_value=3)), max_size=30
)
plans = st.lists(st.floats(min_value=0, max_value=3), max_size=12).map(sorted)


@settings(deadline=None, max_examples=60)
@given(plan=plans, actions=actions, timeout_s=st.sampled_from([None, 0.5, 2.0]), refuses=st.booleans())
def test_planned_is_answered_failed_waiting_and_unsent_whatever_happens(
    plan: list[float], actions: list[str | float | int], timeout_s: float | None, *, refuses: bool
) -> None:
    clock = HandClock()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if not refuses:
            server.listen(3)  # smaller than a plan: some stay connecting
        work = work_for(endpoint_of(server), *[START_S + at_s for at_s in plan], timeout_s=timeout_s)
        burst = Burst(work, clock=clock)
        hits = []
        for action in actions:
            if action == "step":
                burst.step()
            elif isinstance(action, int):
                hits += burst.take_hits(action)
            elif isinstance(action, float):
                clock.now_s += action
            counts = burst.counts
            assert counts.answered + counts.failed <= counts.released <= counts.planned == len(plan)
            assert counts.connected <= counts.released
            assert burst.done == (counts.answered + counts.failed == counts.planned)
        burst.close()
        hits += burst.take_hits()
    assert sorted(hit.id for hit in hits) == [request_id for request_id, _ in work.requests]
    totals = Counter(hit.outcome for hit in hits)
    failed = sum(count for outcome, count in totals.items() if outcome.failed)
    assert totals[Outcome.ANSWERED] + failed + totals[Outcome.WAITING] + totals[Outcome.UNSENT] == len(plan)
    assert (totals[Outcome.ANSWERED], failed) == (burst.counts.answered, burst.counts.failed)
