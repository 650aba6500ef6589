"""What the agent read from the target's kernel at one instant. Records only, no reading and no meaning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSample:
    """One LISTEN socket of the target's process tree.

    `address` is ``127.0.0.1:8000``, ``[::]:8000`` or a UNIX path. `depth` is how many connections wait to be accepted,
    `limit` the backlog in force, min(listen argument, somaxconn): the kernel lets in limit + 1.
    `outer` is True for the port that clients are sent to. Several LISTEN rows on one address (SO_REUSEPORT) stay apart
    by `inode`. `owners` are the process ids that hold it.
    """

    address: str
    family: str
    inode: int
    depth: int
    limit: int
    outer: bool
    owners: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCounts:
    """The target's side of all TCP connections to one of its ports, from one dump, or walk, of the kernel's table.

    `accept_queue`: ESTABLISHED, inode 0. `unread`: ESTABLISHED, accepted, bytes waiting. `read`: ESTABLISHED, accepted,
    nothing left to read. `half_open`: SYN_RECV. `abandoned`: CLOSE_WAIT, the client has hung up and the
    server has not noticed yet; `abandoned_queue` is the part of these that still sits in the accept queue.
    `closing`: FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING. `time_wait`: TIME_WAIT. `stuck` is the part of `unread` and
    `read` for which the server has written something that the client's host has not taken.
    """

    port: int
    accept_queue: int
    unread: int
    read: int
    half_open: int
    abandoned: int
    abandoned_queue: int
    closing: int
    time_wait: int
    stuck: int = 0

    @property
    def established(self) -> int:
        """All ESTABLISHED sockets, accepted or not."""
        return self.accept_queue + self.unread + self.read


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSample:
    """One process of the target's tree. None where the kernel did not say (gone, or not ours to read).

    `threads_started` and `threads_ended` count thread ids that appeared and disappeared since the sample before;
    in a process's first sample every thread counts as started. To list the ids of very many threads is dear, and not
    done on every beat: where `threads_listed` is False the two say by how many `threads` has changed, which is the
    least that has happened. Threads that took the place of others meanwhile, and are there at the next listing, are
    counted in that one's sample; those that had come and gone by then in none. `cpu_s` of very many threads is
    as it was up to a second before.
    """

    pid: int
    parent: int
    name: str
    threads: int | None
    threads_started: int
    threads_ended: int
    open_files: int | None
    rss_bytes: int | None
    cpu_s: float | None
    threads_listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NetCounters:
    """Counters of the target's network namespace since its start (/proc/<pid>/net/netstat): events, with retries."""

    listen_overflows: int
    listen_drops: int
    req_q_full_do_cookies: int
    req_q_full_drop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One beat of the agent. Times are seconds of the agent's monotonic clock.

    `due_s` is when the beat was due, `taken_s` when reading began, `socket_s` when the socket dump was made (the middle
    of it), `cost_s` how long the whole sample took. `missed` counts beats that were skipped because the one before
    took too long, or to keep to the agent's CPU budget; `saved` counts the latter alone. `processes` is None where the
    tree could not be read.

    A dump of all connections costs more than the rest, so not every beat has one: `connections` is empty where there
    was none, and `socket_s` then is when the listeners were read. `agent_cpu_s` is the CPU time that the agent's
    process had used at the end of this sample, since its start.
    """

    sequence: int
    due_s: float
    taken_s: float
    socket_s: float
    cost_s: float
    missed: int
    listeners: tuple[ListenerSample, ...]
    connections: tuple[ConnectionCounts, ...]
    processes: tuple[ProcessSample, ...] | None
    counters: NetCounters | None
    agent_cpu_s: float | None = None
    saved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLimits:
    """Limits in force on the target's first process and in its namespaces; None where the kernel did not say.

    `processes` is RLIMIT_NPROC, None where it does not bind (root). It counts all that the process' user runs:
    `other_tasks` are the user's processes and threads outside of the target when the watch began.
    """

    pid: int
    open_files: int | None
    processes: int | None
    somaxconn: int | None
    tcp_max_syn_backlog: int | None
    tcp_syncookies: int | None
    tcp_abort_on_overflow: int | None
    pids_max: int | None
    other_tasks: int | None = None
