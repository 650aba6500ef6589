import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.engine.known_heads import END, KEPT_HEADS, LONGEST_HEAD_BYTES, KnownHeads, head_of, read_plain
from floodmark.engine.response import MalformedResponseError, ResponseParser

LINES = (
    b"HTTP/1.1 200 OK",
    b"HTTP/1.0 200",
    b"HTTP/1.1 204 ",
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 304 Not  Modified ",
    b"HTTP/1.1 200 a\tb",
    b"Content-Length: 5",
    b"content-length:0",
    b"Content-Length: 5, 5",
    b"Content-Length: 1234567890123456789",
    b"Content-Length: +5",
    b"Content-Length: \x0b5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Connection: close",
    b"Connection: Keep-Alive",
    b"Connection: x ,\tCLOSE",
    b"Connection:",
    b"Date: now \t",
    b"X: \x85y\xa0",
    b" folded",
    b"X : y",
    b"X:\x00",
    b"X",
    b"",
)
heads = st.lists(st.sampled_from(LINES), max_size=6).flatmap(
    lambda lines: st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\r\n"]).map(
        lambda end: (
            b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines[:-1]) + b"".join(lines[-1:]) + end
        )
    )
)
beginnings = st.lists(st.sampled_from(LINES), min_size=1, max_size=6).map(b"\r\n".join)
anything = st.one_of(heads, beginnings, st.binary(max_size=60)).map(lambda data: data + END)


@given(data=anything)
def test_what_a_plain_head_is_read_to_say_is_what_the_parser_says(data: bytes) -> None:
    head = data[: data.find(END) + len(END)]
    known = read_plain(head)
    if known is None:
        return
    parser = ResponseParser(keep_bytes=100, keeps_fields=True)
    assert parser.feed(head) is (known.body_bytes == 0)
    assert parser.status == known.head.status
    if known.body_bytes < 1_000_000:
        assert parser.complete or parser.feed(b"x" * known.body_bytes)
        assert parser.body_bytes == known.body_bytes
        assert not parser.has_leftover
        assert parser.keeps_alive is known.keeps_alive
        assert head_of(parser) == known.head


@given(data=st.binary())
def test_arbitrary_bytes_are_no_plain_head_or_one_that_the_parser_takes(data: bytes) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + data + END
    head = whole[: whole.find(END) + len(END)]
    if read_plain(head) is not None:
        assert ResponseParser().feed(head)


def test_an_ordinary_head_is_plain() -> None:
    known = read_plain(b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length:  13 \r\nX: \r\n\r\n")
    assert known is not None
    assert (known.head.status, known.head.reason, known.body_bytes, known.keeps_alive) == (200, "OK", 13, True)
    assert known.head.fields == ((b"Server", b"nginx"), (b"Content-Length", b"13"), (b"X", b""))
    assert known.head.names == {b"server", b"content-length", b"x"}


@pytest.mark.parametrize(
    ("version", "option", "keeps_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"x, Close", False),
        (b"1.0", b"", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_who_keeps_a_connection_alive_is_read_alike_both_ways(version, option, keeps_alive) -> None:
    data = b"HTTP/" + version + b" 200 OK\r\nContent-Length: 0\r\nConnection: " + option + b"\r\n\r\n"
    known = read_plain(data)
    parser = ResponseParser(keeps_fields=True)
    assert known is not None
    assert parser.feed(data)
    assert known.keeps_alive is parser.keeps_alive is keeps_alive


def test_a_head_that_says_no_size_or_two_is_the_parsers() -> None:
    assert read_plain(b"HTTP/1.1 200 OK\r\n\r\n") is None
    assert read_plain(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n") is None
    assert read_plain(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n") is None


def test_a_head_is_found_by_its_bytes_once_it_was_read() -> None:
    known = KnownHeads()
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert known.find(data) is None
    assert known.read(data) is known.find(data)
    assert known.read(b"HTTP/1.1 100 Continue\r\n\r\n") is None


def test_the_memory_of_heads_is_bounded() -> None:
    known = KnownHeads()
    made = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % number for number in range(KEPT_HEADS + 1)]
    for data in made:
        known.read(data)
    assert known.find(made[0]) is None
    assert known.find(made[-1]) is not None
    assert known.read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + b"x" * LONGEST_HEAD_BYTES + END) is None


def test_two_answers_in_one_piece_are_told_apart_by_the_leftover() -> None:
    parser = ResponseParser(keep_bytes=100, keeps_fields=True)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    assert parser.feed(answer + answer)
    assert parser.has_leftover
    assert not parser.keeps_alive


def test_a_malformed_answer_is_never_one_to_keep_alive() -> None:
    parser = ResponseParser()
    with contextlib.suppress(MalformedResponseError):
        parser.feed(b"nonsense\r\n\r\n")
    assert not parser.keeps_alive
