"""How fast one process opens and holds 10,000 connections: the engine against a server that only accepts and reads.

    python benchmarks/open_10k.py [--requests 10000] [--hold 2] [--runs 5] [--profile]

The server is a child process, one epoll loop in plain Python: with one open-files limit for both, 10,000 connections
need two processes. It answers each request `--hold` seconds after it has read it. Both share the machine's CPUs, so the
figures are for a server that costs about as much as the client. Not a test: it asserts nothing about speed.
"""

import argparse
import cProfile
import multiprocessing
import pstats
import resource
import select
import socket
import time
from collections import deque
from multiprocessing.connection import Connection as Pipe

from floodmark.core.address import Address
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.endpoint import resolve
from floodmark.engine.request import render_get

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n"
    b"Server-Timing: floodmark;dur=1.0;begin=10.0;end=11.0;pid=7;tid=9;thread=MainThread\r\n\r\nhello"
)
BACKLOG = 4096
POLL_S = 0.01


def serve(pipe: Pipe, hold_s: float) -> None:
    """Accepts, reads, answers after the hold. Ends when its parent does (it is a daemon process)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.settimeout(0)
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    pipe.send(listener.getsockname()[1])
    clients: dict[int, socket.socket] = {}
    due: deque[tuple[float, socket.socket]] = deque()
    while True:
        for fd, _ in epoll.poll(POLL_S, 1024):
            if fd == listener.fileno():
                accept_all(listener, epoll, clients)
            else:
                client = clients.pop(fd)
                client.recv(65536)
                epoll.unregister(fd)
                due.append((time.monotonic() + hold_s, client))
        while due and due[0][0] <= time.monotonic():
            client = due.popleft()[1]
            client.send(ANSWER)
            client.close()


def accept_all(listener: socket.socket, epoll: select.epoll, clients: dict[int, socket.socket]) -> None:
    """Takes what the accept queue holds."""
    while True:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        client.settimeout(0)
        clients[client.fileno()] = client
        epoll.register(client.fileno(), select.EPOLLIN)


def measure(port: int, count: int, hold_s: float) -> None:
    """One burst of `count` requests planned for one instant; prints its figures."""
    endpoint = resolve(Address(host="127.0.0.1", port=port))
    start_s = time.monotonic()
    work = BurstWork(
        worker="bench",
        endpoint=endpoint,
        requests=tuple((number, start_s) for number in range(1, count + 1)),
        render=render_get("/?id={id}&hold=1", endpoint.authority),
        check=AnswerCheck(text=b"hello"),
        timeout_s=60.0,
    )
    burst = Burst(work)
    cpu_s = time.process_time()
    hits = run_burst(burst, timeout_s=60.0 + hold_s)
    cpu_s = time.process_time() - cpu_s
    released_s = max(hit.released_s or 0 for hit in hits) - start_s
    sent_s = max(hit.sent_s or 0 for hit in hits) - start_s
    ended = sorted(hit.ended_s or 0 for hit in hits)
    outcomes = {str(hit.outcome) for hit in hits}
    print(
        f"{count} requests: all released after {released_s:.3f} s, all sent after {sent_s:.3f} s,"
        f" {sent_s / count * 1e6:.1f} us each; answers from {ended[0] - start_s:.3f} s to {ended[-1] - start_s:.3f} s;"
        f" CPU {cpu_s:.3f} s; loop lag {burst.loop_lag_max_s * 1e3:.1f} ms; outcomes {sorted(outcomes)}"
    )


def main() -> None:
    """Starts the server, runs the bursts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--hold", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, options.hold), daemon=True)
    server.start()
    try:
        port = ours.recv()
        profiler = cProfile.Profile() if options.profile else None
        for _ in range(options.runs):
            if profiler:
                profiler.enable()
            measure(port, options.requests, options.hold)
        if profiler:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(18)
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
