"""Steady loads against servers that misbehave, one way each, on real sockets."""

import os
import resource
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import test_engine_hostile
from test_client_hostile import (
    DEADLINE_S,
    OK,
    Behaviour,
    Server,
    answering,
    no_descriptor_is_left,  # noqa: F401 - a fixture for here, too
    once,
    read_request,
)
from test_client_tls import certificate, encrypted, trusting  # noqa: F401 - a fixture for here, too

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.arrivals import Arrivals, ArrivalsShare, ArrivalsWork
from floodmark.engine.check import AnswerCheck
from floodmark.engine.closed import Closed, ClosedWork
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.request import render_get
from floodmark.engine.run_steady import run_steady
from floodmark.engine.slice import Slice
from floodmark.engine.steady import Steady

pytestmark = pytest.mark.live

MANY = 1_000_000
"""More than any test waits for."""

KEPT = ", on a connection that was kept alive"


def endpoint_of(sockaddr: tuple[str, int]) -> Endpoint:
    return Endpoint(family=socket.AF_INET, sockaddr=sockaddr, authority="hostile")


def closed_at(dial: Dial, *, connections: int = 2, timeout_s: float = DEADLINE_S, duration_s: float = DEADLINE_S):
    now_s = time.monotonic()
    work = ClosedWork(
        worker="w1",
        dial=dial,
        connections=connections,
        first_id=1,
        step=1,
        starts_s=now_s,
        ends_s=now_s + duration_s,
        render=render_get("/{id}", "hostile", keeps_alive=True),
        check=AnswerCheck(text=b"hello"),
        timeout_s=timeout_s,
    )
    return Closed(work)


def arrivals_at(
    dial: Dial, *, connections: int = 2, timeout_s: float = DEADLINE_S, rate: float = 1000.0, count: int = MANY
):
    now_s = time.monotonic()
    work = ArrivalsWork(
        worker="w1",
        dial=dial,
        requests=ArrivalsShare(first_id=1, step=1, count=count, rate=rate, starts_s=now_s),
        connections=connections,
        render=render_get("/{id}", "hostile", keeps_alive=True),
        check=AnswerCheck(text=b"hello"),
        timeout_s=timeout_s,
        ends_s=now_s + count / rate,
    )
    return Arrivals(work)


both_profiles = pytest.mark.parametrize("load_at", [closed_at, arrivals_at], ids=["closed", "arrivals"])


class Driven:
    """A load that is driven until a condition holds; what it recorded, once it is over, adds up."""

    def __init__(self, load: Steady) -> None:
        self.load = load
        self.hits: list[Hit] = []
        self.slices: list[Slice] = []
        self._waiter = select.poll()
        self._waiter.register(load.fileno(), select.POLLIN)

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            now_s = time.monotonic()
            assert now_s < deadline_s, self.load.outcomes
            wait_s = max(0.0, min((self.load.next_due_s() or 0.0) - now_s, 0.01))
            self._waiter.poll(wait_s * 1_000)
            self.load.step()
            self.take()

    def take(self) -> None:
        self.hits += self.load.take_hits()
        self.slices += self.load.take_slices()

    def close(self) -> None:
        self.load.close()
        self.take()
        counts, outcomes = self.load.counts, self.load.outcomes
        assert counts.planned == outcomes.total()
        assert counts.released == counts.planned - outcomes[Outcome.UNSENT]
        assert counts.answered == outcomes[Outcome.ANSWERED] == sum(piece.answered for piece in self.slices)
        assert counts.answered == sum(len(piece.latencies_s) for piece in self.slices)
        assert counts.failed == sum(piece.failed.total() for piece in self.slices)
        assert counts.released == sum(piece.released for piece in self.slices)
        assert len({hit.id for hit in self.hits}) == len(self.hits)
        assert counts.open_connections == 0

    def failures(self) -> dict[Outcome, int]:
        return {outcome: count for outcome, count in self.load.outcomes.items() if outcome.failed}


@contextmanager
def driven(
    load_at: Callable[..., Steady], *behaviours: Behaviour, **options: object
) -> Iterator[tuple[Driven, Server]]:
    server = Server(*behaviours)
    found = Driven(load_at(Dial(endpoint=endpoint_of(server.sockaddr)), **options))
    try:
        yield found, server
    finally:
        found.close()
        server.close()


@both_profiles
@pytest.mark.parametrize("name", test_engine_hostile.FAILED)
def test_a_failure_is_classed_and_says_how(load_at, name):
    behave, outcome, words = test_engine_hostile.FAILED[name]
    with driven(load_at, behave) as (found, _):
        found.until(lambda: found.load.counts.failed)
    assert set(found.failures()) == {outcome}
    failed = [hit for hit in found.hits if hit.outcome is outcome]
    assert words in str(failed[0].error)
    assert failed[0].connected_s is not None
    assert failed[0].local_port


CLOSING_WITHOUT_A_WORD = {"content length", "byte by byte", "reset after the answer", "chunked byte by byte"}
"""Answers that say nothing of a close which comes after them."""


@both_profiles
@pytest.mark.parametrize("name", test_engine_hostile.ANSWERED)
def test_an_answer_counts_however_it_comes(load_at, name):
    with driven(load_at, test_engine_hostile.ANSWERED[name]) as (found, _):
        found.until(lambda: found.load.counts.answered)
    failed = [str(hit.error) for hit in found.hits if hit.outcome.failed]
    assert len(failed) == found.load.counts.failed
    if name in CLOSING_WITHOUT_A_WORD:
        # Its close may meet the next request: that one fails, and says on what.
        assert all("on a connection that was kept alive" in words for words in failed)
    else:
        assert set(found.load.outcomes) <= {Outcome.ANSWERED, Outcome.WAITING, Outcome.UNSENT}
    answered = [hit for hit in found.hits if hit.outcome is Outcome.ANSWERED]
    assert {(hit.status, hit.body_bytes, hit.error) for hit in answered} == {(200, 5, None)}
    for hit in answered:
        times = [hit.planned_s, hit.released_s, hit.connected_s, hit.sent_s, hit.first_byte_s, hit.ended_s]
        assert times == sorted(times)


@both_profiles
def test_hundreds_of_answers_share_their_connections(load_at):
    with driven(load_at, answering(OK)) as (found, server):
        found.until(lambda: found.load.counts.answered >= 300)
        assert server.connections <= 2
    assert found.failures() == {}
    assert sum(piece.received_bytes for piece in found.slices) == found.load.counts.answered * len(OK)
    assert 50 <= len([hit for hit in found.hits if hit.outcome is Outcome.ANSWERED]) < 300


@both_profiles
@pytest.mark.parametrize(
    "answer",
    [OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), OK + b"leftover", OK.replace(b"1.1", b"1.0")],
    ids=["close", "leftover", "http-1.0"],
)
def test_a_server_that_closes_after_each_answer_is_no_failure(load_at, answer):
    with driven(load_at, once(answer)) as (found, server):
        found.until(lambda: found.load.counts.answered >= 100)
        assert server.connections >= 100
    assert found.failures() == {}
    assert sum(len(piece.connects_s) for piece in found.slices) == found.load.counts.connected


@both_profiles
def test_a_connection_that_ends_on_the_next_request_is_one_failure_and_says_that_it_was_kept(load_at):
    def behave(client: socket.socket) -> None:
        for _ in range(60):  # more than the sample takes: the rest are known
            read_request(client)
            client.sendall(OK)
        read_request(client)

    with driven(load_at, behave, answering(OK), connections=1) as (found, server):
        found.until(lambda: found.load.counts.answered >= 70)
        assert server.connections == 2
    assert found.failures() == {Outcome.CLOSED: 1}
    (hit,) = [hit for hit in found.hits if hit.outcome is Outcome.CLOSED]
    assert hit.error == "closed after 0 bytes of the answer" + KEPT
    assert hit.connected_s == hit.released_s


@both_profiles
def test_every_request_is_sent_once_whatever_becomes_of_it(load_at):
    seen = []
    was_read = threading.Event()

    def behave(client: socket.socket) -> None:
        for number in range(3):
            request = read_request(client)
            if not request:
                return
            seen.append(request.split()[1])
            was_read.set()
            if number < 2:
                client.sendall(OK)

    def is_read(released: int) -> bool:
        """Whether the server comes to read that many while the load stands still: not where one still connects."""
        while True:
            was_read.clear()
            if len(seen) >= released:
                return True
            if not was_read.wait(0.2):
                return False

    with driven(load_at, behave) as (found, _):
        found.until(lambda: found.load.counts.failed >= 3 and is_read(found.load.counts.released))
    assert len(seen) == found.load.counts.released
    if load_at is arrivals_at:
        assert sorted(seen) == sorted(b"/%d" % number for number in range(1, len(seen) + 1))
    else:
        assert set(seen) == {b"/1", b"/2"}


@both_profiles
def test_a_server_that_dies_and_comes_back_is_used_again(load_at):
    is_dying = threading.Event()

    def behave(client: socket.socket) -> None:
        while not is_dying.is_set() and read_request(client):
            client.sendall(OK)

    server = Server(behave)
    port = server.sockaddr[1]
    found = Driven(load_at(Dial(endpoint=endpoint_of(server.sockaddr)), connections=1))
    try:
        found.until(lambda: found.load.counts.answered >= 20)
        is_dying.set()
        server._listener.shutdown(socket.SHUT_RDWR)
        found.until(lambda: found.load.outcomes[Outcome.REFUSED] >= 2)
        server.close()
        answered = found.load.counts.answered
        server = Server(answering(OK), port=port)
        found.until(lambda: found.load.counts.answered >= answered + 20)
    finally:
        found.close()
        server.close()
    assert set(found.failures()) <= {Outcome.CLOSED, Outcome.RESET, Outcome.REFUSED}


def test_ten_thousand_refusals_are_ten_thousand_failures_and_leave_nothing_open():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        dial = Dial(endpoint=endpoint_of(bound.getsockname()))
        found = Driven(arrivals_at(dial, rate=100_000.0, count=10_000))
        found.until(lambda: found.load.done)
        found.close()
    assert found.load.outcomes == {Outcome.REFUSED: 10_000}


def test_a_closed_load_does_not_hammer_a_dead_server():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        load = closed_at(Dial(endpoint=endpoint_of(bound.getsockname())), connections=10, duration_s=1.0)
        run_steady(load)
    assert 10 <= load.outcomes[Outcome.REFUSED] <= 110


@both_profiles
def test_a_silent_server_is_a_response_timeout(load_at):
    with driven(load_at, test_engine_hostile.wait_for_the_peer_to_close, timeout_s=0.1) as (found, _):
        found.until(lambda: found.load.counts.failed >= 4)
    assert set(found.failures()) == {Outcome.RESPONSE_TIMEOUT}


@both_profiles
def test_a_full_accept_queue_is_a_connect_timeout(load_at):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        found = Driven(load_at(Dial(endpoint=endpoint_of(full.getsockname())), timeout_s=0.2))
        found.until(lambda: found.load.counts.failed >= 2)
        found.close()
    assert Outcome.CONNECT_TIMEOUT in found.failures()
    assert found.load.counts.connected < found.load.counts.released


def limit_for(count: int) -> int:
    """The limit that leaves room for so many more files. Tried: a blocked accept(2) has a number that is not listed."""
    fillers = [os.dup(0) for _ in range(count)]
    for filler in fillers:
        os.close(filler)
    return fillers[-1] + 1


@both_profiles
def test_open_files_that_run_out_are_the_generators_failure(load_at):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        found = Driven(load_at(Dial(endpoint=endpoint_of(listener.getsockname())), connections=30))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit_for(10), hard))
        try:
            found.until(lambda: found.load.counts.released >= 30)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        found.close()
    assert set(found.failures()) == {Outcome.OUT_OF_FILES}
    assert found.load.outcomes[Outcome.WAITING] == 10


@both_profiles
def test_large_requests_and_answers_go_through_whole(load_at):
    body = b"hello" + b"x" * 3_000_000
    sizes = set()

    def behave(client: socket.socket) -> None:
        while request := read_request(client):
            sizes.add(len(request))
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with driven(load_at, behave) as (found, server):
        big = b"GET / HTTP/1.1\r\nX-Filler: " + b"x" * 3_000_000 + b"\r\n\r\n"
        put_requests(found.load, big)
        found.until(lambda: found.load.counts.answered >= 6)
        assert server.connections <= 2
    assert found.failures() == {}
    assert sizes == {len(big)}
    assert all(piece.transfers_s for piece in found.slices if piece.answered)


def put_requests(load: Steady, request: bytes) -> None:
    """Has every request be this one."""
    if isinstance(load, Closed):
        for lane in load._lanes:
            lane.carry(lane.id, request)
    else:
        object.__setattr__(load._work, "render", lambda _: request)


def test_a_large_request_that_is_sent_again_past_its_line_goes_in_parts_and_arrives_whole():
    sizes = []
    big = b"GET / HTTP/1.1\r\nX-Filler: " + b"x" * 3_000_000 + b"\r\n\r\n"

    def behave(client: socket.socket) -> None:
        while request := read_request(client):
            sizes.append(len(request))
            client.sendall(OK)

    with driven(closed_at, behave, connections=1) as (found, server):
        put_requests(found.load, big)
        found.until(lambda: found.load.counts.answered >= 60)  # more than the sample takes: the rest are known
        assert server.connections == 1
    assert set(sizes[:60]) == {len(big)}
    assert found.failures() == {}


def test_requests_that_wait_for_a_connection_are_released_in_order_and_late():
    go_on = threading.Event()
    seen = []

    def behave(client: socket.socket) -> None:
        while request := read_request(client):
            seen.append(int(request.split()[1][1:]))
            assert go_on.wait(DEADLINE_S)
            client.sendall(OK)

    with driven(arrivals_at, behave, connections=1, count=20) as (found, server):
        start_s = time.monotonic()
        found.until(lambda: found.load.counts.released and time.monotonic() > start_s + 0.03)
        assert (found.load.counts.released, found.load.counts.answered) == (1, 0)
        go_on.set()
        found.until(lambda: found.load.done)
        assert server.connections == 1
    assert seen == list(range(1, 21))
    assert found.load.outcomes == {Outcome.ANSWERED: 20}
    lates = [late_s for piece in found.slices for late_s in piece.lates_s]
    assert sorted(lates, reverse=True)[1] > 0.01
    assert found.load.late_max_s == max(lates)


@both_profiles
def test_a_load_goes_over_tls(load_at, certificate):  # noqa: F811 - the fixture
    server = Server(encrypted(certificate, answering(OK)))
    endpoint = endpoint_of(server.sockaddr)
    found = Driven(load_at(Dial(endpoint=endpoint, tls=trusting(certificate), server_name="localhost")))
    try:
        found.until(lambda: found.load.counts.answered >= 120)
        assert server.connections <= 2
    finally:
        found.close()
        server.close()
    assert found.failures() == {}


@both_profiles
def test_a_certificate_that_nobody_vouches_for_is_a_tls_failure(load_at, certificate):  # noqa: F811 - the fixture
    server = Server(encrypted(certificate, answering(OK)))
    dial = Dial(endpoint=endpoint_of(server.sockaddr), tls=ssl.create_default_context(), server_name="localhost")
    found = Driven(load_at(dial))
    try:
        found.until(lambda: found.load.counts.failed)
    finally:
        found.close()
        server.close()
    assert set(found.failures()) == {Outcome.TLS_FAILED}


def test_a_plain_loop_drives_a_load_to_its_end_and_asks_for_reports():
    reports = []
    server = Server(answering(OK))
    load = arrivals_at(Dial(endpoint=endpoint_of(server.sockaddr)), rate=1000.0, count=1000)
    run_steady(load, report=lambda: reports.append(len(load.take_slices())))
    server.close()
    assert load.outcomes == {Outcome.ANSWERED: 1000}
    assert len(reports) >= 2
