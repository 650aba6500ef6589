"""What a connect costs by how many source ports are in use: by the kernel's own choice, and from a range of them.

    sudo python benchmarks/source_ports.py

Makes a network namespace of its own, by `unshare`, so that no other connection is in the way; needs root.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _common import raise_open_files, say_bar

from floodmark.engine.dial import choose_ports

PORTS = (20_000, 28_191)
COUNT = PORTS[1] - PORTS[0] + 1
STEP = COUNT // 16
BACKLOG = 100
INSIDE = "inside"
BAR = 3.0


def microseconds_each(count: int, listener: socket.socket, kept: list[socket.socket], *, ranged: bool) -> float:
    """Connects so many times more, and keeps them; microseconds for each, its accept included."""
    began_s = time.perf_counter()
    for _ in range(count // BACKLOG):
        for _ in range(BACKLOG):
            one = socket.socket()
            if ranged:
                choose_ports(one, PORTS)
            one.connect(listener.getsockname())
            kept.append(one)
        kept += [listener.accept()[0] for _ in range(BACKLOG)]
    return (time.perf_counter() - began_s) / (count // BACKLOG * BACKLOG) * 1e6


def fill(*, ranged: bool) -> list[float]:
    """Microseconds of a connect, a sixteenth of the ports after the other."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 9_000), backlog=2 * BACKLOG) as listener:
        found = [microseconds_each(STEP, listener, kept, ranged=ranged) for _ in range(15)]
    for one in kept:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.close()
    return found


def measure() -> None:
    """Both ways, in the namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"{PORTS[0]} {PORTS[1]}")
    raise_open_files()
    plain, ranged = fill(ranged=False), fill(ranged=True)
    print("ports in use    the kernel's choice    a range")
    for number, (one, other) in enumerate(zip(plain, ranged, strict=True), start=1):
        print(f"{number * STEP / COUNT:12.0%} {one:19.0f} us {other:7.0f} us")
    below, above = statistics.median(ranged[:7]), statistics.median(ranged[9:])
    say_bar(
        "a connect with more than half of the source ports in use, from a range",
        against="with fewer in use",
        found=f"{above / below:.1f} times (left to the kernel {statistics.median(plain[9:]) / below:.1f} times)",
        bar=f"at most {BAR:g} times",
        is_met=above <= BAR * below,
    )


def main() -> None:
    """Goes into a namespace of its own, and measures there."""
    if sys.argv[1:] == [INSIDE]:
        measure()
    elif os.geteuid():
        print("source_ports.py is left out: a network namespace of its own needs root")
    else:
        subprocess.run(["unshare", "--net", sys.executable, __file__, INSIDE], check=True)  # noqa: S603, S607


if __name__ == "__main__":
    main()
