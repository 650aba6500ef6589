"""What a server alone is asked before a load, and which answers are the end of it."""

import itertools
import re
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from floodmark.campaign.probe import PROBES, probe, prove_listening
from floodmark.core.address import Address
from floodmark.core.errors import TargetError
from floodmark.core.request_spec import RequestSpec

RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
WRONG = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
PLAIN = RequestSpec(path="/")


@contextmanager
def server(*answers, hold_s=0.0, scheme="http", before=lambda _: None):
    """Gives the answers in turn, one connection each; None keeps the connection and says nothing."""
    kept = []

    def serve(listener):
        for answer in itertools.cycle(answers):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if answer is None:
                kept.append(connection)
                continue
            with connection:
                connection.recv(65536)
                before(connection)
                time.sleep(hold_s)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield Address(host="127.0.0.1", port=listener.getsockname()[1], scheme=scheme)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in kept:
        connection.close()


@pytest.mark.parametrize("wrong", [WRONG, b"", b"what?\r\n\r\n"], ids=["an error", "no answer", "no HTTP"])
def test_a_server_that_fails_every_other_request_is_forgiven_where_that_can_be_measured(wrong):
    with server(wrong, RIGHT) as address:
        found = probe(address, PLAIN, limit_s=5.0, forgiving=True)
    assert (len(found.took_s), len(found.unexpected)) == (PROBES // 2, PROBES // 2)


def test_what_came_instead_of_the_answer_is_kept_and_refused_where_nothing_is_forgiven():
    with server(WRONG) as address:
        assert set(probe(address, PLAIN, forgiving=True).unexpected) == {"HTTP 500 Internal Server Error"}
        with pytest.raises(TargetError, match="did not answer as expected when asked alone: HTTP 500"):
            probe(address, PLAIN)


@pytest.mark.parametrize("forgiving", [True, False])
def test_a_server_slower_than_the_time_limit_is_refused_with_both(forgiving):
    with server(RIGHT, hold_s=0.15) as address, pytest.raises(TargetError) as caught:
        probe(address, PLAIN, limit_s=0.1, forgiving=forgiving)
    words = str(caught.value)
    assert re.search(r"one request alone takes \d\.\d+ s", words)
    assert words.endswith("and --timeout is 0.1: every request would time out; raise --timeout")


def test_a_server_that_errs_at_once_is_not_too_slow():
    with server(WRONG) as address:
        assert not probe(address, PLAIN, limit_s=0.5, forgiving=True).took_s


@pytest.mark.parametrize(("limit_s", "bound"), [(0.5, "5 s"), (8.0, "8 s")])
def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_load_would_and_five_seconds_at_least(limit_s, bound):
    ticks = itertools.count(0.0, 0.25)
    with server(None) as address, pytest.raises(TargetError) as caught:
        probe(address, PLAIN, limit_s=limit_s, forgiving=True, clock=lambda: next(ticks))
    assert f"no answer within {bound}" in str(caught.value)
    assert "raise --timeout" in str(caught.value)
    assert "--hold" not in str(caught.value)


@pytest.mark.parametrize(("path", "helps"), [("/", True), ("/?hold={hold}", False)])
def test_a_hold_is_asked_for_only_where_it_would_help(path, helps):
    ticks = itertools.count(0.0, 2.0)
    with server(None) as address, pytest.raises(TargetError, match="gave no answer within 60 s") as caught:
        probe(address, RequestSpec(path=path), clock=lambda: next(ticks))
    assert ("--hold" in str(caught.value)) == helps


def test_a_port_that_takes_connections_and_says_nothing_is_asked_whether_it_is_https():
    with server(None, scheme="https") as address, pytest.raises(TargetError) as caught:
        prove_listening(address, timeout_s=0.1)
    assert str(caught.value) == f"{address.url}: no TLS handshake within 0.1 s: is it HTTPS?"


@pytest.mark.parametrize("answer", [RIGHT, b""], ids=["an answer", "the end"])
def test_a_plain_server_asked_over_tls_is_named_with_the_reason_and_no_certificate(answer):
    with server(answer, scheme="https") as address, pytest.raises(TargetError) as caught:
        probe(address, PLAIN, limit_s=5.0, forgiving=True)
    assert str(caught.value).startswith(f"{address.url}: no secure connection: ")
    assert str(caught.value).endswith("; is it HTTPS?")
    assert "--insecure" not in str(caught.value)


def test_nobody_there_is_no_matter_of_forgiving():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = Address(host="127.0.0.1", port=deaf.getsockname()[1])
        with pytest.raises(TargetError, match="cannot be reached: connection refused"):
            probe(address, PLAIN, limit_s=5.0, forgiving=True)


def test_a_server_that_is_slow_only_once_is_not_too_slow():
    first = iter([0.3])

    def wait_once(_):
        time.sleep(next(first, 0.0))

    with server(RIGHT, before=wait_once) as address:
        for forgiving in (True, False):
            assert probe(address, PLAIN, limit_s=0.25, forgiving=forgiving).took_s
