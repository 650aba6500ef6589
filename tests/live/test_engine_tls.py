"""Bursts over TLS, against real TLS servers and servers that speak none."""

import shutil
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from test_client_tls import certificate, encrypted  # noqa: F401 - a fixture for here, too
from test_engine_hostile import (
    DEADLINE_S,
    OK,
    Behaviour,
    no_descriptor_is_left,  # noqa: F401 - a fixture for here, too
    read_request,
    reset,
    send_and_close,
    send_and_reset,
    server,
)

from floodmark.campaign.probe import probe
from floodmark.core.address import Address
from floodmark.core.errors import TargetError
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.request_spec import RequestSpec
from floodmark.engine import dial
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.connection import READ_BYTES, READS_PER_TURN
from floodmark.engine.dial import Dial
from floodmark.engine.tls import tls_context

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]


def hits_of(  # noqa: PLR0913 - what differs from one test to the next
    behave: Behaviour,
    context: ssl.SSLContext,
    *,
    name: str = "localhost",
    count: int = 1,
    host: str = "127.0.0.1",
    timeout_s: float | None = None,
) -> list[Hit]:
    with server(behave, count=count, host=host) as endpoint:
        now_s = time.monotonic()
        work = BurstWork(
            worker="w1",
            dial=Dial(endpoint=endpoint, tls=context, server_name=name),
            requests=tuple((number, now_s) for number in range(1, count + 1)),
            render=lambda number: b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number,
            check=AnswerCheck(text=b"hello"),
            timeout_s=timeout_s,
        )
        return run_burst(Burst(work), timeout_s=DEADLINE_S)


def trusting(certificate: Path) -> ssl.SSLContext:  # noqa: F811 - the fixture's value
    return ssl.create_default_context(cafile=str(certificate))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_held_answers_come_over_tls_each_once(certificate: Path, version: ssl.TLSVersion) -> None:  # noqa: F811
    everyone_is_here = threading.Barrier(20)

    def hold(client: socket.socket) -> None:
        read_request(client)
        everyone_is_here.wait(timeout=DEADLINE_S)
        client.sendall(OK)

    hits = hits_of(encrypted(certificate, hold, version), trusting(certificate), count=20)
    assert sorted(hit.id for hit in hits) == list(range(1, 21))
    assert {(hit.outcome, hit.error) for hit in hits} == {(Outcome.ANSWERED, None)}


def test_the_times_are_in_order_and_connected_is_before_the_handshake(certificate: Path) -> None:  # noqa: F811
    (hit,) = hits_of(encrypted(certificate, send_and_close(OK)), trusting(certificate))
    times = (hit.planned_s, hit.released_s, hit.connected_s, hit.sent_s, hit.first_byte_s, hit.ended_s)
    known = [value for value in times if value is not None]
    assert known == sorted(known)
    assert len(known) == len(times)
    assert hit.connected_s < hit.sent_s
    assert hit.local_port


def test_a_handshake_that_is_over_within_one_call_is_none_of_the_connecting(
    certificate: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dial, "_TYPE", socket.SOCK_STREAM)  # waits, as if the server were always the faster one
    (hit,) = hits_of(encrypted(certificate, send_and_close(OK)), trusting(certificate))
    assert hit.outcome is Outcome.ANSWERED
    assert hit.released_s < hit.connected_s < hit.sent_s < hit.first_byte_s


def test_ipv6_is_no_different(certificate: Path) -> None:  # noqa: F811
    (hit,) = hits_of(encrypted(certificate, send_and_close(OK)), trusting(certificate), host="::1")
    assert hit.outcome is Outcome.ANSWERED


def test_a_large_answer_in_small_records_is_read_to_its_end(certificate: Path) -> None:  # noqa: F811
    size_bytes = 2 * READ_BYTES * READS_PER_TURN + 1
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nhello" % size_bytes
    (hit,) = hits_of(encrypted(certificate, send_and_close(head + b"x" * (size_bytes - 5))), trusting(certificate))
    assert (hit.outcome, hit.body_bytes) == (Outcome.ANSWERED, size_bytes)


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_any_will_do(certificate: Path) -> None:  # noqa: F811
    (refused,) = hits_of(encrypted(certificate, send_and_close(OK)), tls_context(verify=True))
    assert (refused.outcome, refused.error) == (Outcome.TLS_FAILED, "self-signed certificate")
    assert refused.connected_s is not None
    (taken,) = hits_of(encrypted(certificate, send_and_close(OK)), tls_context(verify=False), name="elsewhere")
    assert taken.outcome is Outcome.ANSWERED


def test_a_certificate_for_another_name_is_refused(certificate: Path) -> None:  # noqa: F811
    (hit,) = hits_of(encrypted(certificate, send_and_close(OK)), trusting(certificate), name="elsewhere")
    assert hit.outcome is Outcome.TLS_FAILED
    assert "elsewhere" in str(hit.error)


def speak_no_tls(client: socket.socket) -> None:
    client.recv(65536)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def reset_in_the_handshake(client: socket.socket) -> None:
    client.recv(1)
    reset(client)


def say_nothing(client: socket.socket) -> None:
    while client.recv(65536):
        pass


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (speak_no_tls, Outcome.TLS_FAILED),
        (lambda client: client.recv(65536) and None, Outcome.TLS_FAILED),
        (reset_in_the_handshake, Outcome.RESET),
        (say_nothing, Outcome.RESPONSE_TIMEOUT),
    ],
    ids=["no tls", "closed in the handshake", "reset in the handshake", "silent"],
)
def test_a_handshake_that_fails_is_classed(behave: Behaviour, outcome: Outcome) -> None:
    timeout_s = 0.2 if outcome is Outcome.RESPONSE_TIMEOUT else None
    (hit,) = hits_of(behave, tls_context(verify=True), timeout_s=timeout_s)
    assert hit.outcome is outcome
    assert hit.connected_s is not None
    assert hit.sent_s is None


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [(send_and_close(OK[:-1]), Outcome.CLOSED), (send_and_close(), Outcome.CLOSED), (send_and_reset(), Outcome.RESET)],
    ids=["closed in the body", "closed after the request", "reset after the request"],
)
def test_an_end_before_the_answer_is_classed(certificate: Path, behave: Behaviour, outcome: Outcome) -> None:  # noqa: F811
    (hit,) = hits_of(encrypted(certificate, behave), trusting(certificate))
    assert hit.outcome is outcome
    assert hit.sent_s is not None


def test_a_probe_says_why_there_is_no_secure_connection_and_what_helps(certificate: Path) -> None:  # noqa: F811
    with server(encrypted(certificate, send_and_close(OK))) as endpoint, pytest.raises(TargetError) as caught:
        probe(Address(host="127.0.0.1", port=int(str(endpoint.sockaddr[1])), scheme="https"), RequestSpec())
    assert "self-signed certificate" in str(caught.value)
    assert "--insecure" in str(caught.value)


def test_a_probe_that_takes_any_certificate_measures_the_hold(certificate: Path) -> None:  # noqa: F811
    with server(encrypted(certificate, send_and_close(OK)), count=1 + 6) as endpoint:  # a handshake alone first
        address = Address(host="127.0.0.1", port=int(str(endpoint.sockaddr[1])), scheme="https")
        found = probe(address, RequestSpec(matches="h.llo"), verify=False)
    assert len(found.took_s) == 6
