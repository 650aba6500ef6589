"""Follows a log that another process appends to. It never blocks and never reads a line twice."""

from pathlib import Path


class TextTail:
    """The new whole lines of one file, each time it is asked; a file that is not there has none."""

    def __init__(self, path: Path) -> None:
        """Begins at the file's start."""
        self._path = path
        self._offset = 0

    def new_lines(self) -> list[str]:
        """What was appended since the last call; a line still being written is left for the next call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        return data[:whole].decode(errors="replace").splitlines()
