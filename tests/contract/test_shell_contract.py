"""What every `Shell` promises, asked of the local one and of the fake one alike."""

import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.fake import FakeProgram, FakeShell
from floodmark_deploy.local import LocalShell
from floodmark_deploy.shell import Command, Job, Shell

RUN_A, RUN_B = (f"run-{name}-{secrets.token_hex(4)}" for name in "ab")
"""Unique: two test runs on one machine must not end each other's processes."""

RUNS = "runs"
PRINTS = "prints-and-ends-with-3"
STOP_TIMEOUT_S = 5.0
DEADLINE_S = 20.0

_SCRIPTS = {
    RUNS: "import time; time.sleep(60)",
    PRINTS: "print('one'); print('two'); print('three'); raise SystemExit(3)",
}


def _local_argv(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", _SCRIPTS[program]) if program in _SCRIPTS else (program,)


def _fake_argv(program: str) -> tuple[str, ...]:
    return (program,)


def _fake_shell() -> FakeShell:
    prints = FakeProgram(prints=("one", "two", "three"), exit_code=3)
    return FakeShell({RUNS: FakeProgram(), PRINTS: prints})


class Host:
    """A shell and the words that start the two programs on it."""

    def __init__(self, shell: Shell, argv: Callable[[str], tuple[str, ...]], folder: Path) -> None:
        self.shell = shell
        self._argv = argv
        self._folder = folder

    def start(self, program: str, marker: str = RUN_A) -> Job:
        return self.shell.start(Command(argv=self._argv(program), log=self._folder / f"{program}.log", marker=marker))


@pytest.fixture(params=["local", "fake"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    if request.param == "fake":
        yield Host(_fake_shell(), _fake_argv, tmp_path)
        return
    with LocalShell() as shell:
        yield Host(shell, _local_argv, tmp_path)


def _ended(job: Job) -> int:
    deadline_s = time.monotonic() + DEADLINE_S
    while (code := job.poll()) is None:
        assert time.monotonic() < deadline_s, "the program did not end"
    return code


def test_a_running_program_has_no_exit_code_and_is_a_leftover_of_its_run(host: Host) -> None:
    job = host.start(RUNS)
    assert job.poll() is None
    assert [note.pid for note in host.shell.leftovers(RUN_A)] == [job.pid]


def test_a_stopped_program_has_an_exit_code_and_is_no_leftover(host: Host) -> None:
    job = host.start(RUNS)
    job.stop(STOP_TIMEOUT_S)
    assert job.poll() == -15
    assert host.shell.leftovers(RUN_A) == ()


def test_stopping_twice_is_harmless(host: Host) -> None:
    job = host.start(RUNS)
    job.stop(STOP_TIMEOUT_S)
    job.stop(STOP_TIMEOUT_S)
    assert job.poll() == -15


def test_a_program_that_ended_keeps_its_exit_code_through_stop(host: Host) -> None:
    job = host.start(PRINTS)
    assert _ended(job) == 3
    job.stop(STOP_TIMEOUT_S)
    assert job.poll() == 3


def test_the_tail_is_the_last_lines_and_no_more_than_there_are(host: Host) -> None:
    job = host.start(PRINTS)
    _ended(job)
    assert job.tail(2) == ("two", "three")
    assert job.tail(9) == ("one", "two", "three")
    assert job.tail(0) == ()


def test_a_sweep_ends_its_own_run_and_no_other(host: Host) -> None:
    first, second, other = host.start(RUNS, RUN_A), host.start(RUNS, RUN_A), host.start(RUNS, RUN_B)
    host.shell.sweep(RUN_A, STOP_TIMEOUT_S)
    assert host.shell.leftovers(RUN_A) == ()
    assert (first.poll(), second.poll(), other.poll()) == (-15, -15, None)
    assert [note.pid for note in host.shell.leftovers(RUN_B)] == [other.pid]


def test_a_private_folder_is_ours_alone_and_gone_at_the_end_with_what_is_in_it(host: Host, tmp_path: Path) -> None:
    for asked in (None, tmp_path / "here"):
        with host.shell.private_folder(asked) as folder:
            assert folder == (asked or folder)
            assert folder.stat().st_mode & 0o777 == 0o700
            assert list(folder.iterdir()) == []
            (folder / "deep").mkdir()
            (folder / "deep" / "file").touch()
        assert not folder.exists()


def test_two_private_folders_are_not_the_same(host: Host) -> None:
    with host.shell.private_folder() as one, host.shell.private_folder() as other:
        assert one != other


def test_a_private_folder_is_gone_after_an_error_too(host: Host) -> None:
    with pytest.raises(KeyboardInterrupt), host.shell.private_folder() as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def test_a_folder_that_is_there_already_is_an_error_that_names_it_and_stays(host: Host, tmp_path: Path) -> None:
    words = rf"{re.escape(str(tmp_path))}: .* File exists"
    with pytest.raises(FloodmarkError, match=words), host.shell.private_folder(tmp_path):
        pass
    assert tmp_path.exists()


def test_a_private_folder_that_somebody_else_has_removed_is_no_error(host: Host) -> None:
    with host.shell.private_folder() as folder:
        folder.rmdir()


def test_a_program_that_is_not_there_is_an_error_that_names_it(host: Host) -> None:
    with pytest.raises(FloodmarkError, match="'no-such-program' cannot be started"):
        host.start("no-such-program")


def test_a_leftover_is_named_by_id_and_command_line(host: Host) -> None:
    job = host.start(RUNS)
    (note,) = host.shell.leftovers(RUN_A)
    assert str(note).startswith(f"{job.pid} (")
