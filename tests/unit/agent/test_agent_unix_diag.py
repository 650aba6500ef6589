from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark_agent.netlink import Rows, attribute, read_datagram
from floodmark_agent.unix_diag import UnixListener, parse_unix_listeners

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agent"


def listeners(*attributes_of_row: bytes) -> list[UnixListener]:
    body = b"\x01\x01\x0a\x00" + (4711).to_bytes(4, "little") + bytes(8) + b"".join(attributes_of_row)
    return list(parse_unix_listeners([Rows(stride=16 + len(body), data=bytes(16) + body)]))


def test_paths_and_abstract_names_come_with_depth_and_limit() -> None:
    rows = read_datagram((FIXTURES / "listeners-unix.bin").read_bytes()).rows

    assert {one.address: (one.depth, one.limit) for one in parse_unix_listeners(rows)} == {
        "app.sock": (3, 5),
        "@app": (0, 7),
    }


def test_a_listener_without_a_name_goes_by_its_inode() -> None:
    (one,) = listeners(attribute(4, bytes(8)))

    assert one.address == "unix:4711"


def test_a_listener_without_its_queue_is_refused() -> None:
    with pytest.raises(WireError, match="4711"):
        listeners(attribute(0, b"app.sock"))


def test_a_row_cut_short_is_refused() -> None:
    with pytest.raises(WireError, match="8 bytes"):
        list(parse_unix_listeners([Rows(stride=24, data=bytes(24))]))


@given(st.binary(max_size=108))
def test_any_name_becomes_text_that_can_be_written_down(name: bytes) -> None:
    (one,) = listeners(attribute(0, name), attribute(4, bytes(8)))

    assert one.address.encode("utf-8")


@given(st.binary(max_size=60))
def test_garbage_attributes_raise_nothing_but_wire_errors(garbage: bytes) -> None:
    try:
        listeners(garbage)
    except WireError:
        return
    assert len(garbage) >= 12
