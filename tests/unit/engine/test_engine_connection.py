"""What a real socket does too seldom to wait for."""

from collections.abc import Callable
from select import EPOLLERR, EPOLLIN, EPOLLOUT

import pytest

from floodmark.core.outcomes import Outcome
from floodmark.engine.check import AnswerCheck
from floodmark.engine.connection import READ_BYTES, READS_PER_TURN, Connection

NOW_S = 7.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Result = bytes | int | OSError


class ScriptedSocket:
    """Gives its calls the results that it was made with, in their order. It is the way to itself, too."""

    def __init__(self, *, connect: int = 0, send: list[Result], recv: list[Result]) -> None:
        self._connect = connect
        self._send = send
        self._recv = recv
        self.sent: list[bytes] = []
        self.closed = False

    def open(self, _number: int, _clock: Callable[[], float]) -> tuple["ScriptedSocket", int]:
        return self, self._connect

    def fileno(self) -> int:
        return 99

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        result = self._send.pop(0)
        if isinstance(result, OSError):
            raise result
        assert isinstance(result, int)
        return result

    def recv(self, _size_bytes: int) -> bytes:
        result = self._recv.pop(0)
        if isinstance(result, OSError):
            raise result
        assert isinstance(result, bytes)
        return result

    def getsockname(self) -> tuple[str, int]:
        if self._connect:
            raise OSError
        return "127.0.0.1", 4242

    def close(self) -> None:
        self.closed = True


def clock() -> float:
    return NOW_S


def opened(script: ScriptedSocket) -> Connection:
    connection = Connection(1, 0.0)
    connection.open(script, 0, b"request", clock)  # type: ignore[arg-type]  # the verbs that it needs
    return connection


def test_a_send_that_is_not_taken_yet_is_still_connecting() -> None:
    script = ScriptedSocket(connect=115, send=[BlockingIOError(), 7], recv=[])
    connection = opened(script)
    assert (connection.outcome, connection.connected_s) == (None, None)
    assert not connection.advance(EPOLLOUT, AnswerCheck(), clock)
    assert (connection.connected_s, connection.sent_s) == (NOW_S, NOW_S)


def test_a_request_goes_on_where_the_kernel_stopped_taking_it() -> None:
    script = ScriptedSocket(send=[3, BlockingIOError(), 4], recv=[])
    connection = opened(script)
    connection.advance(EPOLLOUT, AnswerCheck(), clock)
    assert (connection.is_sent, script.sent) == (False, [b"request", b"uest"])
    connection.advance(EPOLLOUT, AnswerCheck(), clock)
    assert (connection.is_sent, script.sent[2:]) == (True, [b"uest"])


@pytest.mark.parametrize("error", [ConnectionResetError(104, ""), BrokenPipeError(32, "")])
def test_a_reset_before_the_request_went_was_a_connection(error: OSError) -> None:
    connection = opened(ScriptedSocket(send=[error], recv=[b""]))
    assert (connection.outcome, connection.connected_s) == (None, NOW_S)
    assert connection.advance(EPOLLIN | EPOLLERR, AnswerCheck(), clock)
    assert (connection.outcome, connection.error) == (Outcome.RESET, "reset after 0 bytes of the answer")


def test_an_answer_that_came_before_a_reset_is_read_although_nothing_was_sent() -> None:
    connection = opened(ScriptedSocket(send=[ConnectionResetError(104, "")], recv=[ANSWER]))
    assert connection.advance(EPOLLIN | EPOLLERR, AnswerCheck(text=b"ok"), clock)
    assert (connection.outcome, connection.sent_s) == (Outcome.ANSWERED, None)


def test_a_failed_send_with_nothing_to_read_is_not_waited_for() -> None:
    connection = opened(ScriptedSocket(send=[3, BrokenPipeError(32, "")], recv=[b"HTTP/", BlockingIOError()]))
    assert connection.advance(EPOLLOUT, AnswerCheck(), clock)
    assert (connection.outcome, connection.error) == (Outcome.RESET, "reset after 5 bytes of the answer")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(111, Outcome.REFUSED), (113, Outcome.UNREACHABLE), (99, Outcome.OUT_OF_PORTS), (110, Outcome.CONNECT_TIMEOUT)],
)
def test_a_connect_fails_the_same_at_once_and_later(code: int, outcome: Outcome) -> None:
    script = ScriptedSocket(connect=code, send=[], recv=[])
    at_once = opened(script)
    later = opened(ScriptedSocket(connect=115, send=[BlockingIOError(), OSError(code, "")], recv=[]))
    assert later.advance(EPOLLOUT | EPOLLERR, AnswerCheck(), clock)
    assert (at_once.outcome, later.outcome) == (outcome, outcome)
    assert (at_once.connected_s, later.connected_s) == (None, None)
    assert at_once.error == later.error
    assert script.closed


def test_a_kernel_that_gave_up_resending_is_a_response_timeout() -> None:
    connection = opened(ScriptedSocket(send=[7], recv=[TimeoutError(110, "")]))
    assert connection.advance(EPOLLIN | EPOLLERR, AnswerCheck(), clock)
    assert connection.outcome is Outcome.RESPONSE_TIMEOUT


def test_reading_stops_after_its_turn_and_says_that_there_is_more() -> None:
    full: list[Result] = [b"HTTP/1.1 200 OK\r\n\r\n".ljust(READ_BYTES)] * READS_PER_TURN
    connection = opened(ScriptedSocket(send=[7], recv=[*full, b"x", b""]))
    assert not connection.advance(EPOLLIN, AnswerCheck(), clock)
    assert connection.has_more
    assert connection.advance(EPOLLIN | EPOLLERR, AnswerCheck(), clock)
    assert (connection.outcome, connection.has_more) == (Outcome.ANSWERED, False)


def test_no_hit_is_made_of_a_request_without_an_outcome() -> None:
    connection = opened(ScriptedSocket(send=[7], recv=[]))
    with pytest.raises(ValueError, match="no outcome yet"):
        connection.hit("w1")
