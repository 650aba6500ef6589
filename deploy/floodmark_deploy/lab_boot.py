"""Boots one host of a lab: a keeper that lays the host's own layer over the tree and runs systemd-nspawn on it."""

import contextlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

from floodmark.core.errors import LabError
from floodmark_deploy import lab_keeper
from floodmark_deploy.lab_command import IP_TIMEOUT_S, lab_environment, run
from floodmark_deploy.lab_files import upper
from floodmark_deploy.lab_ledger import Ledger
from floodmark_deploy.lab_plan import USER, LabHost, LabPlan
from floodmark_deploy.lab_things import NAMESPACES, Kind, Thing, cgroup_folders

LOG = "boot.log"
LOG_LINES = 6

MAKE_TRIES = 5

SSH_TIMEOUT_S = 10.0
"""More than the ConnectTimeout in the lab's ssh_config."""


def boot(plan: LabPlan, host: LabHost, tree: Path, ledger: Ledger) -> None:
    """Returns when the keeper has been started; the host is then on its way. It outlives this process."""
    home = plan.host_home(host)
    ledger.note(Thing(kind=Kind.CGROUP, name=plan.cgroup))
    cgroups = cgroup_folders(f"{plan.cgroup}/{host.name}")
    for folder in cgroups:
        _make_folder(folder)
    (home / "net").touch()
    ledger.note(Thing(kind=Kind.PROCESSES, name=plan.name))
    order = json.dumps(
        {"cgroups": list(map(str, cgroups)), "mounts": _mounts(plan, host, tree), "boot": _nspawn(plan, host)}
    )
    # The keeper's mounts are its own; what this machine unmounts later goes there, too (mount_namespaces(7)). It is
    # nobody's child from the start, since it outlives this process.
    alone = ["setsid", "--fork", "unshare", "--mount", "--propagation", "slave"]
    with (home / LOG).open("ab") as log:
        try:
            subprocess.run(  # noqa: S603 - the lab's own words
                [*alone, sys.executable, "-I", "-S", str(Path(lab_keeper.__file__)), order],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                # The hosts may set what is theirs under /proc/sys/net, as a machine of its own could.
                env={**lab_environment(plan.name), "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                check=True,
                timeout=IP_TIMEOUT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LabError(f"{host.name}: its keeper cannot be started: {error}") from None


def _make_folder(folder: Path) -> None:
    """With those above it, which another lab's `down` may take away meanwhile, as long as they are empty."""
    for _ in range(MAKE_TRIES):
        with contextlib.suppress(FileNotFoundError):
            return folder.mkdir(parents=True, exist_ok=True)
    raise LabError(f"{folder} cannot be made: it is taken away at once")


def answers(plan: LabPlan, host: LabHost) -> bool:
    """Whether one can log in, which is what a host is for: sshd lets nobody in before systemd is through."""
    try:
        run(["ssh", "-F", plan.ssh_config, host.name, "true"], timeout_s=SSH_TIMEOUT_S)
    except LabError:
        return False
    return True


def hang_up(plan: LabPlan) -> None:
    """Ends the connections that Ansible has left open: a process each, on this machine, for a minute."""
    for socket in plan.logins.glob("*"):
        with contextlib.suppress(LabError):  # one that was killed leaves its socket, and nobody answers there
            run(["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", USER])


def last_words(plan: LabPlan, host: LabHost) -> str:
    """The end of the host's log, for errors."""
    try:
        lines = (plan.host_home(host) / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = [line for line in lines if line.strip()][-LOG_LINES:]
    return "".join(f"\n    {line}" for line in said)


def _mounts(plan: LabPlan, host: LabHost, tree: Path) -> list[list[str]]:
    """The host's root; and /run out of the way, since systemd-nspawn leaves files there when it is killed."""
    home = plan.host_home(host)
    layers = f"lowerdir={tree},upperdir={upper(plan, host)},workdir={home / 'work'}"
    return [
        ["mount", "-t", "overlay", "-o", layers, f"floodmark-lab-{plan.name}", str(home / "root")],
        ["mount", "--bind", str(NAMESPACES / plan.namespace(host)), str(home / "net")],
        ["mount", "-t", "tmpfs", "-o", "mode=755,size=1m", f"floodmark-lab-{plan.name}", "/run"],
    ]


def _nspawn(plan: LabPlan, host: LabHost) -> list[str]:
    """``--keep-unit`` and ``--register=no``: it needs no systemd on this machine, and stays in the lab's cgroup."""
    home = plan.host_home(host)
    return [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no"),
        *(f"--machine={plan.name}-{host.name}", f"--hostname={host.name}", f"--directory={home / 'root'}"),
        *(f"--network-namespace-path={home / 'net'}", "--resolv-conf=off", "--timezone=off"),
        # An identity of its own: else systemd takes this machine's (machine-id(5)). And a firewall of its own.
        *(f"--uuid={uuid.uuid4()}", "--capability=CAP_NET_ADMIN"),
        *("--link-journal=no", "--console=read-only"),
    ]
