"""The closed profile's rate on one core, against wrk with a script that checks each answer.

    python benchmarks/closed.py [--seconds 4] [--runs 5] [--connections 100 2000] [--profile]

nginx, one process, has the other core. Both are asked for the same: so many kept-alive connections, each with its next
request when the last is answered, each answer's status and body checked. They run in turn, each run a process of its
own. The bar is for the whole of it, as a Locust worker does it: gevent's hub, histograms, Locust's statistics. "engine"
is the engine alone in a plain loop, "varied" the worker with answers of which no two are the same: it must take each
apart, as wrk always does. Ends with 1 where a bar is missed.
"""

import argparse
import cProfile
import json
import os
import pstats
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _common import cores, machine, raise_open_files, say_bar, spread
from _nginx import BODY, SAME, VARIED, need, nginx
from _worker import carry_out, worker_environment

from floodmark.core.address import Address
from floodmark.core.messages import LoadOrder
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ClosedProfile
from floodmark.core.request_spec import RequestSpec

BAR = 0.8
"""The engine must make at least this many times wrk's requests per second."""

CHECK_SCRIPT = f"""
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function init(args) wrong = 0 end
function response(status, headers, body)
  if status ~= 200 or not string.find(body, "{BODY}", 1, true) then wrong = wrong + 1 end
end
function done(summary, latency, requests)
  local all = 0
  for _, thread in ipairs(threads) do all = all + thread:get("wrong") end
  local errors = summary.errors
  local failed = all + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("figures %d %d %d\\n", summary.requests, summary.duration, failed))
end
"""

KINDS = {"wrk": SAME, "engine": SAME, "worker": SAME, "worker, varied": VARIED}


def run_engine(options: argparse.Namespace) -> tuple[int, int]:
    """The engine alone in a plain loop: answers and failures."""
    from floodmark.engine.check import AnswerCheck  # noqa: PLC0415 - it brings ssl, which a worker's process patches first
    from floodmark.engine.closed import Closed, ClosedWork  # noqa: PLC0415 - the same
    from floodmark.engine.dial import dial_to  # noqa: PLC0415 - the same
    from floodmark.engine.request import render_get  # noqa: PLC0415 - the same
    from floodmark.engine.run_steady import run_steady  # noqa: PLC0415 - the same

    dial = dial_to(Address(host="127.0.0.1", port=options.port))
    starts_s = time.monotonic()
    work = ClosedWork(
        worker="bench",
        dial=dial,
        connections=options.connections[0],
        first_id=1,
        step=1,
        starts_s=starts_s,
        ends_s=starts_s + options.seconds,
        render=render_get(options.path, dial.endpoint.authority, keeps_alive=True),
        check=AnswerCheck(text=BODY.encode()),
        timeout_s=10.0,
    )
    load = Closed(work)
    run_steady(load, report=lambda: (load.take_slices(), load.take_hits()))
    return load.outcomes[Outcome.ANSWERED], load.counts.failed


def run_worker(options: argparse.Namespace, environment: Any) -> tuple[int, int]:
    """The same as a Locust worker does it."""
    order = LoadOrder(
        worker="bench",
        profile=ClosedProfile(connections=options.connections[0], duration_s=options.seconds, timeout_s=10.0),
        address=Address(host="127.0.0.1", port=options.port),
        request=RequestSpec(path=options.path, contains=BODY),
        first_id=1,
        step=1,
    )
    load = carry_out(environment, order).load
    return load.outcomes[Outcome.ANSWERED], load.counts.failed


def be_a_run(options: argparse.Namespace) -> None:
    """One run in this process; prints answers, seconds, seconds of CPU, failures."""
    os.sched_setaffinity(0, {options.core})
    environment = worker_environment() if options.kind == "worker" else None
    profiler = cProfile.Profile()
    if options.profile:
        profiler.enable()
    cpu_s = time.process_time()
    answered, failed = run_worker(options, environment) if environment else run_engine(options)
    cpu_s = time.process_time() - cpu_s
    if options.profile:
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(20)
    print(json.dumps([answered, options.seconds, cpu_s, failed]))


def figures_of(kind: str, port: int, core: int, connections: int, options: argparse.Namespace) -> tuple[float, float]:
    """One run: requests per second, and microseconds of CPU for each. Ends the benchmark where one failed."""
    path = KINDS[kind]
    if kind == "wrk":
        answered, took_s, cpu_s, failed = run_wrk(f"http://127.0.0.1:{port}{path}", core, connections, options.seconds)
    else:
        words = ["--kind", kind.split(",", maxsplit=1)[0], "--port", port, "--core", core, "--path", path]
        words += ["--connections", connections]
        command = [sys.executable, __file__, *[str(word) for word in words], "--seconds", str(options.seconds)]
        command += ["--profile"] * options.profile
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=60 + options.seconds, check=True)  # noqa: S603 - this script
        answered, took_s, cpu_s, failed = json.loads(done.stdout)
    if failed:
        sys.exit(f"{kind}: {failed} requests failed: the figure would not be one of answers")
    return answered / took_s, cpu_s / answered * 1e6


def run_wrk(url: str, core: int, connections: int, seconds: float) -> tuple[float, float, float, int]:
    """One run of wrk: answers, seconds, seconds of CPU, failures."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "check.lua"
        script.write_text(CHECK_SCRIPT)
        words = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script), url]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["taskset", "-c", str(core), "wrk", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60 + seconds, check=True)  # noqa: S603 - wrk
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"^figures (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    if found is None:
        sys.exit(f"wrk printed no figures:\n{done.stdout}")
    answered, took_us, failed = (int(number) for number in found.groups())
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return answered, took_us / 1e6, cpu_s, failed


def compare(port: int, core: int, connections: int, options: argparse.Namespace) -> bool:
    """Runs all kinds in turn and prints their figures; True where the bar is met."""
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    costs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(options.runs):
        for kind in KINDS:
            rate, cost_us = figures_of(kind, port, core, connections, options)
            rates[kind].append(rate)
            costs[kind].append(cost_us)
    print(f"\n{connections:,} connections, {options.runs} runs of {options.seconds:g} s each in turn, median (range)")
    for kind in KINDS:
        print(f"{kind:16}{spread(rates[kind], '/s', 0):>32}{spread(costs[kind], ' us of CPU each', 1):>40}")
    medians = {kind: statistics.median(found) for kind, found in rates.items()}
    for kind in ("engine", "worker, varied"):
        print(f"{kind}: {medians[kind] / medians['wrk']:.2f} times wrk's rate")
    ratio = medians["worker"] / medians["wrk"]
    return say_bar(
        f"closed profile, {connections:,} connections, body check on",
        against="wrk with its check script",
        found=f"{ratio:.2f} of its rate",
        bar=f"at least {BAR:g}",
        is_met=ratio >= BAR,
    )


def main() -> None:
    """Runs the comparison, or is one of its runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[100, 2000])
    parser.add_argument("--profile", action="store_true")
    for hidden, kind in (("--kind", str), ("--port", int), ("--core", int), ("--path", str)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    raise_open_files()
    if options.port:
        be_a_run(options)
        return
    need("nginx")
    need("wrk")
    server_core, core = cores()
    with nginx(server_core) as (port, _):
        met = [compare(port, core, connections, options) for connections in options.connections]
    print(machine("floodmark"))
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
