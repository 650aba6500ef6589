"""Reading files of /proc that may be gone, or not ours to read, at any moment. No parsing, nothing remembered."""

import itertools
import os

ROOT = "/proc"

# Nothing that is read again and again is longer: /proc/<pid>/net/netstat has four thousand bytes.
_KEPT_BYTES = 1 << 16
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class KeptFile:
    """A file of /proc that is read on every beat: the kernel writes it anew for each read from its begin.

    Opened once, by path; it stays the file of that one process, whoever has the process' id later.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def read(self) -> bytes | None:
        """The content; None as with `read_bytes`, and then the next read opens it again."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._descriptor, _KEPT_BYTES, 0)
        except _GONE:
            self.close()
            return None

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_bytes(path: str) -> bytes | None:
    """The file's content; None where it is gone or may not be read.

    A process that ends between open and read answers ESRCH (proc(5)).
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  Path costs more than the read, and this is per beat
            return file.readall()
    except _GONE:
        return None


def read_begin(path: str, most: int) -> bytes | None:
    """The first `most` bytes of a file; None as with `read_bytes`."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  as above
            return file.read(most)
    except _GONE:
        return None


def read_text(path: str) -> str | None:
    """The same as text; a process may put any bytes in its name."""
    content = read_bytes(path)
    return None if content is None else content.decode("utf-8", "backslashreplace")


def list_numbers(path: str) -> list[int] | None:
    """The names in a folder that are numbers: process ids, thread ids, descriptors. None as with `read_bytes`."""
    try:
        return [int(name) for name in os.listdir(path) if name.isdecimal()]  # noqa: PTH208  as above
    except _GONE:
        return None


def list_names(path: str, most: int | None = None) -> list[str] | None:
    """The first `most` names in a folder as the kernel has them: descriptors from the lowest up. None as above."""
    try:
        with os.scandir(path) as found:
            return [entry.name for entry in itertools.islice(found, most)]
    except _GONE:
        return None


def read_link(path: str) -> str | None:
    """Where a link of /proc points; None as with `read_bytes`."""
    try:
        return os.readlink(path)  # noqa: PTH115  as above
    except _GONE:
        return None


class ProcessIds:
    """Tells whether a process or thread has been started: by the last id given away, at the end of loadavg.

    Ids are given away in a circle of thousands at least (pid_max), so that the same one again means none in between.
    """

    def __init__(self, proc: str = ROOT) -> None:
        self._file = KeptFile(f"{proc}/loadavg")
        self._newest: bytes | None = None

    def some_started(self) -> bool:
        """True where one may have been started since the call before."""
        content = self._file.read()
        newest = None if content is None else content.rpartition(b" ")[2]
        before, self._newest = self._newest, newest
        return newest is None or newest != before

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()
