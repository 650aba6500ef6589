"""The words that set a command's limits; tests/live/test_local_shell.py sees that they hold."""

import os
from pathlib import Path

import pytest

from floodmark_deploy.confine import SPARE_UIDS, confined, spare_uid, tasks_of
from floodmark_deploy.shell import Command

PLAIN = Command(argv=("server", "--port", "1"), log=Path("target.log"), marker="unit")


def _limited(**limits: int) -> tuple[str, ...]:
    return confined(Command(argv=PLAIN.argv, log=PLAIN.log, marker=PLAIN.marker, **limits))


def test_without_limits_a_command_is_its_own_words() -> None:
    assert confined(PLAIN) == PLAIN.argv


def test_each_limit_stands_before_the_command() -> None:
    assert _limited(nofile=64)[-4:] == ("64", *PLAIN.argv)
    assert _limited(nproc=10)[-3:] == PLAIN.argv
    both = _limited(nofile=64, nproc=10)
    assert both.index("64") < both.index("prlimit") < both.index("server")


def test_root_gives_the_command_a_user_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    words = _limited(nproc=10)
    uid = words[words.index("--reuid") + 1]
    assert int(uid) in SPARE_UIDS
    assert words[words.index("--regid") + 1] == uid
    assert "--nproc=10:10" in words


def test_another_user_is_allowed_for_what_it_runs_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1_000)
    (word,) = [word for word in _limited(nproc=10) if word.startswith("--nproc=")]
    assert int(word.removeprefix("--nproc=")) > 10
    assert "setpriv" not in _limited(nproc=10)


def test_the_tasks_of_a_user_are_counted_and_a_spare_one_has_none() -> None:
    assert tasks_of(os.getuid()) >= 1
    assert tasks_of(spare_uid()) == 0
