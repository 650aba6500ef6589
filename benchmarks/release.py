"""How evenly 5,000 requests are released at one instant, with and without what a worker does for it beforehand.

    python benchmarks/release.py [--turns 7]

Each release is a process of its own on one core, with a Locust worker's heap and one more thread; its listener on
loopback accepts nothing. Python's next full collection is near, so that it comes in the middle where nobody keeps it
away: left to chance it would in about one of 20. Then how unequal this machine's cores are, since workers on unequal
cores cannot keep in step. Ends with 1 where the bar is missed. Under a minute.
"""

import argparse
import gc
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from _common import answer_of, child, cores, machine, say_bar
from _holding import BACKLOG, end, line_of, start
from _worker import worker_environment

COUNT = 5_000

AS_A_WORKER = "as a worker does it"
WITHOUT_ANY = "without any of them"
WAYS = {
    AS_A_WORKER: (True, True),
    "without make_room": (True, False),
    "without Aside and Pause": (False, True),
    WITHOUT_ANY: (False, False),
}
"""Whether Python's collector is kept out of the way, and whether room for the files is made before."""

BAR = 0.2
"""A worker's longest pause may be this share of that without any of them."""

LISTENERS = 2
"""On one port. The accept queue of one is net.core.somaxconn long, mostly 4,096: too short for all."""

WINDOWS = 40
WINDOW_S = 0.12
"""About as long as the release takes."""
EVERY_S = 0.25
MS_PER_S = 1_000


@contextmanager
def listening() -> Iterator[int]:
    """Listens while it is entered; the port."""
    with ExitStack() as listeners:
        port = 0
        for _ in range(LISTENERS):
            listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG, reuse_port=True)
            port = listeners.enter_context(listener).getsockname()[1]
        yield port


def bring_full_collection_near() -> None:
    """As after some loads: what a burst allocates until half of it is released sets it off (gc.set_threshold)."""
    gc.collect()
    young, middle, old = gc.get_threshold()
    kept: list[Any] = []
    for _ in range((young + 1) * (middle + 2) * (old + 1)):
        if gc.get_count()[2] >= old:
            break
        kept.append([])


def burst_of(environment: Any, port: int) -> Any:
    """A worker's burst, due now."""
    from floodmark.core.address import Address  # noqa: PLC0415 - a patched process is what this one is to be first
    from floodmark.core.messages import LoadOrder  # noqa: PLC0415 - the same
    from floodmark.core.profile import BurstProfile  # noqa: PLC0415 - the same
    from floodmark.core.request_spec import RequestSpec  # noqa: PLC0415 - the same
    from floodmark.engine.dial import dial_to  # noqa: PLC0415 - the same
    from floodmark.engine.ports import port_share  # noqa: PLC0415 - the same
    from floodmark.load.worker.share import begin_share  # noqa: PLC0415 - the same

    order = LoadOrder(
        worker="bench",
        profile=BurstProfile(requests=COUNT, within_s=0.0, hold_s=1.0),
        address=Address(host="127.0.0.1", port=port),
        request=RequestSpec(path="/?id={id}&hold=1", contains="hello"),
        first_id=1,
        step=1,
    )
    dial = dial_to(order.address, ports=port_share((), 0, 1).bounds)
    return begin_share(order, dial, time.monotonic(), send=lambda *_: None, environment=environment).load


def release(way: str) -> None:
    """One release in this process; prints the longest pause between two requests, and the first to the last."""
    environment = worker_environment()
    from gevent import get_hub  # noqa: PLC0415 - patched by now

    from floodmark.core.open_files import make_room, raise_open_files_limit  # noqa: PLC0415 - the same
    from floodmark.engine.collector import Aside, Pause  # noqa: PLC0415 - the same

    raise_open_files_limit()
    get_hub().threadpool.apply(os.getpid)  # its thread stays, as after a name was looked up
    bring_full_collection_near()
    keeps_collector_out, makes_room = WAYS[way]
    if keeps_collector_out:
        Aside().begin()
    if makes_room:
        make_room(COUNT)
    with listening() as port:
        burst = burst_of(environment, port)
        if keeps_collector_out:
            Pause().begin()
        while burst.counts.released < COUNT:
            burst.step()
        if burst.counts.failed:
            sys.exit(f"{burst.counts.failed:,} of {COUNT:,} requests failed: too few open files or source ports")
        burst.close()
    released_s = sorted(hit.released_s for hit in burst.take_hits())
    print(max(later - one for one, later in pairwise(released_s)), released_s[-1] - released_s[0], flush=True)


def run(way: str) -> tuple[float, float]:
    """One release in a fresh process: seconds of its longest pause, and until all were out."""
    _, core = cores()
    process = start([sys.executable, __file__, "--way", way], core)
    try:
        words = line_of(process).split()
    finally:
        end(process)
    if not words:
        sys.exit(f"{way}: the process died")
    longest_s, all_s = map(float, words)
    return longest_s, all_s


def columns(found_s: list[float], worker_s: list[float]) -> str:
    """Median and most in ms, and how many times the worker's it is, turn by turn."""
    times = statistics.median(one / other for one, other in zip(found_s, worker_s, strict=True))
    return f"{statistics.median(found_s) * MS_PER_S:12.2f} ms{max(found_s) * MS_PER_S:9.2f} ms{times:8.3g}"


def compare(turns: int) -> bool:
    """Releases in all ways in turn; prints what each did, and whether the bar is met."""
    pauses_s: dict[str, list[float]] = {way: [] for way in WAYS}
    all_s: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(turns):
        for way in WAYS:
            longest_s, took_s = run(way)
            pauses_s[way].append(longest_s)
            all_s[way].append(took_s)
    print(f"{COUNT:,} requests released at one instant by one process, {turns} turns of each way")
    print(f"{'':28}{'longest pause':>15}{'most':>12}{'times':>8}{'all out after':>15}{'most':>12}{'times':>8}")
    for way in WAYS:
        pause = columns(pauses_s[way], pauses_s[AS_A_WORKER])
        print(f"{way:28}{pause}{columns(all_s[way], all_s[AS_A_WORKER])}")
    ours, without = (statistics.median(pauses_s[way]) for way in (AS_A_WORKER, WITHOUT_ANY))
    return say_bar(
        f"the longest pause between two of {COUNT:,} requests released at one instant",
        against="without Aside, Pause and make_room",
        found=f"{ours / without:.1%} of it ({ours * MS_PER_S:.2g} ms, {without * MS_PER_S:.2g} ms)",
        bar=f"at most {BAR:.0%}",
        is_met=ours <= BAR * without,
    )


def kept_waiting_s() -> float:
    """How long this thread could have run and did not: others had its core (sched-stats.rst of the kernel)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def spin(pipe: Pipe, begins_s: float) -> None:
    """Says how many turns of a loop there were in each window, and for how long others had the core."""
    counts, kept_s = [], kept_waiting_s()
    for window in range(WINDOWS):
        at_s = begins_s + window * EVERY_S
        time.sleep(max(at_s - time.monotonic(), 0.0))
        turns = 0
        while time.monotonic() < at_s + WINDOW_S:
            turns += 1
        counts.append(turns)
    pipe.send((counts, kept_waiting_s() - kept_s))


def compare_cores() -> None:
    """Prints by how much one core did less than the other in the same window."""
    one, other = cores()
    if one == other:
        print("how unequal the cores are is left out: there is only one")
        return
    begins_s = time.monotonic() + EVERY_S
    with child(spin, one, begins_s) as (pipe, _), child(spin, other, begins_s) as (other_pipe, _):
        (counts, kept_s), (other_counts, other_kept_s) = answer_of(pipe), answer_of(other_pipe)
    less = [1 - min(pair) / max(pair) for pair in zip(counts, other_counts, strict=True)]
    print(
        f"two cores, {WINDOWS} windows of {WINDOW_S * MS_PER_S:.0f} ms: one did less than the other by "
        f"{statistics.median(less):.1%} in the median, {statistics.quantiles(less, n=10)[-1]:.1%} at p90, "
        f"{max(less):.1%} at most\n"
        f"other processes had these cores for {kept_s * MS_PER_S:.0f} and {other_kept_s * MS_PER_S:.0f} ms of "
        f"{WINDOWS * WINDOW_S * MS_PER_S:,.0f} ms"
    )


def main() -> None:
    """Compares, or is one of the releases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        release(options.way)
        return
    is_met = compare(options.turns)
    compare_cores()
    print(machine("floodmark", "locust", "gevent"))
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
