"""One host of a cluster: proven fit, given Floodmark, its services started, looked at and taken away. Over SSH only."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.bus_keys import keys_file
from floodmark.core.errors import ClusterError
from floodmark_deploy import probe_there
from floodmark_deploy.cluster_shape import ClusterShape
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.remote_services import (
    Account,
    Service,
    busy_words,
    description_of,
    home_of,
    is_service,
    prefix_of,
    python_of,
    services_of,
    start_words,
    step_words,
)
from floodmark_deploy.ssh_host import Held, SshHost
from floodmark_deploy.wheelhouse import Wheelhouse

STEP_TIMEOUT_S = 60.0
"""A command that is no installation: a busy host answers within seconds."""

DISK_TIMEOUT_S = 600.0
"""A hundred wheels, or the ten thousand files that were in them, put there or taken away: seconds where the disk has
nothing else to do, minutes where all of a cluster's hosts are on one and it has."""

SEND_TIMEOUT_S = 60.0
"""Without a byte going through."""

LEAST_PYTHON = (3, 11)

FREE_BYTES = 1_000_000_000
"""Wheels, what is unpacked of them, and some runs: the master's environment takes 400 MB."""

AGAIN_BYTES = 200_000_000
"""Where Floodmark is already: runs, and the wheels of another (the master's are 111 MB) before they take its room."""

CLOCK_BOUND_S = 60.0
"""Instants are measured by exchanges over the bus and need no common clock; stamps in files and certificates do."""

NO_SUCH_PROGRAM = 127
"""The shell's exit code for it (POSIX, 2.8.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What `probe_there` prints. `keys` is the public key of the bus's master, `key_files` have it."""

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
    machine_id: str
    keys: str
    key_files: tuple[str, ...]


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
        if done.code == NO_SUCH_PROGRAM:
            raise ClusterError(f"{self.spec.name}: has no python3: apt-get install python3 python3-venv")
        try:
            plain = json.loads(done.out)
            return Probe(**{**plain, "key_files": tuple(plain["key_files"])})
        except (ValueError, TypeError, KeyError):
            raise ClusterError(f"{self.spec.name}: its python3 did not say what it is: {done.last}") from None

    def prove(self) -> Probe:
        """What the host is. Raises `ClusterError` with every reason why it cannot take part."""
        probe = self.probe()
        self.judge(probe)
        return probe

    def judge(self, probe: Probe) -> None:
        """Raises `ClusterError` likewise; asks nothing."""
        if reasons := list(self._reasons(probe)):
            raise ClusterError("\n".join(f"{self.spec.name}: {reason}" for reason in reasons))

    @property
    def needs_keys(self) -> bool:
        """Whether anything here speaks on the bus."""
        return bool(self._key_roles())

    def keys_there(self, probe: Probe) -> str:
        """Which keys of the bus the host has; nothing where one of its files is not there."""
        wanted = {keys_file(role) for role in self._key_roles()}
        return probe.keys if wanted <= set(probe.key_files) else ""

    def make_home(self, probe: Probe) -> None:
        """The cluster's folder there, for its user only."""
        words = ["sudo", "-n", "install", "-d", "-m", "0700", "-o", probe.user, str(self._home)]
        self._ssh.must(words, timeout_s=STEP_TIMEOUT_S)
        self._ssh.must(["mkdir", "-p", str(self._home / "state")], timeout_s=STEP_TIMEOUT_S)

    def install(self, wheels: Wheelhouse, probe: Probe) -> bool:
        """Puts Floodmark there, where it is not what `wheels` has. True where something was done."""
        if probe.digest == wheels.digest:
            return False
        home, python = self._home, python_of(self._file.cluster.name)
        self._ssh.run(["rm", "-f", str(home / ".wheels")], timeout_s=STEP_TIMEOUT_S)
        if running := self.running():  # with another Floodmark; `start` starts them anew
            self._stop_units(list(running))
        self._ssh.put(wheels.archive, str(home / "wheels.tar"), timeout_s=SEND_TIMEOUT_S)
        # Of thousands of modules the services import hundreds: those are compiled when they are.
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-compile"]
        for argv in (
            ["python3", "-m", "venv", "--clear", str(home / "venv")],
            ["python3", "-m", "tarfile", "--extract", str(home / "wheels.tar"), str(home / "wheels")],
            [*pip, f"--find-links={home / 'wheels'}", wheels.requirement],
            ["rm", "-r", str(home / "wheels.tar"), str(home / "wheels")],
            ["tee", str(home / ".wheels")],
        ):
            text_in = wheels.digest if argv[0] == "tee" else ""
            what = "Floodmark could not be installed"
            self.step(argv, probe.user, timeout_s=DISK_TIMEOUT_S, text_in=text_in, what=what)
        return True

    def put_keys(self, folder: Path) -> None:
        """To this host the files of its roles, for its user only. Raises `ClusterError` where one is not there."""
        if not self.needs_keys:
            return
        self._ssh.must(["mkdir", "-p", "-m", "0700", str(self._home / "keys")], timeout_s=STEP_TIMEOUT_S)
        for role in self._key_roles():
            path = folder / keys_file(role)
            if not path.is_file():
                raise ClusterError(f"{self.spec.name}: {path} is not there: `floodmark keys {folder}` makes it")
            self._ssh.put(path, str(self._home / "keys" / path.name), timeout_s=SEND_TIMEOUT_S)

    def step(self, argv: list[str], user: str, *, timeout_s: float, text_in: str = "", what: str = "") -> str:
        """Runs words there to their end and returns what they print; `down` ends them, whoever asked for them.

        Raises `ClusterError`.
        """
        words = step_words(argv, self._file, user)
        return self._ssh.must(words, timeout_s=timeout_s, text_in=text_in, what=what)

    def start(self, shape: ClusterShape, account: Account) -> tuple[str, ...]:
        """Makes what runs what it should be; returns the services that were started.

        One that runs and was started with other words is stopped, as is one that the shape has not.
        """
        services = list(self.services(shape))
        wanted = {service.unit: description_of(service, self._file, account) for service in services}
        running = self.running()
        if wrong := [unit for unit, said in running.items() if wanted.get(unit) != said]:
            self._stop_units(wrong)
        missing = [service for service in services if running.get(service.unit) != wanted[service.unit]]
        for service in missing:
            self._ssh.run(self._systemctl("reset-failed", service.unit), timeout_s=STEP_TIMEOUT_S)
            words = start_words(service, self._file, account)
            self._ssh.must(words, timeout_s=STEP_TIMEOUT_S, what=f"{service.unit} could not be started")
        return tuple(service.unit for service in missing)

    def restart(self, unit: str) -> None:
        """A fresh one: of a server nothing is left of what was sent before."""
        what = "the server does not start again"
        self._ssh.must(self._systemctl("restart", unit), timeout_s=STEP_TIMEOUT_S, what=what)

    def hold(self) -> Held:
        """This cluster is this command's until the handle is closed. Raises `ClusterError` where it is another's."""
        what = "another floodmark command is at work with this cluster: wait for it, or take all down"
        return self._ssh.hold(busy_words(self._file), timeout_s=STEP_TIMEOUT_S, what=what)

    def running(self) -> dict[str, str]:
        """The cluster's services that run here, and the description of each."""
        units = self._units("--state=active,activating,reloading")
        return {unit: said for unit, said in units.items() if is_service(unit, self._file.cluster.name)}

    def stop(self) -> tuple[str, ...]:
        """Stops every unit of the cluster; returns the services that there were."""
        there = self._units("--all")
        if there:
            self._stop_units(list(there))
            self._ssh.run(self._systemctl("reset-failed", *there), timeout_s=STEP_TIMEOUT_S)
        return tuple(unit for unit in there if is_service(unit, self._file.cluster.name))

    def remove(self) -> tuple[str, ...]:
        """Stops likewise, and removes the cluster's folder."""
        services = self.stop()
        what = f"{self._home} is not gone, run floodmark cluster down again"
        self._ssh.must(["sudo", "-n", "rm", "-rf", "--", str(self._home)], timeout_s=DISK_TIMEOUT_S, what=what)
        if left := self._units("--all"):
            raise ClusterError(f"{self.spec.name}: still there: {', '.join(left)}: run floodmark cluster down again")
        return services

    def logs(self, lines: int) -> str:
        """The last lines of all its services, in the order of time."""
        words = ["sudo", "-n", "journalctl", "--no-pager", "--quiet", f"--lines={lines}", "--output=short-iso"]
        return self._ssh.must([*words, f"--unit={prefix_of(self._file.cluster.name)}*"], timeout_s=STEP_TIMEOUT_S)

    def services(self, shape: ClusterShape) -> Iterator[Service]:
        """What runs here."""
        return services_of(self.spec, self._file, shape)

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
        needed_bytes = AGAIN_BYTES if probe.digest else FREE_BYTES
        if probe.free_bytes < needed_bytes:
            yield f"has {probe.free_bytes / 1e6:,.0f} MB free in /var/lib, {needed_bytes / 1e6:,.0f} MB are needed"
        ahead_s = probe.wall_s - self._wall()
        if abs(ahead_s) > CLOCK_BOUND_S:
            where = "ahead of" if ahead_s > 0 else "behind"
            yield f"its clock is {abs(ahead_s):,.0f} s {where} this machine's: timedatectl set-ntp true"

    def _key_roles(self) -> list[HostRole]:
        return [role for role in self.spec.roles if role is not HostRole.TARGET]

    def _stop_units(self, units: list[str]) -> None:
        what = "its services do not stop"
        self._ssh.must(self._systemctl("stop", *units), timeout_s=STEP_TIMEOUT_S, what=what)

    def _units(self, which: str) -> dict[str, str]:
        words = ["systemctl", "list-units", "--plain", "--no-legend", "--no-pager", "--full", which]
        pattern = f"{prefix_of(self._file.cluster.name)}*.service"
        lines = self._ssh.must([*words, pattern], timeout_s=STEP_TIMEOUT_S).splitlines()
        columns = [line.split(None, 4) for line in lines if line.strip()]
        return {column[0].removesuffix(".service"): column[-1] for column in columns}

    @staticmethod
    def _systemctl(verb: str, *units: str) -> list[str]:
        return ["sudo", "-n", "systemctl", verb, *(f"{unit}.service" for unit in units)]
