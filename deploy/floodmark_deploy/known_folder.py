"""A folder that is told from any other of its path, and its removal. Makes none.

Standard library only, and nothing of floodmark: the keeper runs it without site-packages.
"""

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

_AS_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFolder:
    """`path` is absolute. `inode` is that of `inode_at` when it was made; empty: whether it was made is not known."""

    path: str
    inode: str = ""

    @classmethod
    def parse(cls, words: str) -> "KnownFolder":
        """As `str` gives it."""
        path, _, inode = words.partition(" ")
        return cls(path=os.fsdecode(bytes.fromhex(path)), inode=inode)

    def __str__(self) -> str:
        """In hexadecimal digits: a path may have any byte, that of a line's end too."""
        return f"{os.fsencode(self.path).hex()} {self.inode}".rstrip()

    def remove(self) -> None:
        """Removes it with all that is in it; one that may not have been made, only where it is empty.

        Harmless where it is gone. No link is followed, neither in its place nor in it, and another folder in its place
        is left alone. Raises `OSError` where something is left; the rest is gone then.
        """
        with contextlib.suppress(FileNotFoundError):
            if self.inode:
                self._empty()
            Path(self.path).rmdir()

    def _empty(self) -> None:
        """By its descriptor: whatever takes its place meanwhile is not touched."""
        descriptor = os.open(self.path, _AS_FOLDER)
        try:
            now = os.fstat(descriptor)
            if _inode(now) != self.inode or now.st_uid != os.geteuid():
                raise FileExistsError(f"{self.path}: another folder has taken its place")
            for name in os.listdir(descriptor):  # noqa: PTH208 - a path knows no descriptors
                _remove(name, descriptor)
        finally:
            os.close(descriptor)


def inode_at(path: str) -> str:
    """What no other folder has while this one is there."""
    return _inode(os.lstat(path))


def _inode(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


def _remove(name: str, parent: int) -> None:
    with contextlib.suppress(FileNotFoundError):  # its owner was quicker
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=parent, ignore_errors=True)  # what stays in it keeps the folder, and that raises
        else:
            os.unlink(name, dir_fd=parent)
