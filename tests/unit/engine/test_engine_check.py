import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.outcomes import Outcome
from floodmark.core.request_spec import RequestSpec
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


def test_a_pattern_is_found_anywhere_in_the_body() -> None:
    check = AnswerCheck.of(RequestSpec(matches=r"id=\d+"))
    assert check.judge(200, "OK", bytearray(b"say id=17.")) == (Outcome.ANSWERED, None)
    assert check.kept_body_bytes == KEPT_BODY_BYTES


def test_a_body_without_a_match_is_a_wrong_answer_that_names_the_pattern() -> None:
    outcome, error = AnswerCheck.of(RequestSpec(matches=r"id=\d+")).judge(200, "OK", b"id=x")
    assert outcome is Outcome.WRONG_ANSWER
    assert error == "nothing matches b'id=\\\\d+' in the body of 4 bytes read for it"


def test_the_checks_of_a_request_are_its_status_its_text_and_its_pattern() -> None:
    check = AnswerCheck.of(RequestSpec(status=201, contains="grün", matches="^grün$"))
    assert (check.status, check.text) == (201, "grün".encode())
    assert check.judge(201, "", "grün".encode()) == (Outcome.ANSWERED, None)
    assert check.judge(201, "", "grüner".encode())[0] is Outcome.WRONG_ANSWER
    assert AnswerCheck.of(RequestSpec()) == AnswerCheck()


@given(st.text(max_size=20), st.text(max_size=40))
def test_the_pattern_of_an_escaped_text_is_found_where_the_text_is(text: str, body: str) -> None:
    by_text = AnswerCheck.of(RequestSpec(contains=text)).judge(200, "", body.encode())[0]
    by_pattern = AnswerCheck.of(RequestSpec(matches=re.escape(text))).judge(200, "", body.encode())[0]
    assert by_text is by_pattern
