"""How punctual the open model is: the arrivals profile at 5,000 requests per second for 20 s.

    python benchmarks/arrivals.py [--rate 5000] [--seconds 20] [--runs 5]

Lateness is from a request's planned release to its real one. nginx, one process, has the other core; the load runs as
in a Locust worker: gevent's hub, histograms, Locust's statistics. The bar is for a machine that does nothing else: what
the kernel gives to others while a request is due, no generator gets back. So that is printed, too: how long this
process was ready to run and did not. Ends with 1 where the bar is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _common import cores, machine, say_bar
from _nginx import BODY, SAME, need, nginx
from _worker import carry_out, worker_environment
from hdrh.histogram import HdrHistogram

from floodmark.core.address import Address
from floodmark.core.messages import SECONDS, LoadOrder
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.second import HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS

BAR_MS = 2.0
"""The 99th percentile of lateness must not be above it."""

BEGINS_AFTER_S = 0.2
CONNECTIONS = 1_000


def measure(options: argparse.Namespace) -> None:
    """One run in this process, as a Locust worker does it; prints the 99th percentile of lateness in ms, and words."""
    os.sched_setaffinity(0, {options.core})
    environment = worker_environment()
    order = LoadOrder(
        worker="bench",
        profile=ArrivalsProfile(rate=options.rate, duration_s=options.seconds, timeout_s=10.0, connections=CONNECTIONS),
        address=Address(host="127.0.0.1", port=options.port),
        request=RequestSpec(path=SAME, contains=BODY),
        first_id=1,
        step=1,
    )
    late, latency = new_histogram(), new_histogram()

    def take(kind: str, message: Any) -> None:
        if kind == SECONDS:
            for second in message.seconds:
                late.decode_and_add(second.late)
                latency.decode_and_add(second.latency)

    cpu_s, kept_s = time.process_time(), kept_waiting_s()
    load = carry_out(environment, order, begins_after_s=BEGINS_AFTER_S, send=take).load
    cpu_s, kept_s = time.process_time() - cpu_s, kept_waiting_s() - kept_s
    if set(load.outcomes) != {Outcome.ANSWERED}:
        sys.exit(f"not all requests were answered: {dict(load.outcomes)}")
    p50, p99, most = (late.get_value_at_percentile(share) / 1e3 for share in (50, 99, 100))
    words = (
        f"{late.get_total_count():,} requests: lateness p50 {p50:.2f}, p99 {p99:.2f}, max {most:.1f} ms;"
        f" latency p50 {latency.get_value_at_percentile(50) / 1e3:.2f},"
        f" p99 {latency.get_value_at_percentile(99) / 1e3:.2f} ms; CPU {cpu_s / options.seconds:.0%};"
        f" kept waiting {kept_s * 1e3:.0f} ms; lag {load.loop_lag_max_s * 1e3:.1f} ms"
    )
    print(json.dumps([p99, words]))


def new_histogram() -> HdrHistogram:
    """As the worker's."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)


def run(port: int, core: int, options: argparse.Namespace) -> float:
    """One run in a process of its own; prints its figures. The 99th percentile of lateness in ms."""
    words = ["--port", port, "--core", core, "--rate", options.rate, "--seconds", options.seconds]
    command = [sys.executable, __file__, *[str(word) for word in words]]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=120 + options.seconds, check=True)  # noqa: S603 - this script
    p99_ms, figures = json.loads(done.stdout)
    print(figures, flush=True)
    return float(p99_ms)


def kept_waiting_s() -> float:
    """How long this process was ready to run, and did not (sched-stats.rst of the kernel, second field)."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def main() -> None:
    """Starts the server and measures, or is one of its runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5_000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.port:
        measure(options)
        return
    need("nginx")
    server_core, core = cores()
    with nginx(server_core) as (port, _):
        found_ms = statistics.median(run(port, core, options) for _ in range(options.runs))
    is_met = say_bar(
        f"arrivals, {options.rate:,.0f}/s for {options.seconds:g} s, on an otherwise idle machine",
        against="the plan",
        found=f"lateness p99 {found_ms:.2f} ms",
        bar=f"at most {BAR_MS:g} ms",
        is_met=found_ms <= BAR_MS,
    )
    print(machine("floodmark", "locust", "gevent", "hdrhistogram"))
    sys.exit(0 if is_met else 1)


if __name__ == "__main__":
    main()
