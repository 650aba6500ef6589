"""Command lines of a process tree: read once, bounded, and without what is secret."""

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from floodmark.core.command_line import HIDDEN, CommandLine
from floodmark_agent.command_lines import (
    MOST_CHARACTERS,
    MOST_LINES,
    MOST_PROCESSES,
    parse_command_line,
    read_command_lines,
)
from floodmark_agent.scrub import scrub

NAMES = st.sampled_from(
    [
        *("password", "DB_PASSWORD", "db-passwd", "passwd", "passphrase", "PGPASS", "pass", "pwd", "client_secret"),
        *("SECRET_KEY", "token", "X-Auth-Token", "apikey", "api-key", "API_KEY", "aws_access_key_id", "credentials"),
        *("private-key", "auth", "authorization", "cookie", "jwt", "sentry.dsn", "AccessKey"),
    ]
)
SECRETS = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=6, max_size=40
).filter(lambda text: text.strip())
BESIDE = ["/usr/bin/python3", "-m", "gunicorn", "--threads", "7", "-b", "127.0.0.1:8000", "app:app"]


@pytest.fixture
def proc(tmp_path):
    """A /proc of ours: `proc(7, "a", "b")` is process 7 with the command line ``a b``."""

    def add(pid, *words):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))

    add.path = str(tmp_path)
    return add


def forms(name, secret):
    """The ways in which a secret stands on a command line."""
    return [
        [f"--{name}", secret],
        [f"-{name}", secret],
        [f"--{name}={secret}"],
        [f"{name}={secret}"],
        ["--env", f"{name}={secret}"],
        [f"--set=app.{name}={secret}"],
        ["-H", f"{name}: {secret}"],
        ["-H", f"{name}:", secret],
        ["-H", f"Accept: Bearer {secret}"],
        ["sh", "-c", f"cd / && {name}={secret} exec server"],
        ["sh", "-c", f"server --{name} '{secret}' --threads 7"],
        [f'{{"user": "me", "{name}": "{secret}"}}'],
        [f"postgres://me:{secret}@db.example/x"],
        [f"redis://:{secret}@cache:6379"],
        [f"https://{secret}@example/x"],
        [f"DATABASE_URL=mysql://me:{secret}@db/x"],
        [f"me:{secret}@db"],
        [f"https://example/x?a=b&{name}={secret}"],
    ]


@given(NAMES, SECRETS, st.sampled_from([str.lower, str.upper, str.title]), st.integers(0, 8))
def test_no_secret_value_survives(name, secret, case, place):
    for words in forms(case(name), secret):
        without = " ".join([*BESIDE, *(word.replace(secret, "") for word in words)])
        assume(secret not in f"{without} {HIDDEN} Bearer {HIDDEN}@")
        line = [*BESIDE[:place], *words, *BESIDE[place:]]
        assert secret not in " ".join(scrub(line)), line
        assert secret.strip() not in parse_command_line("\0".join([*line, ""]).encode())[0] or secret.strip() in without


def test_what_is_hidden_is_shown_as_stars_and_the_rest_stays():
    assert scrub([*BESIDE, "--password", "a b", "--log-level", "info"]) == [
        *BESIDE,
        *("--password", HIDDEN, "--log-level", "info"),
    ]
    assert scrub(["psql", "postgres://me:pw@db/x"]) == ["psql", "postgres://***@db/x"]
    assert scrub(["psql", "postgres://me:p@ss@db/x"]) == ["psql", "postgres://***@db/x"]
    assert scrub(["--token=abc", "--x", "y"]) == ["--token=***", "--x", "y"]


@pytest.mark.parametrize(
    "words",
    [
        ["gunicorn", "-k", "gthread", "--keyfile", "a.pem", "--keep-alive", "5", "--access-logfile", "-"],
        ["uvicorn", "--ssl-keyfile", "k.pem", "--passthrough-errors", "--forwarded-allow-ips", "*"],
        ["nginx: master process /usr/sbin/nginx -g daemon off;"],
        ["python3", "token_server.py", "8000"],
    ],
)
def test_what_only_looks_like_a_secret_stays(words):
    assert scrub(words) == words


@pytest.mark.parametrize(
    "word", ["a" * 16_000, "key" * 5_000, "-key" * 4_000, "token-" * 2_500, "a:" * 8_000, " " * 16_000]
)
def test_a_long_word_takes_no_long_time(word):
    began_s = time.process_time()
    scrub([word, "x"])
    assert time.process_time() - began_s < 5  # what grows with the square would take minutes


def test_a_line_is_one_line_and_no_longer_than_its_bound():
    assert parse_command_line(b"sh\0-c\0a\n  b\0") == ("sh -c a b", False)
    words, cut = parse_command_line(b"x\0" * 2000)
    assert (len(words), cut) == (MOST_CHARACTERS, True)


def test_of_a_line_that_was_not_read_to_its_end_the_last_word_is_left_out():
    assert parse_command_line(b"psql\0postgres://me:sec", is_begin=True) == ("psql", True)


def test_a_title_that_a_process_gave_itself_is_read_as_it_stands(proc):
    proc(7, "gunicorn: master [app:app]", "", "")
    assert read_command_lines([7], {7}, {7: 1}, proc.path) == (
        CommandLine(words="gunicorn: master [app:app]", pids=(7,)),
    )


def test_processes_with_one_line_are_told_together_the_first_process_first(proc):
    for pid in (9, 5, 7):
        proc(pid, "gunicorn", "app:app")
    proc(3, "helper")
    found = read_command_lines([7], {3, 5, 7, 9}, {}, proc.path)
    assert [(line.words, line.pids) for line in found] == [("gunicorn app:app", (7, 5, 9)), ("helper", (3,))]


def test_workers_of_multiprocessing_have_one_line_whatever_their_descriptors(proc):
    for pid in (8, 9):
        words = f"from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle={pid})"
        proc(pid, "python3", "-c", words, "--multiprocessing-fork")
    (line,) = read_command_lines([8], {8, 9}, {}, proc.path)
    assert line.words == (
        "python3 -c from multiprocessing.spawn import spawn_main; spawn_main(...) --multiprocessing-fork"
    )
    assert line.pids == (8, 9)


def test_what_cannot_be_read_or_has_no_command_line_is_left_out(proc):
    proc(7)
    assert read_command_lines([7, 8], {7, 8, 9}, {}, proc.path) == ()


def test_of_a_child_of_multiprocessing_those_above_are_read_up_to_the_first_that_is_none(proc):
    spawned = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)"
    proc(9, "python", "-c", spawned, "--multiprocessing-fork")
    proc(7, "python", "-m", "hypercorn", "app:app")
    proc(3, "bash")
    found = read_command_lines([9], {9}, {9: 7, 7: 3, 3: 1}, proc.path)
    assert [line.pids for line in found] == [(9,), (7,)]
    assert [line.pids for line in read_command_lines([7], {7}, {7: 3, 3: 1}, proc.path)] == [(7,)]


def test_of_many_processes_and_lines_so_many_are_told(proc):
    alike, unlike = range(100, 100 + 2 * MOST_PROCESSES), range(1000, 1000 + 2 * MOST_LINES)
    for pid in alike:
        proc(pid, "worker")
    for pid in unlike:
        proc(pid, "worker", str(pid))
    assert [len(line.pids) for line in read_command_lines([100], alike, {}, proc.path)] == [MOST_PROCESSES]
    assert len(read_command_lines([1000], unlike, {}, proc.path)) == MOST_LINES
