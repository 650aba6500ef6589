"""Open files: room for many of them is made before they are opened, and costs none."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, resource
from pathlib import Path
from floodmark.core.open_files import make_room

def room(): return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("FDSize:"))
def files(): return len(os.listdir("/proc/self/fd"))

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
before, opened = room(), files()
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, hard))
make_room({count})
resource.setrlimit(resource.RLIMIT_NOFILE, (5_000, hard))
print(before, room(), files() - opened)
"""
"""In a process of its own: the kernel never makes the table smaller again."""


def after(count: int, limit: int = 5_000) -> tuple[int, int, int]:
    words = [sys.executable, "-c", SCRIPT.format(count=count, limit=limit)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    before, now, left_open = map(int, printed.split())
    return before, now, left_open


@pytest.mark.parametrize(("count", "at_least"), [(3_000, 3_000), (1_000_000, 5_000)], ids=["enough", "up to the limit"])
def test_room_is_made_for_as_many_files_as_the_limit_allows_and_none_is_left_open(count: int, at_least: int) -> None:
    before, now, left_open = after(count)
    assert before < at_least
    assert at_least <= now < 10_000
    assert left_open == 0


def test_where_no_file_can_be_opened_nothing_happens() -> None:
    before, now, left_open = after(3_000, limit=3)
    assert (now, left_open) == (before, 0)
