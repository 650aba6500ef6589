"""The suite's folder: ``suite.json``, and a run folder for each row below it. It keeps; it measures nothing."""

import contextlib
import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from floodmark.core.codec import to_plain
from floodmark.core.errors import FolderInUseError, RunFolderError
from floodmark.core.kept_json import read_kept
from floodmark.core.run_folder import RUNS_FOLDER
from floodmark.core.suite import SUITE_FORMAT, SuiteRecord

SUITE = "suite.json"
LOCK = "suite.lock"
"""Locked by the one process that may write (flock(2)), whose id it has; a lock goes with its process."""


def new_suite_path() -> Path:
    """A name under ``runs/`` that begins with the time, as those of single runs do."""
    stamp = dt.datetime.now(tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path(RUNS_FOLDER) / f"{stamp}-suite-{os.getpid()}"


class SuiteFolder:
    """One suite's folder. One writer, by `held`; readable at any moment."""

    def __init__(self, path: Path) -> None:
        """Names the folder; `create` or `read` comes next."""
        self.path = path

    @property
    def is_there(self) -> bool:
        """The folder holds a suite."""
        return (self.path / SUITE).is_file()

    def create(self) -> None:
        """Makes the folder. Raises `RunFolderError` where it has anything in it, or cannot be made."""
        if self.path.is_dir() and any(self.path.iterdir()):
            raise RunFolderError(f"{self.path}: is not empty; give --out a new folder, or go on with --resume")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be made: {error.strerror}") from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps all other processes from writing into the folder, which must be there.

        Raises `FolderInUseError` where one does, `RunFolderError` where the folder cannot be written to.
        """
        file = self.path / LOCK
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunFolderError(f"{file}: cannot be written: {error.strerror}") from None
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = os.pread(descriptor, 20, 0).decode("ascii", errors="replace").strip()
            who = f"process {process}" if process else "another process"
            raise FolderInUseError(f"{self.path}: {who} is at work in it; wait for its end, or end it") from None
        except OSError as error:
            raise RunFolderError(f"{self.path / LOCK}: cannot be locked: {error.strerror}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def write(self, record: SuiteRecord) -> None:
        """Replaces ``suite.json``, whole or not at all. Raises `RunFolderError` where it cannot be written."""
        beside = self.path / f".{SUITE}.{os.getpid()}"
        try:
            beside.write_text(json.dumps(to_plain(record), indent=2) + "\n", encoding="utf-8")
            beside.replace(self.path / SUITE)
        except OSError as error:
            raise RunFolderError(f"{self.path / SUITE}: cannot be written: {error.strerror}") from None

    def text(self) -> str:
        """``suite.json`` as it is."""
        return (self.path / SUITE).read_text(encoding="utf-8")

    def read(self) -> SuiteRecord:
        """What was kept. Raises `RunFolderError` where there is no suite, or one of another format."""
        return read_kept(
            self.path / SUITE, SuiteRecord, kind="a suite", folder="a suite's folder", version=SUITE_FORMAT
        )

    def free_name(self, key: str) -> str:
        """A folder name for a row's run: its key, with a number where an earlier try left one."""
        name, number = key, 1
        while (self.path / name).exists():
            number += 1
            name = f"{key}-{number}"
        return name
