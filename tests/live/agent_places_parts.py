"""A process with sockets in every place, work done as another user, a walk where there can be one."""

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from floodmark.core.sample import ConnectionCounts
from floodmark_agent.counting import Walk, Way, prepare
from floodmark_agent.namespace import inside

NOBODY = 65534

# In a network namespace of its own if told so, with a table of TCP sockets of its own if told its size.
# Each place has another number of sockets; on a line of input it ends.
PLACES = """
import ctypes, fcntl, os, random, socket, struct, sys
family, host, path = getattr(socket, sys.argv[1]), sys.argv[2], sys.argv[4]
where, _, size = sys.argv[3].partition(" ")
def unshare():
    assert ctypes.CDLL(None, use_errno=True).unshare(0x40000000) == 0
if where == "apart":
    unshare()
    if size:
        with open("/proc/sys/net/ipv4/tcp_child_ehash_entries", "w") as file:
            file.write(size)
        unshare()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))
kept = []
def keep(one):
    kept.append(one)
    return one
def listener():                             # at no port that the kernel gives to clients: theirs would be counted
    while True:
        try:
            return keep(socket.create_server((host, random.randrange(10_000, 30_000)), family=family, backlog=100))
        except OSError:
            pass
server = listener()
port = server.getsockname()[1]
def pair():
    client = keep(socket.create_connection((host, port), timeout=10))
    return client, keep(server.accept()[0])
for _ in range(3):                          # unread
    pair()[0].sendall(b"GET /")
for _ in range(4):                          # read
    client, end = pair()
    client.sendall(b"GET /")
    end.recv(100)
for _ in range(2):                          # read, and the answer not taken
    client, end = pair()
    end.setblocking(False)
    try:
        while True:
            end.send(bytes(1 << 20))
    except BlockingIOError:
        pass
for _ in range(6):                          # the client has left
    pair()[0].shutdown(socket.SHUT_WR)
for _ in range(5):                          # accept queue
    keep(socket.create_connection((host, port), timeout=10))
for _ in range(2):                          # left while in the accept queue
    keep(socket.create_connection((host, port), timeout=10)).shutdown(socket.SHUT_WR)
deferred = listener()
deferred.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
for _ in range(7):                          # half open: the kernel waits for the request
    keep(socket.create_connection(deferred.getsockname()[:2], timeout=10))
local = keep(socket.socket(socket.AF_UNIX))
local.bind(path)
local.listen(9)
for _ in range(4):
    keep(socket.socket(socket.AF_UNIX)).connect(path)
print(port, deferred.getsockname()[1], flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def places(tmp_path: Path, family: str = "AF_INET", host: str = "127.0.0.1", where: str = "here") -> Iterator[Any]:
    command = (sys.executable, "-c", PLACES, family, host, where, str(tmp_path / "app.sock"))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            port, deferred = map(int, process.stdout.readline().split())
            yield process.pid, port, deferred
        finally:
            process.kill()


def become(user: int) -> None:
    """For good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def as_user(user: int, work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of that user's, without any capability; JSON on the way."""
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if user:
                become(user)
            os.write(writes, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def open_walk(pid: int | None = None) -> Walk:
    """A walk of the table of a process' network namespace; skips the test where there can be none."""
    counting = prepare(Way.WALK)
    if counting.open_walk is None:
        pytest.skip(str(counting.problem))
    try:
        return inside(pid, counting.open_walk)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOSYS}:
            raise  # a program that the kernel refuses is a bug
        pytest.skip(str(error))


def expected(port: int, **numbers: int) -> list[int]:
    return [port if name == "port" else numbers.get(name, 0) for name in ConnectionCounts.__slots__]
