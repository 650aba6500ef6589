"""The measured inputs of docs/howto/capacity.md, and what they come to for 10,000 to 1,000,000 connections.

    python benchmarks/capacity.py [--connections 5000]

Each input is taken once, in a minute in all: they are for planning, not for comparing. One worker's process opens
the connections to a server that reads and holds them; both ends are on this host.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgpack
from _common import cores, machine, raise_open_files
from _holding import HoldingServer, end, holding_server, line_of, start
from memory import resident_mb

from floodmark.core import messages
from floodmark.core.clock import ClockReading
from floodmark.core.codec import to_plain
from floodmark.core.hit import Hit
from floodmark.core.messages import HitRows, WorkerReport
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import CLOCKS, WORKERS, Manifest, RunFolder, RunStatus
from floodmark.engine.ports import read_local_ports
from floodmark_agent.inet_diag import read_connections
from floodmark_agent.netlink import DiagSocket
from floodmark_deploy.limits import MOST_PORTS, WORKER_FILES

FOLDER = Path(__file__).parent
SIZES = (10_000, 100_000, 1_000_000)
HITS_PER_MESSAGE = 250
"""As a worker sends them (floodmark/load/worker/share.py)."""
HOLD_S, SERVED_AT_ONCE = 1.0, 100
SETTLE_S = 1.0
JUDGED_MORE = 24
"""Times as many in the larger of two reports: what a request takes must show beside what the program takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is measured; memory in bytes, of one connection or one process."""

    opened_per_s: float
    engine_bytes: float
    kernel_bytes: float
    worker_bytes: float
    agent_bytes: float
    dump_us: float
    hit_bus_bytes: float
    hit_disk_bytes: float
    hits_taken_per_s: float
    judged_per_s: float
    judged_bytes: float
    ports: int


def measure(count: int) -> Inputs:
    """All of them, with `count` connections."""
    server_core, core = cores()
    with holding_server(server_core) as server:
        opened_per_s = opened(server, core, count)
        held = hold(server, core, count)
    bus_bytes, disk_bytes, taken_per_s = take_hits(count)
    judged_per_s, judged_bytes = judge(count)
    return Inputs(
        opened_per_s=opened_per_s,
        **held,
        agent_bytes=agent_at_rest(),
        hit_bus_bytes=bus_bytes,
        hit_disk_bytes=disk_bytes,
        hits_taken_per_s=taken_per_s,
        judged_per_s=judged_per_s,
        judged_bytes=judged_bytes,
        ports=read_local_ports().count,
    )


def opened(server: HoldingServer, core: int, count: int) -> float:
    """Connections per second that one engine opens and sends a request on: the quickest of three times."""
    return count / min(opening_s(server, core, count) for _ in range(3))


def opening_s(server: HoldingServer, core: int, count: int) -> float:
    """From the first connection to the last request sent."""
    server.expect(count)
    words = ["--kind", "engine", "--port", str(server.port), "--requests", str(count)]
    process = start([sys.executable, str(FOLDER / "open_10k.py"), *words], core)
    try:
        server.hold(process, count)
        began_s, sent_s = map(float, line_of(process).split())
        server.let_go(process, count)
    finally:
        end(process)
    return sent_s - began_s


def hold(server: HoldingServer, core: int, count: int) -> dict[str, float]:
    """What `count` held connections take: of the worker's process, of the kernel for both ends, of an agent's time."""
    server.expect(count)
    words = ["--kind", "burst", "--port", str(server.port), "--requests", str(count)]
    process = start([sys.executable, str(FOLDER / "memory.py"), *words], core)
    try:
        if line_of(process) != "ready\n" or process.stdin is None:
            sys.exit("the worker's process died before it began")
        worker_mb, slab_bytes = resident_mb(process.pid), slab()
        process.stdin.write("go\n")
        process.stdin.flush()
        server.hold(process, count)
        time.sleep(SETTLE_S)
        found = {
            "worker_bytes": worker_mb * 1e6,
            "engine_bytes": (resident_mb(process.pid) - worker_mb) * 1e6 / count,
            "kernel_bytes": (slab() - slab_bytes) / count,
            "dump_us": dump_s(server.port) * 1e6 / count,
        }
        server.let_go(process, count)
    finally:
        end(process)
    return found


def slab() -> int:
    """What the kernel has for its own objects, sockets among them, in bytes (proc_meminfo(5))."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["Slab"].split()[0]) * 1024


def dump_s(port: int) -> float:
    """CPU seconds of the cheapest of five dumps of a port's connections."""
    diag, took_s = DiagSocket(), []
    for _ in range(5):
        began_s = time.process_time()
        read_connections(diag, (port,))
        took_s.append(time.process_time() - began_s)
    diag.close()
    return min(took_s)


def agent_at_rest() -> float:
    """Resident memory of an agent that no master has asked for anything yet."""
    words = [sys.executable, "-m", "floodmark_agent", "--master", "127.0.0.1:9", "--port", "1"]
    process = start(words, cores()[1])
    try:
        time.sleep(SETTLE_S)
        return resident_mb(process.pid) * 1e6
    finally:
        end(process)


def take_hits(count: int) -> tuple[float, float, float]:
    """Bytes of a hit on the bus and on the disk, and how many a master takes in and writes down per CPU second."""
    packed = [
        msgpack.packb((messages.HITS, to_plain(HitRows.of(hits(HITS_PER_MESSAGE))), None))
        for _ in range(count // HITS_PER_MESSAGE)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(Path(scratch) / "run")
        folder.create()
        began_s = time.process_time()
        for message in packed:
            folder.append_hit_rows(msgpack.unpackb(message)[1]["rows"])
        took_s = time.process_time() - began_s
        folder.close()
        disk_bytes = (folder.path / "hits.jsonl").stat().st_size
    total = len(packed) * HITS_PER_MESSAGE
    return sum(map(len, packed)) / total, disk_bytes / total, total / took_s


def hits(count: int) -> list[Hit]:
    """Answered requests of a burst: `SERVED_AT_ONCE` are served at once, each for `HOLD_S`; the answers say by whom."""
    return [
        Hit(
            id=number,
            worker="worker-1",
            planned_s=100.0,
            released_s=100.0 + number / 30_000,
            connected_s=100.0001 + number / 30_000,
            sent_s=100.0002 + number / 30_000,
            first_byte_s=101.0 + number // SERVED_AT_ONCE * HOLD_S,
            ended_s=101.0001 + number // SERVED_AT_ONCE * HOLD_S,
            outcome=Outcome.ANSWERED,
            status=200,
            body_bytes=5,
            local_port=20_000 + number % 40_000,
            handler_begin_s=100.0003 + number // SERVED_AT_ONCE * HOLD_S,
            handler_end_s=100.9999 + number // SERVED_AT_ONCE * HOLD_S,
            pid=4711,
            tid=4712 + number % SERVED_AT_ONCE,
            thread="AnyIO worker thread",
        )
        for number in range(count)
    ]


def judge(count: int) -> tuple[float, float]:
    """Requests per second that `floodmark report` judges, beyond its start, and the memory it takes for each."""
    small, large = (report(size) for size in (count, JUDGED_MORE * count))
    more = (JUDGED_MORE - 1) * count
    return more / max(large[0] - small[0], 1e-9), max(large[1] - small[1], 0.0) / more


def report(count: int) -> tuple[float, float]:
    """CPU seconds and peak memory of one report on a run of `count` requests."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = recorded(Path(scratch) / "run", count)
        words = [sys.executable, "-m", "floodmark", "report", str(folder.path)]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd=scratch) as process:  # noqa: S603 - ours
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def recorded(path: Path, count: int) -> RunFolder:
    """A run of `count` requests, as a master without an agent would have written it."""
    folder, ended_s = RunFolder(path), 101.0 + count / SERVED_AT_ONCE * HOLD_S
    folder.create()
    folder.write_manifest(
        Manifest(
            run_id="capacity",
            status=RunStatus.COMPLETE,
            started_utc="2026-01-01T00:00:00+00:00",
            target="capacity",
            url="http://127.0.0.1:8000/",
            profile=BurstProfile(requests=count, within_s=0.0, hold_s=HOLD_S),
            hold_known=True,
            workers=1,
            beat_s=0.05,
            fired_s=100.0,
            cut_s=ended_s,
        )
    )
    folder.append_hits(hits(count))
    done = WorkerReport(
        worker="worker-1",
        started_s=100.0,
        ended_s=ended_s,
        loop_lag_max_s=0.0,
        late_max_s=0.0,
        cpu_share=0.1,
        open_files_limit=count,
        outcomes={Outcome.ANSWERED.value: count},
    )
    folder.append(WORKERS, [done])
    folder.append(CLOCKS, [ClockReading(node="worker-1", offset_s=0.0, bound_s=0.0001, at_s=99.0)])
    folder.close()
    return folder


def show_inputs(found: Inputs) -> None:
    """The inputs, a line each, as the page has them."""
    for name, words in (
        ("one worker opens", f"{found.opened_per_s:,.0f} connections/s"),
        ("a connection in a worker's process", f"{found.engine_bytes / 1e3:.1f} kB"),
        ("a connection in the kernel, both ends", f"{found.kernel_bytes / 1e3:.1f} kB"),
        ("a worker at rest", f"{found.worker_bytes / 1e6:.0f} MB"),
        ("an agent at rest", f"{found.agent_bytes / 1e6:.0f} MB"),
        ("an agent's dump, per connection", f"{found.dump_us:.2f} us"),
        ("a hit on the bus", f"{found.hit_bus_bytes:.0f} bytes"),
        ("a hit on the disk", f"{found.hit_disk_bytes:.0f} bytes"),
        ("a master takes in", f"{found.hits_taken_per_s:,.0f} hits/s"),
        ("a report judges", f"{found.judged_per_s:,.0f} hits/s"),
        ("a hit in a report's memory", f"{found.judged_bytes / 1e3:.1f} kB"),
        ("source ports of one address", f"{found.ports:,}"),
    ):
        print(f"  {name:<40}{words:>26}")


def show_arithmetic(found: Inputs) -> None:
    """What the sizes take, as the page has it."""
    rows: dict[str, Callable[[int], str]] = {
        "one worker opens them in": lambda n: f"{n / found.opened_per_s:,.1f} s",
        "source addresses, ports as they are": lambda n: f"{math.ceil(n / found.ports)}",
        f"source addresses, {MOST_PORTS:,} ports": lambda n: f"{math.ceil(n / MOST_PORTS)}",
        "open files of one worker": lambda n: f"{n + WORKER_FILES:,}",
        "workers' memory for them": lambda n: f"{n * found.engine_bytes / 1e6:,.0f} MB",
        "kernel memory, both ends": lambda n: f"{n * found.kernel_bytes / 1e6:,.0f} MB",
        "one dump of the agent": lambda n: f"{n * found.dump_us / 1e3:,.0f} ms",
        "hits over the bus": lambda n: f"{n * found.hit_bus_bytes / 1e6:,.0f} MB",
        "the master's time for them": lambda n: f"{n / found.hits_taken_per_s:,.1f} s",
        "run folder": lambda n: f"{n * found.hit_disk_bytes / 1e6:,.0f} MB",
        "verdict and report": lambda n: f"{n / found.judged_per_s:,.0f} s, {n * found.judged_bytes / 1e6:,.0f} MB",
    }
    print(f"  {'connections':<40}" + "".join(f"{size:>16,}" for size in SIZES))
    for name, words in rows.items():
        print(f"  {name:<40}" + "".join(f"{words(size):>16}" for size in SIZES))


def main() -> None:
    """Measures, and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=5_000, help="for the inputs")
    options = parser.parse_args()
    if raise_open_files() < 2 * options.connections:
        sys.exit(f"--connections {options.connections}: this process may open {resource.RLIMIT_NOFILE} files only")
    found = measure(options.connections)
    print(f"inputs, measured with {options.connections:,} connections")
    show_inputs(found)
    print("what they come to")
    show_arithmetic(found)
    print(machine("floodmark", "locust", "gevent"))


if __name__ == "__main__":
    main()
