"""Which descriptors this process has, for tests that must leave none."""

import os
from contextlib import suppress


def open_files() -> frozenset[tuple[str, str]]:
    """Each open descriptor with what it is of: a socket that got an earlier one's number is another.

    What a test has left open is in here afterwards and was not before, `open_files() <= before` says that nothing is:
    what others opened, as ZeroMQ's own thread, may end meanwhile.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are enough
        with suppress(FileNotFoundError):  # the listing's own, which is closed by now
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))  # noqa: PTH115 - may be "socket:[1]", no path
    return frozenset(found)
