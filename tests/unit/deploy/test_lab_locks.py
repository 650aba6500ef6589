"""Who may be at a lab: no root, no lab."""

import itertools
import signal
import subprocess
import sys
import threading
import time

import pytest

from floodmark.core.errors import LabError
from floodmark_deploy.lab_locks import LOCK_TIMEOUT_S, folder_lock, name_lock

HOLD = """
import sys, time
from pathlib import Path
from floodmark_deploy.lab_locks import name_lock

with name_lock(Path(sys.argv[1]), "one", time.monotonic, time.sleep):
    print("held", flush=True)
    time.sleep(60)
"""


def never(_):
    raise AssertionError("it waited")


def test_a_lab_is_not_kept_from_work_by_another_nor_by_what_all_share(tmp_path):
    with (
        name_lock(tmp_path, "one", time.monotonic, never),
        name_lock(tmp_path, "two", time.monotonic, never),
        folder_lock(tmp_path, time.monotonic, never),
    ):
        assert {path.name for path in tmp_path.iterdir()} == {"one.lock", "two.lock"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (lambda folder, *time_: name_lock(folder, "one", *time_), "with the lab 'one' for minutes"),
        (folder_lock, "for minutes"),
    ],
    ids=["name", "folder"],
)
def test_a_second_command_waits_and_says_for_whom_when_it_gives_up(tmp_path, lock, words):
    clock = itertools.count(0, LOCK_TIMEOUT_S / 2)
    with (
        lock(tmp_path, time.monotonic, never),
        pytest.raises(LabError, match=f"another floodmark lab command has been at work .*{words}"),
        lock(tmp_path, lambda: next(clock), lambda _: None),
    ):
        pass


def test_who_has_waited_for_a_file_that_is_gone_holds_the_new_one(tmp_path):
    first = name_lock(tmp_path, "one", time.monotonic, never)
    first.__enter__()
    with name_lock(tmp_path, "one", time.monotonic, lambda _: first.__exit__(None, None, None)):
        clock = itertools.count(0, LOCK_TIMEOUT_S)
        with pytest.raises(LabError), name_lock(tmp_path, "one", lambda: next(clock), lambda _: None):
            pass
    assert list(tmp_path.iterdir()) == []


def test_of_many_at_once_one_at_a_time_is_in(tmp_path):
    """One may open the file right before its holder takes it away, and then lock what nobody else will find."""
    inside, most = [], []

    def often():
        for _ in range(40):
            with name_lock(tmp_path, "one", time.monotonic, lambda _: time.sleep(0.0005)):
                inside.append(1)
                time.sleep(0)  # others may go on
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=often) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 480
    assert max(most) == 1


def test_a_kill_frees_the_lock_and_the_next_command_leaves_no_file(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGKILL)
    assert [path.name for path in tmp_path.iterdir()] == ["one.lock"]
    with name_lock(tmp_path, "one", time.monotonic, never):
        pass
    assert list(tmp_path.iterdir()) == []
