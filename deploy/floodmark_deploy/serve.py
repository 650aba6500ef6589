"""One target in the foreground, as a service manager wants it: this process becomes the server, and no other starts.

``python -m floodmark_deploy.serve fastapi-uvicorn-sync --host 0.0.0.0 --port 8000``
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.errors import FloodmarkError, TargetError, UsageError
from floodmark_deploy.confine import confined
from floodmark_deploy.target_process import build_command, names_scratch, prove_available, scratch_folder
from floodmark_deploy.zoo import find_target

FOLDER_VARIABLE = "RUNTIME_DIRECTORY"
"""systemd's word for a unit's RuntimeDirectory, which it removes when the unit ends (systemd.exec(5))."""

MARKER = "service"
"""What its processes' run is called: none of a run's."""


def main(words: Sequence[str] | None = None) -> None:
    """Replaces this process by the target's. Returns only by its exit code: 1 or 2, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="floodmark_deploy.serve", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", help="its name, as `floodmark targets` lists it")
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="and the port (default: %(default)s)")
    parser.add_argument(
        "--folder",
        default=os.environ.get(FOLDER_VARIABLE, ""),
        help=f"yours, for what a server writes that does (default: {FOLDER_VARIABLE} of the environment)",
    )
    parser.add_argument("--check", action="store_true", help="only say whether this host has what it needs")
    asked = parser.parse_args(words)
    try:
        if asked.check:
            prove_available(find_target(asked.target))
            return
        serve(asked.target, Address(host=asked.host, port=asked.port), asked.folder)
    except FloodmarkError as error:
        print(f"floodmark: {error}", file=sys.stderr)  # noqa: T201 - this module is its own command line
        sys.exit(error.exit_code)


def serve(name: str, address: Address, folder: str = "") -> None:
    """Does not return. A target that writes files has them below `folder`; for the others there need be none.

    The folder is the caller's, who removes it: a process that has become the server can take nothing away at its end.
    One that waited for the server could, but would have its place: its process id, its signals, its exit code.
    """
    spec = find_target(name)
    prove_available(spec)
    command = build_command(spec, address, run_log=Path(folder, "target.log"), marker=MARKER)
    if names_scratch(spec):
        _make(scratch_folder(command.log), name, folder)
    argv = confined(command)
    try:
        if command.cwd:
            os.chdir(command.cwd)
        os.execvpe(argv[0], argv, {**os.environ, **command.env})  # noqa: S606 - the target file's own words
    except OSError as error:
        raise TargetError(f"{name}: {argv[0]!r} cannot be started: {error.strerror}") from None


def _make(scratch: Path, name: str, folder: str) -> None:
    if not folder:
        raise UsageError(f"{name} writes files: give --folder FOLDER, and remove it when the server has ended")
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--folder {folder}: {scratch} cannot be made: {error.strerror}") from None


if __name__ == "__main__":
    main()
