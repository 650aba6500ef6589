"""A file that an option names: proven before anything is measured, written when that is over. It knows no format."""

import os
from pathlib import Path

from floodmark.core.errors import UsageError


def prove_file(flag: str, path: Path | str) -> None:
    """What cannot be written at the end is lost. Raises `UsageError` that names the option."""
    file = Path(path)
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise UsageError(f"{flag} {path}: {file.parent} is no folder that can be written to")
    if file.is_dir() or (file.exists() and not os.access(file, os.W_OK)):
        raise UsageError(f"{flag} {path}: is no file that can be written to")


def write_file(flag: str, path: Path, content: str | bytes) -> None:
    """Writes it; text is UTF-8. Raises `UsageError` likewise."""
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(f"{flag} {path}: cannot be written: {error.strerror}") from None
