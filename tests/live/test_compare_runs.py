"""Real runs compared: one knob of one target turned is a change, repeats of the same are none."""

import json

import pytest
from command import floodmark, manifest

pytestmark = [pytest.mark.live, pytest.mark.alone]

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


def measured(cwd, slots, name):
    (cwd / "pool.py").write_text(POOL)
    (cwd / "target.toml").write_text(TARGET.format(slots=slots))
    words = ("--target-file", "target.toml", "--requests", "200", "--hold", "0.6", "--out", f"runs/{name}")
    done = floodmark("run", *words, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def compared(cwd, *names):
    done = floodmark("compare", *names, "--json", "-", "--html", "c.html", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<svg" in (cwd / "c.html").read_text()
    return json.loads(done.stdout)


@pytest.mark.timeout(600)
def test_one_knob_turned_is_a_change_and_five_repeats_of_the_same_are_none(tmp_path):
    for number in range(5):
        measured(tmp_path, 40, f"same-{number}")
    measured(tmp_path, 10, "other")
    assert manifest(tmp_path / "runs" / "other")["settings"]["env SLOTS"] == "10"

    changed = compared(tmp_path, "same-0", "other")
    assert changed["change"] == "changed"
    assert [(knob["name"], knob["values"]) for knob in changed["knobs"]] == [("env SLOTS", ["40", "10"])]
    at_once = changed["comparisons"][0]["quantities"][0]
    assert (at_once["before"], at_once["after"], at_once["basis"]) == ([40], [10], "exact")

    same = compared(tmp_path, *(f"same-{number}" for number in range(5)))
    assert same["change"] == "no difference shown", same
    assert same["sides"][0]["runs"][4]["name"] == "same-4"
    assert len(same["sides"]) == 1

    listed = json.loads(floodmark("runs", "--json", cwd=tmp_path).stdout)
    assert [(one["name"], one["ceiling"], one["valid"]) for one in listed][-1] == ("other", 10, True)
    assert len(listed) == 6
