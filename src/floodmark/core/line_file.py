"""A file of lines that grows while a run goes on. What cannot be written now is kept, and written with the next."""

import os
from pathlib import Path

from floodmark.core.errors import RunFolderError


class LineFile:
    """One writer's end. A disk that is full for a while tears no line and loses none, as long as the process lives."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it. Raises `RunFolderError` where it cannot be had."""
        self._path = path
        self._waiting = bytearray()
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise unwritable(path, error) from None

    def append(self, text: str) -> None:
        """Writes whole lines, after those that wait. Raises `RunFolderError` where they wait now."""
        self._waiting += text.encode()
        self.flush()

    def flush(self) -> None:
        """Writes what waits. Of a line that was begun the rest comes next: a reader leaves it out until then."""
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except OSError as error:
            raise unwritable(self._path, error) from None

    def close(self) -> None:
        """Writes what waits, and closes in any case. Raises `RunFolderError` where that is lost now."""
        try:
            self.flush()
        finally:
            os.close(self._descriptor)


def unwritable(path: Path, error: OSError) -> RunFolderError:
    """The error's words: the file, the reason, the remedy."""
    return RunFolderError(f"{path}: cannot be written: {error.strerror or error}; make room, or give another --out")
