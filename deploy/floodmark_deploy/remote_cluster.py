"""A cluster that lives for a while on hosts over SSH: brought up, looked at, taken away. All hosts at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from floodmark.core.errors import ClusterError, FloodmarkError, UsageError
from floodmark_deploy.cluster_shape import ClusterShape, shape_of
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.remote_host import STEP_TIMEOUT_S, Probe, RemoteHost
from floodmark_deploy.remote_keys import bus_keys
from floodmark_deploy.remote_services import Account, open_files_of, prefix_of
from floodmark_deploy.remote_ui import ask_ui
from floodmark_deploy.ssh_forward import Forward
from floodmark_deploy.ssh_host import Held, SshHost
from floodmark_deploy.ssh_settings import read_settings
from floodmark_deploy.wheelhouse import WheelhousePlan, make_wheelhouses

T = TypeVar("T")

READY_TIMEOUT_S = 60.0
"""Each is a Python process that imports Locust: 1 to 2 s, and 10 on a cold disk."""

READY_PAUSE_S = 0.3

FREE_TIMEOUT_S = 3.0
"""A command that has just ended, or was killed, lets go of the cluster within the second."""

GONE_STATE = "missing"
"""Locust's word for a worker that has not been heard for some seconds (locust.runners.STATE_MISSING)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service that a host should run, and whether it does."""

    host: str
    unit: str
    role: HostRole
    runs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """`workers` as the master counts them; None where it could not be asked. `lost`: a line per host out of reach."""

    services: tuple[ServiceStatus, ...]
    lost: tuple[str, ...]
    workers: int | None
    wanted_workers: int

    @property
    def whole(self) -> bool:
        """True where everything runs, and the master sees every worker."""
        return not self.lost and all(row.runs for row in self.services) and (self.workers or 0) >= self.wanted_workers


class RemoteCluster:
    """The cluster of a hosts.toml. Use it in a ``with``: the connections are closed then, the cluster lives on."""

    def __init__(
        self,
        file: HostsFile,
        *,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connects to nobody yet."""
        self._file = file
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, RemoteHost] = {}
        self._probes: dict[str, Probe] = {}
        self._keys = ""
        self.started: frozenset[str] = frozenset()
        """The services that `form` has started: they are fresh."""

    def __enter__(self) -> Self:
        """For a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections; whoever asks for a host again has it connected anew."""
        for host in self._hosts.values():
            host.ssh.close()
        self._hosts = {}

    def look(self) -> None:
        """Proves every host fit. Changes nothing. Raises `ClusterError` with a line per host and reason."""
        hosts = self._connected()
        self._say(f"looking at {len(hosts)} hosts")
        self._probes = dict(zip(self._hosts, self._on_all(hosts, RemoteHost.prove), strict=True))
        prove_apart(self._probes)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The cluster is this command's, until the end or until this machine is cut off.

        Raises `ClusterError` where another command has it, and for hosts that `look` has not been at.
        """
        master = self._hosts[self._file.master.name]
        deadline_s = self._clock() + FREE_TIMEOUT_S
        while (held := _held(master, last=self._clock() > deadline_s)) is None:
            self._sleep(READY_PAUSE_S)
        try:
            yield
        finally:
            held.close()

    def stands(self) -> bool:
        """Something of it runs already."""
        return any(self._on_all(self._connected(), lambda host: bool(host.running())))

    def is_installed(self) -> bool:
        """Every host has some Floodmark; `look` came before."""
        return all(probe.digest for probe in self._probes.values())

    def install(self, wheels: Path) -> None:
        """Puts Floodmark on the hosts that have another, or none; `look` came before. `wheels`: where wheels are kept.

        Raises `ClusterError` with a line per host.
        """
        self._say("installing Floodmark on them")
        hosts, probes = self._hosts, self._probes
        plans = {
            name: WheelhousePlan(extras=host.spec.extras, python=probes[name].python, machine=probes[name].machine)
            for name, host in hosts.items()
        }
        self._on_all(list(hosts.values()), lambda host: host.make_home(probes[host.spec.name]))
        made = make_wheelhouses(set(plans.values()), wheels)
        self._on_all(
            list(hosts.values()), lambda host: host.install(made[plans[host.spec.name]], probes[host.spec.name])
        )

    def form(self, wanted: ClusterShape | None = None) -> None:
        """Makes the services of an installed cluster what is wanted, and returns when all have found the master.

        None: the file's own shape. Raises `ClusterError` likewise.
        """
        shape = wanted or shape_of(self._file)
        self._say("starting what each is for")
        hosts = list(self._hosts.values())
        there = [self._keys or host.keys_there(self._probes[host.spec.name]) for host in hosts if host.needs_keys]
        with bus_keys(self._file, there) as keys:
            if (folder := keys.folder) is not None:
                self._on_all(hosts, lambda host: host.put_keys(folder))
            self.started = frozenset(
                unit
                for units in self._on_all(hosts, lambda host: self._start(host, shape, keys.word))
                for unit in units
            )
            self._keys = keys.word
        self._wait(shape)

    def _start(self, host: RemoteHost, shape: ClusterShape, keys: str) -> tuple[str, ...]:
        probe = self._probes[host.spec.name]
        account = Account(user=probe.user, open_files=open_files_of(probe.open_files), keys=keys)
        return host.start(shape, account)

    def status(self) -> ClusterStatus:
        """What runs, as systemd on the hosts says, and how many workers the master sees."""
        lost = self._connect_what_can_be()
        services = self._on_all(list(self._hosts.values()), self._services_of)
        return ClusterStatus(
            services=tuple(row for rows in services for row in rows),
            lost=lost,
            workers=self._workers(),
            wanted_workers=self._file.workers,
        )

    def logs(self, lines: int, only: str = "") -> Iterator[tuple[str, str]]:
        """The last lines of each host's services: its name, and the text. `only` names one host.

        Raises `UsageError` for one that the file has not. Hosts that cannot be reached are an error, after the others.
        """
        known = [spec.name for spec in self._file.hosts]
        if only and only not in known:
            raise UsageError(f"--host {only!r}: the cluster has {', '.join(known)}")
        lost = self._connect_what_can_be()
        hosts = [host for host in self._hosts.values() if only in {"", host.spec.name}]
        texts = self._on_all(hosts, lambda host: host.logs(lines))
        yield from zip((host.spec.name for host in hosts), texts, strict=True)
        if lost and not (only and hosts):
            raise ClusterError("\n".join(lost))

    def down(self) -> tuple[str, ...]:
        """Stops everything and removes it, the master first; returns the services that there were.

        Hosts that cannot be reached are an error, after the others are clean.
        """
        lost = self._connect_what_can_be()
        hosts = list(self._hosts.values())
        masters = [host for host in hosts if HostRole.MASTER in host.spec.roles]
        stopped = [*self._on_all(masters, RemoteHost.stop), *self._on_all(hosts, RemoteHost.remove)]
        if lost:
            raise ClusterError("\n".join(lost))
        return tuple(unit for units in stopped for unit in units)

    @contextmanager
    def web_ui(self, local_port: int) -> Iterator[Forward]:
        """Locust's web UI of the master, on this machine's loopback."""
        self._connected()
        forward = self._hosts[self._file.master.name].ssh.forward(local_port, self._file.cluster.web_port)
        try:
            yield forward
        finally:
            forward.close()

    def host(self, name: str) -> RemoteHost:
        """A host by its name, connected. Raises `ClusterError` where one cannot be reached."""
        self._connected()
        return self._hosts[name]

    def probe_of(self, name: str) -> Probe:
        """What `look` has found on a host."""
        return self._probes[name]

    def _wait(self, shape: ClusterShape) -> None:
        wanted = sum(shape.workers)
        deadline_s = self._clock() + READY_TIMEOUT_S
        while ((seen := self._workers()) or 0) < wanted or not self._agent_is_there(shape):
            if self._clock() > deadline_s:
                raise ClusterError(self._what_is_missing(seen, shape))
            self._sleep(READY_PAUSE_S)

    def _what_is_missing(self, seen: int | None, shape: ClusterShape) -> str:
        master, wanted = self._file.master.name, sum(shape.workers)
        for host in self._hosts.values():
            for row in self._services_of(host, shape):
                if not row.runs:
                    return f"{row.host}: {row.unit} does not run: floodmark cluster logs says why"
        if seen is None:
            return f"{master}: Locust's web UI did not answer within {READY_TIMEOUT_S:g} s: see floodmark cluster logs"
        if seen < wanted:
            bus = f"port {self._file.cluster.bus_port} of {self._file.master.reached_at}"
            return (
                f"{master}: {seen} of {wanted} workers have joined within {READY_TIMEOUT_S:g} s: do they reach {bus}?"
            )
        return f"{master}: no agent has joined within {READY_TIMEOUT_S:g} s: see floodmark cluster logs"

    def _workers(self) -> int | None:
        """How many workers the master has."""
        if self._file.master.name not in self._hosts:
            return None
        try:
            workers = self.ask("/stats/requests")["workers"]
        except ClusterError:
            return None
        return sum(1 for worker in workers if worker["state"] != GONE_STATE)

    def ask(self, path: str, form: bytes | None = None) -> dict[str, Any]:
        """What the master's web UI answers, as JSON. Raises `ClusterError` where it does not."""
        return ask_ui(self.host(self._file.master.name).ssh, self._file.cluster.web_port, path, form)

    def _services_of(self, host: RemoteHost, shape: ClusterShape | None = None) -> tuple[ServiceStatus, ...]:
        running = host.running()
        return tuple(
            ServiceStatus(host=host.spec.name, unit=service.unit, role=service.role, runs=service.unit in running)
            for service in host.services(shape or shape_of(self._file))
        )

    def _agent_is_there(self, shape: ClusterShape) -> bool:
        if not shape.has_agent(self._file):
            return True
        unit = f"{prefix_of(self._file.cluster.name)}master.service"
        words = ["sudo", "-n", "journalctl", "--quiet", "--no-pager", "--output=cat", f"--unit={unit}"]
        said = self._hosts[self._file.master.name].ssh.must(words, timeout_s=STEP_TIMEOUT_S)
        return "has joined" in said.rpartition("Starting Locust")[2]

    def _connected(self) -> list[RemoteHost]:
        """Every host. Raises `ClusterError` with a line for each that cannot be reached."""
        if lost := self._connect_what_can_be():
            raise ClusterError("\n".join(lost))
        return list(self._hosts.values())

    def _connect_what_can_be(self) -> tuple[str, ...]:
        """An error's line for each host that cannot be reached."""
        if self._hosts:
            return ()
        with ThreadPoolExecutor(max_workers=len(self._file.hosts)) as pool:
            found = list(pool.map(self._connect, self._file.hosts))
        self._hosts = {host.spec.name: host for host in found if isinstance(host, RemoteHost)}
        return tuple(str(error) for error in found if isinstance(error, FloodmarkError))

    def _on_all(self, hosts: Sequence[RemoteHost], work: Callable[[RemoteHost], T]) -> list[T]:
        """The work on every host at once. Raises `ClusterError` with the lines of all that failed, after all ended."""
        if not hosts:
            return []
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            futures = [pool.submit(work, host) for host in hosts]
            try:
                wait(futures)
            except BaseException:
                self.close()  # Ctrl-C: what is being done ends now, and not when the slowest host is through
                raise
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, FloodmarkError):
                raise error
        if errors:
            raise ClusterError("\n".join(map(str, errors)))
        return [future.result() for future in futures]

    def _connect(self, spec: HostSpec) -> RemoteHost | FloodmarkError:
        try:
            return RemoteHost(spec, self._file, SshHost(read_settings(spec.name, self._file.ssh_config)))
        except FloodmarkError as error:
            return error


def prove_apart(probes: dict[str, Probe]) -> None:
    """Reports name hosts by what they call themselves: two of one name could not be told apart.

    Two with one identity are one machine that is to have two parts, or a clone. Raises `ClusterError`.
    """
    names: dict[str, str] = {}
    machines: dict[str, str] = {}
    for host, probe in probes.items():
        if probe.machine_id and probe.machine_id in machines:
            raise ClusterError(
                f"{host}: has the machine-id of {machines[probe.machine_id]}: one machine is one entry with all its"
                " roles; a clone gets its own by `rm /etc/machine-id && systemd-machine-id-setup`"
            )
        if probe.hostname in names:
            raise ClusterError(
                f"{host}: calls itself {probe.hostname!r}, and so does {names[probe.hostname]}:"
                " hostnamectl set-hostname gives it another name"
            )
        names[probe.hostname] = machines[probe.machine_id] = host


def _held(master: RemoteHost, *, last: bool) -> Held | None:
    """None where another command has the cluster, and this is not the last try."""
    try:
        return master.hold()
    except ClusterError:
        if last:
            raise
        return None
