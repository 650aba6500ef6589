import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from descriptors import open_files
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_burst import START_S, HandClock, endpoint_of
from test_engine_closed import OK, ByHand, prove_all_is_accounted_for, wait_until_readable

from floodmark.core.outcomes import Outcome
from floodmark.engine.arrivals import Arrivals, ArrivalsShare, ArrivalsWork
from floodmark.engine.burst import BEAT_S, RELEASES_PER_STEP
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.hit_sample import HITS_PER_SECOND
from floodmark.engine.request import render_get

LONG_S = 1000.0


def share_of(count: int, rate: float, first_id: int = 1, step: int = 1) -> ArrivalsShare:
    return ArrivalsShare(first_id=first_id, step=step, count=count, rate=rate, starts_s=START_S)


def arrivals_at(
    endpoint: Endpoint,
    clock: HandClock,
    requests: ArrivalsShare,
    *,
    connections: int = 1000,
    timeout_s: float = LONG_S,
) -> Arrivals:
    work = ArrivalsWork(
        worker="w1",
        dial=Dial(endpoint=endpoint),
        requests=requests,
        connections=connections,
        render=render_get("/{id}", endpoint.authority, keeps_alive=True),
        check=AnswerCheck(text=b"hello"),
        timeout_s=timeout_s,
        ends_s=START_S + requests.count * requests.step / requests.rate,
    )
    return Arrivals(work, clock=clock)


@contextmanager
def served_by_hand(clock: HandClock, requests: ArrivalsShare, connections: int) -> Iterator[tuple[Arrivals, ByHand]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30.0)
        load = arrivals_at(endpoint_of(listener), clock, requests, connections=connections)
        load.step()
        hand = ByHand(listener, load)
        try:
            yield load, hand
        finally:
            load.close()
            hand.close()


@given(
    first_id=st.integers(1, 8),
    step=st.integers(1, 8),
    count=st.integers(0, 200),
    rate=st.floats(0.01, 1e6),
    after_s=st.floats(-1, 300),
)
def test_what_is_due_is_what_was_planned_for_then_or_before(
    first_id: int, step: int, count: int, rate: float, after_s: float
) -> None:
    share = share_of(count, rate, first_id, step)
    now_s = START_S + after_s
    assert share.due_by(now_s) == sum(share.planned_s(index) <= now_s for index in range(count))


def test_a_billion_requests_take_no_time_to_plan() -> None:
    share = share_of(1_000_000_000, 1_000_000.0)
    assert share.due_by(START_S + 999.5) == pytest.approx(999_500_001, abs=1)
    assert share.id_of(999_999_999) == 1_000_000_000


def test_requests_are_released_when_they_are_planned(silent: Endpoint, clock: HandClock) -> None:
    load = arrivals_at(silent, clock, share_of(3, 10.0))
    assert load.next_due_s() == START_S
    load.step()
    assert (load.counts.released, load.next_due_s()) == (1, pytest.approx(START_S + 0.1))
    clock.now_s = START_S + 0.15
    load.step()
    assert load.counts.released == 2
    assert load.late_max_s == pytest.approx(0.05)
    (piece,) = load.take_slices()
    assert (piece.planned, piece.released) == (2, 2)
    assert piece.lates_s == pytest.approx([0.0, 0.05])
    load.close()


def test_a_worker_releases_its_own_numbers_only(clock: HandClock) -> None:
    with served_by_hand(clock, share_of(2, 4.0, first_id=2, step=3), 1) as (load, hand):
        clock.now_s = START_S + 0.25
        load.step()
        assert hand.read_request().startswith(b"GET /2 ")
        hand.send(OK)
        assert load.next_due_s() == pytest.approx(clock.now_s + BEAT_S)
        clock.now_s = START_S + 1.0
        load.step()
        assert hand.read_request().startswith(b"GET /5 ")
        hand.send(OK)
        assert (load.done, load.outcomes) == (True, {Outcome.ANSWERED: 2})
        assert [(hit.id, hit.planned_s) for hit in load.take_hits()] == [(2, START_S + 0.25), (5, START_S + 1.0)]


def test_latency_counts_from_the_plan_and_a_request_waits_for_a_free_connection(clock: HandClock) -> None:
    with served_by_hand(clock, share_of(3, 1000.0), 1) as (load, hand):
        clock.now_s = START_S + 1.0
        load.step()
        assert load.counts.released == 1
        for request_id in (1, 2, 3):
            assert hand.read_request().startswith(b"GET /%d " % request_id)
            hand.send(OK)
            clock.now_s += 1.0
            load.step()
        slices = load.take_slices()
        latencies = [latency for piece in slices for latency in piece.latencies_s]
        lates = [late for piece in slices for late in piece.lates_s]
        assert latencies == pytest.approx([1.0, 1.999, 2.998])
        assert lates == pytest.approx([0.0, 0.999, 1.998])
        assert sum(len(piece.connects_s) for piece in slices) == 1
        assert load.done


def test_the_connection_that_was_used_last_is_taken_first(clock: HandClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        load = arrivals_at(endpoint_of(listener), clock, share_of(3, 1.0))
        load.step()
        clock.now_s += 1
        load.step()
        clients = [listener.accept()[0] for _ in range(2)]
        for client in clients:
            client.recv(65536)
            client.sendall(OK)
            wait_until_readable(load)
            load.step()
        clock.now_s += 1
        load.step()
        assert b"GET /3 " in clients[1].recv(65536)
        assert load.counts.open_connections == 2
        load.close()
        for client in clients:
            client.close()


def test_no_more_connections_are_opened_than_allowed(silent: Endpoint, clock: HandClock) -> None:
    load = arrivals_at(silent, clock, share_of(1000, 1000.0), connections=7)
    clock.now_s += 1
    for _ in range(5):
        load.step()
    assert (load.counts.released, load.counts.open_connections) == (7, 7)
    assert load.next_due_s() == clock.now_s + BEAT_S
    load.close()
    assert load.outcomes == {Outcome.WAITING: 7, Outcome.UNSENT: 993}


def test_a_step_opens_a_bounded_number_and_is_due_again_at_once(silent: Endpoint, clock: HandClock) -> None:
    load = arrivals_at(silent, clock, share_of(1000, 1000.0))
    clock.now_s += 1
    load.step()
    assert (load.counts.released, load.next_due_s()) == (RELEASES_PER_STEP, clock.now_s)
    load.close()


def test_a_timeout_counts_from_the_plan(silent: Endpoint, clock: HandClock) -> None:
    load = arrivals_at(silent, clock, share_of(1, 1.0), timeout_s=10.0)
    clock.now_s = START_S + 9
    load.step()
    assert load.counts.released == 1
    clock.now_s = START_S + 10
    load.step()
    (hit,) = load.take_hits()
    assert (hit.outcome, hit.released_s, hit.ended_s) == (Outcome.RESPONSE_TIMEOUT, START_S + 9, START_S + 10)
    assert load.done
    load.close()


def test_a_request_whose_time_is_over_before_a_connection_was_free_is_unsent(
    silent: Endpoint, clock: HandClock
) -> None:
    load = arrivals_at(silent, clock, share_of(3, 2.0), connections=1, timeout_s=10.0)
    load.step()
    clock.now_s = START_S + 9.9
    load.step()
    assert load.next_due_s() == pytest.approx(START_S + 10)
    clock.now_s = START_S + 10.5
    load.step()
    clock.now_s = START_S + 10.6
    load.step()
    assert load.outcomes == {Outcome.RESPONSE_TIMEOUT: 1, Outcome.UNSENT: 1, Outcome.WAITING: 1}
    clock.now_s = START_S + 11.5
    load.step()
    assert load.done
    hits = load.take_hits()
    assert [(hit.id, hit.outcome) for hit in hits] == [
        (1, Outcome.RESPONSE_TIMEOUT),
        (2, Outcome.UNSENT),
        (3, Outcome.RESPONSE_TIMEOUT),
    ]
    assert hits[1].error == "not released within 10 s: all 1 connections were busy"
    assert hits[1].released_s is None
    prove_all_is_accounted_for(load, load.take_slices())
    load.close()


def test_a_generator_that_was_away_for_too_long_says_that_it_was_late(silent: Endpoint, clock: HandClock) -> None:
    load = arrivals_at(silent, clock, share_of(4, 1.0), timeout_s=10.0)
    clock.now_s = START_S + 12.5
    load.step()
    assert (load.counts.released, load.counts.planned) == (1, 4)
    load.close()
    *hits, waiting = load.take_hits()
    assert [(hit.id, hit.error) for hit in hits] == [
        (number, "not released within 10 s: the generator was late") for number in (1, 2, 3)
    ]
    assert (waiting.id, waiting.outcome) == (4, Outcome.WAITING)


def test_what_was_planned_is_counted_in_its_second_even_when_the_generator_was_away(
    silent: Endpoint, clock: HandClock
) -> None:
    load = arrivals_at(silent, clock, share_of(100, 4.0, first_id=3, step=2), connections=1)
    clock.now_s = START_S + 3.1
    load.step()
    slices = load.take_slices()
    # Planned for 0.5, 1, 1.5, 2, 2.5 and 3 s.
    assert [(piece.second, piece.planned, piece.released) for piece in slices] == [
        (0, 1, 0),
        (1, 2, 0),
        (2, 2, 0),
        (3, 1, 1),
    ]
    clock.now_s = START_S + 4
    load.step()
    assert [(piece.second, piece.planned) for piece in load.take_slices()] == [(3, 1), (4, 1)]
    load.close()


def test_connections_are_used_again_after_a_step_that_opened_as_many_as_it_may(
    deaf: Endpoint, clock: HandClock
) -> None:
    load = arrivals_at(deaf, clock, share_of(3 * RELEASES_PER_STEP, 1000.0), connections=2)
    clock.now_s += 1
    for _ in range(3):
        load.step()
    assert load.outcomes == {Outcome.REFUSED: 3 * RELEASES_PER_STEP}
    load.close()


def test_a_cut_leaves_waiting_and_unsent_and_no_descriptor(silent: Endpoint, clock: HandClock) -> None:
    before = open_files()
    load = arrivals_at(silent, clock, share_of(500, 10.0))
    clock.now_s += 0.5
    load.step()
    load.cut()
    load.cut()
    load.step()
    assert load.outcomes == {Outcome.WAITING: 6, Outcome.UNSENT: 494}
    hits = load.take_hits()
    assert len({hit.id for hit in hits}) == HITS_PER_SECOND
    assert all(hit.outcome is (Outcome.WAITING if hit.id <= 6 else Outcome.UNSENT) for hit in hits)
    assert max(hit.id for hit in hits) > 2 * HITS_PER_SECOND  # not only the first of those that were left
    load.close()
    assert open_files() <= before


def test_a_load_that_has_all_its_outcomes_is_over_at_once_and_closes_its_connections(clock: HandClock) -> None:
    before = open_files()
    with served_by_hand(clock, share_of(1, 1.0), 1) as (load, hand):
        hand.read_request()
        assert not load.done
        hand.send(OK)
        assert (load.done, load.next_due_s(), load.counts.open_connections) == (True, None, 0)
    assert open_files() <= before


def test_a_connection_that_ended_while_idle_is_no_failure(clock: HandClock) -> None:
    with served_by_hand(clock, share_of(2, 1.0), 1) as (load, hand):
        hand.read_request()
        hand.send(OK)
        hand.close()
        wait_until_readable(load)
        load.step()
        assert load.counts.open_connections == 0
        clock.now_s += 1
        load.step()
        assert hand.read_request().startswith(b"GET /2 ")
        hand.send(OK)
        assert load.outcomes == {Outcome.ANSWERED: 2}


def test_refusals_are_failures_at_their_planned_times(deaf: Endpoint, clock: HandClock) -> None:
    load = arrivals_at(deaf, clock, share_of(300, 100.0), connections=2)
    for number in range(300):
        clock.now_s = load._requests.planned_s(number)
        load.step()
    assert (load.done, load.outcomes, load.counts.connected) == (True, {Outcome.REFUSED: 300}, 0)
    assert load.late_max_s == 0.0
    assert len(load.take_hits()) == 3 * HITS_PER_SECOND
    load.close()


actions = st.lists(st.one_of(st.just("step"), st.just("serve"), st.just("drop"), st.floats(0, 2)), max_size=40)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(0, 30),
    rate=st.floats(0.5, 50),
    connections=st.integers(1, 4),
    timeout_s=st.sampled_from([0.5, 2.0, LONG_S]),
    actions=actions,
)
def test_planned_is_answered_failed_waiting_and_unsent_whatever_happens(
    count: int, rate: float, connections: int, timeout_s: float, actions: list[str | float]
) -> None:
    before = open_files()
    clock = HandClock()
    clients: list[socket.socket] = []
    slices = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        load = arrivals_at(
            endpoint_of(listener), clock, share_of(count, rate), connections=connections, timeout_s=timeout_s
        )
        for action in actions:
            if isinstance(action, float):
                clock.now_s += action
            elif action == "step":
                load.step()
                slices += load.take_slices()
            else:
                serve_once(listener, clients, drops=action == "drop")
            counts = load.counts
            assert counts.answered + counts.failed <= counts.released <= counts.planned == count
            assert counts.connected <= counts.released
            assert counts.open_connections <= connections
            assert load.outcomes.total() == count
        load.close()
        slices += load.take_slices()
        prove_all_is_accounted_for(load, slices)
        ids = [hit.id for hit in load.take_hits()]
        assert len(ids) == len(set(ids))
    for client in clients:
        client.close()
    assert open_files() <= before


def serve_once(listener: socket.socket, clients: list[socket.socket], *, drops: bool) -> None:
    """Answers what there is, or closes every connection."""
    try:
        while True:
            clients.append(listener.accept()[0])
    except BlockingIOError:
        pass
    for client in clients:
        client.settimeout(0)
        try:
            if client.recv(65536) and not drops:
                client.sendall(OK)
        except (BlockingIOError, ConnectionError):
            pass
        if drops:
            client.close()
    if drops:
        clients.clear()
