"""Which limit a target ran into, from the figure that shows it: files, threads, its own, or a line of the kernel's.

A limit that was reached explains failures; two of them can look the same to a client.
"""

from collections.abc import Iterator

from floodmark.analysis.axis import Axis
from floodmark.analysis.document import Judgement, LimitKind, LimitReached, Line, Unit
from floodmark.analysis.files import files_peak
from floodmark.analysis.model import counted
from floodmark.analysis.own_limit import CUT_OFF, NEAR_SHARE, cut_off_when_full
from floodmark.analysis.target_checks import lost_processes
from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.sample import NetCounters, TargetLimits

SPARE_FILES = 1
"""A server at its limit closes and opens one all the time."""

SPARE_TASKS = 2
"""A request that takes two threads gets none where there is one left."""

OTHERS_SHARE = 0.1
"""Of what else the user ran when the watch began: so much of it may have come or gone since."""

NO_THREAD = (Outcome.RESET.value, Outcome.CLOSED.value, Outcome.SERVER_ERROR.value)
KEPT_OUT = (Outcome.CONNECT_TIMEOUT.value,)


def limits_reached(axis: Axis, found: Judgement, *, steady: bool = False) -> tuple[LimitReached, ...]:
    """Every limit that the evidence shows reached, the target's own first.

    In a `steady` load a line counts where it was seen full: the kernel's counters are of all lines of the namespace.
    """
    limits = axis.recording.manifest.limits
    reached = [*_files(limits, files_peak(axis)), *_tasks(limits, found, tasks_peak(axis))]
    lines = [*_full_lines(found, limits), *([] if steady else _overflows(axis, found, limits))]
    if not reached and not steady:
        reached += [*_stops_accepting(found), *([] if lines else _own(axis, found))]
    return (*reached, *lines)


def tasks_peak(axis: Axis) -> int | None:
    """The most threads that the target's processes had together; a process is one of them. None: not seen."""
    trees = [beat.sample.processes for beat in axis.beats if beat.sample.processes is not None]
    return max((sum(process.threads or 0 for process in tree) for tree in trees), default=None)


def _files(limits: TargetLimits | None, peak: int | None) -> Iterator[LimitReached]:
    limit = limits.open_files if limits else None
    if limit is not None and peak is not None and peak >= limit - SPARE_FILES:
        yield LimitReached(
            kind=LimitKind.OPEN_FILES,
            short=f"open files ({peak:,} of {limit:,})",
            words=f"A process of the target had {peak:,} files open, and its limit (RLIMIT_NOFILE) is {limit:,}: each"
            " connection is one, and beyond it accept() fails with `Too many open files`. Raise the limit first.",
            explains=(*NO_THREAD, *KEPT_OUT),
        )


def _tasks(limits: TargetLimits | None, found: Judgement, peak: int | None) -> Iterator[LimitReached]:
    """RLIMIT_NPROC and pids.max count processes and threads alike, the first one of all that the user runs.

    A limit that was passed does not bind this target. One that was reached shows: by failures, or in a ceiling.
    """
    kinds = {failure.kind for failure in found.failures}
    if limits is None or peak is None or not (kinds & {*NO_THREAD} or found.in_service.ceiling):
        return
    named = (
        (limits.processes, limits.other_tasks or 0, "RLIMIT_NPROC", "`ulimit -u`"),
        (limits.pids_max, 0, "its cgroup's pids.max", "pids.max"),
    )
    for limit, others, name, knob in named:
        spare = SPARE_TASKS + int(OTHERS_SHARE * others)
        if limit is None or peak > limit + SPARE_TASKS or peak + others < limit - spare:
            continue
        short, beside = f"threads ({peak:,} of {limit:,})", ""
        if others:
            short = f"threads ({peak:,} of {limit:,}, which its user's {others:,} others count against)"
            beside = f" for all that its user runs, {others:,} others among them"
        yield LimitReached(
            kind=LimitKind.THREADS,
            short=short,
            words=f"The target had {peak:,} threads and processes, and {name} allows {limit:,}{beside}: what needs one"
            " more fails with `can't start new thread`, as HTTP 5xx or a closed connection."
            f" Raise {knob}, or use a pool of fewer threads.",
            explains=NO_THREAD,
        )


def _own(axis: Axis, found: Judgement) -> Iterator[LimitReached]:
    """The target let clients in and cut them off when it was full; no process was lost."""
    held = max((count.read + count.unread for beat in axis.beats for count in beat.sample.connections[:1]), default=0)
    # Not seen is not kept: the processes must have been there before the load, and at its end.
    if found.in_service.peak < NEAR_SHARE * held or lost_processes(axis) != ():
        return
    cut = cut_off_when_full(axis)
    if not cut:
        return
    files = files_peak(axis)
    limits = axis.recording.manifest.limits
    others = "neither its files nor its threads were at their limit"
    if files is not None and limits is not None and limits.open_files is not None:
        others = f"its files were not at their limit ({files:,} of {limits.open_files:,}), nor its threads"
    yield LimitReached(
        kind=LimitKind.CONNECTIONS,
        short=f"its own limit on connections (about {held:,})",
        words=f"The target let {counted(cut, 'client')} in and cut them off when {found.in_service.peak:,} were in"
        f" service, with at most {held:,} connections at once; {others}, and no line was full: it is a limit of its own"
        " on connections (nginx: worker_connections). Its log names it.",
        explains=tuple(outcome.value for outcome in CUT_OFF),
    )


def _stops_accepting(found: Judgement) -> Iterator[LimitReached]:
    """Event loops with room for many, which left the others in the kernel's queue: nothing but a number stops them."""
    ceiling = found.in_service.ceiling
    if ceiling is None or found.model.unit is not Unit.EVENT_LOOP:
        return
    queued = found.waiting[Place.ACCEPT_QUEUE].peak or 0
    inside = max(found.waiting[place].peak or 0 for place in (Place.UNREAD, Place.IN_PROCESS))
    if queued > inside and inside <= (1 - NEAR_SHARE) * ceiling:
        yield LimitReached(
            kind=LimitKind.CONNECTIONS,
            short=f"its own limit on connections ({ceiling:,}, the others not accepted)",
            words=f"With {ceiling:,} connections the target stopped accepting: up to {queued:,} stayed in the accept"
            " queue. An event loop has room for more, so it is a limit of its own on connections (gunicorn:"
            " --worker-connections).",
            explains=(),
        )


def _full_lines(found: Judgement, limits: TargetLimits | None) -> Iterator[LimitReached]:
    for line in found.lines:
        if _is_full(line):
            yield LimitReached(
                kind=LimitKind.ACCEPT_QUEUE,
                short=f"accept queue ({line.depth_peak:,} of {line.limit:,} + 1)",
                words=f"The accept queue of {line.address} was full ({line.depth_peak:,} of {line.limit:,} + 1): the"
                f" kernel dropped what came then. {raise_line(limits)}",
                explains=KEPT_OUT,
            )


def _overflows(axis: Axis, found: Judgement, limits: TargetLimits | None) -> Iterator[LimitReached]:
    """What the counters say. They are the whole namespace's: they speak of this target where clients had no way in."""
    counted = events(axis)
    kept_out = any(found.waiting[place].peak for place in (Place.CONNECTING, Place.HALF_OPEN))
    if counted is None or not kept_out:
        return
    if counted.listen_overflows and not any(_is_full(line) for line in found.lines if line.outer):
        times = f"{counted.listen_overflows:,} times (retries included)"
        yield LimitReached(
            kind=LimitKind.ACCEPT_QUEUE,
            short=f"accept queue ({counted.listen_overflows:,} overflows)",
            words=f"An accept queue overflowed {times} between two samples, and clients were kept out."
            f" {raise_line(limits)}",
            explains=KEPT_OUT,
        )
    resets = sum(failure.count for failure in found.failures if failure.kind == Outcome.RESET)
    if counted.listen_overflows and resets and limits is not None and limits.tcp_abort_on_overflow:
        yield _aborts(resets)
    if counted.req_q_full_do_cookies or counted.req_q_full_drop:
        yield _syn_queue(counted)


def _aborts(resets: int) -> LimitReached:
    return LimitReached(
        kind=LimitKind.ACCEPT_QUEUE,
        short="accept queue, whose overflow resets (tcp_abort_on_overflow)",
        words="net.ipv4.tcp_abort_on_overflow is 1 at the target: its kernel resets a client whose handshake ends at a"
        f" full accept queue ({resets:,} resets). With 0, the default, it stays silent, and the client tries again.",
        explains=(Outcome.RESET.value,),
    )


def _syn_queue(counted: NetCounters) -> LimitReached:
    """The kernel lets no more half-open connections into a line than its backlog (inet_csk_reqsk_queue_is_full)."""
    head = "So many came at once that the line of half-open connections was full, too (its limit is the backlog)."
    if counted.req_q_full_drop:
        dropped = counted.req_q_full_drop
        return LimitReached(
            kind=LimitKind.SYN_QUEUE,
            short=f"SYN queue ({dropped:,} SYN dropped)",
            words=f"{head} Without SYN cookies (net.ipv4.tcp_syncookies 0) the kernel dropped {dropped:,} SYN there"
            " (TCPReqQFullDrop): these clients stay connecting, and try again a second or more later.",
            explains=KEPT_OUT,
        )
    cookies = counted.req_q_full_do_cookies
    return LimitReached(
        kind=LimitKind.SYN_QUEUE,
        short=f"SYN queue ({cookies:,} SYN cookies)",
        words=f"{head} The kernel answered {cookies:,} SYN there with cookies (TCPReqQFullDoCookies). A cookie makes no"
        " room in the accept queue: these clients believe they are connected, the target knows nothing of them, and"
        " they wait half open.",
        explains=KEPT_OUT,
    )


def events(axis: Axis) -> NetCounters | None:
    """What the namespace's counters counted during the load; None: they were not seen."""
    seen = [beat.sample.counters for beat in axis.beats if beat.sample.counters is not None]
    if not seen:
        return None
    first, last = seen[0], seen[-1]
    return NetCounters(
        listen_overflows=last.listen_overflows - first.listen_overflows,
        listen_drops=last.listen_drops - first.listen_drops,
        req_q_full_do_cookies=last.req_q_full_do_cookies - first.req_q_full_do_cookies,
        req_q_full_drop=last.req_q_full_drop - first.req_q_full_drop,
    )


def raise_line(limits: TargetLimits | None) -> str:
    """What to do about a short line."""
    if limits is None or limits.somaxconn is None:
        return "Raise the server's backlog, and net.core.somaxconn."
    return f"Raise the server's backlog and, above {limits.somaxconn:,}, net.core.somaxconn."


def _is_full(line: Line) -> bool:
    return line.depth_peak > line.limit
