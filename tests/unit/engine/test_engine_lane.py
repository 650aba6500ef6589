import select
import socket
from collections.abc import Callable
from math import inf
from select import EPOLLIN

import pytest
from test_engine_burst import endpoint_of

from floodmark.core.outcomes import Outcome
from floodmark.engine.connection import READ_BYTES, READS_PER_TURN
from floodmark.engine.dial import Dial
from floodmark.engine.known_answers import KEPT_ANSWERS, LONGEST_ANSWER_BYTES, KnownAnswers
from floodmark.engine.known_heads import KnownHeads
from floodmark.engine.lane import Lane
from floodmark.engine.line import Line
from floodmark.engine.route import Route
from floodmark.engine.tally import Tally

DEADLINE_S = 30.0


class Board:
    """What a line asks of its client; it tells of nothing by itself, and so shows what a line asks for."""

    def __init__(self) -> None:
        self.clock: Callable[[], float] = float
        self.heads = KnownHeads()
        self.keep_bytes = 10
        self.again = 0

    def watch(self, line: Line) -> None:
        pass

    def watch_again(self, line: Line) -> None:  # noqa: ARG002 - which one it is, the test knows
        self.again += 1

    def forget(self, line: Line) -> None:
        pass

    def remind(self, line: Line) -> None:
        pass


class FullSocket:
    """All of an answer is in the kernel already: no more news will come of it."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def recv(self, size_bytes: int) -> bytes:
        if not self._answer:
            raise BlockingIOError
        data, self._answer = self._answer[:size_bytes], self._answer[size_bytes:]
        return data

    def close(self) -> None:
        pass


def lane_to(listener: socket.socket, board: Board) -> tuple[Lane, socket.socket]:
    route = Route(dial=Dial(endpoint=endpoint_of(listener)), connect_timeout_s=inf, response_timeout_s=inf)
    lane = Lane(board, route, 0)
    lane.carry(1, b"GET / HTTP/1.1\r\n\r\n")
    lane.send(0.0)
    return lane, listener.accept()[0]


def test_a_large_answer_that_is_there_already_is_read_to_its_end_in_turns() -> None:
    size_bytes = 3 * READ_BYTES * READS_PER_TURN
    board = Board()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lane, client = lane_to(listener, board)
        exchange = lane.exchange
        assert exchange is not None
        lane._socket.close()
        lane._socket = FullSocket(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes + b"x" * size_bytes)  # type: ignore[assignment]  # the two verbs that reading needs
        turns = 0
        while not turns or board.again == turns:  # an edge-triggered epoll tells once, and again where it is asked to
            turns += 1
            lane.advance(EPOLLIN)
        client.close()
    assert (exchange.outcome, exchange.body_bytes, turns) == (Outcome.ANSWERED, size_bytes, 4)
    assert exchange.body == b"x" * board.keep_bytes


def test_a_lane_is_read_past_its_line_only_where_an_answer_begins_on_a_kept_connection() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lane, client = lane_to(listener, Board())
        with client:
            lane.find_plain()
            assert lane.plain is None  # the first answer of a connection
            answer_and_wait(client, lane, answer)
            lane.advance(EPOLLIN)
            lane.rest()
            lane.send(0.0)
            lane.find_plain()
            assert lane.plain is lane._socket
            answer_and_wait(client, lane, answer[:10])
            lane.advance(EPOLLIN)
            lane.find_plain()
            assert lane.plain is None  # within an answer
        lane.close()


def test_an_answer_in_chunks_that_came_at_once_came_in_one_piece() -> None:
    board = Board()
    board.clock = iter(range(1000)).__next__
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lane, client = lane_to(listener, board)
        with client:
            answer_and_wait(client, lane, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
            lane.advance(EPOLLIN)
        exchange = lane.exchange
        assert exchange is not None
        assert exchange.outcome is Outcome.ANSWERED
        assert exchange.ended_s == exchange.first_byte_s
        lane.close()


def test_a_lane_without_a_request_has_no_hit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lane, client = lane_to(listener, Board())
        lane.rest()
        with pytest.raises(ValueError, match="no request under way"):
            lane.hit("w1", 1, Outcome.WAITING, None)
        lane.close()
        client.close()


def answer_and_wait(client: socket.socket, lane: Lane, data: bytes) -> None:
    client.sendall(data)
    assert select.select([lane.fd], [], [], DEADLINE_S)[0]


def test_only_so_many_answers_are_known_and_no_long_ones() -> None:
    known = KnownAnswers()
    for number in range(KEPT_ANSWERS):
        known.remember(b"%d" % number, 0)
    known.remember(b"0", 0)
    assert len(known.all) == KEPT_ANSWERS
    known.remember(b"one more", 4)
    assert known.all == {b"one more": 4}
    known.remember(b"x" * (LONGEST_ANSWER_BYTES + 1), 4)
    assert known.all == {b"one more": 4}


def test_what_is_counted_for_an_older_second_comes_first() -> None:
    tally = Tally(100.0)
    tally.turn(103.5, 0.25)
    tally.release()
    tally.plan(1, 7)
    slices = tally.take()
    assert [(piece.second, piece.planned, piece.released, piece.lag_s) for piece in slices] == [
        (1, 7, 0, 0.0),
        (3, 0, 1, 0.25),
    ]
    assert tally.take() == []
    assert tally.second_of(99.0) == 0
