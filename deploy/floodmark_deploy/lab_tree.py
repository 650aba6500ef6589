"""The Debian tree that every host of a lab is laid over: made once by debootstrap, then kept. Boots nothing."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from floodmark.core.errors import LabError
from floodmark_deploy.lab_command import lab_environment, run
from floodmark_deploy.lab_plan import USER, LabPlan
from floodmark_deploy.lab_things import Kind, Thing, take_away

PACKAGES = (
    *("systemd-sysv", "dbus", "openssh-server", "sudo", "iproute2", "iputils-ping", "procps"),
    *("python3", "python3-venv", "python3-apt"),  # what Ansible and the wheels need, so that no host needs a network
    "nftables",  # for the role of the firewall
)

RECIPE = 2
"""Raised when a tree is made in another way, so that an old one is not taken for it."""

DEBOOTSTRAP_TIMEOUT_S = 1_200.0
"""A minute with a near mirror; some hundred megabytes over a slow line take longer."""

NOT_IN_A_CONTAINER = ("console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer")
"""What would only cost: a login on a console that nobody sees, and downloads without a network."""


def tree_path(plan: LabPlan) -> Path:
    """Where the tree is kept: another release or another recipe is another tree."""
    digest = hashlib.sha256(repr((plan.suite, PACKAGES, RECIPE, USER)).encode()).hexdigest()[:12]
    return trees_folder(plan.folder) / f"{plan.suite}-{digest}"


def trees_folder(folder: Path) -> Path:
    """All trees, and nothing else."""
    return folder / "trees"


def make_tree(plan: LabPlan, say: Callable[[str], None]) -> Path:
    """The tree; made where it is not there yet. A half made one never has its name, and is removed first."""
    tree = tree_path(plan)
    if tree.is_dir():
        return tree
    partial = tree.with_name(f"{tree.name}.partial")
    # Under the folder's lock nobody else is at it: a debootstrap that still runs is one whose `up` was killed.
    take_away(Thing(kind=Kind.PROCESSES, name=str(partial)))
    take_away(Thing(kind=Kind.FOLDER, name=str(partial)))
    partial.parent.mkdir(parents=True, exist_ok=True)
    say(f"making the Debian {plan.suite} tree with debootstrap, once (a minute, and 350 MB in {tree.parent})")
    try:
        _debootstrap(plan, partial)
        _settle(partial)
    except LabError:
        take_away(Thing(kind=Kind.FOLDER, name=str(partial)))
        raise
    partial.rename(tree)
    return tree


def _debootstrap(plan: LabPlan, folder: Path) -> None:
    """In namespaces of its own: when it is killed, what it runs and has mounted is gone with it (unshare(1))."""
    words = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", plan.suite, str(folder)]
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    mirror = [plan.mirror] if plan.mirror else []
    try:
        run([*alone, *words, *mirror], timeout_s=DEBOOTSTRAP_TIMEOUT_S, env=lab_environment(str(folder)))
    except LabError as error:
        raise LabError(
            f"the hosts' Debian could not be made: {error}; is a mirror reachable, is there room in {folder.parent}?"
        ) from None


def _settle(tree: Path) -> None:
    """What makes a tree into hosts: the user, and nothing that all hosts would share and must not."""
    run(["chroot", tree, "useradd", "--create-home", "--shell", "/bin/bash", USER])
    sudoers = tree / "etc/sudoers.d" / USER
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n", encoding="ascii")
    sudoers.chmod(0o440)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (tree / "etc/machine-id").write_bytes(b"")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)  # systemd would take it for the host's (machine-id(5))
    for unit in NOT_IN_A_CONTAINER:
        mask = tree / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to(os.devnull)
    for cache in (tree / "var/cache/apt/archives", tree / "var/lib/apt/lists"):
        shutil.rmtree(cache, ignore_errors=True)
