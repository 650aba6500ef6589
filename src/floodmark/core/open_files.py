"""This process' open files: the limit, and the kernel's table of them. No file is kept open here."""

import contextlib
import fcntl
import os
import resource
from pathlib import Path


def raise_open_files_limit() -> int:
    """Raises the soft limit to the hard one, for this process and what it starts; returns it.

    Locust raises it to 10,000 only, which does not hold 10,000 sockets and its own files.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def make_room(count: int) -> None:
    """Has the kernel make room for `count` more files now, or for as many as the limit allows.

    Its table of a process' files doubles when the next one does not fit. Where the process has threads the kernel then
    waits until no processor looks at the old table any more (`expand_fdtable` in fs/file.c of Linux): 5 to 50 ms each
    time, seven times on the way to 5,000 sockets. The table stays as large as it once was.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where no file is left, who opens the next one says so.
    with contextlib.suppress(OSError), Path(os.devnull).open("rb") as opened:
        wanted = min(opened.fileno() + count, soft - 1)
        os.close(fcntl.fcntl(opened.fileno(), fcntl.F_DUPFD_CLOEXEC, wanted))
