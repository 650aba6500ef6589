"""What one agent sample costs with many connections, against psutil on the same sockets in the same minute.

    python benchmarks/agent_dump.py [connections ...]

Opens the connections on loopback to a listener of its own, in a tree of five processes, and accepts two of three.
Every figure is the median and the smallest of several takes, wall time and the process' CPU time. Counting is done both
ways, by dump and, where this host and this user allow it, by a walk of the kernel's table; in turn, so that neither
finds in the processor's caches what it has left there itself.
"""

import os
import resource
import signal
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from _common import say_bar

from floodmark.core.series import pack_block, sample_line
from floodmark_agent.cli import take_once
from floodmark_agent.counting import Way, prepare
from floodmark_agent.finder import Watch
from floodmark_agent.inet_diag import connections_request, read_connections
from floodmark_agent.netlink import TCPDIAG_GETSOCK, DiagSocket, dump_request
from floodmark_agent.selector import Selector
from floodmark_agent.series import BLOCK_SAMPLES

TAKES = 15
PROCESSES = 5
CONNECTIONS = (1_000, 10_000)
BARRED = 10_000
"""The number of connections that the bars are for."""
GLANCE_MS, COUNT_MS, PSUTIL_TIMES = 0.5, 6.0, 30.0


def timed(name: str, work: Callable[[], object], *, takes: int = TAKES) -> float:
    """Prints what `work` costs, and returns the least CPU time in ms: other processes change that one least."""
    return timed_in_turn({name: work}, takes=takes)[0]


def timed_in_turn(works: dict[str, Callable[[], object]], *, takes: int = TAKES) -> list[float]:
    """The same for several, each done once before the first is done again."""
    taken_ms: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(takes):
        for name, work in works.items():
            began_s, used_s = time.perf_counter(), time.process_time()
            work()
            cpu_s = time.process_time() - used_s
            taken_ms[name].append(((time.perf_counter() - began_s) * 1000, cpu_s * 1000))
    for name, taken in taken_ms.items():
        figures = [figure(column) for column in zip(*taken, strict=True) for figure in (statistics.median, min)]
        print(f"  {name:<44}" + "".join(f"{figure:>10.3f}" for figure in figures))
    return [min(cpu for _, cpu in taken) for taken in taken_ms.values()]


@contextmanager
def children(count: int) -> Iterator[None]:
    """Processes that do nothing but hold what they inherit."""
    pids = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            signal.pause()
        pids.append(pid)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@contextmanager
def connections(count: int) -> Iterator[int]:
    """The port of a listener with `count` connections, two of three accepted, half of these with bytes to read."""
    with socket.create_server(("127.0.0.1", 0), backlog=65535) as server, children(PROCESSES - 1):
        port = server.getsockname()[1]
        opened = []
        for number in range(count):
            # In the order of arrival: those in the queue at the end are the last third.
            opened.append(socket.create_connection(("127.0.0.1", port)))
            if number % 2:
                opened[-1].send(b"GET / HTTP/1.1\r\n\r\n")
            if number % 3:
                opened.append(server.accept()[0])
        try:
            yield port
        finally:
            for end in opened:
                # A reset: tens of thousands of TIME_WAIT rows would be the next take's load.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.close()


def measure(count: int) -> None:
    """Prints the costs with `count` connections."""
    print(f"{count:,} connections{'median':>38}{'least':>10}{'CPU med.':>10}{'least':>10}  ms")
    with connections(count) as port:
        counted_ms = counted(port)
        watch = Watch(Selector(ports=(port,), pid=os.getpid()), clock=time.monotonic)
        glance_ms = timed(f"LISTEN, netstat, {PROCESSES} processes", watch.glance, takes=10 * TAKES)
        sample = take_once(watch)
        timed("64 samples kept, as one block", lambda: pack_block([sample_line(sample) for _ in range(BLOCK_SAMPLES)]))
        psutil_ms = timed("psutil.net_connections", lambda: psutil.net_connections("tcp"), takes=3)
        print(f"  {sample.connections[0]}\n")
    if count == BARRED:
        say_bars(glance_ms, counted_ms, psutil_ms)


def counted(port: int) -> dict[str, float]:
    """Prints what counting costs, and returns the least CPU time in ms by way; why there are no walks, if so."""
    diag, request = DiagSocket(), connections_request((port,))
    works: dict[str, Callable[[], object]] = {
        "the kernel's dump, not parsed": lambda: unparsed(request),
        "connections counted by dump": lambda: read_connections(diag, (port,)),
    }
    counting = prepare(Way.WALK)
    if counting.open_walk is None:
        print(f"  no walks: {counting.problem}")
        return {"dump": timed_in_turn(works)[1]}
    walk = counting.open_walk()
    works["connections counted by walk"] = lambda: walk.read((port,))
    works["a walk for a port that nobody has"] = lambda: walk.read((1,))
    _, dump_ms, walk_ms, _ = timed_in_turn(works)
    walk.close()
    return {"dump": dump_ms, "walk": walk_ms}


def say_bars(glance_ms: float, counted_ms: dict[str, float], psutil_ms: float) -> None:
    """Prints each figure with its bar."""
    words = f"{BARRED:,} connections"
    say_bar(
        f"LISTEN, netstat, {PROCESSES} processes",
        against=words,
        found=f"{glance_ms:.2f} ms",
        bar=f"at most {GLANCE_MS:g} ms",
        is_met=glance_ms <= GLANCE_MS,
    )
    for way, took_ms in counted_ms.items():
        say_bar(
            f"connections counted by {way}",
            against=words,
            found=f"{took_ms:.1f} ms of CPU",
            bar=f"at most {COUNT_MS:g} ms",
            is_met=took_ms <= COUNT_MS,
        )
        say_bar(
            f"connections counted by {way}",
            against=f"psutil.net_connections, {words}",
            found=f"{psutil_ms / took_ms:.0f} times faster",
            bar=f"at least {PSUTIL_TIMES:g}",
            is_met=psutil_ms / took_ms >= PSUTIL_TIMES,
        )


def unparsed(request: bytes) -> None:
    """One dump whose datagrams are thrown away."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as raw:
        raw.send(dump_request(request, 1, TCPDIAG_GETSOCK))
        buffer = bytearray(65536)
        while True:
            size = raw.recv_into(buffer)
            if struct.unpack_from("=H", buffer, max(size - 20, 0) + 4)[0] == 3:  # noqa: PLR2004  NLMSG_DONE
                return


def main() -> None:
    """Runs for each count given."""
    counts = [int(word) for word in sys.argv[1:]] or CONNECTIONS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * max(counts) + 100), hard))
    for count in counts:
        measure(count)


if __name__ == "__main__":
    main()
