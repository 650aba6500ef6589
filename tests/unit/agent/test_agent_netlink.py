from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark_agent.netlink import Rows, attribute, attributes, dump_request, read_datagram

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agent"
ANSWERS = sorted(path.read_bytes() for path in FIXTURES.glob("*.bin"))
EINVAL = 22


def captured(name: str) -> bytes:
    return (FIXTURES / f"{name}.bin").read_bytes()


def test_there_are_captured_answers() -> None:
    assert len(ANSWERS) == 5


def test_messages_of_one_length_are_kept_as_they_came() -> None:
    rows_only = captured("one-stride")[:-20]

    chunk = read_datagram(rows_only)

    assert chunk.rows == (Rows(stride=124, data=rows_only),)
    assert not chunk.done


def test_messages_of_several_lengths_are_sorted_by_length_and_none_is_lost() -> None:
    chunk = read_datagram(captured("connections"))

    assert {rows.stride: len(rows.data) // rows.stride for rows in chunk.rows} == {124: 33, 96: 8}


def test_the_same_rows_come_from_the_quick_way_and_the_careful_one() -> None:
    whole = captured("one-stride")

    assert read_datagram(whole).rows == read_datagram(whole[:-20]).rows


def test_an_answer_ends_with_done() -> None:
    assert read_datagram(captured("connections")).done
    assert not read_datagram(captured("connections")[:-20]).done


def test_a_refusal_ends_the_answer_with_its_errno() -> None:
    chunk = read_datagram(captured("refusal"))

    assert (chunk.done, chunk.refusal, chunk.rows) == (True, EINVAL, ())


@pytest.mark.parametrize("name", ["one-stride", "connections"])
def test_a_torn_dump_is_noticed(name: str) -> None:
    whole = captured(name)
    torn = bytearray(whole[:-20])
    length = 124
    if name == "one-stride":
        for offset in range(0, len(torn), length):
            torn[offset + 6] |= 0x10
    else:
        torn[6] |= 0x10

    assert read_datagram(bytes(torn)).interrupted
    assert not read_datagram(whole).interrupted


def test_a_row_of_another_length_hidden_at_the_end_is_not_taken_for_one_of_the_stride() -> None:
    rows = bytearray(captured("one-stride")[:-20])
    rows[124] = 120

    with pytest.raises(WireError):
        read_datagram(bytes(rows))


def test_a_message_that_nobody_asked_for_is_named() -> None:
    stray = bytearray(captured("one-stride"))
    stray[4] = 99

    with pytest.raises(WireError, match="type 99"):
        read_datagram(bytes(stray))


def test_the_last_message_may_come_without_its_padding() -> None:
    odd = (19).to_bytes(4, "little") + b"\x14\x00\x02\x00" + bytes(8) + b"abc"

    (rows,) = read_datagram(odd + b"\0" + odd).rows

    assert list(rows.bodies()) == [b"abc\0", b"abc\0"]


@pytest.mark.parametrize("length", [0, 3, 13])
def test_an_attribute_that_does_not_fit_is_refused(length: int) -> None:
    with pytest.raises(WireError, match=f"attribute of {length} bytes"):
        attributes(length.to_bytes(2, "little") + bytes(10), 0)


def test_a_request_says_its_own_length() -> None:
    assert int.from_bytes(dump_request(b"12345678", 1)[:4], "little") == 24


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_attributes_come_back_as_they_were_written(values: dict[int, bytes]) -> None:
    body = b"".join(attribute(kind, value) for kind, value in values.items())

    assert attributes(b"head" + body, 4) == values


@given(st.sampled_from(ANSWERS), st.data())
def test_an_answer_cut_short_anywhere_is_whole_messages_or_a_wire_error(answer: bytes, data: st.DataObject) -> None:
    cut = answer[: data.draw(st.integers(1, len(answer) - 1))]
    try:
        chunk = read_datagram(cut)
    except WireError:
        return
    assert sum(len(rows.data) for rows in chunk.rows) <= len(cut)
    assert all(len(rows.data) % rows.stride == 0 for rows in chunk.rows)


@given(st.binary(max_size=400))
def test_garbage_raises_nothing_but_wire_errors(garbage: bytes) -> None:
    try:
        read_datagram(garbage)
    except WireError:
        return
    assert len(garbage) >= 16
