import io
from http.client import HTTPResponse
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.engine.response import HEAD_LIMIT_BYTES, MalformedResponseError, ResponseParser

KEEP_BYTES = 100


def result(pieces: list[bytes], *, closed: bool = True) -> object:
    """All that a parser knows after the pieces, as one value to compare."""
    parser = ResponseParser(keep_bytes=KEEP_BYTES)
    try:
        for piece in pieces:
            parser.feed(piece)
    except MalformedResponseError as error:
        return str(error)
    if closed:
        parser.eof()
    body = bytes(parser.body)
    return parser.complete, parser.status, parser.reason, body, parser.body_bytes, parser.server_timing


def parse(answer: bytes) -> ResponseParser:
    parser = ResponseParser(keep_bytes=KEEP_BYTES)
    parser.feed(answer)
    return parser


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


# Pieces that carry a parser deep into its states when they are strung together in any order.
FRAGMENTS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/2 200\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 6\r\n",
    b"content-length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Server-Timing: floodmark;dur=1\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"5\r\nhello\r\n",
    b"5;extension=1\r\nhello\r\n",
    b"3\r\nhello\r\n",
    b"ffffffffffffffffffff\r\n",
    b"0\r\n",
    b"Trailer: 1\r\n",
    b"hello",
)
streams = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=8)), max_size=12).map(b"".join)


@given(data=streams, places=st.lists(st.integers(min_value=0), max_size=8))
def test_any_split_of_any_bytes_gives_the_same_result(data: bytes, places: list[int]) -> None:
    assert result(cut_at(data, places)) == result([data])
    assert result([data[index : index + 1] for index in range(len(data))]) == result([data])


@given(data=st.binary())
def test_arbitrary_bytes_raise_nothing_but_the_parsers_own_error(data: bytes) -> None:
    result([data])
    result([b"HTTP/1.1 200 OK\r\n" + data])
    result([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data])


names = st.sampled_from(["Server", "X-Thing", "Date", "content-type", "Server-Timing"])
values = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@st.composite
def answers(draw: st.DrawFn, framings: tuple[str, ...] = ("length", "chunked", "close", "none")) -> bytes:
    framing = draw(st.sampled_from(framings))
    status = draw(st.sampled_from([204, 304] if framing == "none" else [200, 404, 500, 599]))
    head = f"HTTP/1.{draw(st.integers(0, 1))} {status} {draw(values)}\r\n"
    head += "".join(f"{draw(names)}: {draw(values)}\r\n" for _ in range(draw(st.integers(0, 4))))
    body = b"" if framing == "none" else draw(st.binary(max_size=300))
    if framing == "length":
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    if framing == "chunked":
        pieces = [piece for piece in cut_at(body, draw(st.lists(st.integers(min_value=0), max_size=4))) if piece]
        chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return f"{head}Transfer-Encoding: Chunked\r\n\r\n".encode() + chunks + b"0\r\nT: 1\r\n\r\n"
    return f"{head}\r\n".encode() + body


class BytesSocket:
    """What http.client needs of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@given(answer=answers())
def test_http_client_reads_the_same_answer(answer: bytes) -> None:
    theirs = HTTPResponse(BytesSocket(answer))  # type: ignore[arg-type]  # all that it asks for is makefile
    theirs.begin()
    body = theirs.read()
    expected = (True, theirs.status, theirs.reason, body[:KEEP_BYTES], len(body), theirs.getheader("Server-Timing", ""))
    assert result([answer]) == expected


@given(answer=answers(framings=("length", "chunked", "none")), kept=st.integers(min_value=0))
def test_an_answer_that_says_its_end_is_not_complete_before_it(answer: bytes, kept: int) -> None:
    parser = ResponseParser()
    assert not parser.feed(answer[: kept % len(answer)])
    assert not parser.eof()


def test_interim_answers_are_skipped() -> None:
    parser = parse(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    )
    assert (parser.status, parser.complete) == (200, False)
    assert parser.eof()


def test_switching_protocols_is_the_whole_answer() -> None:
    parser = parse(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x00\x01")
    assert (parser.status, parser.complete) == (101, True)


def test_chunked_goes_before_a_content_length() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    assert (parser.complete, bytes(parser.body)) == (True, b"ab")


def test_a_coding_that_is_not_chunked_ends_with_the_connection() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip\r\n\r\nab")
    assert not parser.complete
    assert parser.eof()
    assert parser.body_bytes == 2


def test_the_coding_identity_is_none() -> None:
    assert parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab").complete


def test_server_timing_is_found_in_any_case_and_joined() -> None:
    parser = parse(
        b"HTTP/1.1 200 OK\r\nserver-TIMING: a;dur=1\r\nServer-Timing:b\r\n\t;dur=2 \r\nContent-Length: 0\r\n\r\n"
    )
    assert parser.server_timing == "a;dur=1, b ;dur=2"


def test_a_folded_line_belongs_to_no_interim_answer() -> None:
    with pytest.raises(MalformedResponseError, match="indented"):
        parse(b"HTTP/1.1 103 Early\r\nServer: x\r\n\r\nHTTP/1.1 200 OK\r\n folded\r\n\r\n")


def test_the_first_chunks_line_has_the_whole_limit_to_itself() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: " + b"b" * (HEAD_LIMIT_BYTES - 60) + b"\r\n\r\n"
    assert parse(head + b"1;" + b"x" * 1000 + b"\r\nx\r\n0\r\n\r\n").complete


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_a_chunks_end_may_come_in_pieces(ending: bytes) -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx")
    for piece in ending + b"0\r\n\r\n":
        parser.feed(bytes([piece]))
    assert parser.complete


def test_the_fields_of_an_interim_answer_are_not_those_of_the_answer() -> None:
    parser = parse(b"HTTP/1.1 103 Early\r\nServer-Timing: a\r\n\r\nHTTP/1.1 204 None\r\n\r\n")
    assert parser.server_timing == ""


def test_the_body_is_counted_in_full_and_kept_in_part() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    assert (parser.complete, parser.body_bytes, len(parser.body)) == (True, 1000, KEEP_BYTES)


def test_what_follows_a_complete_answer_is_left_alone() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 500 Oops\r\n\r\n")
    parser.feed(b"more")
    assert (parser.status, bytes(parser.body), parser.body_bytes) == (200, b"ab", 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"S",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n",
        b"HTTP/1.1 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 000 OK\r\n",
        b"HTTP/1.1\t200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n",
        b"HTTP/1.1 200 OK\r\nSpace : before colon\r\n",
        b"HTTP/1.1 200 OK\r\n folded at first: 1\r\n",
        b"HTTP/1.1 200 OK\r\nBare: carriage\rreturn\r\n",
        b"HTTP/1.1 200 OK\r\nNul: \x00\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A" * HEAD_LIMIT_BYTES,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * HEAD_LIMIT_BYTES,
        b"HTTP/1.1 100 Continue\r\n\r\n" * HEAD_LIMIT_BYTES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * HEAD_LIMIT_BYTES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * HEAD_LIMIT_BYTES,
    ],
    ids=lambda answer: repr(answer[:70])[:70],
)
def test_what_is_not_http_is_malformed_at_once(answer: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        parse(answer)


def test_the_limit_is_one_byte_further_than_the_longest_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    filler = b"A: " + b"b" * (HEAD_LIMIT_BYTES - len(head) - len(b"A: \r\n\r\n")) + b"\r\n"
    assert parse(head + filler + b"\r\n").complete
    with pytest.raises(MalformedResponseError, match="more than 65536 bytes"):
        parse(head + b"A" + filler + b"\r\n")
