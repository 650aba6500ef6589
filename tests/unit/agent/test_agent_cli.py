import pytest

from floodmark.core.errors import UsageError
from floodmark_agent.cli import Options, main, parse, parse_master


def test_a_full_command_line_is_taken_apart() -> None:
    words = ["--master", "10.0.0.5:5557", "--port", "8000", "--pid", "7", "--name", "web", "-v"]

    assert parse(words) == Options(master=("10.0.0.5", 5557), port=8000, pid=7, name="web", once=False, verbose=True)


def test_the_name_is_the_host_and_the_port_where_none_is_given() -> None:
    assert parse(["--once", "--port", "8000"]).name.endswith(":8000")


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:5557", ("localhost", 5557)), ("[::1]:1", ("::1", 1)), ("a.b.c:65535", ("a.b.c", 65535))],
)
def test_a_master_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_master(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":5557", "host:0", "host:65536", "host:x", "::1:5557", "h:٣"])
def test_a_master_that_is_none_is_refused_with_what_it_should_be(text: str) -> None:
    with pytest.raises(UsageError, match="--master"):
        parse_master(text)


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "8000"],
        ["--once", "--master", "h:1", "--port", "8000"],
        ["--once", "--port", "0"],
        ["--once", "--port", "65536"],
        ["--once", "--port", "8000", "--pid", "0"],
        ["--master", "nonsense", "--port", "8000"],
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("floodmark-agent: ")
    assert err.count("\n") == 1
