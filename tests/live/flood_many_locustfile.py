"""Many users on descriptors above 1,023, two requests each; then what is left open. FLOOD_RECORDS takes the counts."""

import json
import os
import resource
from pathlib import Path

import gevent
from gevent.event import Event
from locust import events, task

from floodmark.load import FloodUser
from floodmark.load.user.hub_client import hub_client

USERS = int(os.environ["FLOOD_USERS"])
_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))
SEEN = {"answered": 0, "failed": 0, "open": 0, "highest": 0, "is_over": False}
ONCE, TWICE = Event(), Event()


def files():
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


@events.request.add_listener
def count(exception, **_):
    SEEN["failed" if exception else "answered"] += 1
    total = SEEN["answered"] + SEEN["failed"]
    if total == USERS:
        SEEN["highest"] = max(files())
        ONCE.set()
    if total == 2 * USERS:
        SEEN["open"] = hub_client().open_lines
        TWICE.set()


@events.quitting.add_listener
def save(**_):
    SEEN["left"] = hub_client().open_lines
    Path(os.environ["FLOOD_RECORDS"]).write_text(json.dumps(SEEN))


class Many(FloodUser):
    sources = os.environ.get("FLOOD_SOURCES", "")

    @task
    def ask_twice(self):
        self.client.get("/ok")
        ONCE.wait()
        self.client.get("/ok")
        if TWICE.wait() and not SEEN["is_over"]:
            SEEN["is_over"] = True  # a thousand users that each end the run take a minute over it
            gevent.spawn(self.environment.runner.quit)
        Event().wait()
