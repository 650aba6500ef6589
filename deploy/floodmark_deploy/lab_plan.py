"""What a lab is made of, by name: its hosts, their addresses, its files. Makes nothing."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from floodmark.core.errors import UsageError

DEFAULT_FOLDER = Path("/var/lib/floodmark-lab")

DEFAULT_NAME = "lab"

RANGE = IPv4Network("198.18.0.0/15")
"""For benchmarks of networks, and never used on the internet (RFC 2544, RFC 6890)."""

SUBNET_BITS = 24
FIRST_NETWORK = next(RANGE.subnets(new_prefix=SUBNET_BITS))

MOST_HOSTS = 200
"""Of one lab: what is left of a /24 above the first host."""

FIRST_HOST = 10

USER = "lab"
"""Who logs in on the hosts: with the lab's key, and may use sudo without a password."""

_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")
_FOLDER = re.compile(r"[\w./+@=-]+")
_SUITE = re.compile(r"[a-z]+")


class Role(StrEnum):
    """What a host is for."""

    MASTER = "master"
    WORKER = "worker"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabHost:
    """One host. `number` counts from 0 within the lab."""

    name: str
    role: Role
    number: int
    address: IPv4Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan:
    """One lab. `network` is a /24 of `RANGE`: the machine itself is .1, the hosts begin at .10."""

    name: str = DEFAULT_NAME
    folder: Path = DEFAULT_FOLDER
    workers: int = 2
    targets: int = 1
    network: IPv4Network = FIRST_NETWORK
    suite: str = "bookworm"
    mirror: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot be made; each value goes into names of interfaces, files and commands."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"--name {self.name!r}: give 1 to 8 small letters and digits, a letter first")
        if not _FOLDER.fullmatch(str(self.folder)):
            raise UsageError(
                f"--folder {str(self.folder)!r}: give letters, digits and . / + @ = _ - only: overlay"
                " mounts and ssh's configuration read others in their own way"
            )
        if not _SUITE.fullmatch(self.suite):
            raise UsageError(f"--suite {self.suite!r}: give the code name of a Debian release, as in bookworm")
        if self.mirror and not re.fullmatch(r"https?://[^\s'\"]+", self.mirror):
            raise UsageError(f"--mirror {self.mirror!r}: give the address of a Debian mirror, http:// or https://")
        for option, count in (("--workers", self.workers), ("--targets", self.targets)):
            if count < 0:
                raise UsageError(f"{option} {count}: give 0 or more")
        if self.workers + self.targets >= MOST_HOSTS:
            raise UsageError(f"{self.workers} workers and {self.targets} targets: a lab has at most {MOST_HOSTS} hosts")
        if self.network.prefixlen != SUBNET_BITS or not self.network.subnet_of(RANGE):
            raise UsageError(f"--network {self.network}: give a /{SUBNET_BITS} of {RANGE}")

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """The master first, the targets last."""
        names = [
            ("master", Role.MASTER),
            *((f"worker-{number}", Role.WORKER) for number in range(1, self.workers + 1)),
            *((f"target-{number}", Role.TARGET) for number in range(1, self.targets + 1)),
        ]
        return tuple(
            LabHost(name=name, role=role, number=number, address=self.network[FIRST_HOST + number])
            for number, (name, role) in enumerate(names)
        )

    @property
    def gateway(self) -> IPv4Address:
        """This machine's own address on the bridge. It leads nowhere else."""
        return self.network[1]

    @property
    def bridge(self) -> str:
        """An interface's name has at most 15 characters (IFNAMSIZ less its end)."""
        return f"fm-{self.name}"

    def veth(self, host: LabHost) -> str:
        """This machine's end of a host's cable."""
        return f"{self.bridge}-{host.number}"

    @property
    def namespace_prefix(self) -> str:
        """Every network namespace of the lab, and of no other lab, begins so."""
        return f"floodmark-{self.name}-"

    def namespace(self, host: LabHost) -> str:
        """The name of a host's network namespace, as ``ip netns`` lists it."""
        return f"{self.namespace_prefix}{host.name}"

    @property
    def cgroup(self) -> str:
        """Below the root of each hierarchy; a folder per host is in it."""
        return f"floodmark-lab/{self.name}"

    @property
    def home(self) -> Path:
        """The lab's own folder: gone after `down`."""
        return self.folder / "labs" / self.name

    def host_home(self, host: LabHost) -> Path:
        """What a host has written, its log, and where its root is mounted."""
        return self.home / "hosts" / host.name

    @property
    def key(self) -> Path:
        """The private key that logs in everywhere; its public half is beside it."""
        return self.home / "key"

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``."""
        return self.home / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        """The hosts' keys, by address and by name."""
        return self.home / "known_hosts"

    @property
    def logins(self) -> Path:
        """Where Ansible keeps a socket for each connection that it leaves open (ssh_config(5): ControlPath)."""
        return self.home / "ssh"

    @property
    def inventory(self) -> Path:
        """For Ansible."""
        return self.home / "inventory.yml"

    @property
    def hosts_toml(self) -> Path:
        """For `floodmark cluster`."""
        return self.home / "hosts.toml"
