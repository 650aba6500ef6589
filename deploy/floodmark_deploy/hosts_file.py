"""hosts.toml: which hosts make a cluster, and what each is for. Checked once, here; nobody is connected to."""

import dataclasses
import tomllib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from floodmark.core.codec import from_plain
from floodmark.core.errors import PlanError, WireError

DEFAULT_SSH_CONFIG = "~/.ssh/config"


class HostRole(StrEnum):
    """What runs on a host; one may have several."""

    MASTER = "master"
    WORKER = "worker"
    TARGET = "target"
    AGENT = "agent"


EXTRAS = {
    HostRole.MASTER: "control",
    HostRole.WORKER: "load",
    HostRole.TARGET: "target",
    HostRole.AGENT: "agent",
}
"""What each role installs of Floodmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSpec:
    """`config` is an ssh_config, relative to the file; ``~`` is the user's home."""

    config: str = DEFAULT_SSH_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """What holds for all hosts. `keys` is a folder of the bus's keys, relative to the file.

    `target` is the server that is started on the hosts of that role, and `port` where; the agent watches it.
    """

    name: str = "cluster"
    keys: str = ""
    plain_bus: bool = False
    bus_port: int = 5557
    web_port: int = 8089
    profile: str = "burst"
    target: str = "fastapi-uvicorn-sync"
    port: int = 8000

    def __post_init__(self) -> None:
        """Refuses names that go into names of services and folders, and ports that there are not."""
        if not self.name.isalnum() or not self.name.isascii():
            raise ValueError(f"name {self.name!r}: give letters and digits")
        for port in (self.bus_port, self.web_port, self.port):
            if not 0 < port < 65_536:  # noqa: PLR2004 - ports have 16 bits
                raise ValueError(f"port {port}: give 1 to 65535")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """One host. `name` is what ssh is told; `address` is where the others reach it, by default the same."""

    name: str
    roles: tuple[HostRole, ...]
    address: str = ""
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuses a host that is for nothing."""
        if not self.name or self.name.startswith("-") or any(character.isspace() for character in self.name):
            raise ValueError(f"name {self.name!r}: give the host's name as ssh knows it")
        if not self.roles:
            raise ValueError(f"host {self.name!r} has no roles: give some of {', '.join(HostRole)}")
        if self.workers < 1:
            raise ValueError(f"host {self.name!r}: workers {self.workers}: give 1 or more")

    @property
    def reached_at(self) -> str:
        """Where master, workers and targets find it."""
        return self.address or self.name

    @property
    def extras(self) -> tuple[str, ...]:
        """What it installs."""
        return tuple(sorted({EXTRAS[role] for role in self.roles}))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsFile:
    """The whole file. `folder` is where it was found; it is not part of the file."""

    hosts: tuple[HostSpec, ...]
    ssh: SshSpec = dataclasses.field(default_factory=SshSpec)
    cluster: ClusterSpec = dataclasses.field(default_factory=ClusterSpec)
    folder: str = "."

    def __post_init__(self) -> None:
        """Refuses what can be no cluster."""
        for what, values in (("name", [host.name for host in self.hosts]), ("address", self._addresses())):
            for value, count in Counter(values).items():
                if count > 1:
                    raise ValueError(
                        f"{count} hosts have the {what} {value!r}: one host is one entry with all its roles"
                    )
        if len(self.of(HostRole.MASTER)) != 1:
            raise ValueError(f"{len(self.of(HostRole.MASTER))} hosts have the role master: one must")
        if not self.of(HostRole.WORKER):
            raise ValueError("no host has the role worker: nobody would send the load")
        if not self.cluster.keys and not self.cluster.plain_bus:
            raise ValueError(
                "the bus has no keys, so whoever reaches it can steer the load: in [cluster] set keys to a folder that"
                " `floodmark keys` has made, or plain_bus = true"
            )

    def _addresses(self) -> list[str]:
        return [host.reached_at for host in self.hosts]

    def of(self, role: HostRole) -> tuple[HostSpec, ...]:
        """The hosts of a role."""
        return tuple(host for host in self.hosts if role in host.roles)

    @property
    def master(self) -> HostSpec:
        """The one master."""
        return self.of(HostRole.MASTER)[0]

    @property
    def ssh_config(self) -> Path:
        """Where the ssh_config is."""
        return Path(self.folder, Path(self.ssh.config).expanduser())

    @property
    def keys_folder(self) -> Path | None:
        """Where the bus's keys are, or None."""
        return Path(self.folder, Path(self.cluster.keys).expanduser()) if self.cluster.keys else None


def read_hosts(path: Path) -> HostsFile:
    """The file's hosts. Raises `PlanError` with the file, the place and the remedy."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{path}: no such file; docs/reference/hosts-toml.md shows one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from None
    try:
        return from_plain(HostsFile, {**data, "folder": str(path.resolve().parent)}, str(path))
    except WireError as error:
        raise PlanError(f"{error}; docs/reference/hosts-toml.md lists what hosts.toml may say") from None
