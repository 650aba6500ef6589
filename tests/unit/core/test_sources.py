"""Source addresses as they are written, and as they are used."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import UsageError
from floodmark.core.source import MAX_SOURCES, parse_sources


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", ()),
        (" , ", ()),
        ("127.0.0.2", ("127.0.0.2",)),
        ("127.0.0.2-127.0.0.4", ("127.0.0.2", "127.0.0.3", "127.0.0.4")),
        ("127.0.0.255 - 127.0.1.0", ("127.0.0.255", "127.0.1.0")),
        ("10.1.0.0/30", ("10.1.0.1", "10.1.0.2")),
        ("10.1.0.7/30", ("10.1.0.5", "10.1.0.6")),
        ("10.1.0.7/32", ("10.1.0.7",)),
        ("2001:db8::1-2001:db8::3", ("2001:db8::1", "2001:db8::2", "2001:db8::3")),
        ("::1, 127.0.0.9 ,::1,127.0.0.9-127.0.0.10", ("::1", "127.0.0.9", "127.0.0.10")),
    ],
)
def test_lists_ranges_and_networks_are_addresses_once_each_and_in_order(text, addresses):
    assert parse_sources(text) == addresses


@pytest.mark.parametrize(
    ("text", "part", "words"),
    [
        ("127.0.0.2,nonsense", "nonsense", "does not appear to be"),
        ("127.0.0.256", "127.0.0.256", "does not appear to be"),
        ("127.0.0.1-5", "127.0.0.1-5", "does not appear to be"),
        ("127.0.0.5-127.0.0.1", "127.0.0.5-127.0.0.1", "ends before it begins"),
        ("127.0.0.1-::1", "127.0.0.1-::1", "different IP versions"),
        ("10.0.0.0/33", "10.0.0.0/33", "does not appear to be"),
        ("10.0.0.0/8", "10.0.0.0/8", f"more than {MAX_SOURCES:,} addresses"),
        ("2001:db8::/32", "2001:db8::/32", f"more than {MAX_SOURCES:,} addresses"),
    ],
)
def test_the_part_that_does_not_fit_is_named(text, part, words):
    with pytest.raises(UsageError) as caught:
        parse_sources(text)
    assert part in str(caught.value)
    assert words in str(caught.value)


@given(st.ip_addresses(), st.integers(0, 50))
def test_a_range_has_both_its_ends_and_all_between(first, more):
    last = ip_address(min(int(first) + more, 2**first.max_prefixlen - 1).to_bytes(first.max_prefixlen // 8, "big"))
    found = parse_sources(f"{first}-{last}")
    assert [int(ip_address(address)) for address in found] == list(range(int(first), int(last) + 1))


@given(st.text(alphabet="0123456789./-,: af", max_size=30))
def test_no_text_raises_anything_but_a_usage_error(text):
    with suppress(UsageError):
        found = parse_sources(text)
        assert len(found) == len(set(found)) <= MAX_SOURCES
