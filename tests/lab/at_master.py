"""Run on a lab's master by its Python (standard library only): starts a load as the web UI does, and prints what came.

Takes one word, JSON: `load` is burst or users, `workers` how many there must be, `server` its address; the rest is the
start form's.
"""

import json
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

WEB = "http://127.0.0.1:8089"
RUNS = Path("/var/lib/floodmark/runs")


def until(found, what, timeout_s=90):
    deadline_s = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.1)
    return value


def ask(path, form=None):
    """`form` None: a GET."""
    body = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(WEB + path, body, timeout=30) as answer:  # noqa: S310 - the master's own loopback
        return json.load(answer)


def stats():
    try:
        return ask("/stats/requests")
    except OSError:  # the master is on its way
        return {}


def present():
    return [row for row in stats().get("workers", ()) if row["state"] != "missing"]


def start(workers, server, form):
    until(lambda: len(present()) == workers, f"{workers} workers")
    said = ask("/swarm", {"user_count": workers, "spawn_rate": workers, "host": f"http://{server}", **form})
    assert said["success"], said


def burst(workers, server, form):
    """The run's verdict, and what it has of ids and workers."""
    before = set(RUNS.glob("*"))
    start(workers, server, form)
    paths = until(
        lambda: [run / "verdict.json" for run in set(RUNS.glob("*")) - before if (run / "verdict.json").exists()],
        "a verdict",
        150,
    )
    until(lambda: stats().get("state") == "stopped", "the end")
    hits = [json.loads(line) for line in paths[0].with_name("hits.jsonl").read_text().splitlines()[1:]]
    reports = [json.loads(line) for line in paths[0].with_name("workers.jsonl").read_text().splitlines()]
    return {
        "verdict": json.loads(paths[0].read_text()),
        "ahead": [report["was_ahead"] for report in reports],
        "ids": sorted(hit[0] for hit in hits),
        "workers": sorted({hit[1] for hit in hits}),
    }


def users(workers, server, form):
    """How users were spread while 200 requests were answered, and what Locust counted."""
    start(workers, server, form)

    def enough():
        seen = stats()
        rows = [row for row in seen.get("stats", ()) if row["name"] == "/health"]
        spread = sorted(row["user_count"] for row in seen.get("workers", ()))
        done = sum(spread) == int(form["user_count"]) and rows and rows[0]["num_requests"] > 200
        return {"spread": spread, "failures": rows[0]["num_failures"]} if done else None

    seen = until(enough, "200 answers")
    ask("/stop", {})
    until(lambda: stats().get("state") == "stopped", "the end")
    return seen


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps({"burst": burst, "users": users}[asked.pop("load")](**asked)))  # noqa: T201 - it is what the test reads
