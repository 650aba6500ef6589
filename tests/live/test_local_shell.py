"""`LocalShell` against processes that do not want to end, hide, or are left by a Floodmark that was killed.

So with the folders that it leaves.
"""

import contextlib
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.keeper import Keeper
from floodmark_deploy.known_folder import KnownFolder, inode_at
from floodmark_deploy.local import LocalJob, LocalShell
from floodmark_deploy.processes import Wanted, read_process, wait_gone
from floodmark_deploy.shell import JOB_VARIABLE, RUN_VARIABLE, Command

pytestmark = pytest.mark.live

MARKER = f"live-shell-{secrets.token_hex(4)}"
"""Unique: two test runs on one machine must not end each other's processes."""
DEADLINE_S = 20.0

SLEEPS = "import time; time.sleep(60)"

IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""

ENDS_WELL = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("here", flush=True)
time.sleep(60)
"""

FORKS = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], {options})
print(child.pid, flush=True)
child.returncode = 0
{then}
"""

SEMAPHORE = """
import multiprocessing, signal, time
signal.signal(signal.SIGTERM, lambda *_: None)
semaphore = multiprocessing.get_context("spawn").Semaphore()
print(semaphore._semlock.name, flush=True)
time.sleep(60)
"""

KEEPER_USER = """
import sys, time
from pathlib import Path
from floodmark_deploy.local import LocalShell
from floodmark_deploy.shell import Command

shell = LocalShell()
script, marker, log = sys.argv[1:]
job = shell.start(Command(argv=(sys.executable, "-c", script), log=Path(log), marker=marker))
print(job.pid, shell.keeper.pid, flush=True)
time.sleep(60)
"""

FOLDER_USER = """
import os, signal, sys
from contextlib import ExitStack
from pathlib import Path
from floodmark_deploy.keeper import Keeper
from floodmark_deploy.local import LocalShell

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_if_made(keeper, order, tell=Keeper.tell):
    tell(keeper, order) if not Path(sys.argv[1]).exists() else kill()

if sys.argv[3] == "made":
    Keeper.tell = kill_if_made
with ExitStack() as stack:
    shell = LocalShell()
    here, keys = (stack.enter_context(shell.private_folder(path)) for path in (Path(sys.argv[1]), None))
    for folder in (here, keys):
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        (folder / "link").symlink_to(sys.argv[2])
    if sys.argv[3] == "moved":
        here.rename(sys.argv[2] + "/moved")
        here.mkdir()
        (here / "file").touch()
    kill()
"""


@pytest.fixture
def shell() -> Iterator[LocalShell]:
    with LocalShell() as shell:
        yield shell


Start = Callable[..., LocalJob]


@pytest.fixture
def start(shell: LocalShell, tmp_path: Path) -> Start:
    def start(
        script: str, nofile: int | None = None, nproc: int | None = None, env: dict[str, str] | None = None
    ) -> LocalJob:
        log, cwd = tmp_path / "program.log", str(tmp_path)
        argv = (sys.executable, "-c", script)
        return shell.start(
            Command(argv=argv, log=log, marker=MARKER, nofile=nofile, nproc=nproc, env=env or {}, cwd=cwd)
        )

    return start


def _until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"


def _first_line(job: LocalJob) -> str:
    _until(lambda: job.tail(1))
    return job.tail(1)[0]


def _said(job: LocalJob) -> str:
    _until(lambda: job.poll() is not None)
    return "\n".join(job.tail(100))


def test_a_program_that_ignores_sigterm_is_killed(start: Start) -> None:
    job = start(IGNORES_TERM)
    _until(lambda: job.tail(1) == ("deaf",))
    job.stop(timeout_s=0.1)
    assert job.poll() == -signal.SIGKILL


def test_a_program_may_use_its_time_to_end_well(start: Start) -> None:
    script = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('here', flush=True)\ntime.sleep(60)"
    )
    job = start(script)
    _until(lambda: job.tail(1) == ("here",))
    job.stop(timeout_s=DEADLINE_S)
    assert job.poll() == 7


@pytest.mark.parametrize(
    "options",
    [
        pytest.param("", id="in-the-same-session"),
        pytest.param("env={}", id="without-the-mark-in-its-environment"),
        pytest.param("start_new_session=True", id="in-a-session-of-its-own"),
    ],
)
@pytest.mark.parametrize("then", ["import time; time.sleep(60)", "os._exit(0)"], ids=["parent-lives", "parent-ended"])
def test_a_grandchild_is_found_and_ended(shell: LocalShell, start: Start, options: str, then: str) -> None:
    job = start(FORKS.format(options=options, then=then))
    child = int(_first_line(job))
    if "_exit" in then:
        _until(lambda: job.poll() is not None)
    _until(lambda: child in {note.pid for note in shell.leftovers(MARKER)})
    job.stop(DEADLINE_S)
    assert read_process(child) is None
    assert shell.leftovers(MARKER) == ()


def test_stopping_one_job_leaves_the_others_of_its_run_alone(shell: LocalShell, start: Start) -> None:
    one, other = start(SLEEPS), start(SLEEPS)
    one.stop(DEADLINE_S)
    assert [note.pid for note in shell.leftovers(MARKER)] == [other.pid]


def test_no_zombie_is_left_after_stop_nor_after_a_sweep(shell: LocalShell, start: Start) -> None:
    stopped, swept, ended = start(SLEEPS), start(SLEEPS), start("pass")
    _until(lambda: ended.poll() is not None)
    stopped.stop(DEADLINE_S)
    shell.sweep(MARKER, DEADLINE_S)
    assert [Path(f"/proc/{job.pid}").exists() for job in (stopped, swept, ended)] == [False, False, False]


def test_a_closed_shell_leaves_no_program_and_no_keeper(tmp_path: Path) -> None:
    with LocalShell() as shell:
        command = Command(argv=(sys.executable, "-c", SLEEPS), log=tmp_path / "log", marker=MARKER)
        pids = (shell.start(command).pid, shell.keeper.pid)
    assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False, False]
    shell.close()


def test_the_limit_on_open_files_is_set_before_the_program_begins(start: Start) -> None:
    job = start("import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))", nofile=64)
    assert _said(job) == "64 64"


THREADS = """
import threading, time
count = 0
try:
    while count < 5_000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        count += 1
except RuntimeError as error:
    print(count, error, flush=True)
time.sleep(60)
"""


def test_the_limit_on_threads_binds_the_program_whoever_we_are_and_it_can_be_stopped(
    shell: LocalShell, start: Start
) -> None:
    job = start(THREADS, nproc=40)
    count, _, error = _first_line(job).partition(" ")
    # Another user than root has other processes too: these may have ended meanwhile, or new ones begun.
    assert int(count) == 39 if os.geteuid() == 0 else int(count) < 5_000
    assert error == "can't start new thread"
    job.stop(DEADLINE_S)
    assert shell.leftovers(MARKER) == ()


def test_without_a_limit_the_program_has_ours(start: Start) -> None:
    job = start("import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))")
    assert _said(job) == str(resource.getrlimit(resource.RLIMIT_NOFILE))


def test_a_limit_that_cannot_be_set_ends_the_program_and_the_log_says_why(start: Start) -> None:
    job = start("print('began')", nofile=2**40)
    assert "limit" in _said(job)
    assert job.poll() != 0


@contextlib.contextmanager
def _standard_input(data: bytes) -> Iterator[None]:
    """This process' own standard input has `data`: pytest's own is empty, and would prove nothing."""
    before = os.dup(0)
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    os.dup2(read, 0)
    os.close(read)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_the_program_reads_nothing_and_both_its_outputs_are_logged(start: Start) -> None:
    with _standard_input(b"not for the program"):
        job = start("import sys; print(repr(sys.stdin.read()), flush=True); print('oops', file=sys.stderr)")
    assert _said(job) == "''\noops"


def test_the_program_has_the_marks_its_own_variables_and_ours(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_HOST", "1")
    script = (
        f"import os; print(*(os.environ[name] for name in ('OWN', 'OF_THE_HOST', '{RUN_VARIABLE}', '{JOB_VARIABLE}')))"
    )
    own, host, run, job_mark = _said(start(script, env={"OWN": "2"})).split()
    assert (own, host, run) == ("2", "1", MARKER)
    assert job_mark.startswith(f"{MARKER}.")


def test_a_signal_that_ended_the_program_is_its_negative_exit_code(start: Start) -> None:
    job = start("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)")
    _until(lambda: job.poll() is not None)
    assert job.poll() == -signal.SIGUSR1


def test_a_working_directory_that_is_not_there_is_named(shell: LocalShell, tmp_path: Path) -> None:
    command = Command(argv=(sys.executable,), log=tmp_path / "log", marker=MARKER, cwd=str(tmp_path / "nowhere"))
    with pytest.raises(FloodmarkError, match=r"cannot be started in .*nowhere"):
        shell.start(command)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(IGNORES_TERM, id="deaf-to-sigterm"),
        pytest.param(FORKS.format(options="env={}", then="os._exit(0)"), id="grandchild-without-mark"),
        pytest.param(
            FORKS.format(options="start_new_session=True", then="os._exit(0)"), id="grandchild-in-own-session"
        ),
    ],
)
def test_when_floodmark_is_killed_the_keeper_ends_all_and_itself(script: str, tmp_path: Path) -> None:
    marker = f"{MARKER}-{tmp_path.name}"
    argv = [sys.executable, "-c", KEEPER_USER, script, marker, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        pid, keeper = map(int, user.stdout.readline().split())
        wanted = Wanted(sessions=frozenset({pid, keeper}), marks=frozenset({f"{RUN_VARIABLE}={marker}"}))
        _until((tmp_path / "log").read_text)
        _until(lambda: len(wanted.find()) == 2)  # it says its last word before it ends
        user.kill()
    assert wait_gone(wanted, timeout_s=DEADLINE_S, clock=time.monotonic, sleep=time.sleep) == ()


def _semaphore(marker: str, log: Path) -> Path:
    """Its file (sem_overview(7)), when the helper is there that removes it: before, nobody would."""
    wanted = Wanted(marks=frozenset({f"{RUN_VARIABLE}={marker}"}))
    _until(lambda: any(_ignores(note.pid, signal.SIGTERM) for note in wanted.find()))
    _until(lambda: log.read_text().endswith("\n"))
    semaphore = Path("/dev", "shm", f"sem.{log.read_text().strip()[1:]}")
    assert semaphore.exists()
    return semaphore


def test_a_program_that_is_killed_leaves_no_semaphore_that_a_helper_of_it_would_remove(start: Start) -> None:
    job = start(SEMAPHORE)
    semaphore = _semaphore(MARKER, job.command.log)
    job.stop(timeout_s=0)
    assert job.poll() == -signal.SIGKILL
    assert not semaphore.exists()


def test_when_floodmark_is_killed_no_semaphore_is_left_either(tmp_path: Path) -> None:
    marker, log = f"{MARKER}-{tmp_path.name}", tmp_path / "log"
    argv = [sys.executable, "-c", KEEPER_USER, SEMAPHORE, marker, str(log)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as user:
        semaphore = _semaphore(marker, log)
        user.kill()
    _until(lambda: not semaphore.exists())


@pytest.mark.parametrize("when", ["made", "in use", "moved"])
def test_when_floodmark_is_killed_its_folders_go_and_no_others(when: str, tmp_path: Path) -> None:
    outside, temporary, here = tmp_path / "outside", tmp_path / "temporary", tmp_path / "with a line's\nend "
    for folder in (outside, temporary):
        folder.mkdir()
    (outside / "file").touch()
    subprocess.run(
        [sys.executable, "-c", FOLDER_USER, str(here), str(outside), when],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if when == "moved":  # another folder is in its place, and it is not where the keeper knows it
        _until(lambda: not list(temporary.iterdir()))
        assert (here / "file").exists()
        assert (outside / "moved" / "deep" / "file").exists()
    else:
        _until(lambda: not here.exists() and not list(temporary.iterdir()))
    assert (outside / "file").exists()


def test_a_keeper_that_is_sent_away_removes_what_floodmark_had_no_time_for(tmp_path: Path) -> None:
    known, removed, empty = (tmp_path / name for name in ("known", "removed", "empty"))
    with Keeper() as keeper:
        for folder in (known, removed):
            folder.mkdir()
            (folder / "file").touch()
            keeper.tell(f"folder {KnownFolder(path=str(folder), inode=inode_at(str(folder)))}")
        keeper.tell(f"folder {KnownFolder(path=str(empty))}")
        keeper.tell(f"removed {KnownFolder(path=str(removed))}")
    assert [folder.exists() for folder in (known, removed, empty)] == [False, True, False]


def test_the_keeper_is_not_moved_by_the_signals_that_end_floodmark(shell: LocalShell, start: Start) -> None:
    job = start(SLEEPS)
    _until(lambda: _ignores(shell.keeper.pid, signal.SIGHUP))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(shell.keeper.pid, number)
    assert read_process(shell.keeper.pid) is not None
    assert os.getsid(shell.keeper.pid) == shell.keeper.pid != os.getsid(0)
    assert job.poll() is None


def _ignores(pid: int, number: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    return bool(ignored >> (number - 1) & 1)
