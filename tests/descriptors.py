"""Which descriptors a process has, for tests that must leave none."""

import os
from contextlib import suppress


def open_files(pid: int | None = None) -> frozenset[tuple[str, str]]:
    """Each open descriptor of a process (this one) with what it is of: a socket that got another's number is another.

    What a test has left open is in here afterwards and was not before, `open_files() <= before` says that nothing is:
    what others opened, as ZeroMQ's own thread, may end meanwhile.
    """
    found, folder = set(), f"/proc/{pid or 'self'}/fd"
    for number in os.listdir(folder):  # noqa: PTH208 - names are enough
        with suppress(FileNotFoundError):  # closed by now, as the listing's own
            found.add((number, os.readlink(f"{folder}/{number}")))  # noqa: PTH115 - may be "socket:[1]", no path
    return frozenset(found)
