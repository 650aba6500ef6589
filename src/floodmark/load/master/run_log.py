"""The run folder that is being written, with its manifest kept up to date. What goes into it is others' business."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from floodmark.core.errors import RunFolderError
from floodmark.core.run_folder import Manifest, RunFolder, RunStatus, new_run_path
from floodmark.load.bus.strangers import STRANGERS
from floodmark.load.master.manifest import begin_manifest
from floodmark.load.options import LoadOptions

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Is told what goes into the folder as it comes; it raises nothing."""

    def took(self, name: str, records: list[Any]) -> None:
        """Records for one of the line files."""

    def took_hits(self, rows: list[Any]) -> None:
        """Hits as rows."""

    def changed(self, manifest: Manifest) -> None:
        """The manifest is another."""


class RunLog:
    """One folder, from its manifest's first word to the last line."""

    observer: Observer | None = None

    def __init__(self, options: LoadOptions, workers: int, *, began_s: float | None = None) -> None:
        """Makes the folder, or takes the prepared one. Raises `RunFolderError` where it cannot be had.

        `began_s`: strangers who came since then are of this run; None: since now.
        """
        self._began_s = time.monotonic() if began_s is None else began_s
        self._troubles: set[str] = set()
        path = options.folder or new_run_path(options.profile.kind)
        self.folder = RunFolder(path)
        if not options.prepared:
            self.folder.create()
        self.manifest: Manifest = begin_manifest(self.folder, options, workers)
        self.folder.write_manifest(self.manifest)
        logger.info("Recording to %s", path)

    @property
    def path(self) -> str:
        """Where the folder is."""
        return str(self.folder.path)

    def take_over(self, manifest: Manifest) -> None:
        """Goes on with another manifest, in the file too."""
        self.manifest = manifest
        self.update()

    def keep(self, name: str, records: list[Any]) -> None:
        """Appends records to one of the line files. On a full disk they are written as soon as there is room."""
        self._when_there_is_room(lambda: self.folder.append(name, records))
        if self.observer is not None:
            self.observer.took(name, records)

    def keep_hits(self, rows: list[Any]) -> None:
        """Appends hits that came as rows; none: begins the file, since a folder without it has lost it."""
        self._when_there_is_room(lambda: self.folder.append_hit_rows(rows))
        if self.observer is not None:
            self.observer.took_hits(rows)

    def update(self, **changes: Any) -> None:
        """Changes fields of the manifest, in the file too: on a full disk with one of the changes to come."""
        self.manifest = replace(self.manifest, **changes)
        self._when_there_is_room(lambda: self.folder.write_manifest(self.manifest))
        if self.observer is not None:
            self.observer.changed(self.manifest)

    def add_problems(self, *problems: str) -> None:
        """Puts problems into the manifest, one sentence each."""
        if problems:
            self.update(problems=self.manifest.problems + problems)

    def close(self, status: RunStatus) -> None:
        """Says how the run ended, and closes the files. Raises `RunFolderError` where there is no room even now."""
        try:
            self.folder.close()
        except RunFolderError as error:
            # What is not on the disk by now is lost, and the run must say so.
            self.manifest = replace(self.manifest, problems=(*self.manifest.problems, f"not all is kept: {error}"))
            raise
        finally:
            self.manifest = replace(self.manifest, status=status, strangers=STRANGERS.since(self._began_s))
            if self.observer is not None:
                self.observer.changed(self.manifest)
            self.folder.write_manifest(self.manifest)

    def _when_there_is_room(self, write: Callable[[], None]) -> None:
        """Says once that there is none. The load goes on: what is measured is kept in memory until the run ends."""
        try:
            write()
        except RunFolderError as error:
            if str(error) not in self._troubles:
                self._troubles.add(str(error))
                logger.error("%s; it is kept in memory meanwhile", error)  # noqa: TRY400 - one line, no traceback
