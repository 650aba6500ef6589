"""One target in the foreground, as a service manager wants it: this process becomes the server, and no other starts.

``python -m floodmark_deploy.serve fastapi-uvicorn-sync --host 0.0.0.0 --port 8000``
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.errors import FloodmarkError, TargetError
from floodmark_deploy.confine import confined
from floodmark_deploy.target_process import build_command, prove_available, scratch_folder
from floodmark_deploy.zoo import find_target

MARKER = "service"
"""What its processes' run is called: none of a run's."""


def main(words: Sequence[str] | None = None) -> None:
    """Replaces this process by the target's. Returns only by its exit code: 1 or 2, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="floodmark_deploy.serve", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", help="its name, as `floodmark targets` lists it")
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="and the port (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="only say whether this host has what it needs")
    asked = parser.parse_args(words)
    try:
        if asked.check:
            prove_available(find_target(asked.target))
            return
        serve(asked.target, Address(host=asked.host, port=asked.port))
    except FloodmarkError as error:
        print(f"floodmark: {error}", file=sys.stderr)  # noqa: T201 - this module is its own command line
        sys.exit(error.exit_code)


def serve(name: str, address: Address) -> None:
    """Does not return. What the target wants to write goes below systemd's RuntimeDirectory, else into a new folder."""
    spec = find_target(name)
    prove_available(spec)
    folder = Path(os.environ.get("RUNTIME_DIRECTORY") or tempfile.mkdtemp(prefix=f"floodmark-{name}-"))
    command = build_command(spec, address, run_log=folder / "target.log", marker=MARKER)
    scratch_folder(command.log).mkdir(exist_ok=True)
    argv = confined(command)
    try:
        if command.cwd:
            os.chdir(command.cwd)
        os.execvpe(argv[0], argv, {**os.environ, **command.env})  # noqa: S606 - the target file's own words
    except OSError as error:
        raise TargetError(f"{name}: {argv[0]!r} cannot be started: {error.strerror}") from None


if __name__ == "__main__":
    main()
