"""How many requests per second `self.client.get()` makes in a Locust task: FloodUser against FastHttpUser, in turn.

    python benchmarks/flood_user.py [--users 100] [--seconds 4] [--runs 5] [--server own] [--varied] [--profile]

Each run is a process of its own, pinned to one core, with Locust's own runner and statistics in it; the server has the
other core. The server is nginx with one process, which is installed where it is missing, or (`--server own`) a child
process, one epoll loop in plain Python that answers without reading what was asked. With `--varied`, which only that
one can, each answer has a field that no other has. The server's share of its core is printed: close to 100 % it, and
not the client, sets the figure. Not a test: it asserts nothing about speed.
"""

import argparse
import cProfile
import multiprocessing
import os
import platform
import pstats
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from multiprocessing.connection import Connection as Pipe
from typing import Any

from _common import say_bar
from _nginx import cpu_of, need, nginx

CLIENTS = ("FloodUser", "FastHttpUser")
BAR = 5.0
"""FloodUser must make at least this many times FastHttpUser's requests per second."""

WARM_UP_S = 1.0
HEAD = b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sat, 21 Nov 2026 07:00:00 GMT\r\nContent-Type: text/plain\r\n"
VARIED = HEAD + b"X-Request-Id: %016x\r\nContent-Length: 13\r\n\r\nhello, world!"
ANSWER = HEAD + b"Content-Length: 13\r\n\r\nhello, world!"


def serve(pipe: Pipe, core: int, *, is_varied: bool) -> None:
    """Accepts, and answers whatever comes. Ends when its parent does (it is a daemon process)."""
    os.sched_setaffinity(0, {core})
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    pipe.send(listener.getsockname()[1])
    clients: dict[int, socket.socket] = {}
    numbers = count()
    while True:
        for fd, _ in epoll.poll(-1, 256):
            client = clients.get(fd)
            if client is None:
                client = listener.accept()[0]
                clients[client.fileno()] = client
                epoll.register(client.fileno(), select.EPOLLIN)
            else:
                try:
                    is_open = bool(client.recv(4096))
                    client.send(VARIED % next(numbers) if is_varied else ANSWER)
                except ConnectionError:  # a run is over, and so are its connections
                    is_open = False
                if not is_open:
                    clients.pop(fd).close()


@contextmanager
def own_server(core: int, *, is_varied: bool) -> Iterator[tuple[int, int | None]]:
    """The server of this file as a child process: its port and process id."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, core), kwargs={"is_varied": is_varied}, daemon=True)
    server.start()
    try:
        yield ours.recv(), server.pid
    finally:
        server.terminate()
        server.join()


def load(options: argparse.Namespace) -> None:
    """One run in this process; prints requests per second and the share of the core that they took."""
    import gevent.monkey  # noqa: PLC0415 - a patched process is what this one is to be, and the server's is not

    gevent.monkey.patch_all()
    import locust  # noqa: PLC0415 - it wants to be patched first
    from locust.env import Environment  # noqa: PLC0415 - the same

    from floodmark.load.user import flood_user  # noqa: PLC0415 - the same

    def get(user: Any) -> None:
        user.client.get("/")

    os.sched_setaffinity(0, {options.core})
    base = flood_user.FloodUser if options.client == "FloodUser" else locust.FastHttpUser
    user_class = type("Bench", (base,), {"host": options.url, "get": locust.task(get)})
    environment = Environment(user_classes=[user_class])
    runner = environment.create_local_runner()
    runner.start(options.users, spawn_rate=options.users)
    gevent.sleep(WARM_UP_S)
    profiler = cProfile.Profile()
    if options.profile:
        profiler.enable()
    requests, cpu_s, start_s = environment.stats.total.num_requests, time.process_time(), time.perf_counter()
    gevent.sleep(options.seconds)
    took_s = time.perf_counter() - start_s
    cpu_s = time.process_time() - cpu_s
    requests = environment.stats.total.num_requests - requests
    if options.profile:
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    print(requests / took_s, cpu_s / took_s, environment.stats.total.num_failures)
    sys.stdout.flush()
    os._exit(0)  # Locust's users would take seconds to say goodbye


def run(name: str, url: str, core: int, options: argparse.Namespace) -> tuple[float, float, int]:
    """One run in a process of its own: requests per second, share of the core, failures."""
    words = [name, "--url", url, "--core", str(core), "--users", str(options.users), "--seconds", str(options.seconds)]
    command = [sys.executable, __file__, "--client", *words] + ["--profile"] * options.profile
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60 + options.seconds, check=True)  # noqa: S603 - this script
    rate, share, failures = done.stdout.split()
    return float(rate), float(share), int(failures)


def compare(url: str, core: int, server_pid: int | None, options: argparse.Namespace) -> None:
    """Runs both in turn and prints the table."""
    rates: dict[str, list[float]] = {name: [] for name in CLIENTS}
    shares: dict[str, list[float]] = {name: [] for name in CLIENTS}
    busy: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for _ in range(options.runs):
        for name in CLIENTS:
            before_s, start_s = cpu_of(server_pid) if server_pid else 0.0, time.perf_counter()
            rate, share, failures = run(name, url, core, options)
            if failures:
                sys.exit(f"{name}: {failures} requests failed: the figure would not be one of answers")
            rates[name].append(rate)
            shares[name].append(share)
            if server_pid:
                # The process's start and warm-up are not load, or not all of it: this is a lower bound.
                busy[name].append((cpu_of(server_pid) - before_s) / (time.perf_counter() - start_s))
    print(
        f"{options.users} users, keep-alive, {options.runs} runs of {options.seconds:g} s each in turn, medians (range)"
    )
    print(f"{'':14}{'requests/s':>12}{'':>18}{'CPU us each':>13}{'client core':>13}{'server core':>13}")
    for name, found in rates.items():
        median = statistics.median(found)
        spread = f"({min(found):,.0f}-{max(found):,.0f})"
        server = f"{statistics.median(busy[name]):>12.0%}" if busy[name] else "           ?"
        costs = [share / rate * 1e6 for rate, share in zip(found, shares[name], strict=True)]
        share = statistics.median(shares[name])
        print(f"{name:14}{median:>12,.0f}{spread:>18}{statistics.median(costs):>13.1f}{share:>12.0%} {server}")
    ratio = statistics.median(rates["FloodUser"]) / statistics.median(rates["FastHttpUser"])
    say_bar(
        f"self.client.get() in a Locust task, {options.users} users, keep-alive",
        against="FastHttpUser",
        found=f"{ratio:.1f} times its rate",
        bar=f"at least {BAR:g}",
        is_met=ratio >= BAR,
    )
    names = ", ".join(f"{name} {version(name)}" for name in ("floodmark", "locust", "gevent", "geventhttpclient"))
    print(f"Python {platform.python_version()}, {names}, Linux {platform.release()}")


def main() -> None:
    """Starts the server and runs the comparison, or is one of its runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--server", choices=("nginx", "own"), default="nginx")
    parser.add_argument("--varied", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        load(options)
    cores = sorted(os.sched_getaffinity(0))
    is_nginx = options.server == "nginx" and not options.varied
    if is_nginx:
        need("nginx")
    with nginx(cores[0]) if is_nginx else own_server(cores[0], is_varied=options.varied) as (port, pid):
        compare(f"http://127.0.0.1:{port}", cores[-1], pid, options)
    print("server: " + ("nginx" if is_nginx else "own") + (", every answer differs" if options.varied else ""))


if __name__ == "__main__":
    main()
