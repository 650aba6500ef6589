"""Many users on descriptors above 1,023, two requests each; then what is left open. FLOOD_RECORDS takes the counts."""

import json
import os
import resource
from pathlib import Path

import gevent
from locust import events, task

from floodmark.load import FloodUser
from floodmark.load.hub_client import hub_client

USERS = int(os.environ["FLOOD_USERS"])
_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))
SEEN = {"answered": 0, "failed": 0, "open": 0, "highest": 0}


def files():
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


@events.request.add_listener
def count(exception, **_):
    SEEN["failed" if exception else "answered"] += 1


@events.quitting.add_listener
def save(**_):
    SEEN["left"] = hub_client().open_lines
    Path(os.environ["FLOOD_RECORDS"]).write_text(json.dumps(SEEN))


class Many(FloodUser):
    @task
    def ask_twice(self):
        self.client.get("/ok")
        while SEEN["answered"] + SEEN["failed"] < USERS:
            gevent.sleep(0.01)
        self.client.get("/ok")
        SEEN["open"] = max(SEEN["open"], hub_client().open_lines)
        SEEN["highest"] = (
            max(SEEN["highest"], max(files(), default=0)) if SEEN["answered"] == USERS + 1 else SEEN["highest"]
        )
        while SEEN["answered"] + SEEN["failed"] < 2 * USERS:
            gevent.sleep(0.01)
        self.environment.runner.quit()
        self.environment.runner.greenlet.join()
