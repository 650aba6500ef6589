"""The services of a cluster as systemd's transient units: which run on a host, and the words that start each.

It starts none. A unit's description ends with a digest of all that it was started with, so that whoever comes later
sees whether it is what is wanted now.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from floodmark_deploy.cluster_shape import ClusterShape
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec

OPEN_FILES = 1_048_576
"""What a service may open, where the kernel allows as many (fs.nr_open has this by default)."""

CONFINED = (
    *("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"),
    *("ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectControlGroups=yes", "RestrictNamespaces=yes"),
    *("RestrictSUIDSGID=yes", "LockPersonality=yes", "SystemCallFilter=@system-service", "UMask=0077"),
    *("SystemCallErrorNumber=EPERM", "TasksMax=infinity", "Restart=always", "RestartSec=2"),
    "TimeoutStopSec=5",  # nobody waits for the answers that a server still holds
)
"""As the services of ansible/ are; each is explained there."""

RIGHTS = {
    # Other users' processes, and their files.
    HostRole.AGENT: "CAP_SYS_PTRACE CAP_DAC_READ_SEARCH",
    # For the tenth of a second in which a burst is released it runs ahead of all else on its host.
    HostRole.WORKER: "CAP_SYS_NICE",
}
"""Capabilities of services; the others have none."""

BUSY = "busy"
"""The unit that one command at a time holds on the master's host: its name cannot be had twice."""

STEP = "step-"
"""What is done on a host beside its services, an installation for one: `down` ends that, too. Each has another end."""

DIGEST_CHARACTERS = 16

_START = (
    "import sys; from floodmark_deploy.cluster import locustfile; from locust.main import main;"
    " sys.argv[1] = '--locustfile=' + str(locustfile(sys.argv[1])); main()"
)
"""The locustfile is found there, by the Python that has it: only it knows where its packages are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a host: systemd's name for it, its program and words."""

    unit: str
    argv: tuple[str, ...]
    role: HostRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom a host's services belong to, what they may open, and `keys`: another word for each set of the bus's keys."""

    user: str
    open_files: int
    keys: str


def home_of(cluster: str) -> PurePosixPath:
    """Where everything of a cluster is on its hosts."""
    return PurePosixPath("/var/lib") / f"floodmark-{cluster}"


def prefix_of(cluster: str) -> str:
    """Every unit of a cluster, and of no other, begins so."""
    return f"floodmark-{cluster}-"


def is_service(unit: str, cluster: str) -> bool:
    """A service; neither a step nor the unit that a command holds."""
    rest = unit.removeprefix(prefix_of(cluster))
    return rest != BUSY and not rest.startswith(STEP)


def python_of(cluster: str) -> str:
    """The Python that has Floodmark."""
    return str(home_of(cluster) / "venv/bin/python")


def services_of(spec: HostSpec, file: HostsFile, shape: ClusterShape) -> Iterator[Service]:
    """What runs on a host."""
    cluster, prefix, python = file.cluster, prefix_of(file.cluster.name), python_of(file.cluster.name)
    is_loaded = spec.name == shape.host
    if is_loaded and shape.target:
        words = ("-m", "floodmark_deploy.serve", shape.target, f"--host={spec.reached_at}", f"--port={shape.port}")
        yield Service(unit=f"{prefix}target", argv=(python, *words), role=HostRole.TARGET)
    if HostRole.MASTER in spec.roles:
        yield Service(unit=f"{prefix}master", argv=(python, *_master_words(spec, file, shape)), role=HostRole.MASTER)
    if is_loaded and HostRole.AGENT in spec.roles:
        yield Service(unit=f"{prefix}agent", argv=(python, *_agent_words(file, shape)), role=HostRole.AGENT)
    for number in range(1, shape.workers_on(file, spec) + 1):
        join = (f"--master-host={file.master.reached_at}", f"--master-port={cluster.bus_port}")
        argv = (python, "-c", _START, f"{shape.profile}.py", "--worker", *join)
        yield Service(unit=f"{prefix}worker-{number}", argv=argv, role=HostRole.WORKER)


def start_words(service: Service, file: HostsFile, account: Account) -> list[str]:
    """systemd-run's, for a service."""
    home = home_of(file.cluster.name)
    rights = RIGHTS.get(service.role, "")
    properties = [*CONFINED, f"User={account.user}", f"LimitNOFILE={account.open_files}", f"ReadWritePaths={home}"]
    properties += [f"AmbientCapabilities={rights}", f"CapabilityBoundingSet={rights}"]
    if service.role is HostRole.TARGET:
        properties.append(f"RuntimeDirectory=floodmark-{file.cluster.name}-{service.role}")
    return [
        *("sudo", "-n", "systemd-run", "--quiet", f"--unit={service.unit}"),
        f"--description={description_of(service, file, account)}",
        f"--working-directory={home / 'state'}",
        *(f"--property={value}" for value in properties),
        *(f"--setenv={value}" for value in _environment(file)),
        *("--", *service.argv),
    ]


def description_of(service: Service, file: HostsFile, account: Account) -> str:
    """What `systemctl` shows of the unit; another one where anything that it is started with is another."""
    said = repr((service.argv, CONFINED, RIGHTS, account, _environment(file)))
    return f"Floodmark {service.role} {hashlib.sha256(said.encode()).hexdigest()[:DIGEST_CHARACTERS]}"


def open_files_of(allowed: int) -> int:
    """What a service may open on a host whose kernel allows so many; 0: it does not say."""
    return min(allowed or OPEN_FILES, OPEN_FILES)


def step_words(argv: list[str], file: HostsFile, user: str) -> list[str]:
    """systemd-run's, for a step that is waited for: what it reads and prints is this connection's.

    In a unit, so that it does not outlive `down` where this machine was cut off from it in between.
    """
    home, unit = home_of(file.cluster.name), f"{prefix_of(file.cluster.name)}{STEP}{secrets.token_hex(4)}"
    return [
        *("sudo", "-n", "systemd-run", "--quiet", "--pipe", "--wait", "--collect"),
        *(f"--unit={unit}", "--service-type=exec", f"--working-directory={home}"),
        *(f"--property={value}" for value in (f"User={user}", "TimeoutStopSec=5", "PrivateTmp=yes")),
        *(f"--setenv=HOME={home / 'state'}", "--", *argv),
    ]


def busy_words(file: HostsFile) -> list[str]:
    """systemd-run's, for the unit that lives as long as the connection to it: it gives back what it is sent."""
    unit = f"{prefix_of(file.cluster.name)}{BUSY}"
    return ["sudo", "-n", "systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={unit}", "--", "cat"]


def _master_words(spec: HostSpec, file: HostsFile, shape: ClusterShape) -> tuple[str, ...]:
    cluster = file.cluster
    servers = [one for one in file.hosts if one.name == shape.host]
    return (
        *("-c", _START, f"{shape.profile}.py", "--master", f"--master-bind-host={spec.reached_at}"),
        *(f"--master-bind-port={cluster.bus_port}", "--web-host=127.0.0.1", f"--web-port={cluster.web_port}"),
        *((f"--host=http://{servers[0].reached_at}:{shape.port}",) if servers else ()),
        f"--expect-agents={int(shape.has_agent(file))}",
        f"--beat={shape.beat_s!r}",
    )


def _agent_words(file: HostsFile, shape: ClusterShape) -> tuple[str, ...]:
    budget = shape.cpu_budget_percent
    return (
        *("-m", "floodmark_agent", f"--master={file.master.reached_at}:{file.cluster.bus_port}"),
        f"--port={shape.port}",
        *(() if budget is None else (f"--cpu-budget={budget!r}",)),
    )


def _environment(file: HostsFile) -> tuple[str, ...]:
    home = home_of(file.cluster.name)
    bus = "FLOODMARK_PLAIN_BUS=yes" if file.cluster.plain_bus else f"FLOODMARK_KEYS={home / 'keys'}"
    return (bus, f"HOME={home / 'state'}")
