"""Whether this machine can have a lab at all. Looks only."""

import os
import shutil
import sys
from collections.abc import Iterator

from floodmark.core.errors import LabError
from floodmark_deploy.lab_command import PATH

COMMANDS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "mount": "mount",
    "setsid": "util-linux",
    "unshare": "util-linux",
    "chroot": "coreutils",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Each command and the Debian package that brings it."""


def prove_lab_can_be() -> None:
    """Raises `LabError` with the first thing that is missing, and its remedy."""
    for missing in what_is_missing():
        raise LabError(missing)


def what_is_missing(platform: str = sys.platform, path: str = PATH, user: int | None = None) -> Iterator[str]:
    """A line for each thing that stands in the way; nothing where a lab can be made. `user` None: who runs this."""
    if platform != "linux":
        yield f"a lab is made of Linux's namespaces, and this is {platform}: use a Linux machine"
        return
    if os.geteuid() if user is None else user:
        yield "a lab needs root: it makes network namespaces, mounts and containers; run the command with sudo"
    packages = sorted({package for name, package in COMMANDS.items() if shutil.which(name, path=path) is None})
    if packages:
        yield f"a lab needs commands that are not installed here: apt-get install {' '.join(packages)}"
