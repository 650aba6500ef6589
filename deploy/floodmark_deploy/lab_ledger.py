"""What a lab has made, in a file: each line written, and on the disk, before its thing is made.

So whoever comes after a kill finds every thing that may be there, and none that was never meant.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.errors import LabError
from floodmark_deploy.lab_things import Kind, Thing

FILE_NAME = "made.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The file in a lab's own folder."""

    path: Path

    def note(self, thing: Thing) -> None:
        """Returns when the line is on the disk."""
        line = json.dumps({"kind": thing.kind.value, "name": thing.name}) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def things(self) -> tuple[Thing, ...]:
        """In the order in which they were made. A last line without its end was cut by a kill: nothing came of it."""
        if not self.path.exists():
            return ()
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        return tuple(self._thing(number, line) for number, line in enumerate(lines, start=1))

    def _thing(self, number: int, line: str) -> Thing:
        try:
            plain = json.loads(line)
            return Thing(kind=Kind(plain["kind"]), name=str(plain["name"]))
        except (ValueError, KeyError, TypeError):
            raise LabError(f"{self.path}, line {number}: {line!r} names no thing of a lab; remove the line") from None
