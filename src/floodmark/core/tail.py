"""Follows a file of lines that another process appends to. It never blocks and never reads a line twice."""

import json
from pathlib import Path
from typing import Any


class LineTail:
    """The new whole lines of one JSON-lines file, each time it is asked; a file that is not there yet has none."""

    def __init__(self, path: Path) -> None:
        """Begins at the file's start."""
        self._path = path
        self._offset = 0

    def new_lines(self) -> list[Any]:
        """What was appended since the last call, parsed; a line still being written is left for the next call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        return [json.loads(line) for line in data[:whole].splitlines()]
