"""Kept-alive lines over TLS, against real TLS servers and servers that speak none."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from test_client_hostile import (
    DEADLINE_S,
    GET,
    OK,
    Behaviour,
    Driver,
    Server,
    answering,
    no_descriptor_is_left,  # noqa: F401 - a fixture for here, too
    read_request,
    reset,
)

from floodmark.core.outcomes import Outcome
from floodmark.engine import dial
from floodmark.engine.connection import READS_PER_TURN
from floodmark.engine.dial import Dial
from floodmark.engine.exchange import Exchange
from floodmark.engine.route import Route

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for localhost, signed by itself, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words = ["req", "-x509", *curve, "-days", "2", "-keyout", "k.pem", "-out", "c.pem"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", *words, *names], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "k.pem").read_text() + (folder / "c.pem").read_text())
    return both


def encrypted(certificate: Path, behave: Behaviour, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = version

    def wrapped(client: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(client, server_side=True) as secured:
            secured.settimeout(DEADLINE_S)
            behave(secured)

    return wrapped


@contextmanager
def driven(
    behave: Behaviour, context: ssl.SSLContext, name: str = "localhost", response_timeout_s: float = DEADLINE_S
) -> Iterator[tuple[Driver, Server]]:
    server = Server(behave)
    driver = Driver(server, DEADLINE_S, response_timeout_s)
    driver.route = Route(
        dial=Dial(endpoint=driver.route.dial.endpoint, tls=context, server_name=name),
        connect_timeout_s=DEADLINE_S,
        response_timeout_s=response_timeout_s,
    )
    try:
        yield driver, server
    finally:
        driver.client.close()
        server.close()


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_verified_connection_is_kept_alive(certificate, version):
    with driven(encrypted(certificate, answering(OK), version), trusting(certificate)) as (driver, server):
        line = driver.client.line(driver.route)
        assert [driver.send(line).body for _ in range(3)] == [b"hello"] * 3
        assert server.connections == 1


def test_a_handshake_that_is_over_within_one_call_is_none_of_the_connecting(certificate, monkeypatch):
    monkeypatch.setattr(dial, "_TYPE", socket.SOCK_STREAM)  # waits, as if the server were always the faster one
    with driven(encrypted(certificate, answering(OK)), trusting(certificate)) as (driver, _):
        exchange = driver.send(driver.client.line(driver.route))
        assert exchange.outcome is Outcome.ANSWERED
        assert exchange.started_s < exchange.connected_s < exchange.sent_s < exchange.first_byte_s


def test_large_bodies_go_both_ways(certificate):
    body = b"x" * 3_000_000
    request = b"POST / HTTP/1.1\r\nX-Filler: " + b"x" * 3_000_000 + b"\r\n\r\n"
    received = []

    def behave(client: socket.socket) -> None:
        while received.append(read_request(client)) or received[-1]:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with driven(encrypted(certificate, behave), trusting(certificate)) as (driver, server):
        line = driver.client.line(driver.route)
        assert [driver.send(line, request).body for _ in range(2)] == [body] * 2
        assert received[:2] == [request] * 2
        assert server.connections == 1


def test_records_that_were_taken_from_the_kernel_at_once_are_all_read(certificate):
    """More of them than one turn reads, and nothing comes after them that an event could tell of."""
    size_bytes, has_sent = 2 * READS_PER_TURN, threading.Event()

    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes)
        for _ in range(size_bytes):
            client.sendall(b"x")
        has_sent.set()
        client.recv(1)

    with driven(encrypted(certificate, behave), trusting(certificate)) as (driver, _):
        line, exchange = driver.client.line(driver.route), Exchange(GET, lambda: None, is_head=False)
        line.start(exchange)
        driver.until(lambda: exchange.sent_s is not None)
        assert has_sent.wait(DEADLINE_S)
        driver.until(lambda: exchange.outcome is not None)
        assert (exchange.outcome, len(exchange.body)) == (Outcome.ANSWERED, size_bytes)


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate):
    with driven(encrypted(certificate, answering(OK)), ssl.create_default_context()) as (driver, server):
        failed = driver.send(driver.client.line(driver.route))
        assert (failed.outcome, failed.error) == (Outcome.TLS_FAILED, "self-signed certificate")
        assert server.connections == 1


def test_a_certificate_for_another_name_is_refused(certificate):
    with driven(encrypted(certificate, answering(OK)), trusting(certificate), name="elsewhere") as (driver, _):
        failed = driver.send(driver.client.line(driver.route))
        assert failed.outcome is Outcome.TLS_FAILED
        assert "elsewhere" in str(failed.error)


def test_a_server_without_tls_is_a_tls_failure(certificate):
    def behave(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with driven(behave, trusting(certificate)) as (driver, _):
        assert driver.send(driver.client.line(driver.route)).outcome is Outcome.TLS_FAILED


def test_a_reset_in_the_handshake_is_a_reset(certificate):
    def behave(client: socket.socket) -> None:
        client.recv(1)
        reset(client)

    with driven(behave, trusting(certificate)) as (driver, _):
        assert driver.send(driver.client.line(driver.route)).outcome is Outcome.RESET


def test_a_handshake_that_goes_nowhere_is_a_response_timeout(certificate):
    with driven(
        lambda client: client.recv(1_000_000) and client.recv(1) and None, trusting(certificate), response_timeout_s=0.2
    ) as (
        driver,
        _,
    ):
        assert driver.send(driver.client.line(driver.route)).outcome is Outcome.RESPONSE_TIMEOUT


def test_a_connection_that_ends_while_idle_is_opened_anew(certificate):
    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK)

    with driven(encrypted(certificate, behave), trusting(certificate)) as (driver, server):
        line = driver.client.line(driver.route)
        assert driver.send(line).body == b"hello"
        driver.until(lambda: not line.is_open)
        assert driver.send(line, GET).body == b"hello"
        assert server.connections == 2


def test_a_half_answer_is_closed_and_not_whole(certificate):
    def behave(client: socket.socket) -> None:
        read_request(client)
        client.sendall(OK[:-1])
        threading.Event().wait(0)

    with driven(encrypted(certificate, behave), trusting(certificate)) as (driver, _):
        assert driver.send(driver.client.line(driver.route)).outcome is Outcome.CLOSED
