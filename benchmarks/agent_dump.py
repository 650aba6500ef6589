"""What one agent sample costs with many connections, against psutil on the same sockets in the same minute.

    python benchmarks/agent_dump.py [connections ...]

Opens the connections on loopback to a listener of its own, in a tree of five processes, and accepts two of three.
Every figure is the median and the smallest of several takes.
"""

import os
import resource
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from floodmark.core.messages import SAMPLES, Samples
from floodmark_agent.bus import pack
from floodmark_agent.collector import open_collector
from floodmark_agent.inet_diag import connections_request, read_connections
from floodmark_agent.netlink import DiagSocket
from floodmark_agent.sampler import Sampler

TAKES = 15
PROCESSES = 5
CONNECTIONS = (1_000, 10_000)


def timed(name: str, work: Callable[[], object], *, per: int, takes: int = TAKES) -> None:
    """Prints the cost of `work`, in all and for each of `per` connections."""
    costs_ms = []
    for _ in range(takes):
        began_s = time.perf_counter()
        work()
        costs_ms.append((time.perf_counter() - began_s) * 1000)
    median_ms, least_ms = statistics.median(costs_ms), min(costs_ms)
    print(f"{per:>7,}  {name:<34}{median_ms:>9.2f} ms {least_ms:>9.2f} ms {least_ms * 1000 / per:>8.2f} us/connection")


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
    with connections(count) as port:
        diag = DiagSocket()
        request = connections_request(socket.AF_INET, (port,))
        timed("kernel's dump, unparsed", lambda: diag.dump(request), per=count)
        timed("connections counted, v4 and v6", lambda: read_connections(diag, (port,)), per=count)
        print(f"         {read_connections(diag, (port,))[0]}")
        collector = open_collector(port, pid=os.getpid(), clock=time.monotonic)
        sampler = Sampler(collector, beat_s=1.0, clock=time.monotonic)
        timed(f"whole sample, {PROCESSES} processes", sampler.take_last, per=count)
        sample = sampler.take_last()
        if sample is not None:
            batch = Samples(samples=(sample,) * 10, dropped=0)
            timed("ten samples packed for the bus", lambda: pack(SAMPLES, batch, "agent"), per=count)
        timed("psutil.net_connections", lambda: psutil.net_connections("tcp"), per=count, takes=3)


def main() -> None:
    """Runs for each count given."""
    counts = [int(word) for word in sys.argv[1:]] or CONNECTIONS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * max(counts) + 100), hard))
    print(f"{'':>7}  {'':<34}{'median':>12} {'least':>12}")
    for count in counts:
        measure(count)


if __name__ == "__main__":
    main()
