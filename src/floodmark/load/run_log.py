"""The run folder that is being written, with its manifest kept up to date. What goes into it is others' business."""

import logging
import time
from dataclasses import replace
from typing import Any

from floodmark.core.run_folder import Manifest, RunFolder, RunStatus, new_run_path
from floodmark.load.manifest import begin_manifest
from floodmark.load.options import LoadOptions
from floodmark.load.strangers import STRANGERS

logger = logging.getLogger(__name__)


class RunLog:
    """One folder, from its manifest's first word to the last line."""

    def __init__(self, options: LoadOptions, workers: int, *, began_s: float | None = None) -> None:
        """Makes the folder, or takes the prepared one. Raises `RunFolderError` where it cannot be had.

        `began_s`: strangers who came since then are of this run; None: since now.
        """
        self._began_s = time.monotonic() if began_s is None else began_s
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
        """Appends records to one of the line files."""
        self.folder.append(name, records)

    def keep_hits(self, rows: list[Any]) -> None:
        """Appends hits that came as rows; none: begins the file, since a folder without it has lost it."""
        self.folder.append_hit_rows(rows)

    def update(self, **changes: Any) -> None:
        """Changes fields of the manifest, in the file too."""
        self.manifest = replace(self.manifest, **changes)
        self.folder.write_manifest(self.manifest)

    def add_problems(self, *problems: str) -> None:
        """Puts problems into the manifest, one sentence each."""
        if problems:
            self.update(problems=self.manifest.problems + problems)

    def close(self, status: RunStatus) -> None:
        """Says how the run ended, and closes the files."""
        self.update(status=status, strangers=STRANGERS.since(self._began_s))
        self.folder.close()
