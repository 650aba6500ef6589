"""hosts.toml: which hosts make a cluster, and what each is for. Checked once, here; nobody is connected to."""

import dataclasses
import tomllib
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
    """What holds for all hosts. `keys` is a folder of the bus's keys, relative to the file; none: made for each `up`.

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
        """Refuses names that go into names of services and folders, ports that there are not, and keys for no bus."""
        if not self.name.isalnum() or not self.name.isascii():
            raise ValueError(f"name {self.name!r}: give letters and digits")
        for port in (self.bus_port, self.web_port, self.port):
            if not 0 < port < 65_536:  # noqa: PLR2004 - ports have 16 bits
                raise ValueError(f"port {port}: give 1 to 65535")
        if self.keys and self.plain_bus:
            raise ValueError(f"keys {self.keys!r} and plain_bus: a plain bus has no keys; give one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """One host. `name` is what ssh is told; `address` is where the others reach it, by default the host in `name`."""

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
        return self.address or name_parts(self.name)[1]

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
        if len(self.of(HostRole.MASTER)) != 1:
            raise ValueError(f"{len(self.of(HostRole.MASTER))} hosts have the role master: one must")
        if not self.of(HostRole.WORKER):
            raise ValueError("no host has the role worker: nobody would send the load")

    def of(self, role: HostRole) -> tuple[HostSpec, ...]:
        """The hosts of a role."""
        return tuple(host for host in self.hosts if role in host.roles)

    @property
    def master(self) -> HostSpec:
        """The one master."""
        return self.of(HostRole.MASTER)[0]

    @property
    def workers(self) -> int:
        """Of all hosts together."""
        return sum(host.workers for host in self.of(HostRole.WORKER))

    @property
    def ssh_config(self) -> Path:
        """Where the ssh_config is."""
        return Path(self.folder, Path(self.ssh.config).expanduser())

    @property
    def keys_folder(self) -> Path | None:
        """Where the bus's keys are, or None."""
        return Path(self.folder, Path(self.cluster.keys).expanduser()) if self.cluster.keys else None


def name_parts(name: str) -> tuple[str, str, str]:
    """User, host and port in what ssh is told, as in ``me@web:2222``; user and port are empty where it does not say."""
    user, _, bare = name.rpartition("@")
    host, _, port = bare.partition(":") if bare.count(":") == 1 else (bare, "", "")
    return user, host, port


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
        file = from_plain(HostsFile, {**data, "folder": str(path.resolve().parent)}, str(path))
    except WireError as error:
        raise PlanError(f"{error}; docs/reference/hosts-toml.md lists what hosts.toml may say") from None
    _prove_each_once(file, path)
    return file


def _prove_each_once(file: HostsFile, path: Path) -> None:
    """Raises `PlanError` that begins with the name of a host that is there twice."""
    remedy = f"in {path} one host is one entry with all its roles"
    by_name: set[str] = set()
    by_address: dict[str, str] = {}
    for host in file.hosts:
        if host.name in by_name:
            raise PlanError(f"{host.name}: 2 hosts have this name: {remedy}")
        if host.reached_at in by_address:
            raise PlanError(
                f"{host.name}: {by_address[host.reached_at]} has the address {host.reached_at}, too: {remedy}"
            )
        by_name.add(host.name)
        by_address[host.reached_at] = host.name
