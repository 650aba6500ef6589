"""A server that reads requests and answers none, as a child process; and clients that are held by it."""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe

from _common import answer_of, child

BACKLOG = 4_096
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: no port is left in TIME_WAIT for the next run."""

TIMEOUT_S = 120.0


def serve(pipe: Pipe) -> None:
    """Says its port; then, each time it is told how many: says when it has read so many, and resets them when asked."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.settimeout(0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)  # accepted sockets have it from here
    pipe.send(listener.getsockname()[1])
    while True:
        expected = pipe.recv()
        clients = accept_and_read(listener, expected)
        pipe.send(time.monotonic())
        pipe.recv()
        for client in clients.values():
            client.close()
        pipe.send(len(clients))


def accept_and_read(listener: socket.socket, expected: int) -> dict[int, socket.socket]:
    """Accepts and reads until `expected` requests are here; their connections."""
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    requests = 0
    while requests < expected:
        for fd, _ in epoll.poll(-1, 1024):
            if fd == listener.fileno():
                accept_all(listener, epoll, clients)
            elif clients[fd].recv(4096).endswith(b"\r\n\r\n"):
                requests += 1
            else:
                epoll.unregister(fd)
    epoll.close()
    return clients


def accept_all(listener: socket.socket, epoll: select.epoll, clients: dict[int, socket.socket]) -> None:
    """Takes what the accept queue holds."""
    while True:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        clients[client.fileno()] = client
        epoll.register(client.fileno(), select.EPOLLIN)


class HoldingServer:
    """The server as seen from the benchmark. `port` is on 127.0.0.1."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.port: int = answer_of(pipe)

    def hold(self, process: "subprocess.Popen[str]", count: int) -> float:
        """Waits until it has read `count` requests of the process, which `expect` announced; when that was."""
        read_s: float = answer_of(self._pipe, TIMEOUT_S)
        if process.poll() is not None:
            sys.exit(f"a client of {count:,} requests died")
        return read_s

    def expect(self, count: int) -> None:
        """The next process sends so many."""
        self._pipe.send(count)

    def let_go(self, process: "subprocess.Popen[str]", count: int) -> None:
        """Ends the process and its connections. It is stopped first: FastHttpUser answers resets with new ones."""
        process.send_signal(signal.SIGSTOP)
        self._pipe.send("reset")
        if answer_of(self._pipe) != count:
            sys.exit(f"the server saw another number of connections than {count:,}")
        end(process)


@contextmanager
def holding_server(core: int) -> Iterator[HoldingServer]:
    """The server on its core."""
    with child(serve, core) as (pipe, _):
        yield HoldingServer(pipe)


def start(command: list[str], core: int) -> "subprocess.Popen[str]":
    """Starts a client on a core, its words on a pipe both ways."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    os.sched_setaffinity(process.pid, {core})
    return process


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that the process says; empty where it died."""
    return process.stdout.readline() if process.stdout else ""


def end(process: "subprocess.Popen[str]") -> None:
    """Kills it, whatever it does."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
