"""A command under limits: the words to start it with. Starts nothing and changes no limit of this process."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.shell import Command

PROC = Path("/proc")

SPARE_UIDS = range(61_184, 65_520)
"""User ids that are given to nobody for good: systemd keeps them for services of the moment (its UIDS-GIDS page)."""


def confined(command: Command) -> tuple[str, ...]:
    """The command's words behind those that set its limits: there is no moment without them."""
    return (*_files(command.nofile), *_tasks(command.nproc), *command.argv)


def _files(nofile: int | None) -> tuple[str, ...]:
    return () if nofile is None else ("/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', str(nofile))


def _tasks(nproc: int | None) -> tuple[str, ...]:
    """RLIMIT_NPROC counts all processes and threads of a user, and does not bind root (setrlimit(2)).

    So where Floodmark is root the command becomes a user of its own, who keeps of root's powers only that of reading
    and writing any file: the interpreter, and where the command writes, may be in root's home. Elsewhere what the user
    runs at this moment is allowed for; what the user starts later, Floodmark's own processes too, counts against it.
    """
    if nproc is None:
        return ()
    if os.geteuid():
        return ("prlimit", f"--nproc={nproc + tasks_of(os.getuid())}")
    uid, power = str(spare_uid()), "-all,+dac_override"
    as_nobody = ("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups")
    return (*as_nobody, "--inh-caps", power, "--ambient-caps", power, "prlimit", f"--nproc={nproc}:{nproc}")


def spare_uid() -> int:
    """A user id that no process has, so that nobody else counts against its limits."""
    taken = {uid for _, uid in _owners()}
    free = [uid for uid in SPARE_UIDS if uid not in taken]
    if not free:
        raise FloodmarkError(f"every user id from {SPARE_UIDS.start} to {SPARE_UIDS.stop - 1} is in use: end some")
    return secrets.choice(free)


def tasks_of(uid: int) -> int:
    """How many processes and threads a user has at this moment."""
    count = 0
    for folder, owner in _owners():
        if owner == uid:
            try:
                count += len(os.listdir(folder / "task"))  # noqa: PTH208 - no paths are wanted, only how many
            except OSError:  # it has ended meanwhile
                continue
    return count


def _owners() -> Iterator[tuple[Path, int]]:
    """Every process' folder and user."""
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                yield folder, folder.stat().st_uid
            except OSError:  # it has ended meanwhile
                continue
