"""Sent to a host and run there by its own python3, whatever its age: prints what must be known before anything is put.

Standard library only, and nothing younger than Python 3.7: the answer may be that Python is too old.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path


def main(home: Path) -> None:
    """One line of JSON on stdout. `home` is the cluster's folder, which may not be there."""
    facts = {
        "wall_s": time.time(),
        "python": "{}.{}".format(*sys.version_info[:2]),
        "machine": platform.machine(),
        "system": platform.system(),
        "hostname": platform.node(),
        "user": str(os.getuid()),
        "venv": ends_well([sys.executable, "-c", "import ensurepip, venv"]),
        "sudo": ends_well(["sudo", "-n", "true"]),
        "systemd": Path("/run/systemd/system").is_dir(),
        "free_bytes": shutil.disk_usage(next(path for path in (home, *home.parents) if path.is_dir())).free,
        "open_files": int(text_of(Path("/proc/sys/fs/nr_open")) or 0),
        "digest": text_of(home / ".wheels"),
        "machine_id": text_of(Path("/etc/machine-id")),
        "keys": keys_in(home / "keys"),
        "key_files": sorted(path.name for path in (home / "keys").glob("*.toml")),
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def ends_well(words: list[str]) -> bool:
    """Whether a command ends with exit code 0, within ten seconds."""
    null = subprocess.DEVNULL
    try:
        return subprocess.call(words, stdin=null, stdout=null, stderr=null, timeout=10) == 0  # noqa: S603 - constants
    except (OSError, subprocess.TimeoutExpired):
        return False


def keys_in(folder: Path) -> str:
    """The public key by which the bus's master is known in each file of keys here; nothing where they differ."""
    files = [text_of(path) for path in sorted(folder.glob("*.toml"))]
    known = {
        line.partition("=")[2].strip().strip('"')
        for text in files
        for line in text.splitlines()
        if line.startswith("public =" if 'role = "master"' in text else "master =")
    }
    return known.pop() if len(known) == 1 else ""


def text_of(path: Path) -> str:
    """A file's text, or nothing."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
