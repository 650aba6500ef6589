"""The engine against servers that misbehave, one way each, on real sockets."""

import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from descriptors import open_files

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.connection import READ_BYTES, READS_PER_TURN
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.request import render_get

pytestmark = pytest.mark.live

DEADLINE_S = 30.0
"""For a test that hangs; nothing here is expected to take a noticeable part of it."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG_REQUEST = b"GET / HTTP/1.1\r\nX-Filler: " + b"x" * 20_000_000 + b"\r\n\r\n"

Behaviour = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@contextmanager
def server(behave: Behaviour, *, count: int = 1, host: str = "127.0.0.1") -> Iterator[Endpoint]:
    """A server for `count` connections, each with a thread that behaves and then closes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=128) as listener:
        listener.settimeout(DEADLINE_S)
        acceptor = threading.Thread(target=accept, args=(listener, behave, count))
        acceptor.start()
        try:
            yield Endpoint(family=family, sockaddr=listener.getsockname(), authority="hostile")
        finally:
            acceptor.join()


def accept(listener: socket.socket, behave: Behaviour, count: int) -> None:
    threads = []
    for _ in range(count):
        client, _address = listener.accept()
        threads.append(threading.Thread(target=serve_one, args=(client, behave)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def serve_one(client: socket.socket, behave: Behaviour) -> None:
    with client:
        client.settimeout(DEADLINE_S)
        behave(client)


def burst_at(
    endpoint: Endpoint,
    *,
    count: int = 1,
    timeout_s: float | None = None,
    text: bytes = b"",
    clock: Callable[[], float] = time.monotonic,
) -> Burst:
    now_s = clock()
    work = BurstWork(
        worker="w1",
        dial=Dial(endpoint=endpoint),
        requests=tuple((number, now_s) for number in range(1, count + 1)),
        render=render_get("/?id={id}", endpoint.authority),
        check=AnswerCheck(status=200, text=text),
        timeout_s=timeout_s,
    )
    return Burst(work, clock=clock)


def big_hit_of(behave: Behaviour, is_over: threading.Event | None = None) -> Hit:
    """The hit of a request that no kernel takes at once; `is_over` is set when there is one."""
    with server(behave) as endpoint:
        work = BurstWork(
            worker="w1",
            dial=Dial(endpoint=endpoint),
            requests=((1, time.monotonic()),),
            render=lambda _: BIG_REQUEST,
            check=AnswerCheck(),
            timeout_s=None,
        )
        (hit,) = run_burst(Burst(work), timeout_s=DEADLINE_S)
        if is_over is not None:
            is_over.set()
    return hit


def hit_of(behave: Behaviour, *, host: str = "127.0.0.1", timeout_s: float | None = None, text: bytes = b"") -> Hit:
    """The one hit of one request to a server that behaves like that."""
    with server(behave, host=host) as endpoint:
        (hit,) = run_burst(burst_at(endpoint, timeout_s=timeout_s, text=text), timeout_s=DEADLINE_S)
    return hit


def read_request(client: socket.socket) -> None:
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        piece = client.recv(65536)
        if not piece:
            raise ConnectionAbortedError("closed before it asked")
        received += piece


def wait_for_the_peer_to_close(client: socket.socket) -> None:
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def send_and_close(*pieces: bytes) -> Behaviour:
    def behave(client: socket.socket) -> None:
        read_request(client)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)

    return behave


def send_and_stay(*pieces: bytes) -> Behaviour:
    send = send_and_close(*pieces)

    def behave(client: socket.socket) -> None:
        send(client)
        wait_for_the_peer_to_close(client)

    return behave


def send_and_reset(*pieces: bytes) -> Behaviour:
    """Resets once the peer's kernel has all that was sent: a reset takes unsent bytes with it."""
    send = send_and_close(*pieces)

    def behave(client: socket.socket) -> None:
        send(client)
        wait_until_acknowledged(client)
        reset(client)

    return behave


def wait_until_acknowledged(client: socket.socket) -> None:
    """TCP_INFO, linux/tcp.h: tcpi_unacked is the fifth 32-bit number after 8 bytes."""
    deadline_s = time.monotonic() + DEADLINE_S
    while struct.unpack_from("I", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0]:
        assert time.monotonic() < deadline_s


def drip(*pieces: bytes) -> Behaviour:
    return send_and_close(*[piece[index : index + 1] for piece in pieces for index in range(len(piece))])


ANSWERED: dict[str, Behaviour] = {
    "content length": send_and_close(OK),
    "the server stays": send_and_stay(OK),
    "byte by byte": drip(OK),
    "reset after the answer": send_and_reset(OK),
    "continue first": send_and_stay(b"HTTP/1.1 100 Continue\r\n\r\n", OK),
    "http/1.0, ended by the close": send_and_close(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n", b"hel", b"lo"),
    "chunked with extension and trailer": send_and_stay(CHUNKED, b"2;a=b\r\nhe\r\n", b"3\r\nllo\r\n0\r\nT: 1\r\n\r\n"),
    "chunked byte by byte": drip(CHUNKED, b"2;a=b\r\nhe\r\n", b"3\r\nllo\r\n0\r\nT: 1\r\n\r\n"),
    "more than it said": send_and_close(OK + b"and more"),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_counts_however_it_comes(name: str) -> None:
    hit = hit_of(ANSWERED[name], text=b"hello")
    assert (hit.outcome, hit.error, hit.status, hit.body_bytes) == (Outcome.ANSWERED, None, 200, 5)


FAILED: dict[str, tuple[Behaviour, Outcome, str]] = {
    "reset at once": (reset, Outcome.RESET, "reset after 0 bytes of the answer"),
    "reset after the request": (send_and_reset(), Outcome.RESET, "reset after 0 bytes of the answer"),
    "reset in the head": (send_and_reset(OK[:10]), Outcome.RESET, "reset after 10 bytes of the answer"),
    "reset in the body": (send_and_reset(OK[:-1]), Outcome.RESET, f"reset after {len(OK) - 1} bytes of the answer"),
    "reset of an answer without an end": (
        send_and_reset(b"HTTP/1.1 200 OK\r\n\r\nhello"),
        Outcome.RESET,
        "reset after 24 bytes of the answer",
    ),
    "closed after the request": (send_and_close(), Outcome.CLOSED, "closed after 0 bytes of the answer"),
    "closed in the head": (send_and_close(OK[:10]), Outcome.CLOSED, "closed after 10 bytes of the answer"),
    "closed in the body": (send_and_close(OK[:-1]), Outcome.CLOSED, f"closed after {len(OK) - 1} bytes of the answer"),
    "closed in a chunk": (send_and_close(CHUNKED + b"5\r\nhel"), Outcome.CLOSED, "closed after 53 bytes of the answer"),
    "closed before the last chunk": (
        send_and_close(CHUNKED + b"5\r\nhello\r\n"),
        Outcome.CLOSED,
        "closed after 57 bytes of the answer",
    ),
    "garbage": (send_and_stay(b"SSH-2.0-OpenSSH_9.2\r\n"), Outcome.MALFORMED, "does not begin with HTTP/1."),
    "one wrong byte": (send_and_stay(b"\x15"), Outcome.MALFORMED, "does not begin with HTTP/1."),
    "chunk without a size": (send_and_stay(CHUNKED + b"hello\r\n"), Outcome.MALFORMED, "a chunk's size"),
    "chunk longer than it said": (
        send_and_stay(CHUNKED + b"2\r\nhello\r\n"),
        Outcome.MALFORMED,
        "longer than its size",
    ),
    "two lengths": (
        send_and_stay(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        Outcome.MALFORMED,
        "Content-Length",
    ),
    "500": (
        send_and_stay(b"HTTP/1.1 500 INTERNAL SERVER ERROR\r\nContent-Length: 0\r\n\r\n"),
        Outcome.SERVER_ERROR,
        "HTTP 500 INTERNAL SERVER ERROR",
    ),
    "404": (send_and_stay(b"HTTP/1.1 404 Nope\r\nContent-Length: 0\r\n\r\n"), Outcome.WRONG_ANSWER, "HTTP 404 Nope"),
    "another body": (send_and_stay(OK.replace(b"hello", b"howdy")), Outcome.WRONG_ANSWER, "b'hello'"),
}


@pytest.mark.parametrize("name", FAILED)
def test_a_failure_is_classed_and_says_how(name: str) -> None:
    behave, outcome, words = FAILED[name]
    hit = hit_of(behave, text=b"hello")
    assert hit.outcome is outcome
    assert words in str(hit.error)
    assert hit.connected_s is not None
    assert hit.ended_s is not None


def test_headers_without_end_are_malformed_and_not_stored() -> None:
    def endless(client: socket.socket) -> None:
        read_request(client)
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                client.sendall(b"X-More: of it\r\n" * 100)
        except (BrokenPipeError, ConnectionResetError):
            pass

    hit = hit_of(endless)
    assert (hit.outcome, hit.error) == (Outcome.MALFORMED, "header lines of more than 65536 bytes")


def test_half_a_close_before_the_answer_is_closed() -> None:
    def half_close(client: socket.socket) -> None:
        read_request(client)
        client.shutdown(socket.SHUT_WR)
        wait_for_the_peer_to_close(client)

    assert hit_of(half_close).outcome is Outcome.CLOSED


def test_half_a_close_after_the_answer_is_an_answer() -> None:
    def half_close(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK)
        client.shutdown(socket.SHUT_WR)
        wait_for_the_peer_to_close(client)

    assert hit_of(half_close).outcome is Outcome.ANSWERED


def test_the_times_of_an_answer_are_in_order() -> None:
    hit = hit_of(send_and_close(OK))
    times = (hit.planned_s, hit.released_s, hit.connected_s, hit.sent_s, hit.first_byte_s, hit.ended_s)
    known = [value for value in times if value is not None]
    assert len(known) == 6
    assert known == sorted(known)


def test_the_local_port_is_the_one_that_the_server_saw() -> None:
    seen = []

    def look(client: socket.socket) -> None:
        seen.append(client.getpeername()[1])
        send_and_close(OK)(client)

    assert [hit_of(look).local_port] == seen


def test_the_handlers_evidence_is_read_from_the_answer() -> None:
    timing = b'server-timing: cache;dur=1, floodmark;dur=5.5;begin=10.25;end=10.75;pid=7;tid=9;thread="Thread-1"\r\n'
    hit = hit_of(send_and_close(OK.replace(b"Connection", timing + b"Connection")))
    evidence = (hit.handler_begin_s, hit.handler_end_s, hit.pid, hit.tid, hit.thread)
    assert evidence == (10.25, 10.75, 7, 9, "Thread-1")


@pytest.mark.parametrize("broken", [b"begin=nan;end=1;pid=7;tid=9", b"begin=1;end=2;pid=99999999999;tid=9", b"begin=1"])
def test_evidence_that_cannot_be_is_none(broken: bytes) -> None:
    timing = b"Server-Timing: floodmark;" + broken + b"\r\n"
    hit = hit_of(send_and_close(OK.replace(b"Connection", timing + b"Connection")))
    assert (hit.outcome, hit.pid, hit.handler_begin_s) == (Outcome.ANSWERED, None, None)


def test_ipv6_is_no_different() -> None:
    hit = hit_of(send_and_close(OK), host="::1", text=b"hello")
    assert hit.outcome is Outcome.ANSWERED


def test_a_silent_server_is_a_response_timeout() -> None:
    hit = hit_of(wait_for_the_peer_to_close, timeout_s=0.05)
    assert (hit.outcome, hit.error) == (Outcome.RESPONSE_TIMEOUT, "no answer within 0.05 s, 0 bytes of it")
    assert hit.ended_s is not None
    assert hit.ended_s - hit.planned_s >= 0.05


def test_an_answer_that_stops_half_way_is_a_response_timeout() -> None:
    has_stopped = threading.Event()

    def stop_half_way(client: socket.socket) -> None:
        send_and_close(OK[:-1])(client)
        wait_until_acknowledged(client)
        has_stopped.set()
        wait_for_the_peer_to_close(client)

    shift_s = 0.0
    with server(stop_half_way) as endpoint:
        burst = burst_at(endpoint, timeout_s=100.0, clock=lambda: time.monotonic() + shift_s)
        drive_until(burst, lambda: burst.counts.connected == 1)
        assert has_stopped.wait(DEADLINE_S)
        shift_s = 100.0
        burst.step()
        burst.close()
    (hit,) = burst.take_hits()
    assert hit.outcome is Outcome.RESPONSE_TIMEOUT
    assert f"{len(OK) - 1} bytes of it" in str(hit.error)


def test_an_answer_that_a_late_step_finds_is_not_timed_out() -> None:
    may_answer, has_answered = threading.Event(), threading.Event()

    def answer(client: socket.socket) -> None:
        assert may_answer.wait(DEADLINE_S)
        send_and_close(OK)(client)
        wait_until_acknowledged(client)
        has_answered.set()

    shift_s = 0.0
    with server(answer) as endpoint:
        burst = burst_at(endpoint, timeout_s=100.0, clock=lambda: time.monotonic() + shift_s)
        drive_until(burst, lambda: burst.counts.connected == 1)
        may_answer.set()
        assert has_answered.wait(DEADLINE_S)
        shift_s = 200.0
        burst.step()
        burst.close()
    assert [hit.outcome for hit in burst.take_hits()] == [Outcome.ANSWERED]
    assert burst.loop_lag_max_s > 100


def test_a_port_that_nobody_listens_on_refuses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=bound.getsockname(), authority="nobody")
        (hit,) = run_burst(burst_at(endpoint), timeout_s=DEADLINE_S)
    assert (hit.outcome, hit.error, hit.connected_s) == (Outcome.REFUSED, "Connection refused", None)


def test_ten_thousand_refusals_are_ten_thousand_outcomes() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=bound.getsockname(), authority="nobody")
        burst = burst_at(endpoint, count=10_000)
        hits = run_burst(burst, timeout_s=DEADLINE_S)
    assert Counter(hit.outcome for hit in hits) == {Outcome.REFUSED: 10_000}
    assert len({hit.id for hit in hits}) == burst.counts.failed == 10_000


def test_a_close_with_the_request_unread_is_a_reset() -> None:
    """The kernel resets a connection that is closed with bytes nobody read (tcp_close in net/ipv4/tcp.c)."""

    def close_unread(client: socket.socket) -> None:
        client.recv(1, socket.MSG_PEEK)

    assert hit_of(close_unread).outcome is Outcome.RESET


def test_an_answer_before_a_close_with_the_request_unread_counts() -> None:
    def answer_unread(client: socket.socket) -> None:
        client.recv(1, socket.MSG_PEEK)
        client.sendall(OK)
        wait_until_acknowledged(client)

    assert hit_of(answer_unread).outcome is Outcome.ANSWERED


def test_a_full_accept_queue_is_a_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="full")
        hits = run_burst(burst_at(endpoint, count=8, timeout_s=0.3), timeout_s=DEADLINE_S)
    # The kernel lets in the backlog and one more, and drops the others' SYNs; or, where it is busy, their last ACKs.
    outcomes = Counter(hit.outcome for hit in hits)
    assert set(outcomes) == {Outcome.RESPONSE_TIMEOUT, Outcome.CONNECT_TIMEOUT}
    assert outcomes[Outcome.RESPONSE_TIMEOUT] >= 2
    assert {hit.error for hit in hits if hit.connected_s is None} == {"not connected within 0.3 s"}


def test_a_connection_that_is_let_in_late_is_sent_its_request_then() -> None:
    """The second SYN is dropped at the full queue, the kernel sends it again, and by then there is room."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="late")
        burst = burst_at(endpoint, count=2)
        burst.step()
        assert burst.counts.released == 2
        thread = threading.Thread(target=accept, args=(listener, send_and_close(OK), 2))
        thread.start()
        hits = run_burst(burst, timeout_s=DEADLINE_S)
        thread.join()
    assert [hit.outcome for hit in hits] == [Outcome.ANSWERED] * 2
    assert burst.counts.connected == 2


def test_an_answer_before_the_request_was_read_counts() -> None:
    is_over = threading.Event()

    def hasty(client: socket.socket) -> None:
        client.sendall(OK)
        assert is_over.wait(DEADLINE_S)

    hit = big_hit_of(hasty, is_over)
    assert (hit.outcome, hit.sent_s) == (Outcome.ANSWERED, None)


def test_an_answer_before_a_reset_in_the_middle_of_the_request_counts() -> None:
    def hasty(client: socket.socket) -> None:
        client.sendall(OK)
        wait_until_acknowledged(client)
        reset(client)

    hit = big_hit_of(hasty)
    assert (hit.outcome, hit.sent_s) == (Outcome.ANSWERED, None)


def test_a_reset_in_the_middle_of_the_request_is_a_reset() -> None:
    def read_some(client: socket.socket) -> None:
        client.recv(1000)
        reset(client)

    hit = big_hit_of(read_some)
    assert (hit.outcome, hit.sent_s) == (Outcome.RESET, None)
    assert hit.error == "reset after 0 bytes of the answer"


def test_a_request_that_goes_in_parts_arrives_whole() -> None:
    sizes = []

    def count_bytes(client: socket.socket) -> None:
        size_bytes, last = 0, b""
        while not last.endswith(b"\r\n\r\n"):
            last = client.recv(1_000_000)
            size_bytes += len(last)
        sizes.append(size_bytes)
        client.sendall(OK)

    hit = big_hit_of(count_bytes)
    assert (hit.outcome, sizes) == (Outcome.ANSWERED, [len(BIG_REQUEST)])
    assert hit.sent_s is not None


def test_a_large_answer_is_read_to_its_end() -> None:
    size_bytes = 3 * READ_BYTES * READS_PER_TURN + 1
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes
    hit = hit_of(send_and_stay(head + b"hello" + b"x" * (size_bytes - 5)), text=b"hello")
    assert (hit.outcome, hit.body_bytes) == (Outcome.ANSWERED, size_bytes)


def test_a_server_that_sends_without_end_starves_no_other() -> None:
    first = threading.Lock()

    def behave(client: socket.socket) -> None:
        if not first.acquire(blocking=False):
            send_and_close(OK)(client)
            return
        read_request(client)
        try:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                client.sendall(b"x" * 1_000_000)
        except (BrokenPipeError, ConnectionResetError):
            pass

    with server(behave, count=10) as endpoint:
        burst = burst_at(endpoint, count=10)
        drive_until(burst, lambda: burst.counts.answered == 9)
        burst.close()
    assert Counter(hit.outcome for hit in burst.take_hits()) == {Outcome.ANSWERED: 9, Outcome.WAITING: 1}


def drive_until(burst: Burst, condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, burst.counts
        select.select([burst.fileno()], [], [], 0.01)
        burst.step()


def test_held_connections_are_answered_together_and_each_once() -> None:
    everyone_is_here = threading.Barrier(50)

    def hold(client: socket.socket) -> None:
        read_request(client)
        everyone_is_here.wait(timeout=DEADLINE_S)
        client.sendall(OK)

    with server(hold, count=50) as endpoint:
        burst = burst_at(endpoint, count=50)
        hits = run_burst(burst, timeout_s=DEADLINE_S)
    assert sorted(hit.id for hit in hits) == list(range(1, 51))
    assert {hit.outcome for hit in hits} == {Outcome.ANSWERED}
    counts = burst.counts
    assert (counts.planned, counts.released, counts.connected, counts.answered, counts.failed) == (50, 50, 50, 50, 0)


BURST_SCRIPT = """
import collections, os, resource, socket, sys, time
from floodmark.engine.burst import Burst, BurstWork
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.request import render_get

with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
    work = BurstWork(
        worker="w1",
        dial=Dial(endpoint=Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="silent")),
        requests=tuple((number, time.monotonic()) for number in range(1, 31)),
        render=render_get("/", "silent"),
        check=AnswerCheck(),
        timeout_s=None,
    )
    burst = Burst(work)
    if "few files" in sys.argv:
        files = len(os.listdir("/proc/self/fd"))  # one of them is the listing's own
        resource.setrlimit(resource.RLIMIT_NOFILE, (files + 9, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    burst.step()
    burst.close()
    print(dict(sorted(collections.Counter(str(hit.outcome) for hit in burst.take_hits()).items())))
"""
"""Thirty requests at one instant, in a process of its own: nothing else there opens a file or takes a port."""


def test_open_files_that_run_out_are_the_generators_failure() -> None:
    command = [sys.executable, "-c", BURST_SCRIPT, "few files"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.stdout.strip(), done.stderr) == ("{'out_of_files': 20, 'waiting': 10}", "")


@pytest.mark.root
def test_ports_that_run_out_are_the_generators_failure() -> None:
    """In a network namespace of its own, which has ten ports: the listener takes one."""
    shell = 'ip link set lo up && echo "40000 40009" > /proc/sys/net/ipv4/ip_local_port_range && exec "$0" -c "$1"'
    command = ["unshare", "--net", "sh", "-c", shell, sys.executable, BURST_SCRIPT]
    if shutil.which("unshare") is None or shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs root, unshare and ip")
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("this root may not make a network namespace")
    assert (done.stdout.strip(), done.stderr) == ("{'out_of_ports': 21, 'waiting': 9}", "")
