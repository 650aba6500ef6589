import socket
import threading
from collections.abc import Iterator

import pytest

from floodmark.core.errors import FloodmarkError, TargetError
from floodmark_agent.metrics import CLIENT_TIMEOUT_S, PATH, Metrics, Scraped

LOCAL = "127.0.0.1"
REQUEST = f"GET {PATH} HTTP/1.0\r\n\r\n".encode()
DEADLINE_S = 20.0


def nobody() -> Scraped:
    raise TargetError("no server")


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics((LOCAL, 0), open_target=nobody)
    yield made
    made.close()


def scrape(port: int) -> bytes:
    with socket.create_connection((LOCAL, port), timeout=DEADLINE_S) as client:
        client.sendall(REQUEST)
        return b"".join(iter(lambda: client.recv(4096), b""))


def drip(client: socket.socket, ended: threading.Event) -> None:
    """A byte again and again, each sooner than a socket's own timeout, until nobody reads them."""
    try:
        for byte in REQUEST[:-2] + b"X-More: " + b"x" * 10_000:
            client.sendall(bytes([byte]))
            if ended.wait(CLIENT_TIMEOUT_S / 8):
                return
    except OSError:
        return


def test_a_client_that_drips_is_cut_off_and_the_next_is_served(metrics: Metrics) -> None:
    ended = threading.Event()
    with socket.create_connection((LOCAL, metrics.port), timeout=DEADLINE_S) as client:
        dripping = threading.Thread(target=drip, args=(client, ended))
        dripping.start()
        try:
            assert b"floodmark_up 0" in scrape(metrics.port)
        finally:
            ended.set()
            dripping.join()


def test_the_end_does_not_wait_for_a_scrape_that_does_not_end() -> None:
    begun, ended = threading.Event(), threading.Event()

    def stuck() -> Scraped:
        begun.set()
        assert ended.wait(DEADLINE_S)
        return nobody()

    made = Metrics((LOCAL, 0), open_target=stuck)
    with socket.create_connection((LOCAL, made.port), timeout=DEADLINE_S) as client:
        client.sendall(REQUEST)
        assert begun.wait(DEADLINE_S)
        made.close(timeout_s=0.1)
        assert not ended.is_set()
        ended.set()


def test_an_address_that_is_taken_is_no_usage_error(metrics: Metrics) -> None:
    with pytest.raises(FloodmarkError, match="cannot be served") as raised:
        Metrics((LOCAL, metrics.port), open_target=nobody)

    assert raised.value.exit_code == 1
