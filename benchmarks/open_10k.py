"""How long one process takes to open 10,000 connections and send their requests: the engine, a C loop, FastHttpUsers.

    python benchmarks/open_10k.py [--requests 10000] [--runs 7] [--profile]

The C loop (open_10k.c, built here with cc) makes the same system calls and nothing else: what it takes is the kernel's.
All three are processes of their own on one core, in turn; the server, one epoll loop in plain Python that accepts,
reads and holds, has the other. The engine and the C loop are compared by when their last request was sent, the engine
and FastHttpUser by when the server had read the last one: FastHttpUser does not say. The server ends each run with
resets, so that no port is left in TIME_WAIT for the next. Ends with 1 where a bar is missed.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import cores, machine, raise_open_files, say_bar, spread
from _holding import HoldingServer, end, holding_server, line_of, start
from _nginx import need

C_BAR = 1.5
"""The engine may take this many times the C loop's time."""

FAST_BAR = 4.0
"""FastHttpUsers must take at least this many times the engine's."""

KINDS = ("C loop", "engine", "FastHttpUser")


def open_with_engine(port: int, count: int, *, is_profiled: bool) -> None:
    """Opens with a Burst in this process; prints when it began and when the last request was sent."""
    import cProfile  # noqa: PLC0415 - each kind of run imports only what is its own
    import pstats  # noqa: PLC0415 - the same

    from floodmark.core.address import Address  # noqa: PLC0415 - the same
    from floodmark.engine.burst import Burst, BurstWork  # noqa: PLC0415 - the same
    from floodmark.engine.check import AnswerCheck  # noqa: PLC0415 - the same
    from floodmark.engine.dial import dial_to  # noqa: PLC0415 - the same
    from floodmark.engine.request import render_get  # noqa: PLC0415 - the same

    dial = dial_to(Address(host="127.0.0.1", port=port))
    work = BurstWork(
        worker="bench",
        dial=dial,
        requests=tuple((number, 0.0) for number in range(1, count + 1)),
        render=render_get("/?id={id}&hold=1", dial.endpoint.authority),
        check=AnswerCheck(text=b"hello"),
        timeout_s=None,
    )
    burst = Burst(work)
    profiler = cProfile.Profile()
    if is_profiled:
        profiler.enable()
    began_s = time.monotonic()
    while burst.counts.connected < count:
        burst.step()
    ended_s = time.monotonic()
    if is_profiled:
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(20)
    print(began_s, ended_s, flush=True)
    signal.pause()


def open_with_fast_http_users(port: int, count: int) -> None:
    """Opens with Locust's users in this process; prints when they were told to start."""
    import gevent.monkey  # noqa: PLC0415 - a patched process is what this one is to be

    gevent.monkey.patch_all()
    import locust  # noqa: PLC0415 - it wants to be patched first
    from locust.env import Environment  # noqa: PLC0415 - the same

    def get(user: locust.FastHttpUser) -> None:
        user.client.get("/?id=1&hold=1")

    user_class = type("Bench", (locust.FastHttpUser,), {"host": f"http://127.0.0.1:{port}", "get": locust.task(get)})
    runner = Environment(user_classes=[user_class]).create_local_runner()
    print(time.monotonic(), 0, flush=True)
    runner.start(count, spawn_rate=count)
    runner.greenlet.join()


def run(command: list[str], core: int, server: HoldingServer, count: int) -> tuple[float, float]:
    """One run: seconds until the last request was sent by the process' own word, and until the server had read all."""
    server.expect(count)
    process = start(command, core)
    try:
        read_s = server.hold(process, count)
        began_s, sent_s = map(float, line_of(process).split())
        server.let_go(process, count)
    finally:
        end(process)
    return sent_s - began_s, read_s - began_s


def compare(options: argparse.Namespace, loop: Path) -> bool:
    """Runs all three in turn; prints what each took, and whether the bars are met."""
    server_core, core = cores()
    count = options.requests
    sent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    read: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with holding_server(server_core) as server:
        ours = [sys.executable, __file__, "--port", str(server.port), "--requests", str(count)]
        commands = {
            "C loop": [str(loop), "127.0.0.1", str(server.port), str(count)],
            "engine": [*ours, "--kind", "engine", *["--profile"] * options.profile],
            "FastHttpUser": [*ours, "--kind", "FastHttpUser"],
        }
        for _ in range(options.runs):
            for kind in KINDS:
                sent_s, read_s = run(commands[kind], core, server, count)
                sent[kind].append(sent_s)
                read[kind].append(read_s)
    print(f"{count:,} connections opened and their requests sent, {options.runs} runs of each in turn, medians (range)")
    for kind in KINDS:
        own = spread(sent[kind], " s") if sent[kind][0] > 0 else "-"
        print(f"{kind:14} all sent after {own:24} all read by the server after {spread(read[kind], ' s')}")
    to_c = statistics.median(sent["engine"]) / statistics.median(sent["C loop"])
    to_fast = statistics.median(read["FastHttpUser"]) / statistics.median(read["engine"])
    opened = f"{count:,} connections opened and their requests sent, one process"
    is_near = say_bar(
        opened,
        against="a C loop of the same system calls",
        found=f"{to_c:.2f} times its time",
        bar=f"at most {C_BAR:g}",
        is_met=to_c <= C_BAR,
    )
    is_fast = say_bar(
        "the same",
        against=f"{count:,} FastHttpUsers",
        found=f"{to_fast:.1f} times faster",
        bar=f"at least {FAST_BAR:g}",
        is_met=to_fast >= FAST_BAR,
    )
    print(machine("floodmark", "locust", "gevent", "geventhttpclient"))
    return is_near and is_fast


def main() -> None:
    """Builds the C loop and compares, or is one of the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="print where the engine's time goes")
    parser.add_argument("--kind", choices=KINDS[1:], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    raise_open_files()
    if options.kind == "engine":
        open_with_engine(options.port, options.requests, is_profiled=options.profile)
    elif options.kind == "FastHttpUser":
        open_with_fast_http_users(options.port, options.requests)
    need("cc", "gcc", "libc6-dev")
    with tempfile.TemporaryDirectory() as folder:
        loop = Path(folder) / "open_10k"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", str(loop), str(source)], check=True)  # noqa: S603, S607 - cc as PATH has it
        is_met = compare(options, loop)
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
