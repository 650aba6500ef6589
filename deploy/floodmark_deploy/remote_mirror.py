"""A run folder on the master's host, kept up to date on this machine while the run goes on. Judges nothing."""

import json
import stat
from pathlib import Path

from floodmark.core.run_folder import CLOCKS, LIVE, MANIFEST, PULSES
from floodmark_deploy.ssh_host import SshHost

READ_TIMEOUT_S = 30.0
"""A few kilobytes: a host that does not send them within this is gone."""

FETCH_TIMEOUT_S = 60.0
"""Without a byte coming through."""

MADE_LATER = {"verdict.json", "report.html", "waterline.svg"}
"""The master judges the run, too, and may be writing these; here they are made again."""


class RunMirror:
    """`place` is the folder there, `folder` the one here. What has come stays, also when the host is lost."""

    def __init__(self, ssh: SshHost, place: str, folder: Path) -> None:
        """Asks for nothing yet."""
        self._ssh = ssh
        self._place = place
        self._folder = folder

    def refresh(self) -> str:
        """Brings what the live view reads, and returns the run's status; empty while there is none.

        Raises `ClusterError` where the host is lost.
        """
        text = self._ssh.read(f"{self._place}/{MANIFEST}", timeout_s=READ_TIMEOUT_S)
        if not text:
            return ""
        plain = json.loads(text)
        steps = [str(step["folder"]) for step in plain.get("steps", ())]
        for name in ("", *steps[-1:]):
            self._refresh_lines(name)
        for name in steps[-1:]:
            below = f"{name}/{MANIFEST}"
            self._write(below, self._ssh.read(f"{self._place}/{below}", timeout_s=READ_TIMEOUT_S))
        self._write(MANIFEST, text)  # last: what it says is there is there
        return str(plain["status"])

    def fetch(self) -> None:
        """Brings everything, with the folders of a search's bursts. Raises `ClusterError`."""
        self._fetch("")

    def _refresh_lines(self, name: str) -> None:
        for file in (CLOCKS, PULSES, LIVE):
            here = self._folder / name / file
            had = here.stat().st_size if here.exists() else 0
            if new := self._ssh.read(f"{self._place}/{name}/{file}", had, timeout_s=READ_TIMEOUT_S):
                here.parent.mkdir(parents=True, exist_ok=True)
                with here.open("ab") as kept:
                    kept.write(new)

    def _write(self, name: str, data: bytes | None) -> None:
        if data:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.mirror")
            beside.write_bytes(data)
            beside.replace(path)

    def _fetch(self, name: str) -> None:
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        for entry, mode in self._ssh.listing(f"{self._place}/{name}", timeout_s=READ_TIMEOUT_S):
            below = f"{name}/{entry}" if name else entry
            if stat.S_ISDIR(mode):
                self._fetch(below)
            elif entry not in MADE_LATER and not entry.startswith("."):
                self._ssh.get(f"{self._place}/{below}", self._folder / below, timeout_s=FETCH_TIMEOUT_S)
