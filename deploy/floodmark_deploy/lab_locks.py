"""Who may be at a lab: one command for each name, and one at what all labs of a folder share. A kill frees both."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from floodmark.core.errors import LabError

LOCK_TIMEOUT_S = 300.0
"""Longer than another `up` takes, but for one that makes the tree over a slow line: nobody waits for that unasked."""

LOCK_PAUSE_S = 0.2


@contextmanager
def folder_lock(folder: Path, clock: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[None]:
    """The folder is its own lock: no file is left. Raises `LabError` where another command has it for minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _wait(lambda: _locked(descriptor), f"in {folder}", clock, sleep)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def name_lock(folder: Path, name: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[None]:
    """A file beside the labs, gone when the lock is given back; after a kill the next command takes it over.

    Raises `LabError` likewise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.lock"
    with _Descriptor() as held:
        _wait(lambda: held.open(path), f"with the lab {name!r}", clock, sleep)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # before it is free: who waits for this one finds that it is no longer there


class _Descriptor:
    """An open and locked file, or none."""

    def __init__(self) -> None:
        self._number: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._number is not None:
            os.close(self._number)

    def open(self, path: Path) -> bool:
        """False where another has it, or had it a moment ago and has taken the file away."""
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _locked(number) and _is(path, number):
            self._number = number
            return True
        os.close(number)
        return False


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _wait(true: Callable[[], bool], where: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    deadline_s = clock() + LOCK_TIMEOUT_S
    while not true():
        if clock() > deadline_s:
            raise LabError(f"another floodmark lab command has been at work {where} for minutes: try again after it")
        sleep(LOCK_PAUSE_S)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
