import errno
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby

import pytest
from descriptors import open_files
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_burst import (
    START_S,
    BlindEpoll,
    HandClock,
    endpoint_of,
)

from floodmark.core.outcomes import Outcome
from floodmark.engine.burst import BEAT_S, EVENTS_PER_STEP, RELEASES_PER_STEP
from floodmark.engine.check import AnswerCheck
from floodmark.engine.client import ClientEpoll
from floodmark.engine.closed import REST_S, Closed, ClosedWork
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.hit_sample import HITS_PER_SECOND
from floodmark.engine.line import Line
from floodmark.engine.request import render_get
from floodmark.engine.slice import Slice
from floodmark.engine.steady import Steady

DEADLINE_S = 30.0
FAR = 10**9
"""So many requests go by before the sample takes one."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def closed_at(
    endpoint: Endpoint,
    clock: Callable[[], float],
    *,
    connections: int = 1,
    timeout_s: float = 200.0,
    new_epoll: Callable[[], ClientEpoll] | None = None,
) -> Closed:
    """From `START_S` on, for 100 s."""
    work = ClosedWork(
        worker="w1",
        dial=Dial(endpoint=endpoint),
        connections=connections,
        first_id=2,
        step=3,
        starts_s=START_S,
        ends_s=START_S + 100,
        render=render_get("/{id}", endpoint.authority, keeps_alive=True),
        check=AnswerCheck(text=b"hello"),
        timeout_s=timeout_s,
    )
    return Closed(work, clock=clock, new_epoll=new_epoll)


def wait_until_readable(load: Steady) -> None:
    assert select.select([load.fileno()], [], [], DEADLINE_S)[0]


def prove_all_is_accounted_for(load: Steady, slices: list[Slice]) -> None:
    """After a cut: every planned request has one outcome, and the slices say the same as the totals."""
    counts, outcomes = load.counts, load.outcomes
    assert load.done
    assert counts.planned == outcomes.total()
    assert counts.answered == outcomes[Outcome.ANSWERED] == sum(piece.answered for piece in slices)
    assert counts.answered == sum(len(piece.latencies_s) for piece in slices)
    assert counts.released == sum(piece.released for piece in slices)
    assert counts.failed == sum(count for outcome, count in outcomes.items() if outcome.failed)
    assert counts.failed == sum(piece.failed.total() for piece in slices)
    assert counts.open_connections == 0
    assert all(latency >= 0.0 for piece in slices for latency in piece.latencies_s)


class ByHand:
    """One accepted connection of a load, served by the test itself."""

    def __init__(self, listener: socket.socket, load: Steady) -> None:
        self._listener = listener
        self._load = load
        self._client: socket.socket | None = None
        self.connections = 0

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def read_request(self) -> bytes:
        """Takes the next request, on a new connection where the load closed the last one."""
        request = self._read()
        if not request:
            self.close()
            request = self._read()
        return request

    def send(self, data: bytes) -> None:
        """Sends, and lets the load read that."""
        assert self._client is not None
        self._client.sendall(data)
        wait_until_readable(self._load)
        self._load.step()
        while self._load.next_due_s() == self._load.clock():
            self._load.step()

    def _read(self) -> bytes:
        if self._client is None:
            self._client, _ = self._listener.accept()
            self.connections += 1
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client.settimeout(DEADLINE_S)
        return self._client.recv(65536)


@contextmanager
def served_by_hand(clock: HandClock) -> Iterator[tuple[Closed, ByHand]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        load = closed_at(endpoint_of(listener), clock)
        load.step()
        hand = ByHand(listener, load)
        try:
            yield load, hand
        finally:
            load.close()
            hand.close()


def test_nothing_is_sent_before_the_start(silent: Endpoint, clock: HandClock) -> None:
    clock.now_s = START_S - 1
    load = closed_at(silent, clock)
    load.step()
    assert (load.counts.released, load.next_due_s()) == (0, START_S)
    clock.now_s = START_S + 0.25
    load.step()
    assert (load.counts.released, load.counts.connected, load.late_max_s) == (1, 1, 0.25)
    load.close()


def test_a_step_opens_a_bounded_number_and_is_due_again_at_once(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock, connections=RELEASES_PER_STEP + 1)
    load.step()
    assert (load.counts.released, load.next_due_s()) == (RELEASES_PER_STEP, START_S)
    load.step()
    assert load.counts.released == load.counts.open_connections == RELEASES_PER_STEP + 1
    load.close()


def test_each_connection_sends_its_own_number_again_and_again(clock: HandClock) -> None:
    with served_by_hand(clock) as (_, hand):
        for _ in range(3):
            assert hand.read_request().startswith(b"GET /2 HTTP/1.1\r\n")
            hand.send(OK)


def test_what_has_no_outcome_at_the_end_is_waiting_and_no_more_is_sent(silent: Endpoint, clock: HandClock) -> None:
    before = open_files()
    load = closed_at(silent, clock, connections=3)
    load.step()
    clock.now_s = START_S + 100
    load.step()
    load.step()
    assert load.next_due_s() is None
    assert load.outcomes == {Outcome.WAITING: 3}
    hits = load.take_hits()
    assert [(hit.id, hit.outcome, hit.ended_s) for hit in hits] == [(id_, Outcome.WAITING, None) for id_ in (2, 5, 8)]
    assert all(hit.local_port and hit.connected_s == hit.sent_s == START_S for hit in hits)
    prove_all_is_accounted_for(load, load.take_slices())
    load.close()
    assert open_files() <= before


def test_a_load_says_when_it_was_over_and_not_when_its_sockets_were_closed(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock)
    load.step()
    assert load.ended_s is None
    clock.now_s = START_S + 100.5

    def forget_slowly(line: Line) -> None:
        Closed.forget(load, line)
        clock.now_s += 3

    load.forget = forget_slowly  # type: ignore[method-assign]  # closing takes time
    load.step()
    load.close()
    assert load.ended_s == START_S + 100.5 < clock.now_s


def test_a_timeout_of_the_last_moment_is_one(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock, timeout_s=99.99)
    load.step()
    clock.now_s = START_S + 100
    load.step()
    assert load.outcomes == {Outcome.RESPONSE_TIMEOUT: 1}
    load.close()


def test_an_answer_that_a_late_step_finds_is_not_timed_out(clock: HandClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        load = closed_at(endpoint_of(listener), clock, timeout_s=1.0, new_epoll=BlindClientEpoll)
        load.step()
        client, _ = listener.accept()
        with client:
            client.sendall(OK)
            assert select.select([load._lanes[0].fd], [], [], DEADLINE_S)[0]
            clock.now_s += 1
            load.step()
    assert load.counts.answered == 1
    load.close()


def test_an_answer_that_is_found_at_the_end_counts_and_no_more_is_sent(clock: HandClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        load = closed_at(endpoint_of(listener), clock, timeout_s=50.0, new_epoll=BlindClientEpoll)
        load.step()
        client, _ = listener.accept()
        with client:
            client.sendall(OK)
            assert select.select([load._lanes[0].fd], [], [], DEADLINE_S)[0]
            clock.now_s += 100
            load.step()
    assert load.outcomes == {Outcome.ANSWERED: 1}
    load.close()


class BlindClientEpoll(BlindEpoll):
    def modify(self, fd: int, eventmask: int, /) -> None:
        pass


class FullClientEpoll(BlindClientEpoll):
    def register(self, fd: int, eventmask: int = 0, /) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), fd, None, eventmask)


def test_a_timeout_closes_the_connection_and_the_next_begins(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock, timeout_s=1.0)
    load.step()
    port = load._lanes[0].local_port
    clock.now_s += 1
    load.step()
    assert (load.counts.failed, load.next_due_s()) == (1, clock.now_s)
    load.step()
    assert load.counts.released == 2
    assert load._lanes[0].local_port != port
    load.cut()
    hit, _ = load.take_hits()
    assert (hit.outcome, hit.error) == (Outcome.RESPONSE_TIMEOUT, "no answer within 1 s, 0 bytes of it")
    assert (hit.ended_s, hit.local_port) == (START_S + 1, port)
    load.close()


def test_thousands_of_timeouts_end_in_bounded_steps(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock, connections=600, timeout_s=1.0)
    while load.counts.released < 600:
        load.step()
    clock.now_s += 1
    load.step()
    assert load.counts.failed == EVENTS_PER_STEP
    while load.counts.failed < 600:
        assert load.next_due_s() == clock.now_s
        load.step()
    load.close()


def test_a_dead_server_is_asked_once_per_rest(deaf: Endpoint, clock: HandClock) -> None:
    load = closed_at(deaf, clock, connections=3)
    for _ in range(5):
        load.step()
    assert (load.counts.released, load.counts.failed, load.counts.connected) == (3, 3, 0)
    assert load.next_due_s() == START_S + REST_S
    clock.now_s = START_S + REST_S
    load.step()
    assert load.outcomes == {Outcome.REFUSED: 6}
    load.close()
    prove_all_is_accounted_for(load, load.take_slices())


@pytest.mark.parametrize("status", [b"404 Nope", b"503 Busy"])
def test_an_answer_that_was_wrong_needs_no_rest(clock: HandClock, status: bytes) -> None:
    with served_by_hand(clock) as (load, hand):
        for _ in range(3):
            assert hand.read_request()
            hand.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        assert (load.counts.failed, load.counts.released) == (3, 4)
        load.cut()
        assert {hit.error for hit in load.take_hits()} == {f"HTTP {status.decode()}", None}


def test_a_wrong_answer_is_wrong_each_time(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        load._sample.answered.room = FAR
        for answer in (OK, OK, OK.replace(b"hello", b"howdy"), OK.replace(b"hello", b"howdy"), OK):
            hand.read_request()
            hand.send(answer)
        assert load.outcomes == {Outcome.ANSWERED: 3, Outcome.WRONG_ANSWER: 2, Outcome.WAITING: 1}


def test_no_watches_left_is_the_generators_failure(silent: Endpoint, clock: HandClock) -> None:
    before = open_files()
    load = closed_at(silent, clock, connections=3, new_epoll=FullClientEpoll)
    load.step()
    assert load.outcomes == {Outcome.OUT_OF_MEMORY: 3}
    assert open_files() <= before
    load.close()


def test_a_load_over_no_connections_ends_in_its_time(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock, connections=0)
    clock.now_s += 50
    load.step()
    clock.now_s += 50
    load.step()
    assert (load.done, load.outcomes, load.late_max_s) == (True, {}, 0.0)
    load.close()


def test_being_away_is_lag_and_is_noted_in_its_second(silent: Endpoint, clock: HandClock) -> None:
    load = closed_at(silent, clock)
    load.step()
    clock.now_s += BEAT_S + 2
    load.step()
    assert load.loop_lag_max_s == pytest.approx(2.0)
    assert [(piece.second, piece.lag_s) for piece in load.take_slices()] == [(0, 0.0), (2, pytest.approx(2.0))]
    load.close()


def test_slices_are_taken_once_and_one_second_may_come_in_parts(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        found = []
        for now_s in (START_S + 0.2, START_S + 0.9, START_S + 1.0, START_S + 3.5):
            clock.now_s = now_s
            hand.read_request()
            hand.send(OK)
            found.append([(piece.second, piece.answered, piece.released) for piece in load.take_slices()])
        assert found == [[(0, 1, 2)], [(0, 1, 1)], [(1, 1, 1)], [(3, 1, 1)]]
        assert load.take_slices() == []


def test_an_answer_in_pieces_has_a_transfer_time_and_one_in_one_piece_has_none(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        hand.read_request()
        hand.send(OK)
        hand.read_request()
        clock.now_s += 0.25
        hand.send(OK[:10])
        clock.now_s += 0.5
        hand.send(OK[10:])
        (piece,) = load.take_slices()
        assert (piece.transfers_s, piece.latencies_s) == ([0.5], [0.0, 0.75])
        assert (piece.received_bytes, piece.body_bytes) == (2 * len(OK), 2 * len("hello"))


def test_the_bodies_of_known_answers_count_as_those_of_others(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        load._sample.answered.room = FAR
        for answer in (OK, OK, OK, OK.replace(b"200 OK", b"404 No")):
            hand.read_request()
            hand.send(answer)
        (piece,) = load.take_slices()
        assert piece.body_bytes == 4 * len("hello")


def test_a_sample_of_each_second_is_kept_and_the_rest_is_counted(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        for now_s in (START_S, START_S + 1):
            clock.now_s = now_s
            for _ in range(HITS_PER_SECOND + 10):
                hand.read_request()
                hand.send(OK)
                clock.now_s += 0.001
        assert load.counts.answered == 2 * (HITS_PER_SECOND + 10)
        load.cut()
        hits = [hit for hit in load.take_hits() if hit.outcome is Outcome.ANSWERED]
    assert len({hit.id for hit in hits}) == len(hits) == 2 * HITS_PER_SECOND
    assert [hit.ended_s for hit in hits] == sorted(hit.ended_s or 0.0 for hit in hits)
    assert {(hit.id - 2) % 3 for hit in hits} == {0}
    assert all(hit.planned_s == hit.released_s == hit.connected_s == hit.sent_s for hit in hits)
    assert len([hit for hit in hits if hit.ended_s and hit.ended_s < START_S + 1]) == HITS_PER_SECOND


def test_the_handlers_evidence_is_in_the_sample(clock: HandClock) -> None:
    timing = b"Server-Timing: floodmark;begin=10.25;end=10.75;pid=7;tid=9;thread=T\r\n"
    with served_by_hand(clock) as (load, hand):
        hand.read_request()
        hand.send(OK.replace(b"Content", timing + b"Content"))
        load.cut()
        hit, _ = load.take_hits()
    evidence = (hit.handler_begin_s, hit.handler_end_s, hit.pid, hit.tid, hit.thread)
    assert evidence == (10.25, 10.75, 7, 9, "T")
    assert (hit.status, hit.body_bytes, hit.worker) == (200, 5, "w1")


def test_an_answer_that_ends_its_connection_does_so_each_time(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        load._sample.answered.room = FAR
        for answer in (OK, OK, OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) * 3:
            assert hand.read_request()
            hand.send(answer)
        assert hand.read_request()
        assert hand.connections == 4


class HalfSocket:
    """Takes the first bytes of what is sent and no more, or raises."""

    def __init__(self, opened: socket.socket, problem: OSError | None) -> None:
        self._opened = opened
        self._problem = problem

    def send(self, data: bytes) -> int:
        if self._problem is not None:
            raise self._problem
        return self._opened.send(data[:5])


@pytest.mark.parametrize("problem", [None, BlockingIOError(), BrokenPipeError()])
def test_a_request_that_goes_past_its_line_in_parts_is_finished_by_the_line(
    clock: HandClock, problem: OSError | None
) -> None:
    with served_by_hand(clock) as (load, hand):
        for _ in range(2):
            request = hand.read_request()
            hand.send(OK)
        assert hand.read_request() == request
        (lane,) = load._lanes
        assert lane.plain is not None
        load._follow_known(lane, HalfSocket(lane.plain, problem), clock.now_s)  # type: ignore[arg-type]  # its one verb
        received = hand.read_request()
        while len(received) < len(request):
            received += hand.read_request()
        assert received == request
        hand.send(OK)
        assert load.counts.failed == 0


def test_a_known_answer_with_the_connections_end_is_followed_by_a_new_connection(clock: HandClock) -> None:
    with served_by_hand(clock) as (load, hand):
        load._sample.answered.room = FAR
        for _ in range(4):
            hand.read_request()
            hand.send(OK)
        hand.read_request()
        assert hand._client is not None
        hand._client.sendall(OK)
        hand._client.shutdown(socket.SHUT_WR)
        wait_until_readable(load)
        load.step()
        load.step()
        assert load.outcomes == {Outcome.ANSWERED: 5, Outcome.WAITING: 1}
        hand.close()
        assert hand.read_request()


ANSWERS = [
    OK,
    b"HTTP/1.1 200 OK\r\nServer: b\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhowdy",
    b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    OK + b"left over",
]
KINDS = [Outcome.ANSWERED, Outcome.ANSWERED, Outcome.WRONG_ANSWER, Outcome.SERVER_ERROR] + [Outcome.ANSWERED] * 4

exchanges = st.lists(
    st.tuples(st.integers(0, len(ANSWERS) - 1), st.one_of(st.just(0), st.integers(1, 60))), min_size=1, max_size=25
)


@settings(deadline=None, max_examples=60)
@given(script=exchanges, knows=st.booleans())
def test_an_answer_counts_the_same_whether_it_is_known_new_or_in_pieces(
    script: list[tuple[int, int]], *, knows: bool
) -> None:
    clock = HandClock()
    with served_by_hand(clock) as (load, hand):
        if knows:  # else all of these are in the sample, and are read by the line
            load._sample.answered.room = FAR
        sent_bytes = 0
        for number, cut in script:
            hand.read_request()
            answer = ANSWERS[number]
            # What is sent after an answer that ended meets a closed connection.
            if 0 < cut < len(answer) and not answer.endswith(b"over"):
                hand.send(answer[:cut])
                hand.send(answer[cut:])
            else:
                hand.send(answer)
            sent_bytes += len(answer)
        load.cut()
        slices = load.take_slices()
        expected = [KINDS[number] for number, _ in script]
        waiting = load.outcomes[Outcome.WAITING]
        assert load.outcomes == {
            kind: len(list(found)) for kind, found in groupby(sorted([*expected, Outcome.WAITING]))
        }
        assert waiting == 1
        assert sum(piece.received_bytes for piece in slices) == sent_bytes
        prove_all_is_accounted_for(load, slices)
