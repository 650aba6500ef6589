"""A folder for as long as a ``with`` lasts, which nobody else may read."""

import logging
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.known_folder import KnownFolder, inode_at

_LOG = logging.getLogger(__name__)


def _nobody(_: str) -> None:
    pass


class PrivateFolder:
    """Makes the folder, of mode 0700, and removes it at the end with all that is in it.

    A class, not a generator: whoever forgets to end it has it until the keeper is sent away, not until it is collected.
    """

    def __init__(self, path: Path | None = None, tell: Callable[[str], None] = _nobody) -> None:
        """`path` None: a new one among the temporary files. `tell` takes the keeper's orders."""
        self._path = path
        self._tell = tell
        self._folder: KnownFolder | None = None

    def __enter__(self) -> Path:
        """Raises `FloodmarkError` where it cannot be made, one that is there already included."""
        place = _absolute(self._path)
        # Before it is made, and again after it: so there is no moment at which nobody would remove it.
        self._tell(f"folder {KnownFolder(path=str(place))}")
        try:
            place.mkdir(mode=0o700)
        except OSError as error:
            self._tell(f"removed {KnownFolder(path=str(place))}")
            raise FloodmarkError(f"{place}: this folder cannot be made: {error.strerror}") from None
        self._folder = KnownFolder(path=str(place), inode=inode_at(str(place)))
        self._tell(f"folder {self._folder}")
        return place

    def __exit__(self, *_: object) -> None:
        """What cannot be removed is no reason to lose a run; the keeper, which is not told, tries once more."""
        if self._folder is None:
            return
        try:
            self._folder.remove()
        except OSError as error:
            _LOG.warning("%s is left, remove it: %s", self._folder.path, error)
        else:
            self._tell(f"removed {KnownFolder(path=self._folder.path)}")


def _absolute(path: Path | None) -> Path:
    if path is not None:
        return path.absolute()
    try:
        return Path(tempfile.gettempdir(), f"floodmark-{secrets.token_hex(8)}")
    except FileNotFoundError as error:
        raise FloodmarkError(f"temporary files can be written nowhere: {error.strerror}; TMPDIR says where") from None
