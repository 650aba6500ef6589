"""One locustfile on FloodUser and on FastHttpUser, each in a real Locust process, against the same server."""

import gzip
import json
import os
import resource
import select
import socket
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.live

HERE = Path(__file__).parent
TIMEOUT_S = 60

# What differs in what the two send by intention: the name they go by, and the codings they can take apart.
OF_THE_CLIENT = {"user-agent", "accept-encoding"}


class Handler(BaseHTTPRequestHandler):
    """Answers by path; what it was sent goes back as JSON where the path says echo."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.requests.append(f"{self.command} {self.path}")
        first, *rest = url.path.strip("/").split("/")
        getattr(self, f"answer_{first}")(*rest)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def answer(self, body: bytes = b"fine", status: int = 200, **fields: str) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    def answer_ok(self) -> None:
        self.answer(Content_Type="text/plain; charset=utf-8")

    def answer_elsewhere(self) -> None:
        self.answer(self.headers.get("Cookie", "none").encode())

    def answer_echo(self, *_: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in OF_THE_CLIENT}
        headers.pop("host")
        seen = {"method": self.command, "path": self.path, "headers": headers, "body": self.sent.decode("latin-1")}
        self.answer(json.dumps(seen, sort_keys=True).encode(), Content_Type="application/json")

    def answer_status(self, status: str) -> None:
        self.answer(b"status " + status.encode(), int(status))

    def answer_cookie(self, what: str) -> None:
        if what == "set":
            self.send_response(200)
            self.send_header("Set-Cookie", "a=1; Path=/")
            self.send_header("Set-Cookie", 'b="x y"; Path=/cookie; Max-Age=60')
            self.send_header("Set-Cookie", "gone=1; Max-Age=0")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
        else:
            self.answer(json.dumps(sorted(self.headers.get("Cookie", "").split("; "))).encode())

    def answer_redirect(self, left: str) -> None:
        count = int(left)
        more = f"?{urlsplit(self.path).query}" if "?" in self.path else ""
        where = f"/redirect/{count - 1}{more}" if count > 1 else "/" + self.query.get("to", "ok")
        fields = {"Set_Cookie": f"hop{count}=1; Path=/"} if "cookie" in self.query else {}
        self.answer(b"moved", int(self.query.get("code", "302")), Location=where, **fields)

    def answer_coded(self, name: str) -> None:
        if name == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nchu\r\n4;x=y\r\nnked\r\n0\r\nTrailer: 1\r\n\r\n")
        elif name == "http10":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
        elif name == "identity":
            self.answer(b"as it is", Content_Encoding="identity")
        else:
            raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            coded = {
                "gzip": gzip.compress(b"gzipped"),
                "deflate": zlib.compress(b"deflated"),
                "raw-deflate": raw.compress(b"deflated raw") + raw.flush(),
            }[name]
            self.answer(coded, Content_Encoding=name.removeprefix("raw-"))

    def answer_latin1(self) -> None:
        self.answer("ä".encode("latin-1"), Content_Type="text/plain; charset=iso-8859-1")

    def answer_form(self) -> None:
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        self.answer(self.sent.replace(boundary, b"BOUNDARY").replace(b"Content-Type: text/plain\r\n", b""))

    def answer_close(self) -> None:
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Counts what it gets."""

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.requests: list[str] = []

    def handle_error(self, *_: Any) -> None:
        """A client that ends without a goodbye is no error of the server's."""


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def locust(script: str, host: str, users: int, folder: Path, **variables: str) -> str:
    """Runs a locustfile to its end; what it wrote into the file of its records."""
    records = folder / "records.json"
    records.unlink(missing_ok=True)
    words = ["--headless", "-u", str(users), "-r", str(users), "--host", host]
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(HERE / script), *words],
        env={**os.environ, "FLOOD_RECORDS": str(records), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert records.exists(), done.stdout + done.stderr
    return records.read_text()


def visit(base: str, parts: str, folder: Path, credentials: str = "") -> tuple[list[list[Any]], Server]:
    """What a user of this base class records, and the server that it visited."""
    with serving() as server:
        url = f"http://{credentials}127.0.0.1:{server.server_port}"
        text = locust("flood_locustfile.py", url, 1, folder, FLOOD_BASE=base, FLOOD_PARTS=parts)
    return json.loads(text.replace(str(server.server_port), "PORT")), server


@pytest.mark.parametrize(
    "parts",
    ["plain,names", "bodies", "failures,caught", "cookies", "redirects", "codings,files"],
)
def test_both_clients_see_and_record_the_same(parts, tmp_path):
    ours, our_server = visit("FloodUser", parts, tmp_path)
    theirs, their_server = visit("FastHttpUser", parts, tmp_path)
    assert len(ours) > 4
    assert not [record for record in ours if record[0] == "bug"]
    assert ours == theirs
    assert our_server.requests == their_server.requests
    # FastHttpUser gives a connection up on a redirect whose body it does not read.
    assert our_server.connections <= their_server.connections


def test_both_clients_send_the_credentials_of_the_host(tmp_path):
    ours, _ = visit("FloodUser", "auth", tmp_path, "user:p%40ss@")
    theirs, _ = visit("FastHttpUser", "auth", tmp_path, "user:p%40ss@")
    assert ours == theirs
    assert "Basic dXNlcjpwQHNz" in json.dumps(ours)


def test_a_server_that_closes_before_it_answers_sees_one_connection_per_request_of_ours(tmp_path):
    ours, our_server = visit("FloodUser", "two_closed", tmp_path)
    theirs, their_server = visit("FastHttpUser", "two_closed", tmp_path)
    assert ours == theirs, "the statistics look alike: two failures and an answer"
    assert our_server.requests == ["GET /close", "GET /close", "GET /ok"]
    assert our_server.connections == 3
    assert their_server.requests.count("GET /close") > 2, "what one call sent more than once, its user never hears of"


class Answering:
    """Answers every request on any number of connections, from one thread."""

    def __init__(self) -> None:
        self.connections = 0
        self.peers: Counter[str] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._stop.close()
        self._thread.join()

    def _serve(self) -> None:
        clients: dict[int, socket.socket] = {}
        with self._listener, self._stopped, select.epoll() as epoll:
            for watched in (self._listener, self._stopped):
                epoll.register(watched.fileno(), select.EPOLLIN)
            while True:
                for fd, _ in epoll.poll():
                    if fd == self._stopped.fileno():
                        for client in clients.values():
                            client.close()
                        return
                    if fd == self._listener.fileno():
                        client, peer = self._listener.accept()
                        self.connections += 1
                        self.peers[peer[0]] += 1
                        clients[client.fileno()] = client
                        epoll.register(client.fileno(), select.EPOLLIN)
                    elif not answer_one(clients[fd]):
                        clients.pop(fd).close()


def answer_one(client: socket.socket) -> bool:
    with suppress(ConnectionError):
        if client.recv(4096):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
            return True
    return False


def test_1200_users_keep_their_connections_and_leave_none_behind(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    server = Answering()
    try:
        host = f"http://127.0.0.1:{server.port}"
        seen = json.loads(locust("flood_many_locustfile.py", host, 1200, tmp_path, FLOOD_USERS="1200"))
    finally:
        server.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (seen["answered"], seen["failed"]) == (2400, 0)
    assert seen["open"] == server.connections == 1200
    assert seen["highest"] > 1023
    assert seen["left"] == 0


def test_users_send_from_their_sources_in_turn(tmp_path):
    server = Answering()
    try:
        host = f"http://127.0.0.1:{server.port}"
        sources = {"FLOOD_USERS": "6", "FLOOD_SOURCES": "127.0.0.2-127.0.0.3,127.0.0.9"}
        seen = json.loads(locust("flood_many_locustfile.py", host, 6, tmp_path, **sources))
    finally:
        server.close()
    assert (seen["answered"], seen["failed"]) == (12, 0)
    assert server.peers == dict.fromkeys(("127.0.0.2", "127.0.0.3", "127.0.0.9"), 2)
