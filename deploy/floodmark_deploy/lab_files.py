"""A lab's files: keys, what a host has in its own layer, and how to reach the hosts. Starts nothing but ssh-keygen."""

import os
from pathlib import Path

from floodmark_deploy.lab_command import run
from floodmark_deploy.lab_plan import USER, LabHost, LabPlan, Role

GROUPS = {Role.MASTER: "floodmark_master", Role.WORKER: "floodmark_workers", Role.TARGET: "floodmark_targets"}

ROLES = {Role.MASTER: ("master",), Role.WORKER: ("worker",), Role.TARGET: ("target", "agent")}
"""What `floodmark cluster` puts on each kind of host."""


def write_files(plan: LabPlan) -> None:
    """Everything that `up` needs before the first host boots, and all that its user is told of."""
    _make_key(plan.key, f"floodmark-lab-{plan.name}")
    public = plan.key.with_name("key.pub").read_text(encoding="ascii")
    for host in plan.hosts:
        _write_layer(plan, host, public)
    _write(plan.known_hosts, "".join(_known(plan, host) for host in plan.hosts))
    _write(plan.ssh_config, ssh_config(plan))
    _write(plan.inventory, inventory(plan))
    _write(plan.hosts_toml, hosts_toml(plan))


def upper(plan: LabPlan, host: LabHost) -> Path:
    """What the host has that the tree has not."""
    return plan.host_home(host) / "upper"


def ssh_config(plan: LabPlan) -> str:
    """Nothing of the user's own configuration or agent counts: the lab's key, and the lab's hosts."""
    parts = [f"Host {host.name}\n  HostName {host.address}\n  HostKeyAlias {host.address}\n" for host in plan.hosts]
    common = {
        "User": USER,
        "IdentityFile": f'"{plan.key}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{plan.known_hosts}"',
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "5",
    }
    return "".join(parts) + "Host *\n" + "".join(f"  {name} {value}\n" for name, value in common.items())


def inventory(plan: LabPlan) -> str:
    """An Ansible inventory; every value in quotes, as JSON is YAML."""
    lines = [
        "all:",
        "  vars:",
        f'    ansible_user: "{USER}"',
        f"    ansible_ssh_common_args: '-F \"{plan.ssh_config}\"'",
        '    ansible_python_interpreter: "/usr/bin/python3"',
        # Not in the user's home, where they would be taken for those of the next lab.
        f'    ansible_control_path_dir: "{plan.logins}"',
        # The lab's network is its own.
        "    floodmark_plain_bus: true",
        "  children:",
    ]
    for role, group in GROUPS.items():
        lines += [f"    {group}:", "      hosts:"] if any(host.role is role for host in plan.hosts) else []
        for host in plan.hosts:
            if host.role is role:
                lines += [f"        {host.name}:", f'          ansible_host: "{host.address}"']
    return "\n".join(lines) + "\n"


def hosts_toml(plan: LabPlan) -> str:
    """What `floodmark cluster` reads. `ssh` in it is relative to the file."""
    parts = [f'[ssh]\nconfig = "{plan.ssh_config.name}"\n', f'[cluster]\nname = "{plan.name}"\n']
    for host in plan.hosts:
        roles = ", ".join(f'"{role}"' for role in ROLES[host.role])
        parts.append(f'[[hosts]]\nname = "{host.name}"\naddress = "{host.address}"\nroles = [{roles}]\n')
    return "\n".join(parts)


def _write_layer(plan: LabPlan, host: LabHost, public: str) -> None:
    """The layer's folders take the place of the tree's with their owner and mode, so these are Debian's own."""
    root = upper(plan, host)
    etc = root / "etc"
    for folder in (root, etc, etc / "ssh", plan.host_home(host) / "work", plan.host_home(host) / "root"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    _write(etc / "hostname", f"{host.name}\n", 0o644)
    names = "".join(f"{other.address}\t{other.name}\n" for other in plan.hosts)
    _write(etc / "hosts", f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{names}", 0o644)
    _make_key(etc / "ssh/ssh_host_ed25519_key", host.name)
    _write(etc / "ssh/floodmark_lab_keys", public, 0o644)
    (etc / "ssh/sshd_config.d").mkdir(exist_ok=True, mode=0o755)
    _write(etc / "ssh/sshd_config.d/floodmark-lab.conf", SSHD, 0o644)


SSHD = """# Written by `floodmark lab up`.
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/floodmark_lab_keys .ssh/authorized_keys
PasswordAuthentication no
PermitRootLogin no
UseDNS no
"""


def _known(plan: LabPlan, host: LabHost) -> str:
    """By address and by name: who comes with the ssh_config asks for the address, paramiko for what it is told."""
    words = (upper(plan, host) / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii").split()
    return f"{host.address},{host.name} {words[0]} {words[1]}\n"


def _make_key(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
