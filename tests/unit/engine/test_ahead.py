"""A thread ahead of all others for a moment: only where that was meant, and as it was before afterwards."""

import os
import subprocess
import sys

import pytest

from floodmark.engine.ahead import Ahead

THERE_AND_BACK = """
import os
from floodmark.engine.ahead import Ahead
ahead = Ahead()
def now(): return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
print([now(), ahead.begin(), ahead.begin(), now(), ahead.end(), now(), ahead.end(), now()])
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
WITH_THE_RIGHT = (*NOBODY, "--inh-caps=+sys_nice", "--ambient-caps=+sys_nice")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a capability to another user")


def printed(*words: str) -> str:
    command = [*words, sys.executable, "-c", THERE_AND_BACK]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@needs_root
def test_a_worker_that_has_the_right_is_ahead_until_it_has_released() -> None:
    normal, ahead = (os.SCHED_OTHER, 0), (os.SCHED_RR, 1)
    assert printed(*WITH_THE_RIGHT) == str([normal, True, True, ahead, None, normal, None, normal])


@needs_root
def test_a_worker_without_the_right_is_as_all_others() -> None:
    normal = (os.SCHED_OTHER, 0)
    assert printed(*NOBODY) == str([normal, False, False, normal, None, normal, None, normal])


@needs_root
def test_roots_own_worker_is_not_ahead_of_a_server_that_may_share_its_cores() -> None:
    assert not Ahead().begin()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
