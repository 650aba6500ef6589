import pytest

from floodmark.core.errors import UsageError
from floodmark_agent.cli import main
from floodmark_agent.counting import Way
from floodmark_agent.options import Options, parse, parse_address
from floodmark_agent.selector import Selector
from floodmark_deploy.shell import RUN_VARIABLE


def test_a_full_command_line_is_taken_apart() -> None:
    words = ["--master", "10.0.0.5:5557", "--port", "8000", "--pid", "7", "--name", "web", "-v"]

    assert parse(words) == Options(
        master=("10.0.0.5", 5557),
        metrics=None,
        selector=Selector(ports=(8000,), pid=7),
        name="web",
        budget_share=0.02,
        once=False,
        verbose=True,
    )


def test_a_server_can_be_named_in_every_way_and_ports_given_once_each() -> None:
    words = [
        "--once",
        "--unit",
        "web",
        "--command",
        "gunicorn .*app",
        "--mark",
        "r-1",
        "-p",
        "8000",
        "-p",
        "9",
        "-p",
        "8000",
    ]

    selector = parse(words).selector

    assert (selector.ports, selector.unit, selector.mark) == ((8000, 9), "web.service", f"{RUN_VARIABLE}=r-1")
    assert selector.command is not None
    assert selector.command.pattern == "gunicorn .*app"
    assert parse(["--once", "--unit", "web.slice", "--mark", "A=b=c"]).selector == Selector(
        unit="web.slice", mark="A=b=c"
    )


def test_the_name_is_the_host_and_the_port_where_none_is_given() -> None:
    assert parse(["--once", "--port", "8000"]).name.endswith(":8000")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"'a\\nb'"),
        ("\x1b[31mred", r"'\\x1b\[31mred'"),
        ("\u202eweb", r"'\\u202eweb'"),
        ("x" * 101, "'x{40}'\\.\\.\\."),
    ],
)
def test_a_name_that_is_none_for_a_log_is_refused_in_one_line(name: str, shown: str) -> None:
    words = f"^--name {shown}: give printable text of 100 characters at the most$"
    with pytest.raises(UsageError, match=words) as caught:
        parse(["--once", "--port", "8000", "--name", name])
    assert str(caught.value).isprintable()


def test_a_name_may_be_long_and_in_any_language_and_one_made_up_here_is_always_taken() -> None:
    assert parse(["--once", "--port", "8000", "--name", "ü" * 100]).name == "ü" * 100
    made = parse(["--once", "--command", "a\n" + "x" * 200]).name
    assert made.isprintable()
    assert len(made) == 100


@pytest.mark.parametrize("way", list(Way))
def test_how_connections_are_counted_is_said_by_the_words_else_by_the_environment(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--metrics", "127.0.0.1:9464", "--port", "8000"]
    monkeypatch.delenv("FLOODMARK_CONNECTIONS", raising=False)

    assert parse([*words, "--connections", way]).connections is way
    assert parse(words).connections is Way.AUTO
    monkeypatch.setenv("FLOODMARK_CONNECTIONS", way)
    assert parse(words).connections is way
    assert parse([*words, "--connections", "dump"]).connections is Way.DUMP
    monkeypatch.setenv("FLOODMARK_CONNECTIONS", "stroll")
    with pytest.raises(UsageError, match="FLOODMARK_CONNECTIONS=stroll"):
        parse(words)


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:5557", ("localhost", 5557)), ("[::1]:1", ("::1", 1)), ("a.b.c:65535", ("a.b.c", 65535))],
)
def test_a_master_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address("--master", text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":5557", "host:0", "host:65536", "host:x", "::1:5557", "h:٣"])
def test_a_master_that_is_none_is_refused_with_what_it_should_be(text: str) -> None:
    with pytest.raises(UsageError, match="--master"):
        parse_address("--master", text)


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "8000"],
        ["--once", "--master", "h:1", "--port", "8000"],
        ["--once", "--port", "0"],
        ["--once", "--port", "65536"],
        ["--once", "--port", "8000", "--pid", "0"],
        ["--master", "nonsense", "--port", "8000"],
        ["--metrics", "9464", "--port", "8000"],
        ["--once", "--metrics", "127.0.0.1:9464", "--port", "8000"],
        ["--once"],
        ["--once", "--command", "("],
        ["--once", "--port", "8000", "--cpu-budget", "0"],
        ["--once", "--port", "8000", "--cpu-budget", "nan"],
        ["--once", "--port", "8000", "--connections", "walk"],
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("floodmark-agent: ")
    assert err.count("\n") == 1
