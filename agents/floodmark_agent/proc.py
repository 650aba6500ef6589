"""Reading files of /proc that may be gone, or not ours to read, at any moment. No parsing, no caching."""

import os

ROOT = "/proc"


def read_bytes(path: str) -> bytes | None:
    """The file's content; None where it is gone or may not be read.

    A process that ends between open and read answers ESRCH (proc(5)).
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  Path costs more than the read, and this is per beat
            return file.readall()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def read_text(path: str) -> str | None:
    """The same as text; a process may put any bytes in its name."""
    content = read_bytes(path)
    return None if content is None else content.decode("utf-8", "backslashreplace")


def list_numbers(path: str) -> list[int] | None:
    """The names in a folder that are numbers: process ids, thread ids, descriptors. None as with `read_bytes`."""
    try:
        return [int(name) for name in os.listdir(path) if name.isdecimal()]  # noqa: PTH208  as above
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def read_link(path: str) -> str | None:
    """Where a link of /proc points; None as with `read_bytes`."""
    try:
        return os.readlink(path)  # noqa: PTH115  as above
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
