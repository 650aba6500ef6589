"""What the agent takes from the host it watches: its CPU time and memory over a run, and requests per second.

    python benchmarks/agent_cost.py [--run-s 60] [--connections 10000] [--turns 40] [--turn-s 0.5]

First a run: the connections are opened at once, held, and closed, while the agent watches with its defaults. Then a
server that is saturated, with and without an agent beside it in turn; server and agent share one core on purpose.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgpack
import zmq
from _common import say_bar

from floodmark.core import messages
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.messages import Chunk, Samples, Watch
from floodmark.core.sample import Sample
from floodmark.core.series import unpack_block

BEFORE_S, HELD_S, BEAT_S = 2.0, 5.0, 0.05
CLIENTS = 32
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CPU_BAR, MEMORY_BAR_MB = 0.02, 35


class Master:
    """A ROUTER in place of Locust's master, in a thread; it keeps the samples."""

    def __init__(self) -> None:
        self._router = zmq.Context.instance().socket(zmq.ROUTER)
        self.port = self._router.bind_to_random_port("tcp://127.0.0.1")
        self.live: list[Sample] = []
        self.samples: list[Sample] = []
        self._wanted: list[tuple[str, object]] = [(messages.WATCH, to_plain(Watch(beat_s=BEAT_S)))]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join()
        self._router.close(linger=0)

    def _serve(self) -> None:
        while not self._ended.is_set():
            if not self._router.poll(100):
                continue
            identity, frame = self._router.recv_multipart()
            kind, data, _ = msgpack.unpackb(frame)
            if self._wanted:
                told, plain = self._wanted.pop(0)
                self._router.send_multipart([identity, msgpack.packb((told, plain, None))])
            if kind == messages.SAMPLES:
                self.live += from_plain(Samples, data, "samples").samples
            elif kind == messages.CHUNK:  # at its end the agent hands over what nobody has fetched
                blocks = from_plain(Chunk, data, "chunk").blocks
                self.samples += (sample for block in blocks for sample in unpack_block(block))


@contextlib.contextmanager
def agent(port: int, *words: str, core: int | None = None) -> Iterator[tuple[int, Master, float]]:
    """An agent that watches `port`, the master that it reports to, and when it was started."""
    master, started_s = Master(), time.monotonic()
    to = ("--master", f"127.0.0.1:{master.port}", "--port", str(port))
    command = (sys.executable, "-m", "floodmark_agent", *to, *words)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603  the agent itself
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        try:
            while not master.live:
                time.sleep(0.01)
            yield process.pid, master, started_s
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            master.close()


@contextlib.contextmanager
def child(work: Callable[[socket.socket], None]) -> Iterator[int]:
    """A process that does `work` with a listener; the listener's port."""
    with socket.create_server(("127.0.0.1", 0), backlog=65535) as listener:
        pid = os.fork()
        if not pid:
            try:
                work(listener)
            finally:
                os._exit(0)
        port: int = listener.getsockname()[1]
    try:
        yield port
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def hold(listener: socket.socket) -> None:
    """Accepts everything, reads what comes, answers nothing, and closes what the other side closes."""
    kept: dict[int, socket.socket] = {}
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                connection, _ = listener.accept()
                kept[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            elif not kept[descriptor].recv(4096):
                kept.pop(descriptor).close()


def serve(listener: socket.socket) -> None:
    """Answers each request at once."""
    os.sched_setaffinity(0, {0})

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, sock=listener) as server:
            await server.serve_forever()

    asyncio.run(run())


def requests_per_second(port: int, duration_s: float) -> float:
    """Keeps `CLIENTS` connections busy."""
    poll = select.epoll()
    clients = {}
    for _ in range(CLIENTS):
        one = socket.create_connection(("127.0.0.1", port))
        clients[one.fileno()] = one
        poll.register(one, select.EPOLLIN)
        one.send(REQUEST)
    answered, begin_s = 0, time.monotonic()
    while time.monotonic() - begin_s < duration_s:
        for descriptor, _ in poll.poll(1):
            if clients[descriptor].recv(4096):
                answered += 1
                clients[descriptor].send(REQUEST)
    took_s = time.monotonic() - begin_s
    for one in clients.values():
        one.close()
    return answered / took_s


def run_with_held_connections(count: int, run_s: float) -> None:
    """Prints what the agent used over a run whose connections are held for 5 s, and again to the run's end."""
    with child(hold) as port, agent(port) as (pid, master, started_s):
        opened: list[socket.socket] = []
        begin_s, used_s = time.monotonic(), master.live[0].agent_cpu_s or 0.0
        time.sleep(BEFORE_S)
        released_s = time.monotonic()
        for _ in range(count):
            opened.append(socket.create_connection(("127.0.0.1", port)))
            opened[-1].send(REQUEST)
        opened_s = time.monotonic() - released_s
        time.sleep(max(run_s - (time.monotonic() - begin_s), 0))
        rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
        last = master.live[-1]
        for one in opened:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.close()
    took_s = last.taken_s - master.live[0].taken_s
    share = ((last.agent_cpu_s or 0.0) - used_s) / took_s
    share_with_start = (last.agent_cpu_s or 0.0) / (last.taken_s - started_s)
    counted = [sample for sample in master.samples if sample.connections]
    print(f"{count:,} connections, opened in {opened_s:.1f} s and held, {took_s:.0f} s in all")
    print(f"  CPU of the agent               {share:7.2%} of one core, {share_with_start:.2%} with its start")
    print(f"  samples                        {len(master.samples):7,}, {len(counted):,} of them with a dump")
    for since_s, until_s in ((-BEFORE_S, 0.0), (0.0, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, run_s)):
        within = [one.socket_s - released_s for one in counted if since_s <= one.socket_s - released_s < until_s]
        gaps = [later - sooner for sooner, later in pairwise(within)]
        if gaps:
            words = f"median {statistics.median(gaps) * 1000:6.0f} ms, longest {max(gaps) * 1000:6.0f} ms"
            print(f"  between dumps, {since_s:4.0f} to {until_s:3.0f} s  {words}")
    late_ms = [(one.taken_s - one.due_s) * 1000 for one in master.samples]
    print(f"  lateness of a beat             {statistics.median(late_ms):7.2f} ms, at most {max(late_ms):.1f} ms")
    say_bar(
        f"CPU of the agent over {took_s:.0f} s with {count:,} held connections",
        against="one core",
        found=f"{share:.2%}, {share_with_start:.2%} with its start",
        bar=f"at most {CPU_BAR:.0%}",
        is_met=share <= CPU_BAR,
    )
    say_bar(
        "memory of the agent then",
        against="-",
        found=f"{rss / 1e6:.1f} MB",
        bar=f"at most {MEMORY_BAR_MB} MB",
        is_met=rss / 1e6 <= MEMORY_BAR_MB,
    )


def compare_saturated(turns: int, turn_s: float) -> None:
    """Prints the requests per second of a saturated server, the agent stopped and running in short turns.

    Its budget is earned while it is stopped, too: half of the default is what the default comes to while it runs.
    """
    found: dict[bool, list[float]] = {False: [], True: []}
    with child(serve) as port, agent(port, "--cpu-budget", "1", core=0) as (pid, _, _):
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        requests_per_second(port, 0.5)
        before_s = cpu_s(pid)
        for turn in range(2 * turns):
            # There and back, so that what drifts on the machine falls on both alike.
            runs = turn % 4 in {1, 2}
            os.kill(pid, signal.SIGCONT if runs else signal.SIGSTOP)
            found[runs].append(requests_per_second(port, turn_s))
        os.kill(pid, signal.SIGCONT)
        used_s = cpu_s(pid) - before_s
    ratios = [beside / without for without, beside in zip(found[False], found[True], strict=True)]
    print(f"a saturated server, {turns} turns of {turn_s:g} s each way, {CLIENTS} connections, agent on its core")
    print(f"  requests/s without an agent    {_spread(found[False])}")
    print(f"  requests/s with one            {_spread(found[True])}")
    print(f"  CPU of the agent in its turns  {used_s / (turns * turn_s):9.1%} of one core")
    low, middle, high = statistics.quantiles([1 - ratio for ratio in ratios], n=4)
    print(f"  the agent takes, by turns      {middle:9.1%}   (a quarter below {low:.1%}, a quarter above {high:.1%})")


def cpu_s(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:9,.0f}   (a quarter below {low:,.0f}, a quarter above {high:,.0f})"


def main() -> None:
    """Both parts."""
    words = argparse.ArgumentParser()
    words.add_argument("--run-s", type=float, default=60.0)
    words.add_argument("--connections", type=int, default=10_000)
    words.add_argument("--turns", type=int, default=40)
    words.add_argument("--turn-s", type=float, default=0.5)
    given = words.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * given.connections + 100), hard))
    run_with_held_connections(given.connections, given.run_s)
    compare_saturated(given.turns, given.turn_s)


if __name__ == "__main__":
    main()
