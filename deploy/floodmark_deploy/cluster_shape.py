"""What runs on a cluster for one load: which profile, which server where, how many workers. It starts nothing."""

from dataclasses import dataclass

from floodmark.core.errors import UsageError
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec

BEAT_S = 0.05
"""Between two samples of the agent, where nobody says another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterShape:
    """Services that say something else than their shape are started anew, and no others.

    `host` is the name of the one under load, in hosts.toml; `target` the server that is started on it, empty for one
    that runs there already; `port` is where it listens. `workers` has a number for each host of that role, in the
    file's order. `cpu_budget_percent` None: the agent's own default.
    """

    profile: str
    target: str
    host: str
    port: int
    workers: tuple[int, ...]
    beat_s: float = BEAT_S
    cpu_budget_percent: float | None = None

    def workers_on(self, file: HostsFile, spec: HostSpec) -> int:
        """How many run on a host; 0 where it is not for that."""
        hosts = file.of(HostRole.WORKER)
        return self.workers[hosts.index(spec)] if spec in hosts else 0

    def has_agent(self, file: HostsFile) -> bool:
        """Whether an agent reads the kernel of the host under load."""
        return any(spec.name == self.host for spec in file.of(HostRole.AGENT))


def shape_of(file: HostsFile) -> ClusterShape:
    """The file's own: what `up` starts. Of several hosts with a server the first is under load."""
    servers = (*file.of(HostRole.TARGET), *file.of(HostRole.AGENT))
    return ClusterShape(
        profile=file.cluster.profile,
        target=file.cluster.target if file.of(HostRole.TARGET) else "",
        host=servers[0].name if servers else "",
        port=file.cluster.port,
        workers=tuple(spec.workers for spec in file.of(HostRole.WORKER)),
    )


def spread(file: HostsFile, workers: int) -> tuple[int, ...]:
    """So many workers over the file's hosts for them, one by one in turn. Raises `UsageError` where there is no room.

    One worker loads one core, and the file says how many each host is to have.
    """
    if workers > file.workers:
        raise UsageError(
            f"--workers {workers}: the hosts of hosts.toml have {file.workers}: raise workers there, or add hosts"
        )
    most = [spec.workers for spec in file.of(HostRole.WORKER)]
    given = [0] * len(most)
    while sum(given) < workers:
        for index, room in enumerate(most):
            if given[index] < room and sum(given) < workers:
                given[index] += 1
    return tuple(given)
