"""Kept-alive lines against servers that misbehave, one way each, on real sockets."""

import errno
import resource
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path

import pytest
from descriptors import open_files

from floodmark.core.outcomes import Outcome
from floodmark.engine.client import Client
from floodmark.engine.connection import READ_BYTES, READS_PER_TURN
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.exchange import Exchange
from floodmark.engine.line import Line
from floodmark.engine.response import HEAD_LIMIT_BYTES
from floodmark.engine.route import Route

pytestmark = pytest.mark.live

DEADLINE_S = 30.0
"""For a test that hangs; nothing here is expected to take a noticeable part of it."""

GET = b"GET / HTTP/1.1\r\nHost: hostile\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: hostile\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

Behaviour = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


class Server:
    """Serves each connection it gets with the next behaviour, the last one for all that follow."""

    def __init__(self, *behaviours: Behaviour, port: int = 0) -> None:
        self.connections = 0
        self._behaviours = behaviours
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def sockaddr(self) -> tuple[str, int]:
        return self._listener.getsockname()

    def close(self) -> None:
        with suppress(OSError):  # it was shut down already
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError as error:
                if error.errno == errno.EMFILE:  # a test leaves this process no files for a moment
                    continue
                return
            behave = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(client, behave)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket, behave: Behaviour) -> None:
        with client, suppress(ConnectionError):  # what the engine does with its end is seen at the engine
            client.settimeout(DEADLINE_S)
            behave(client)


class Driver:
    """Drives a client as an event loop does."""

    def __init__(self, server: Server, connect_timeout_s: float, response_timeout_s: float) -> None:
        self.due_s = inf
        self.woken = 0
        self.client = Client(on_due=self._set_due)
        self._waiter = select.poll()
        self._waiter.register(self.client.fileno(), select.POLLIN)
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=server.sockaddr, authority="hostile")
        self.route = Route(
            dial=Dial(endpoint=endpoint), connect_timeout_s=connect_timeout_s, response_timeout_s=response_timeout_s
        )

    def _set_due(self, due_s: float) -> None:
        self.due_s = due_s

    def _wake(self) -> None:
        self.woken += 1

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline_s
            wait_s = max(0.0, min(self.due_s - time.monotonic(), 0.01))
            if self._waiter.poll(wait_s * 1_000):
                self.client.step()
            if time.monotonic() >= self.due_s:
                self.due_s = inf
                self.client.expire()

    def send(self, line: Line, request: bytes = GET) -> Exchange:
        exchange = Exchange(request, self._wake, request.startswith(b"HEAD "))
        before = self.woken
        if not line.start(exchange):
            self.until(lambda: exchange.outcome is not None)
            assert self.woken == before + 1
        return exchange


@contextmanager
def driven(
    *behaviours: Behaviour, connect_timeout_s: float = DEADLINE_S, response_timeout_s: float = DEADLINE_S
) -> Iterator[tuple[Driver, Server]]:
    server = Server(*behaviours)
    driver = Driver(server, connect_timeout_s, response_timeout_s)
    try:
        yield driver, server
    finally:
        driver.client.close()
        server.close()


def read_request(client: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        data = client.recv(65536)
        if not data:
            break
        received += data
    return received


def answering(answer: bytes) -> Behaviour:
    """Answers every request on the connection."""

    def behave(client: socket.socket) -> None:
        while read_request(client):
            client.sendall(answer)

    return behave


def once(answer: bytes) -> Behaviour:
    """Answers one request and closes."""

    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(answer)

    return behave


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def bodies(driver: Driver, line: Line, count: int, request: bytes = GET) -> list[tuple[Outcome | None, bytes]]:
    exchanges = [driver.send(line, request) for _ in range(count)]
    return [(exchange.outcome, exchange.body) for exchange in exchanges]


ANSWERED = (Outcome.ANSWERED, b"hello")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"hello"),
        (CHUNKED, b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"hello"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nh\r\n\r\n", b"h\r\n\r\n"),
    ],
    ids=["length", "chunked", "interim", "http-1.0", "bare-lf", "body-like-the-end-of-a-head"],
)
def test_answers_that_keep_alive_share_one_connection(answer, body):
    with driven(answering(answer)) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 3) == [(Outcome.ANSWERED, body)] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK.replace(b"\r\n\r\n", b"\r\nConnection: Foo, Close\r\n\r\n"),
        OK.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        OK + b"leftover",
        CHUNKED + b"leftover",
    ],
    ids=["close", "close-in-a-list", "http-1.0", "close-delimited", "leftover", "leftover-after-chunks"],
)
def test_an_answer_that_ends_its_connection_is_followed_by_a_new_one(answer):
    with driven(once(answer)) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 3) == [ANSWERED] * 3
        assert server.connections == 3


def test_a_switch_of_protocols_ends_the_connection_for_http():
    with driven(once(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 2) == [(Outcome.ANSWERED, b"")] * 2
        assert server.connections == 2


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_body_keeps_its_connection(status):
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    with driven(answering(answer)) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 3) == [(Outcome.ANSWERED, b"")] * 3
        assert server.connections == 1


def test_the_answer_to_a_head_has_no_body_whatever_length_it_names():
    def behave(client: socket.socket) -> None:
        for _ in range(2):
            read_request(client)
            client.sendall(OK[: -len(b"hello")])
            read_request(client)
            client.sendall(OK)

    with driven(behave) as (driver, server):
        line = driver.client.line(driver.route)
        found = [driver.send(line, request).body for request in (HEAD, GET, HEAD, GET)]
        assert found == [b"", b"hello", b"", b"hello"]
        assert server.connections == 1


def test_an_answer_byte_by_byte_is_the_same_answer():
    def behave(client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while read_request(client):
            for index in range(len(OK)):
                client.send(OK[index : index + 1])

    with driven(behave) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 3) == [ANSWERED] * 3
        assert server.connections == 1


def test_a_body_of_more_than_one_turns_reads_arrives_whole():
    body = b"x" * (READ_BYTES * READS_PER_TURN * 3)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with driven(answering(answer)) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 2) == [(Outcome.ANSWERED, body)] * 2
        assert server.connections == 1


def test_a_request_larger_than_every_buffer_is_sent_whole():
    request = b"POST / HTTP/1.1\r\nX-Filler: " + b"x" * 20_000_000 + b"\r\n\r\n"
    received = []

    def behave(client: socket.socket) -> None:
        for _ in range(2):
            received.append(read_request(client))
            client.sendall(OK)

    with driven(behave) as (driver, server):
        assert bodies(driver, driver.client.line(driver.route), 2, request) == [ANSWERED] * 2
        assert received == [request] * 2
        assert server.connections == 1


def test_an_answer_before_the_request_is_sent_ends_the_connection():
    request = b"POST / HTTP/1.1\r\nX-Filler: " + b"x" * 20_000_000 + b"\r\n\r\n"
    done = threading.Event()

    def early(client: socket.socket) -> None:
        client.recv(1)
        client.sendall(OK)
        done.wait(DEADLINE_S)

    with driven(early, answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        first = driver.send(line, request)
        done.set()
        assert (first.outcome, first.body, first.sent_s) == (*ANSWERED, None)
        assert bodies(driver, line, 2) == [ANSWERED] * 2
        assert server.connections == 2


def test_a_connection_that_closed_while_idle_is_opened_anew_before_the_next_request():
    with driven(once(OK), answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        assert bodies(driver, line, 1) == [ANSWERED]
        driver.until(lambda: not line.is_open)
        assert bodies(driver, line, 2) == [ANSWERED] * 2
        assert server.connections == 2


def test_bytes_that_come_while_idle_end_the_connection():
    go_on = threading.Event()

    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK)
        go_on.wait(DEADLINE_S)
        client.sendall(OK)
        client.recv(1)

    with driven(behave, answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        assert bodies(driver, line, 1) == [ANSWERED]
        go_on.set()
        driver.until(lambda: not line.is_open)
        assert bodies(driver, line, 1) == [ANSWERED]
        assert server.connections == 2


def test_a_connection_that_closes_on_the_next_request_is_a_failure_and_never_a_second_try():
    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK)
        read_request(client)

    with driven(behave, answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        first, second, third = (driver.send(line) for _ in range(3))
        assert (first.outcome, first.error) == (Outcome.ANSWERED, None)
        words = "closed after 0 bytes of the answer, on a connection that was kept alive"
        assert (second.outcome, second.error) == (Outcome.CLOSED, words)
        assert third.outcome is Outcome.ANSWERED
        assert server.connections == 2


def test_a_kept_connection_that_nobody_knew_was_dead_is_a_failure_and_says_so():
    gone = threading.Event()

    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK)
        reset(client)

    def behave_and_tell(client: socket.socket) -> None:
        behave(client)
        client.close()
        gone.set()

    with driven(behave_and_tell, answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        exchange = Exchange(GET, lambda: None, False)  # noqa: FBT003 - as the engine's users write it
        assert not line.start(exchange)
        # The answer is taken before the reset is there to be seen; then nothing polls until the next request is sent.
        driver.until(lambda: exchange.outcome is not None)
        assert gone.wait(DEADLINE_S)
        second = driver.send(line) if line.is_open else None
        if second is not None:  # else the reset came with the answer, and was known
            assert second.outcome is Outcome.RESET
            assert second.error == "reset after 0 bytes of the answer, on a connection that was kept alive"
        assert driver.send(line).outcome is Outcome.ANSWERED
        assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (b"", Outcome.CLOSED, "closed after 0 bytes of the answer"),
        (OK[:-2], Outcome.CLOSED, f"closed after {len(OK) - 2} bytes of the answer"),
        (b"SSH-2.0-OpenSSH\r\n", Outcome.MALFORMED, "the answer does not begin with HTTP/1."),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT_BYTES,
            Outcome.MALFORMED,
            "header lines of more than 65536 bytes",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Outcome.MALFORMED,
            "a chunk's size is not one",
        ),
    ],
    ids=["nothing", "half", "garbage", "endless-head", "chunk-lie"],
)
def test_an_answer_that_is_none_is_one_failure_on_one_connection(answer, outcome, error):
    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        client.recv(1)

    with driven(behave, answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        failed = driver.send(line)
        assert (failed.outcome, failed.error, failed.head, failed.body) == (outcome, error, None, b"")
        assert server.connections == 1
        assert driver.send(line).outcome is Outcome.ANSWERED


def test_a_reset_instead_of_an_answer_is_one_failure_on_one_connection():
    def behave(client: socket.socket) -> None:
        read_request(client)
        reset(client)

    with driven(behave) as (driver, server):
        failed = driver.send(driver.client.line(driver.route))
        assert (failed.outcome, failed.error) == (Outcome.RESET, "reset after 0 bytes of the answer")
        assert server.connections == 1


def test_a_refused_connection_fails_at_once_and_the_line_lives_on():
    with driven(answering(OK)) as (driver, server):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = Endpoint(family=socket.AF_INET, sockaddr=gone.getsockname(), authority="gone")
        line = driver.client.line(
            Route(dial=Dial(endpoint=closed), connect_timeout_s=DEADLINE_S, response_timeout_s=DEADLINE_S)
        )
        assert [driver.send(line).outcome for _ in range(2)] == [Outcome.REFUSED] * 2
        assert server.connections == 0
        assert driver.client.open_lines == 0


def test_an_answer_that_does_not_come_is_a_response_timeout_from_the_start():
    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK[:-1])
        client.recv(1)

    with driven(behave, response_timeout_s=1.0) as (driver, _):
        line = driver.client.line(driver.route)
        failed = driver.send(line)
        assert failed.outcome is Outcome.RESPONSE_TIMEOUT
        assert failed.error == f"no answer within 1 s, {len(OK) - 1} bytes of it"
        assert failed.took_s >= 1.0
        assert not line.is_open


def test_the_deadline_of_an_exchange_that_ended_does_not_end_a_later_one():
    answers = threading.Semaphore(1)

    def behave(client: socket.socket) -> None:
        while read_request(client):
            answers.acquire()
            client.sendall(OK)

    with driven(behave, response_timeout_s=1.0) as (driver, server):
        line = driver.client.line(driver.route)
        assert driver.send(line).outcome is Outcome.ANSWERED
        first_due_s = driver.due_s
        driver.until(lambda: time.monotonic() > first_due_s - 0.05)
        second = Exchange(GET, lambda: None, False)  # noqa: FBT003 - as the engine's users write it
        line.start(second)
        driver.until(lambda: time.monotonic() > first_due_s + 0.05)
        answers.release()
        driver.until(lambda: second.outcome is not None)
        assert second.outcome is Outcome.ANSWERED or second.took_s >= 0.3
        assert server.connections == 1


def test_a_connection_that_is_never_taken_is_a_connect_timeout():
    # A full accept queue drops the SYN: the connection stays under way.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, driven(answering(OK)) as (driver, _):
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=full.getsockname(), authority="full")
        route = Route(dial=Dial(endpoint=endpoint), connect_timeout_s=0.2, response_timeout_s=DEADLINE_S)
        with socket.create_connection(full.getsockname()):
            failed = driver.send(driver.client.line(route))
        assert (failed.outcome, failed.error) == (Outcome.CONNECT_TIMEOUT, "not connected within 0.2 s")


def test_an_abandoned_exchange_wakes_nobody_and_leaves_nothing_open():
    with driven(answering(OK)) as (driver, _):
        line = driver.client.line(driver.route)
        exchange = Exchange(GET, lambda: pytest.fail("woken"), False)  # noqa: FBT003 - as the engine's users write it
        line.start(exchange)
        line.close()
        assert driver.client.open_lines == 0
        assert driver.send(line).outcome is Outcome.ANSWERED


def test_a_caller_that_sends_the_next_request_when_woken_is_served():
    with driven(answering(OK)) as (driver, server):
        line = driver.client.line(driver.route)
        found: list[Exchange] = []

        def wake() -> None:
            if len(found) < 50:
                found.append(Exchange(GET, wake, False))  # noqa: FBT003 - as the engine's users write it
                assert not line.start(found[-1])

        wake()
        driver.until(lambda: len(found) == 50 and found[-1].outcome is not None)
        assert {exchange.outcome for exchange in found} == {Outcome.ANSWERED}
        assert server.connections == 1


def test_a_line_refuses_a_second_exchange_at_a_time():
    with driven(answering(OK)) as (driver, _):
        line = driver.client.line(driver.route)
        line.start(Exchange(GET, lambda: None, False))  # noqa: FBT003 - as the engine's users write it
        with pytest.raises(ValueError, match="one exchange at a time"):
            line.start(Exchange(GET, lambda: None, False))  # noqa: FBT003 - as the engine's users write it


def test_descriptors_above_1023_are_kept_alive_like_all_others():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    fillers = [socket.socket() for _ in range(1100)]
    try:
        with driven(answering(OK)) as (driver, server):
            line = driver.client.line(driver.route)
            assert bodies(driver, line, 3) == [ANSWERED] * 3
            assert line.fd > 1023
            assert server.connections == 1
    finally:
        for filler in fillers:
            filler.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_files_is_the_generators_failure():
    with driven(answering(OK)) as (driver, _):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (max(int(name.name) for name in Path("/proc/self/fd").iterdir()), hard)
        )
        try:
            fillers = []
            try:
                while True:
                    fillers.append(socket.socket())
            except OSError:
                failed = driver.send(driver.client.line(driver.route))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for filler in fillers:
                filler.close()
        assert failed.outcome is Outcome.OUT_OF_FILES
        assert driver.send(driver.client.line(driver.route)).outcome is Outcome.ANSWERED


def test_timings_are_in_order_and_only_an_opened_connection_has_a_connect_time():
    with driven(answering(OK)) as (driver, _):
        line = driver.client.line(driver.route)
        first, second = driver.send(line).timings, driver.send(line).timings
        stages = [first.connect_s, first.sent_s, first.first_byte_s, first.last_byte_s]
        assert None not in stages
        assert stages == sorted(stages)  # type: ignore[type-var] # there is no None in it
        assert second.connect_s is None
        assert second.last_byte_s is not None
