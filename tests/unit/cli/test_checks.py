"""What the command line refuses, in one line of one kind."""

import sys

import pytest

from floodmark.cli.checks import prove_insecure
from floodmark.cli.main import main
from floodmark.core.address import parse_url
from floodmark.core.errors import UsageError


def said(monkeypatch, capsys, *words):
    """The exit code, stdout and stderr of `floodmark` with these words."""
    monkeypatch.setattr(sys, "argv", ["floodmark", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return caught.value.code or 0, captured.out, captured.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("run", "x", "--rate", "many"), "floodmark: --rate: give a number\n"),
        (("run", "x", "--requests", "1.5"), "floodmark: --requests: give a whole number\n"),
        (("nonsense",), "floodmark: No such command 'nonsense'.\n"),
        (("run", "x", "--hold"), "floodmark: Option '--hold' requires an argument.\n"),
        (
            ("run", "fastapi-uvicorn-sync", "--insecure"),
            "floodmark: --insecure: a target that Floodmark starts is asked over http, without a certificate;",
        ),
        (
            ("run", "fastapi-uvicorn-sync", "--expect-match", "("),
            "floodmark: --expect-match '(': not a regular expression: missing ), unterminated subpattern",
        ),
    ],
)
def test_words_that_do_not_fit_are_one_line_and_exit_code_2(monkeypatch, capsys, words, line):
    code, out, err = said(monkeypatch, capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line)


def test_no_words_at_all_are_answered_with_the_help(monkeypatch, capsys):
    code, _, err = said(monkeypatch, capsys)
    assert (code, err.startswith("Usage: floodmark")) == (2, True)


def test_a_command_that_ends_well_has_exit_code_0(monkeypatch, capsys):
    code, out, err = said(monkeypatch, capsys, "targets", "--json")
    assert (code, err) == (0, "")
    assert out.startswith("[")


def test_any_certificate_is_taken_where_there_is_one():
    prove_insecure(parse_url("https://127.0.0.1/"), insecure=True)
    prove_insecure(parse_url("http://127.0.0.1/"), insecure=False)
    with pytest.raises(UsageError, match=r"--insecure: http://127\.0\.0\.1:80/ is asked over http"):
        prove_insecure(parse_url("http://127.0.0.1/"), insecure=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1/", "'ftp://127.0.0.1/': the scheme is 'ftp'; give one of http, https"),
        ("127.0.0.1:80", "'127.0.0.1:80' is not a URL with a host: write it as 'http://127.0.0.1:8000/path'"),
        ("localhost:80", "'localhost:80' is not a URL with a host: write it as 'http://127.0.0.1:8000/path'"),
    ],
)
def test_a_url_says_which_part_of_it_is_wrong(url, words):
    with pytest.raises(UsageError) as caught:
        parse_url(url)
    assert str(caught.value) == words
