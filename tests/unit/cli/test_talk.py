"""--quiet and --verbose: what is said, what is not, and what must not be."""

import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from floodmark.cli.main import app
from floodmark.cli.talk import Loudness, talk_of
from floodmark.core.errors import UsageError
from floodmark.core.run_folder import RunFolder
from floodmark.core.text_tail import TextTail

DRAWS = (
    "from floodmark.cli.talk import talk_of\n"
    "from floodmark.report.live.run import LiveState, LiveView\n"
    "with LiveView(talk_of(quiet=False, verbose=False).err) as view:\n"
    "    view.update(LiveState(phase='load is on', planned=9, released=5, answered=2))\n"
)


def said(capfd):
    return capfd.readouterr().err


def test_both_at_once_are_refused():
    with pytest.raises(UsageError, match="--quiet and --verbose: give one of them"):
        talk_of(quiet=True, verbose=True)


def test_quiet_says_nothing_on_stderr(capfd):
    talk = talk_of(quiet=True, verbose=False)
    talk.say("a line")
    talk.detail("a detail")
    assert talk.quiet
    assert said(capfd) == ""


def test_verbose_says_what_the_rooms_log_and_nothing_more_once_it_is_over(capfd):
    talk = talk_of(quiet=False, verbose=True)
    log = logging.getLogger("floodmark.room")
    with talk.listening():
        log.debug("%d things", 3)
    log.warning("later")
    assert said(capfd).startswith("floodmark.room: 3 things\n")
    assert logging.getLogger("floodmark").handlers == []


def test_without_verbose_nobody_listens(capfd):
    talk = talk_of(quiet=False, verbose=False)
    assert talk.loudness is Loudness.NORMAL
    with talk.listening():
        logging.getLogger("floodmark.room").info("a thing")
    talk.detail("a detail")
    assert said(capfd) == ""


def test_a_command_line_is_said_without_its_secrets(capfd):
    with talk_of(quiet=False, verbose=True).listening():
        logging.getLogger("floodmark_deploy.local").info("started %d: %s", 7, ("serve", "--api-key", "hunter2", "a b"))
    assert "started 7: serve --api-key '***' 'a b'" in said(capfd)


def test_verbose_follows_the_logs_below_the_folder_line_by_line(tmp_path, capfd):
    with talk_of(quiet=False, verbose=True).listening(tmp_path):
        (tmp_path / "master.log").write_text("one\ntwo\nhal")
        (tmp_path / "steps" / "01").mkdir(parents=True)
        (tmp_path / "steps" / "01" / "worker-1.log").write_text("\x1b[31mthree\n")
        (tmp_path / "hits.jsonl").write_text("{}\n")
    lines = said(capfd).splitlines()
    assert lines == ["master.log: one", "master.log: two", r"steps/01/worker-1.log: \x1b[31mthree"]


def test_a_line_is_read_once_and_only_when_it_is_whole(tmp_path):
    path = tmp_path / "log"
    tail = TextTail(path)
    assert tail.new_lines() == []
    path.write_bytes(b"one\ntw")
    assert tail.new_lines() == ["one"]
    with path.open("ab") as file:
        file.write(b"o\n\xff\n")
    assert tail.new_lines() == ["two", "\N{REPLACEMENT CHARACTER}"]
    assert tail.new_lines() == []


def test_quiet_prints_the_sentence_and_nothing_else_and_says_when_a_run_does_not_count(recorded_run):
    runner = CliRunner()
    whole = runner.invoke(app, ["report", str(recorded_run)])
    quiet = runner.invoke(app, ["report", str(recorded_run), "-q"])
    assert quiet.exit_code == whole.exit_code
    assert len(quiet.stdout.splitlines()) == 1
    assert quiet.stdout.split(".")[0] in " ".join(whole.stdout.split())
    assert quiet.stderr == ""


@pytest.fixture
def recorded_run(tmp_path):
    sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("analysis", "report")]
    try:
        from export_cases import kept  # noqa: PLC0415 - another room's helper
        from simulated import Server, Simulation  # noqa: PLC0415 - the same
    finally:
        del sys.path[:2]
    return kept(Simulation(server=Server(slots=4), requests=40).record(), RunFolder(tmp_path / "run")).path


def in_a_pipe(**environment):
    done = subprocess.run(
        [sys.executable, "-c", DRAWS],
        env={**os.environ, "TERM": "xterm-256color", **environment},
        stderr=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    return done.stderr.decode()


def in_a_terminal(**environment):
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", closefd=True) as reader:
        process = subprocess.Popen(
            [sys.executable, "-c", DRAWS],
            env={**os.environ, "TERM": "xterm-256color", **environment},
            stderr=theirs,
        )
        os.close(theirs)
        written = b""
        try:
            while chunk := reader.read1(4096):
                written += chunk
        except OSError:
            pass  # EIO: the last one who had the terminal is gone
        assert process.wait(timeout=60) == 0
    return written.decode()


def test_a_terminal_is_drawn_on_and_a_pipe_gets_lines_whatever_forces_colour():
    assert "\x1b[?25l" in in_a_terminal()
    assert "\x1b" not in in_a_terminal(NO_COLOR="1")
    assert in_a_pipe(FORCE_COLOR="1") == "   0.0 s  load is on: 2 answered, 3 sent, 4 not sent\n"
