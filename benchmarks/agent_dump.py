"""What one agent sample costs with many connections, against psutil on the same sockets in the same minute.

    python benchmarks/agent_dump.py [connections ...]

Opens the connections on loopback to a listener of its own, in a tree of five processes, and accepts two of three.
Every figure is the median and the smallest of several takes, wall time and the process' CPU time.
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

from floodmark.core.series import pack_block, sample_line
from floodmark_agent.cli import take_once
from floodmark_agent.finder import Watch
from floodmark_agent.inet_diag import connections_request, read_connections
from floodmark_agent.netlink import TCPDIAG_GETSOCK, DiagSocket, dump_request
from floodmark_agent.selector import Selector
from floodmark_agent.series import BLOCK_SAMPLES

TAKES = 15
PROCESSES = 5
CONNECTIONS = (1_000, 10_000)


def timed(name: str, work: Callable[[], object], *, takes: int = TAKES) -> float:
    """Prints what `work` costs, and returns the least CPU time in ms: other processes change that one least."""
    wall_ms, cpu_ms = [], []
    for _ in range(takes):
        began_s, used_s = time.perf_counter(), time.process_time()
        work()
        cpu_ms.append((time.process_time() - used_s) * 1000)
        wall_ms.append((time.perf_counter() - began_s) * 1000)
    figures = (statistics.median(wall_ms), min(wall_ms), statistics.median(cpu_ms), min(cpu_ms))
    print(f"  {name:<44}" + "".join(f"{figure:>10.3f}" for figure in figures))
    return min(cpu_ms)


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
        diag = DiagSocket()
        request = connections_request((port,))
        timed("the kernel's dump, not parsed", lambda: unparsed(request))
        ours_ms = timed("connections counted, IPv4 and IPv6", lambda: read_connections(diag, (port,)))
        watch = Watch(Selector(ports=(port,), pid=os.getpid()), clock=time.monotonic)
        glance_ms = timed(f"LISTEN, netstat, {PROCESSES} processes", watch.glance, takes=10 * TAKES)
        sample = take_once(watch)
        timed("64 samples kept, as one block", lambda: pack_block([sample_line(sample) for _ in range(BLOCK_SAMPLES)]))
        psutil_ms = timed("psutil.net_connections", lambda: psutil.net_connections("tcp"), takes=3)
        print(f"  {sample.connections[0]}")
    print(f"  bars: glance {glance_ms:.2f} of 0.5 ms; dump {ours_ms:.1f} of 6 ms for 10,000, ", end="")
    print(f"{psutil_ms / ours_ms:.0f} of 30 times faster than psutil\n")


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
