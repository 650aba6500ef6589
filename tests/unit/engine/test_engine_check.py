import pytest

from floodmark.core.outcomes import Outcome
from floodmark.engine.check import KEPT_BODY_BYTES, AnswerCheck


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"say hello", Outcome.ANSWERED),
        (200, b"goodbye", Outcome.WRONG_ANSWER),
        (404, b"hello", Outcome.WRONG_ANSWER),
        (500, b"hello", Outcome.SERVER_ERROR),
        (599, b"hello", Outcome.SERVER_ERROR),
        (600, b"hello", Outcome.WRONG_ANSWER),
    ],
)
def test_an_answer_needs_the_status_and_the_text(status: int, body: bytes, outcome: Outcome) -> None:
    assert AnswerCheck(status=200, text=b"hello").judge(status, "", body)[0] is outcome


def test_a_5xx_that_is_expected_is_an_answer() -> None:
    assert AnswerCheck(status=503).judge(503, "Busy", b"") == (Outcome.ANSWERED, None)


def test_the_error_says_what_the_server_said() -> None:
    check = AnswerCheck(status=200, text=b"hello")
    assert check.judge(500, "INTERNAL SERVER ERROR", b"")[1] == "HTTP 500 INTERNAL SERVER ERROR"
    assert check.judge(404, "", b"")[1] == "HTTP 404"
    assert "b'hello'" in str(check.judge(200, "OK", b"bye")[1])


def test_no_body_is_kept_where_no_text_is_looked_for() -> None:
    assert AnswerCheck().kept_body_bytes == 0
    assert AnswerCheck(text=b"x").kept_body_bytes == KEPT_BODY_BYTES
