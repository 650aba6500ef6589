"""What this machine allows against what a plan needs. It judges facts and raises one soft limit; it sends no load."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from floodmark_deploy.host_facts import HostFacts, read_host_facts

WORKER_FILES = 256
"""A worker's own files: Locust's bus and logs, its epoll, modules being read. Ample on purpose."""

TARGET_FILES = 128
"""A target's own files: its listeners, logs, event loops and pipes. The zoo's servers hold 4 to 19 at rest."""

ZOO_BACKLOG = 2_048
"""The largest backlog that servers of the zoo ask for (gunicorn, uvicorn); somaxconn below cuts it."""

HOST_TASKS = 1_000
"""Threads and processes of everything else on the machine."""

MAPS_PER_THREAD = 2
"""A thread's stack and the guard page below it are two memory maps (pthread_create(3), mmap(2))."""

BASE_BYTES = 300 * 2**20
"""Master, agent and target at rest."""

WORKER_BYTES = 150 * 2**20
"""One worker at rest."""

REQUEST_BYTES = 64 * 2**10
"""One request held: both ends' sockets and a thread or a task. The zoo's servers took up to 48 KiB with 1,000 held."""

MOST_PORTS = 65_535 - 1_024 + 1
"""Of one address: those above the well-known ones. A sysctl can widen the range to these and no further."""

FIRST_SOURCE = ip_address("127.0.0.2")
"""Where the offered range of source addresses begins: all of 127.0.0.0/8 is this machine, 127.0.0.1 is the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFinding:
    """One limit. `have` None: none is set, or it cannot be read; then `ok` is True. `need` None: nothing depends on it.

    `blocking` is False where too little lets some targets fail sooner, or makes figures less sure, and no more.
    `remedy` is the exact command, for a root shell where it says sudo; empty where nothing is to be mended.
    """

    name: str
    have: int | None
    need: int | None
    ok: bool
    blocking: bool
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What matters of a run: connections at once, workers they are spread over, RLIMIT_NOFILE set on the target.

    `sources` is the number of addresses that they come from, `target_processes` of processes that share them, 0: one
    per core.
    """

    connections: int
    workers: int
    target_nofile: int | None = None
    sources: int = 1
    target_processes: int = 1

    @property
    def worker_files(self) -> int:
        """Open files one worker needs."""
        return math.ceil(self.connections / self.workers) + WORKER_FILES

    def target_files(self, cores: int) -> int:
        """Open files the target needs; where its file sets a limit, that is what it is to have, be it enough or not."""
        return self.target_nofile or math.ceil(self.connections / (self.target_processes or cores)) + TARGET_FILES


def most_connections(files: int | None, processes: int, cores: int) -> int | None:
    """As many as a target in so many processes (0: one per core) has files for; None: nothing bounds them.

    `files` is how many one process may open.
    """
    return None if files is None else max(0, files - TARGET_FILES) * (processes or cores)


def check_limits(plan: LoadPlan) -> tuple[LimitFinding, ...]:
    """This machine against a plan, every limit once."""
    return judge(read_host_facts(), plan)


def judge(facts: HostFacts, plan: LoadPlan) -> tuple[LimitFinding, ...]:
    """The facts against the plan."""
    return tuple(_all(facts, plan))


def _all(facts: HostFacts, plan: LoadPlan) -> Iterator[LimitFinding]:
    yield from _files(facts, plan)
    yield from _network(facts, plan)
    yield from _tasks(facts, plan)
    memory = BASE_BYTES + plan.workers * WORKER_BYTES + plan.connections * REQUEST_BYTES
    yield _finding(
        "available memory in bytes", facts.memory_available_bytes, memory, "lower --requests or --connections"
    )
    cores = plan.workers + 1
    yield _finding(
        "cores (target and workers)", facts.cores, cores, "lower --workers, or use more hosts", blocking=False
    )


def _files(facts: HostFacts, plan: LoadPlan) -> Iterator[LimitFinding]:
    # The hard limit counts: Floodmark raises the soft one by itself.
    for who, need in (("worker", plan.worker_files), ("target", plan.target_files(facts.cores))):
        yield _finding(
            f"open files of a {who} (RLIMIT_NOFILE, hard)",
            facts.nofile_hard,
            need,
            f"sudo prlimit --pid $$ --nofile={need}:{need}",
        )


def _network(facts: HostFacts, plan: LoadPlan) -> Iterator[LimitFinding]:
    yield _ports(facts.ports, plan)
    yield _finding(
        "somaxconn", facts.somaxconn, ZOO_BACKLOG, f"sudo sysctl -w net.core.somaxconn={ZOO_BACKLOG}", blocking=False
    )
    # With SYN cookies the kernel answers beyond this limit too, so nothing depends on it.
    syn_need = plan.connections if facts.tcp_syncookies == 0 else None
    yield _finding(
        "tcp_max_syn_backlog",
        facts.tcp_max_syn_backlog,
        syn_need,
        f"sudo sysctl -w net.ipv4.tcp_max_syn_backlog={plan.connections}",
        blocking=False,
    )
    if facts.conntrack_max is not None:
        need = plan.connections + (facts.conntrack_count or 0)
        remedy = f"sudo sysctl -w net.netfilter.nf_conntrack_max={need}"
        yield _finding("nf_conntrack_max", facts.conntrack_max, need, remedy)


def _ports(ports: int | None, plan: LoadPlan) -> LimitFinding:
    """A connection to one server needs a port that no other from its address has; each address has all of them."""
    name = "source ports of one client address"
    if plan.sources > 1:
        name = f"source ports of {plan.sources:,} client addresses"
    have = None if ports is None else ports * plan.sources
    remedy = f"sudo sysctl -w net.ipv4.ip_local_port_range='{65_536 - MOST_PORTS} 65535'"
    if plan.connections > MOST_PORTS * plan.sources:
        last = FIRST_SOURCE + math.ceil(plan.connections / (ports or MOST_PORTS)) - 1
        remedy = f"send from more addresses: --source {FIRST_SOURCE}-{last}"
    return _finding(name, have, plan.connections, remedy)


def _tasks(facts: HostFacts, plan: LoadPlan) -> Iterator[LimitFinding]:
    # Only servers with a thread or a process per request need as many; the others run all the same.
    need = plan.connections + HOST_TASKS
    maps = need * MAPS_PER_THREAD
    rows = (
        (
            "processes and threads of this user (RLIMIT_NPROC)",
            facts.nproc_soft,
            need,
            f"sudo prlimit --pid $$ --nproc={need}",
        ),
        ("threads-max", facts.threads_max, need, f"sudo sysctl -w kernel.threads-max={need}"),
        ("pid_max", facts.pid_max, need, f"sudo sysctl -w kernel.pid_max={need}"),
        (
            "pids.max of this cgroup",
            facts.pids_max,
            need,
            f"sudo systemctl set-property --runtime user-$UID.slice TasksMax={need}",
        ),
        ("max_map_count", facts.max_map_count, maps, f"sudo sysctl -w vm.max_map_count={maps}"),
    )
    for name, have, enough, remedy in rows:
        yield _finding(name, have, enough, remedy, blocking=False)


def _finding(name: str, have: int | None, need: int | None, remedy: str, *, blocking: bool = True) -> LimitFinding:
    ok = have is None or need is None or have >= need
    return LimitFinding(name=name, have=have, need=need, ok=ok, blocking=blocking, remedy="" if ok else remedy)
