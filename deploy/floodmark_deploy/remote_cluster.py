"""A cluster that lives for a while on hosts over SSH: brought up, looked at, taken away. All hosts at once."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from floodmark.core.errors import ClusterError, FloodmarkError
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.remote_host import STEP_TIMEOUT_S, Probe, RemoteHost, prefix_of
from floodmark_deploy.ssh_host import Forward, SshHost
from floodmark_deploy.ssh_settings import read_settings
from floodmark_deploy.wheelhouse import WheelhousePlan, make_wheelhouses

T = TypeVar("T")

READY_TIMEOUT_S = 60.0
"""Each is a Python process that imports Locust: 1 to 2 s, and 10 on a cold disk."""

READY_PAUSE_S = 0.3

ASK_TIMEOUT_S = 5.0

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

    def __enter__(self) -> Self:
        """For a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        for host in self._hosts.values():
            host.ssh.close()
        self._hosts = {}

    def up(self, wheels: Path) -> None:
        """Proves every host fit, then installs and starts what is missing, and returns when all have found the master.

        Nothing is put on any host before all are proven. `wheels` is where wheelhouses are kept. Raises `ClusterError`
        with a line per host.
        """
        hosts = self._connected()
        self._say(f"looking at {len(hosts)} hosts")
        probes = dict(zip(self._hosts, _on_all(hosts, RemoteHost.probe), strict=True))
        _on_all(hosts, lambda host: host.prove(probes[host.spec.name]))
        _prove_apart(probes)
        self._say("installing Floodmark on them")
        self._install(probes, wheels)
        self._say("starting what each is for")
        _on_all(hosts, lambda host: host.start(probes[host.spec.name].open_files))
        self._wait()

    def status(self) -> ClusterStatus:
        """What runs, as systemd on the hosts says, and how many workers the master sees."""
        lost = self._connect_what_can_be()
        services = _on_all(list(self._hosts.values()), _services_of)
        return ClusterStatus(
            services=tuple(row for rows in services for row in rows),
            lost=lost,
            workers=self._workers(),
            wanted_workers=sum(host.workers for host in self._file.of(HostRole.WORKER)),
        )

    def logs(self, lines: int, only: str = "") -> Iterator[tuple[str, str]]:
        """The last lines of each host's services: its name, and the text. `only` names one host."""
        hosts = [host for host in self._connected() if only in {"", host.spec.name}]
        texts = _on_all(hosts, lambda host: host.logs(lines))
        yield from zip((host.spec.name for host in hosts), texts, strict=True)

    def down(self) -> tuple[str, ...]:
        """Stops everything and removes it, the master first; returns the services that there were.

        Hosts that cannot be reached are an error, after the others are clean.
        """
        lost = self._connect_what_can_be()
        order = sorted(self._hosts.values(), key=lambda host: HostRole.MASTER not in host.spec.roles)
        stopped = [*_on_all(order[:1], RemoteHost.stop), *_on_all(order[1:], RemoteHost.stop)]
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

    def _install(self, probes: dict[str, Probe], wheels: Path) -> None:
        plans = {
            name: WheelhousePlan(extras=host.spec.extras, python=probes[name].python, machine=probes[name].machine)
            for name, host in self._hosts.items()
        }
        made = make_wheelhouses(set(plans.values()), wheels)
        _on_all(list(self._hosts.values()), lambda host: host.install(made[plans[host.spec.name]]))

    def _wait(self) -> None:
        wanted = sum(host.workers for host in self._file.of(HostRole.WORKER))
        deadline_s = self._clock() + READY_TIMEOUT_S
        while ((seen := self._workers()) or 0) < wanted or not self._agent_is_there():
            if self._clock() > deadline_s:
                raise ClusterError(self._what_is_missing(seen, wanted))
            self._sleep(READY_PAUSE_S)

    def _what_is_missing(self, seen: int | None, wanted: int) -> str:
        master = self._file.master.name
        for host in self._hosts.values():
            for row in _services_of(host):
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
        try:
            with self.web_ui(0) as forward:
                url = f"http://127.0.0.1:{forward.port}{path}"
                with urllib.request.urlopen(url, form, timeout=ASK_TIMEOUT_S) as answer:
                    said: dict[str, Any] = json.load(answer)
                    return said
        except (OSError, ValueError, urllib.error.HTTPError) as error:
            raise ClusterError(f"{self._file.master.name}: Locust's web UI does not answer: {error}") from None

    def _agent_is_there(self) -> bool:
        if not self._file.of(HostRole.AGENT):
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

    def _connect(self, spec: HostSpec) -> RemoteHost | FloodmarkError:
        try:
            return RemoteHost(spec, self._file, SshHost(read_settings(spec.name, self._file.ssh_config)))
        except FloodmarkError as error:
            return error


def _services_of(host: RemoteHost) -> tuple[ServiceStatus, ...]:
    running = set(host.running())
    return tuple(
        ServiceStatus(host=host.spec.name, unit=service.unit, role=service.role, runs=service.unit in running)
        for service in host.services()
    )


def _prove_apart(probes: dict[str, Probe]) -> None:
    """Reports name hosts by what they call themselves: two of one name could not be told apart."""
    names: dict[str, str] = {}
    for host, probe in probes.items():
        if probe.hostname in names:
            raise ClusterError(
                f"{host}: calls itself {probe.hostname!r}, and so does {names[probe.hostname]}:"
                " hostnamectl set-hostname gives it another name"
            )
        names[probe.hostname] = host


def _on_all(hosts: Sequence[RemoteHost], work: Callable[[RemoteHost], T]) -> list[T]:
    """The work on every host at once. Raises `ClusterError` with the lines of all that failed, after all have ended."""
    if not hosts:
        return []
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        futures = [pool.submit(work, host) for host in hosts]
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, FloodmarkError):
            raise error
    if errors:
        raise ClusterError("\n".join(map(str, errors)))
    return [future.result() for future in futures]
