"""Which hosts are this machine alone: a bus without keys may listen there."""

import pytest

from floodmark.core.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_loopback_is_told(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["*", "", "0.0.0.0", "::", "10.0.0.5", "192.0.2.1", "2001:db8::1", "no.such.invalid"])
def test_all_else_is_not_loopback(host):
    assert not is_loopback(host)
