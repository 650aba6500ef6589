"""From where a connection comes: addresses and ports, on real sockets of this machine."""

import errno
import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from floodmark.core.address import Address, parse_url
from floodmark.core.errors import UsageError
from floodmark.engine.dial import Dial, dial_to
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.ports import has_port_ranges
from floodmark.engine.tls import TlsSocket, tls_context

SOURCES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def listener_v6() -> Iterator[socket.socket]:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        yield listening


def dial(listener: socket.socket, **more: object) -> Dial:
    endpoint = Endpoint(family=listener.family, sockaddr=listener.getsockname(), authority="test")
    return Dial(endpoint=endpoint, **more)  # type: ignore[arg-type]


def seen_from(listener: socket.socket, way: Dial, numbers: range) -> list[tuple[str, int]]:
    """The addresses that the server sees, of connections one by one."""
    seen = []
    for number in numbers:
        opened, code = way.open(number, monotonic)
        assert code in (0, errno.EINPROGRESS)
        client, address = listener.accept()
        client.close()
        opened.close()
        seen.append(address[:2])
    return seen


def test_sources_are_taken_in_turn(listener: socket.socket) -> None:
    seen = seen_from(listener, dial(listener, sources=SOURCES), range(7))
    assert [address for address, _ in seen] == [*SOURCES, *SOURCES, SOURCES[0]]


def test_the_only_address_of_ipv6_loopback_can_be_chosen(listener_v6: socket.socket) -> None:
    assert [address for address, _ in seen_from(listener_v6, dial(listener_v6, sources=("::1",)), range(2))] == [
        "::1"
    ] * 2


@pytest.mark.skipif(not has_port_ranges(), reason="needs Linux 6.3")
@pytest.mark.parametrize("sources", [(), ("127.0.0.2",)])
def test_ports_come_from_the_range(listener: socket.socket, sources: tuple[str, ...]) -> None:
    seen = seen_from(listener, dial(listener, sources=sources, ports=(43_000, 43_063)), range(5))
    assert all(43_000 <= port <= 43_063 for _, port in seen)


@pytest.mark.skipif(not has_port_ranges(), reason="needs Linux 6.3")
def test_ports_come_from_the_range_over_ipv6(listener_v6: socket.socket) -> None:
    seen = seen_from(listener_v6, dial(listener_v6, ports=(43_000, 43_063)), range(5))
    assert all(43_000 <= port <= 43_063 for _, port in seen)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("192.0.2.77", "192.0.2.77 is not an address of this machine"),
        ("::1", "::1 is not of the IP version of the server's"),
    ],
)
def test_an_address_that_cannot_be_sent_from_is_named(listener: socket.socket, source: str, words: str) -> None:
    with pytest.raises(OSError, match=words) as caught:
        dial(listener, sources=(source,)).open(0, monotonic)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_an_http_url_is_dialled_without_tls() -> None:
    way = dial_to(parse_url("http://127.0.0.1:80/"), sources=SOURCES, ports=(1, 2))
    assert (way.tls, way.server_name, way.sources, way.ports) == (None, None, SOURCES, (1, 2))


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://127.0.0.1:443/", "127.0.0.1"), ("https://[::1]/", "::1"), ("https://localhost:9/", "localhost")],
)
def test_an_https_url_is_dialled_with_its_hosts_name(url: str, name: str) -> None:
    way = dial_to(parse_url(url))
    assert (way.tls, way.server_name) == (tls_context(verify=True), name)
    assert dial_to(parse_url(url), verify=False).tls is tls_context(verify=False)


def test_only_a_context_that_is_told_so_takes_any_certificate() -> None:
    checks, does_not = tls_context(verify=True), tls_context(verify=False)
    assert (checks.check_hostname, checks.verify_mode.name) == (True, "CERT_REQUIRED")
    assert (does_not.check_hostname, does_not.verify_mode.name) == (False, "CERT_NONE")


def test_a_dial_with_a_context_opens_tls(listener: socket.socket) -> None:
    opened, _ = dial(listener, tls=tls_context(verify=True), server_name="localhost").open(0, monotonic)
    assert isinstance(opened, TlsSocket)
    assert opened.getsockname()[0] == "127.0.0.1"
    opened.close()


def test_a_name_that_leads_nowhere_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        dial_to(Address(host="a..b", port=1))
