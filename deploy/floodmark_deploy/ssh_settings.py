"""What ssh_config says of one host, as paramiko needs it. Connects to nobody."""

import getpass
import os
from dataclasses import dataclass, replace
from pathlib import Path

from paramiko import ConfigParseError, CouldNotCanonicalize, SSHConfig
from paramiko.config import SSHConfigDict

from floodmark.core.errors import PlanError
from floodmark_deploy.hosts_file import name_parts

SSH_PORT = 22

MOST_JUMPS = 8
"""As deep as OpenSSH's own chains are ever written; a configuration that jumps in a circle ends here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """`known_as` is the name under which the host's key is known. `jump` is the host before it, or None.

    `agent` None: the one that SSH_AUTH_SOCK names; empty: none is asked; else its socket.
    """

    name: str
    host: str
    port: int
    user: str
    key_files: tuple[str, ...]
    known_hosts: tuple[str, ...]
    known_as: str
    agent: str | None
    jump: "SshSettings | None" = None

    @property
    def known_place(self) -> str:
        """What known_hosts calls it: with its port where that is not ssh's own (sshd(8))."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"


def read_settings(name: str, config_path: Path) -> SshSettings:
    """The settings of a host by the name that ssh is told. Raises `PlanError` for a file that cannot be read."""
    return _settings(name, _config(config_path), MOST_JUMPS)


def _config(path: Path) -> SSHConfig:
    try:
        return SSHConfig.from_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SSHConfig()
    except (OSError, UnicodeDecodeError, ConfigParseError) as error:
        raise PlanError(f"{path}: cannot be read as an ssh_config: {error}") from None


def _settings(name: str, config: SSHConfig, jumps_left: int) -> SshSettings:
    if not jumps_left:
        raise PlanError(f"{name}: more than {MOST_JUMPS} ProxyJump one after the other: do they lead in a circle?")
    user_before, host_only, port_after = name_parts(name)
    found = _found(config, name, host_only)
    jumps = [word.strip() for word in found.get("proxyjump", "none").split(",")]
    if "proxycommand" in found and found["proxycommand"] != "none":
        raise PlanError(f"{name}: its ssh_config has a ProxyCommand, which is a shell's: use ProxyJump")
    host = found.get("hostname", host_only)
    return SshSettings(
        name=name,
        host=host,
        port=_port(name, port_after or found.get("port", str(SSH_PORT))),
        user=user_before or found.get("user", getpass.getuser()),
        key_files=tuple(str(Path(file).expanduser()) for file in found.get("identityfile", ())),
        known_hosts=tuple(_files(found.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")))
        + tuple(_files(found.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts"))),
        known_as=found.get("hostkeyalias", ""),
        agent=_agent(found.get("identityagent", "SSH_AUTH_SOCK")),
        jump=None if jumps[0].lower() == "none" else _chain(jumps, config, jumps_left - 1),
    )


def _found(config: SSHConfig, name: str, host: str) -> SSHConfigDict:
    try:
        return config.lookup(host)
    except CouldNotCanonicalize as error:
        raise PlanError(f"{name}: its ssh_config wants its full name, and there is none: {error}") from None


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:  # noqa: PLR2004 - ports have 16 bits
        raise PlanError(f"{name}: port {text!r}: give 1 to 65535")
    return int(text)


def _chain(jumps: list[str], config: SSHConfig, jumps_left: int) -> SshSettings:
    """The last of several jump hosts, each by way of the one before it (ssh_config(5): ProxyJump)."""
    last = _settings(jumps[-1], config, jumps_left)
    return last if len(jumps) == 1 else replace(last, jump=_chain(jumps[:-1], config, jumps_left - 1))


def _agent(said: str) -> str | None:
    """ssh_config(5): IdentityAgent. A name of a variable may stand behind a dollar sign."""
    if said == "SSH_AUTH_SOCK":
        return None
    if said.lower() == "none":
        return ""
    place = os.environ.get(said[1:], "") if said.startswith("$") else said
    return str(Path(place).expanduser()) if place else ""


def _files(text: str) -> list[str]:
    words = text.replace('"', "").split()
    return [str(Path(word).expanduser()) for word in words if word.lower() != "none"]
