"""The same user on either client: FLOOD_BASE chooses it, FLOOD_RECORDS names the file that takes what it saw."""

import json
import os
from pathlib import Path
from types import MappingProxyType

from locust import FastHttpUser, events, task

from floodmark.load import FloodUser

BASE = {"FloodUser": FloodUser, "FastHttpUser": FastHttpUser}[os.environ["FLOOD_BASE"]]
RECORDS = []


@events.request.add_listener
def record(request_type, name, response_length, response, **rest):
    failed = rest["exception"] is not None
    RECORDS.append([request_type, name, response_length, response.status_code, failed, rest["context"], rest["url"]])
    RECORDS.extend(["no time"] for _ in range(rest["response_time"] <= 0))


@events.quitting.add_listener
def save(**_):
    Path(os.environ["FLOOD_RECORDS"]).write_text(json.dumps(RECORDS))


class Visitor(BASE):
    default_headers = MappingProxyType({"X-Default": "1"})
    connection_timeout = 5.0
    network_timeout = 5.0

    def context(self):
        return {"who": "visitor"}

    @task
    def visit(self):
        try:
            self.see()
        except Exception as error:
            RECORDS.append(["bug", repr(error)])
            raise
        finally:
            self.environment.runner.quit()

    def see(self):
        for name in os.environ["FLOOD_PARTS"].split(","):
            getattr(self, name)()

    def plain(self):
        response = self.client.get("/ok?x=1")
        self.note(response.status_code, response.text, response.ok, response.headers["content-type"], response.url)
        self.note(response.headers.get("X-NOTHING"), response.elapsed.total_seconds() > 0, response.content)
        for method in ("post", "put", "patch", "delete", "head", "options"):
            self.note(getattr(self.client, method)("/ok").text)
        self.note(self.client.request("GET", self.client.base_url + "/ok", name="absolute").text)

    def bodies(self):
        self.note(self.client.post("/echo", json={"a": [1, "ä"]}).json())
        self.note(self.client.post("/echo", data={"a": "b c", "d": "ä"}).json())
        self.note(self.client.post("/echo", data="text ä").json())
        self.note(self.client.put("/echo", data=b"\x00bytes").json())
        self.note(self.client.get("/echo", params={"a": [1, 2], "b": None, "c": "ä&"}).json())
        self.note(self.client.get("/echo/ä b", headers={"X-Own": "2", "x-default": "3"}).json())
        self.note(self.client.post("/echo", data="{}", headers={"content-type": "x/y"}).json())

    def names(self):
        self.client.get("/ok?id=1", name="/ok?id=[id]")
        with self.client.rename_request("renamed"):
            self.client.get("/ok?id=2")
        self.client.get("/ok?id=3", context={"more": 1})

    def failures(self):
        for status in (404, 500, 304, 206, 400):
            response = self.client.get(f"/status/{status}")
            self.note(response.status_code, response.text)
            try:
                response.raise_for_status()
            except Exception:  # noqa: BLE001 - whichever the client has
                self.note("raised")

    def caught(self):
        with self.client.get("/status/404", catch_response=True) as response:
            response.success()
        with self.client.get("/ok", catch_response=True) as response:
            response.failure("I did not like it")
        with self.client.get("/status/500", catch_response=True) as response:
            self.note(response.request_meta["name"])
        with self.client.get("/ok", catch_response=True) as response:
            self.note(response.text)
        with self.rest("POST", "/echo", json={"a": 1}) as response:
            self.note(response.js)
        with self.rest("GET", "/ok") as response:
            self.note(response.js)

    def cookies(self):
        self.note(self.client.get("/cookie/set").json())
        self.note(self.client.get("/cookie/show").json())
        self.note(self.client.get("/elsewhere").text)
        self.note(sorted(cookie.name for cookie in self.client.cookiejar))

    def redirects(self):
        response = self.client.get("/redirect/3")
        self.note(response.status_code, response.text, len(response.history), response.url)
        response = self.client.get("/redirect/3", allow_redirects=False)
        self.note(response.status_code, response.headers["location"])
        self.note(self.client.post("/redirect/1?to=echo", data="x").json())
        self.note(self.client.post("/redirect/1?to=echo&code=307", data="x").json())
        self.note(self.client.get("/redirect/2?cookie=1").text)
        self.note(self.client.head("/redirect/1").status_code)

    def codings(self):
        for name in ("gzip", "deflate", "raw-deflate", "identity", "chunked", "http10"):
            self.note(self.client.get(f"/coded/{name}").text)
        self.note(self.client.get("/latin1").text)

    def auth(self):
        self.note(self.client.get("/echo").json())
        self.note(self.client.get("/echo", auth=("other", "word")).json())

    def files(self):
        self.note(self.client.post("/form", data={"a": "b"}, files={"f": ("name.txt", b"content")}).text)

    def two_closed(self):
        self.client.get("/close")
        self.client.get("/close")
        self.note(self.client.get("/ok").status_code)

    def note(self, *values):
        RECORDS.append(["note", *[value.decode() if isinstance(value, bytes) else value for value in values]])
