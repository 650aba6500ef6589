"""A record that a folder keeps as one JSON file: read back, of this version's format or refused."""

import json
from pathlib import Path
from typing import TypeVar

from floodmark.core.codec import from_plain
from floodmark.core.errors import RunFolderError, WireError

R = TypeVar("R")


def read_kept(file: Path, record: type[R], *, kind: str, folder: str, version: int) -> R:
    """The record in a file; `kind` and `folder` are what an error calls it and the folder that has one.

    Raises `RunFolderError` where there is none, it cannot be read, or its `format` is not `version`.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFolderError(f"{file.parent}: not {folder}, it has no {file.name}") from None
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{file}: cannot be read: {error}") from None
    if not isinstance(data, dict) or data.get("format") != version:
        raise RunFolderError(f"{file}: {kind} of another format; this version reads format {version}")
    try:
        return from_plain(record, data, str(file))
    except WireError as error:
        raise RunFolderError(str(error)) from None
