import socket

import pytest

from floodmark.core.address import Address, parse_url
from floodmark.core.errors import UsageError
from floodmark.engine.endpoint import resolve


def test_a_numeric_address_is_taken_as_it_is() -> None:
    endpoint = resolve(Address(host="127.0.0.1", port=8000))
    assert (endpoint.family, endpoint.sockaddr, endpoint.authority) == (
        socket.AF_INET,
        ("127.0.0.1", 8000),
        "127.0.0.1:8000",
    )


def test_an_ipv6_address_keeps_its_brackets_in_the_host_header() -> None:
    endpoint = resolve(parse_url("http://[::1]:8000/"))
    assert endpoint.family == socket.AF_INET6
    assert endpoint.sockaddr[:2] == ("::1", 8000)
    assert endpoint.authority == "[::1]:8000"


def unknown(*_: object, **__: object) -> list[object]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_without_an_address_is_a_usage_error_that_names_it() -> None:
    with pytest.raises(UsageError, match="'no-such-host': Name or service not known"):
        resolve(Address(host="no-such-host", port=80), look_up=unknown)


@pytest.mark.parametrize("host", ["x" * 64 + ".invalid", "a..b"])
def test_a_name_that_cannot_be_one_is_a_usage_error(host: str) -> None:
    with pytest.raises(UsageError, match=host[:10]):
        resolve(Address(host=host, port=80))


def test_of_several_addresses_the_one_that_accepts_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as bound_only:
        bound_only.bind(("127.0.0.2", listener.getsockname()[1]))
        deaf, hears = ((socket.AF_INET, 1, 6, "", opened.getsockname()) for opened in (bound_only, listener))
        both = Address(host="both", port=80)
        assert resolve(both, look_up=lambda *_, **__: [deaf, hears]).sockaddr == hears[4]
        assert resolve(both, look_up=lambda *_, **__: [hears, deaf]).sockaddr == hears[4]
        assert resolve(both, look_up=lambda *_, **__: [deaf, deaf]).sockaddr == deaf[4]


def test_a_name_beyond_ascii_is_encoded_in_the_host_header() -> None:
    row = (socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))
    endpoint = resolve(Address(host="b\u00fccher.example", port=80), look_up=lambda *_, **__: [row])
    assert endpoint.authority == "xn--bcher-kva.example:80"
