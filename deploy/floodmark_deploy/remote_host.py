"""One host of a cluster: proven fit, given Floodmark, its services started, looked at and taken away. Over SSH only."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from floodmark.core.errors import ClusterError
from floodmark_deploy import probe_there
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.ssh_host import SshHost
from floodmark_deploy.wheelhouse import Wheelhouse

STEP_TIMEOUT_S = 60.0
"""A command that is no installation: a busy host answers within seconds."""

INSTALL_TIMEOUT_S = 600.0
"""A slow disk takes minutes for a hundred wheels."""

SEND_TIMEOUT_S = 60.0
"""Without a byte going through."""

LEAST_PYTHON = (3, 11)

FREE_BYTES = 1_000_000_000
"""Wheels, what is unpacked of them, and some runs: the master's environment takes 400 MB."""

CLOCK_BOUND_S = 60.0
"""Instants are measured by exchanges over the bus and need no common clock; stamps in files and certificates do."""

OPEN_FILES = 1_048_576

CONFINED = (
    *("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"),
    *("ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectControlGroups=yes", "RestrictNamespaces=yes"),
    *("RestrictSUIDSGID=yes", "LockPersonality=yes", "SystemCallFilter=@system-service", "UMask=0077"),
    *("SystemCallErrorNumber=EPERM", "TasksMax=infinity", "Restart=always", "RestartSec=2"),
    "TimeoutStopSec=5",  # nobody waits for the answers that a server still holds
)
"""As the services of ansible/ are; each is explained there."""

AGENT_RIGHTS = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What `probe_there` prints."""

    wall_s: float
    python: str
    machine: str
    system: str
    hostname: str
    user: str
    venv: bool
    sudo: bool
    systemd: bool
    free_bytes: int
    open_files: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a host: systemd's name for it, its program and words."""

    unit: str
    argv: tuple[str, ...]
    role: HostRole


def home_of(cluster: str) -> PurePosixPath:
    """Where everything of a cluster is on its hosts."""
    return PurePosixPath("/var/lib") / f"floodmark-{cluster}"


def prefix_of(cluster: str) -> str:
    """Every service of a cluster, and of no other, begins so."""
    return f"floodmark-{cluster}-"


class RemoteHost:
    """A host as the cluster knows it. It borrows the connection."""

    def __init__(self, spec: HostSpec, file: HostsFile, ssh: SshHost, *, wall: Callable[[], float] = time.time) -> None:
        """Nothing is asked yet."""
        self._wall = wall
        self.spec = spec
        self._file = file
        self._ssh = ssh
        self._home = home_of(file.cluster.name)

    @property
    def ssh(self) -> SshHost:
        """The connection."""
        return self._ssh

    def probe(self) -> Probe:
        """What the host is. Raises `ClusterError`, also where it has no Python at all."""
        script = Path(probe_there.__file__).read_text(encoding="utf-8")
        done = self._ssh.run(["python3", "-", str(self._home)], timeout_s=STEP_TIMEOUT_S, text_in=script)
        if done.code == 127:  # noqa: PLR2004 - the shell's word for a program that there is not (POSIX, 2.8.2)
            raise ClusterError(f"{self.spec.name}: has no python3: apt-get install python3 python3-venv")
        try:
            return Probe(**json.loads(done.out))
        except (ValueError, TypeError):
            raise ClusterError(f"{self.spec.name}: its python3 did not say what it is: {done.last}") from None

    def prove(self, probe: Probe) -> None:
        """Raises `ClusterError` with every reason why this host cannot take part."""
        if reasons := list(self._reasons(probe)):
            raise ClusterError("\n".join(f"{self.spec.name}: {reason}" for reason in reasons))

    def install(self, wheels: Wheelhouse) -> bool:
        """Puts Floodmark there, where it is not what `wheels` has. True where something was done."""
        ssh, home = self._ssh, self._home
        user = ssh.must(["id", "-un"], timeout_s=STEP_TIMEOUT_S).strip()
        ssh.must(["sudo", "-n", "install", "-d", "-m", "0700", "-o", user, str(home)], timeout_s=STEP_TIMEOUT_S)
        self._put_keys()
        if self.probe().digest == wheels.digest:
            return False
        if running := self.running():  # with another Floodmark; `start` starts them anew
            ssh.must(self._systemctl("stop", *running), timeout_s=STEP_TIMEOUT_S, what="its services do not stop")
        ssh.put(wheels.archive, str(home / "wheels.tar"), timeout_s=SEND_TIMEOUT_S)
        full = "Floodmark could not be installed"
        for words in (
            ["python3", "-m", "venv", "--clear", str(home / "venv")],
            ["python3", "-m", "tarfile", "--extract", str(home / "wheels.tar"), str(home / "wheels")],
            self._pip(wheels.requirement),
            ["rm", "-r", str(home / "wheels.tar"), str(home / "wheels")],
            ["mkdir", "-p", str(home / "state")],
            ["tee", str(home / ".wheels")],
        ):
            text_in = wheels.digest if words[0] == "tee" else ""
            ssh.must(words, timeout_s=INSTALL_TIMEOUT_S, text_in=text_in, what=full)
        return True

    def start(self, open_files: int) -> tuple[str, ...]:
        """Starts what the host is for and does not run yet; returns the services that were started."""
        running = set(self.running())
        wanted = [service for service in self.services() if service.unit not in running]
        for service in wanted:
            self._ssh.run(self._systemctl("reset-failed", service.unit), timeout_s=STEP_TIMEOUT_S)
            words = self._systemd_run(service, min(open_files or OPEN_FILES, OPEN_FILES))
            self._ssh.must(words, timeout_s=STEP_TIMEOUT_S, what=f"{service.unit} could not be started")
        return tuple(service.unit for service in wanted)

    def restart_target(self) -> None:
        """A fresh server: nothing is left in it of what was sent before."""
        units = [service.unit for service in self.services() if service.role is HostRole.TARGET]
        what = "the server does not start again"
        self._ssh.must(self._systemctl("restart", *units), timeout_s=STEP_TIMEOUT_S, what=what)

    def running(self) -> tuple[str, ...]:
        """The cluster's services that run here."""
        return self._units("--state=active,activating,reloading")

    def stop(self) -> tuple[str, ...]:
        """Stops every service of the cluster and removes its folder; returns what there was."""
        there = self._units("--all")
        if there:
            self._ssh.must(self._systemctl("stop", *there), timeout_s=STEP_TIMEOUT_S, what="its services do not stop")
            self._ssh.run(self._systemctl("reset-failed", *there), timeout_s=STEP_TIMEOUT_S)
        self._ssh.must(["sudo", "-n", "rm", "-rf", "--", str(self._home)], timeout_s=STEP_TIMEOUT_S)
        if left := self._units("--all"):
            raise ClusterError(f"{self.spec.name}: still there: {', '.join(left)}: run floodmark cluster down again")
        return there

    def logs(self, lines: int) -> str:
        """The last lines of all its services, in the order of time."""
        words = ["sudo", "-n", "journalctl", "--no-pager", "--quiet", f"--lines={lines}", "--output=short-iso"]
        return self._ssh.must([*words, f"--unit={prefix_of(self._file.cluster.name)}*"], timeout_s=STEP_TIMEOUT_S)

    def services(self) -> Iterator[Service]:
        """What runs here, by the roles of the host."""
        cluster, prefix = self._file.cluster, prefix_of(self._file.cluster.name)
        at, master = f"--port={cluster.port}", self._file.master.reached_at
        python = str(self._home / "venv/bin/python")
        if HostRole.TARGET in self.spec.roles:
            words = ("-m", "floodmark_deploy.serve", cluster.target, f"--host={self.spec.reached_at}", at)
            yield Service(unit=f"{prefix}target", argv=(python, *words), role=HostRole.TARGET)
        if HostRole.MASTER in self.spec.roles:
            yield Service(unit=f"{prefix}master", argv=(python, *self._master_words()), role=HostRole.MASTER)
        if HostRole.AGENT in self.spec.roles:
            watch = ("-m", "floodmark_agent", f"--master={master}:{cluster.bus_port}", at)
            yield Service(unit=f"{prefix}agent", argv=(python, *watch), role=HostRole.AGENT)
        for number in range(1, self.spec.workers + 1) if HostRole.WORKER in self.spec.roles else ():
            join = ("-m", "locust", "--locustfile=-", "--worker", f"--master-host={master}")
            argv = (python, *join, f"--master-port={cluster.bus_port}")
            yield Service(unit=f"{prefix}worker-{number}", argv=argv, role=HostRole.WORKER)

    def _master_words(self) -> tuple[str, ...]:
        cluster = self._file.cluster
        targets = self._file.of(HostRole.TARGET)
        # The locustfile is found there, by the Python that has it: only it knows where its packages are.
        start = (
            "import sys; from floodmark_deploy.cluster import locustfile; from locust.main import main;"
            " sys.argv[1] = '--locustfile=' + str(locustfile(sys.argv[1])); main()"
        )
        return (
            *("-c", start, f"{cluster.profile}.py", "--master", f"--master-bind-host={self.spec.reached_at}"),
            *(f"--master-bind-port={cluster.bus_port}", "--web-host=127.0.0.1", f"--web-port={cluster.web_port}"),
            *((f"--host=http://{targets[0].reached_at}:{cluster.port}",) if targets else ()),
            f"--expect-agents={min(1, len(self._file.of(HostRole.AGENT)))}",
        )

    def _reasons(self, probe: Probe) -> Iterator[str]:
        version = tuple(int(part) for part in probe.python.split("."))
        if probe.system != "Linux":
            yield f"runs {probe.system}: a cluster's hosts must run Linux"
        if version < LEAST_PYTHON:
            yield f"has Python {probe.python}: Floodmark needs {'.'.join(map(str, LEAST_PYTHON))} or later"
        elif not probe.venv:
            yield "its Python makes no environments: apt-get install python3-venv"
        if not probe.systemd:
            yield "is not run by systemd, which keeps the services"
        if not probe.sudo:
            yield "its user may not use sudo without a password: add a line to /etc/sudoers.d"
        if probe.free_bytes < FREE_BYTES:
            yield f"has {probe.free_bytes / 1e6:,.0f} MB free in /var/lib, {FREE_BYTES / 1e6:,.0f} MB are needed"
        ahead_s = probe.wall_s - self._wall()
        if abs(ahead_s) > CLOCK_BOUND_S:
            where = "ahead of" if ahead_s > 0 else "behind"
            yield f"its clock is {abs(ahead_s):,.0f} s {where} this machine's: timedatectl set-ntp true"

    def _put_keys(self) -> None:
        folder = self._file.keys_folder
        if folder is None:
            return
        self._ssh.must(["mkdir", "-p", "-m", "0700", str(self._home / "keys")], timeout_s=STEP_TIMEOUT_S)
        for role in self.spec.roles:
            path = folder / f"{role}.toml"
            if role is HostRole.TARGET:
                continue
            if not path.is_file():
                raise ClusterError(f"{self.spec.name}: {path} is not there: `floodmark keys {folder}` makes it")
            self._ssh.put(path, str(self._home / "keys" / path.name), timeout_s=SEND_TIMEOUT_S)

    def _pip(self, requirement: str) -> list[str]:
        pip = [str(self._home / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return [*pip, "--no-index", f"--find-links={self._home / 'wheels'}", requirement]

    def _systemd_run(self, service: Service, open_files: int) -> list[str]:
        user = self._ssh.must(["id", "-un"], timeout_s=STEP_TIMEOUT_S).strip()
        runtime = f"floodmark-{self._file.cluster.name}-{service.role}"
        properties = [*CONFINED, f"User={user}", f"LimitNOFILE={open_files}", f"ReadWritePaths={self._home}"]
        rights = " ".join(AGENT_RIGHTS) if service.role is HostRole.AGENT else ""
        properties += [f"AmbientCapabilities={rights}", f"CapabilityBoundingSet={rights}"]
        properties += [f"RuntimeDirectory={runtime}"] if service.role is HostRole.TARGET else []
        bus = f"FLOODMARK_KEYS={self._home / 'keys'}" if self._file.keys_folder else "FLOODMARK_PLAIN_BUS=yes"
        environment = [bus, f"HOME={self._home / 'state'}", "PYTHONDONTWRITEBYTECODE=1"]
        return [
            *("sudo", "-n", "systemd-run", "--quiet", f"--unit={service.unit}"),
            *(f"--working-directory={self._home / 'state'}",),
            *(f"--property={value}" for value in properties),
            *(f"--setenv={value}" for value in environment),
            *("--", *service.argv),
        ]

    def _units(self, which: str) -> tuple[str, ...]:
        words = ["systemctl", "list-units", "--plain", "--no-legend", "--no-pager", which]
        pattern = f"{prefix_of(self._file.cluster.name)}*.service"
        lines = self._ssh.must([*words, pattern], timeout_s=STEP_TIMEOUT_S).splitlines()
        return tuple(line.split()[0].removesuffix(".service") for line in lines if line.strip())

    @staticmethod
    def _systemctl(verb: str, *units: str) -> list[str]:
        return ["sudo", "-n", "systemctl", verb, *(f"{unit}.service" for unit in units)]
