"""How much memory 10,000 held requests take over an idle worker: as a burst, as FloodUsers, as FastHttpUsers.

    python benchmarks/memory.py [--requests 10000] [--runs 3] [--trace KIND]

Each run is a process of its own that has imported what a worker imports and has a Locust runner. Its resident memory is
read while it is idle, and again when the server has read all requests and answered none. The burst goes the way of a
worker's: an order, its share, the driver in the gevent hub. Memory of the kernel (sockets) is not in it, for any of
them. Ends with 1 where a bar is missed; `--trace burst` says where the engine's goes.
"""

import argparse
import os
import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from _common import cores, machine, raise_open_files, say_bar, spread
from _holding import HoldingServer, end, holding_server, line_of, start
from _worker import carry_out, worker_environment

BARS_MB = {"burst": 60.0, "FloodUser": 120.0, "FastHttpUser": None}
KINDS = tuple(BARS_MB)
NAMES = {"burst": "in a profile", "FloodUser": "as FloodUsers"}
SETTLE_S = 1.0
"""Until the client, too, has done all that comes after the last request was sent."""

BYTES_PER_MB = 1_000_000
TRACED_LINES = 25


def resident_mb(pid: int) -> float:
    """Resident memory of a process, without the pages of files: what is the process' own (proc_pid_status(5))."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024 / BYTES_PER_MB


def hold_a_burst(environment: Any, url: str, count: int) -> None:
    """As a worker does it; what it would send to the master is dropped."""
    from floodmark.core.address import parse_url  # noqa: PLC0415 - a patched process is what this one is to be first
    from floodmark.core.messages import LoadOrder  # noqa: PLC0415 - the same
    from floodmark.core.profile import BurstProfile  # noqa: PLC0415 - the same
    from floodmark.core.request_spec import RequestSpec  # noqa: PLC0415 - the same

    order = LoadOrder(
        worker="bench",
        profile=BurstProfile(requests=count, within_s=0.0, hold_s=600.0),
        address=parse_url(url),
        request=RequestSpec(path="/?id={id}&hold=600", contains="hello"),
        first_id=1,
        step=1,
    )
    carry_out(environment, order)


def hold_users(environment: Any, url: str, count: int, kind: str) -> None:
    """All users at once, each in its first request."""
    import locust  # noqa: PLC0415 - a patched process is what this one is to be first

    from floodmark.load import FloodUser  # noqa: PLC0415 - the same

    def get(user: Any) -> None:
        user.client.get("/?id=1&hold=600")

    base = FloodUser if kind == "FloodUser" else locust.FastHttpUser
    user_class = type("Bench", (base,), {"host": url, "get": locust.task(get)})
    environment.user_classes = [user_class]
    environment.runner.start(count, spawn_rate=count)
    environment.runner.greenlet.join()


def be_held(options: argparse.Namespace) -> None:
    """One run in this process: says that it is ready, then goes when told to."""
    environment = worker_environment()
    import gevent  # noqa: PLC0415 - patched by now

    gevent.sleep(SETTLE_S)
    print("ready", flush=True)
    sys.stdin.readline()
    if options.is_traced:
        tracemalloc.start()
        gevent.spawn_later(SETTLE_S * 10, print_trace)
    url = f"http://127.0.0.1:{options.port}"
    if options.kind == "burst":
        hold_a_burst(environment, url, options.requests)
    else:
        hold_users(environment, url, options.requests, options.kind)


def print_trace() -> None:
    """Prints where the memory that is in use was asked for."""
    snapshot = tracemalloc.take_snapshot()
    for line in snapshot.statistics("lineno")[:TRACED_LINES]:
        print(line, file=sys.stderr)
    os._exit(0)


def run(kind: str, core: int, server: HoldingServer, options: argparse.Namespace) -> float:
    """Megabytes that the held requests took in one run."""
    command = [
        sys.executable,
        __file__,
        "--kind",
        kind,
        "--port",
        str(server.port),
        "--requests",
        str(options.requests),
    ]
    process = start([*command, *["--is-traced"] * (options.trace == kind)], core)
    try:
        server.expect(options.requests)
        if line_of(process) != "ready\n" or process.stdin is None:
            sys.exit(f"{kind}: the process died before it began")
        before_mb = resident_mb(process.pid)
        process.stdin.write("go\n")
        process.stdin.flush()
        server.hold(process, options.requests)
        time.sleep(SETTLE_S)
        taken_mb = resident_mb(process.pid) - before_mb
        if options.trace == kind:
            process.wait()
        server.let_go(process, options.requests)
    finally:
        end(process)
    return taken_mb


def compare(options: argparse.Namespace) -> bool:
    """Runs all kinds in turn; prints the table, and whether the bars are met."""
    server_core, core = cores()
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with holding_server(server_core) as server:
        for _ in range(options.runs):
            for kind in KINDS:
                found[kind].append(run(kind, core, server, options))
    print(f"resident memory of {options.requests:,} held requests over an idle worker, {options.runs} runs in turn")
    for kind, megabytes in found.items():
        each_kb = statistics.median(megabytes) * 1000 / options.requests
        print(f"{kind:14}{spread(megabytes, ' MB', 1):>30}{each_kb:>8.1f} kB each")
    medians = {kind: statistics.median(megabytes) for kind, megabytes in found.items()}
    met = [
        say_bar(
            f"memory for {options.requests:,} held requests over an idle worker, {NAMES[kind]}",
            against=f"FastHttpUser's {medians['FastHttpUser']:.0f} MB",
            found=f"{medians[kind]:.1f} MB",
            bar=f"at most {bar_mb:g} MB",
            is_met=medians[kind] <= bar_mb,
        )
        for kind, bar_mb in BARS_MB.items()
        if bar_mb is not None
    ]
    print(machine("floodmark", "locust", "gevent", "geventhttpclient"))
    return all(met)


def main() -> None:
    """Compares, or is one of the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--trace", choices=KINDS, help="run with tracemalloc and print what took the most")
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--is-traced", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    raise_open_files()
    if options.kind:
        be_held(options)
    sys.exit(not compare(options))


if __name__ == "__main__":
    main()
