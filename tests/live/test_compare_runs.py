"""Real runs, one after another: what one says meanwhile, and whether they differ once a knob is turned."""

import json

import pytest
from command import floodmark, manifest

pytestmark = [pytest.mark.live, pytest.mark.alone, pytest.mark.timeout(600)]

REPEATS = tuple(f"same-{number}" for number in range(5))

POOL = """
import os, sys, time, threading, socketserver
from http.server import BaseHTTPRequestHandler

slots = threading.Semaphore(int(os.environ["SLOTS"]))

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with slots:
            hold = float(self.path.rpartition("=")[2])
            begin = time.monotonic()
            time.sleep(hold)
            end = time.monotonic()
        self.send_response(200)
        self.send_header("Server-Timing", f"floodmark;dur={(end - begin) * 1e3:.3f};begin={begin:.6f};end={end:.6f};"
            f"pid={os.getpid()};tid={threading.get_native_id()}")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 512
    allow_reuse_address = True
    daemon_threads = True

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

TARGET = """
name = "pool"
summary = "threads, of which a few serve"
[start]
command = ["{{python}}", "pool.py", "{{port}}"]
env = {{ SLOTS = "{slots}" }}
"""


def measured(cwd, slots, name, *words):
    (cwd / "target.toml").write_text(TARGET.format(slots=slots))
    load = ("--requests", "60", "--within", "0", "--hold", "0.3", "--out", f"runs/{name}")
    done = floodmark("run", "--target-file", "target.toml", *load, *words, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run of 20 at once, and what it said."""
    here = tmp_path_factory.mktemp("compared")
    (here / "pool.py").write_text(POOL)
    return here, measured(here, 20, REPEATS[0], "--verbose")


@pytest.fixture(scope="module")
def runs(first):
    """The folder with that run, four repeats of it, and one of another setting."""
    here, _ = first
    for name in REPEATS[1:]:
        measured(here, 20, name)
    measured(here, 10, "other")
    return here


def compared(cwd, *names):
    done = floodmark("compare", *names, "--json", "-", "--html", "c.html", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<svg" in (cwd / "c.html").read_text()
    return json.loads(done.stdout)


def test_a_run_says_what_it_starts_and_what_each_process_logs(first):
    lines = first[1].stderr.splitlines()
    assert any(line.startswith("target: pool; load: 60 requests at one instant") for line in lines)
    started = [line for line in lines if line.startswith("floodmark_deploy.local: started process ")]
    assert len(started) == 4
    assert all("runs/same-0" in line for line in started)
    for name in ("master.log: ", "worker-1.log: ", "agent.log: "):
        assert any(line.startswith(name) for line in lines), name
    assert lines[-1].startswith("judged anew from the records in runs/same-0")


def test_a_runs_report_by_a_part_of_its_name_can_be_one_line(first):
    here, said = first
    quiet = floodmark("report", "same", "-q", cwd=here)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert len(quiet.stdout.splitlines()) == 1
    assert quiet.stdout.split(".")[0] in " ".join(said.stdout.split())


def test_one_knob_turned_is_a_change(runs):
    assert manifest(runs / "runs" / "other")["settings"]["env SLOTS"] == "10"
    changed = compared(runs, REPEATS[0], "other")
    assert changed["change"] == "changed"
    assert [(knob["name"], knob["values"]) for knob in changed["knobs"]] == [("env SLOTS", ["20", "10"])]
    at_once = changed["comparisons"][0]["quantities"][0]
    assert (at_once["before"], at_once["after"], at_once["basis"]) == ([20], [10], "exact")


def test_five_repeats_of_the_same_show_no_difference(runs):
    same = compared(runs, *REPEATS)
    assert same["change"] == "no difference shown", same
    assert [run["name"] for run in same["sides"][0]["runs"]] == list(REPEATS)
    assert len(same["sides"]) == 1


def test_they_are_listed_in_the_order_in_which_they_were_made(runs):
    listed = json.loads(floodmark("runs", "--json", cwd=runs).stdout)
    assert [one["name"] for one in listed] == [*REPEATS, "other"]
    assert [(one["ceiling"], one["valid"]) for one in listed] == [(20, True)] * 5 + [(10, True)]
