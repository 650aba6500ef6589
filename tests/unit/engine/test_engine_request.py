from http.server import BaseHTTPRequestHandler
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from floodmark.engine.request import render_get


def test_the_id_is_filled_in_wherever_it_is_asked_for() -> None:
    line = render_get("/items/{id}?id={id}&hold=5", "host:80")(42).split(b"\r\n")[0]
    assert line == b"GET /items/42?id=42&hold=5 HTTP/1.1"


def test_a_path_without_an_id_is_the_same_for_all() -> None:
    render = render_get("/slow?hold=3", "host:80")
    assert render(1) == render(2)


def test_the_head_names_the_host_and_asks_for_one_answer() -> None:
    lines = render_get("/", "[::1]:8000")(1).split(b"\r\n")
    assert b"Host: [::1]:8000" in lines
    assert b"Connection: close" in lines
    assert any(line.startswith(b"User-Agent: floodmark/") for line in lines)
    assert lines[-2:] == [b"", b""]


def test_an_id_in_the_host_is_not_filled_in() -> None:
    assert b"Host: {id}:80\r\n" in render_get("/", "{id}:80")(7)


def test_what_is_encoded_already_stays_so() -> None:
    assert b"GET /a%20b?c=%2F&d=[] HTTP/1.1\r\n".replace(b"[]", b"%5B%5D") in render_get("/a%20b?c=%2F&d=[]", "h:1")(1)


class OneRequest(BaseHTTPRequestHandler):
    """The standard library's own reading of a request, without a connection."""

    def __init__(self, request: bytes) -> None:
        self.rfile = BytesIO(request)
        self.raw_requestline = self.rfile.readline()
        self.refused = not self.parse_request()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        raise AssertionError(code, message, explain)


@given(path=st.text(max_size=30), request_id=st.integers(min_value=0, max_value=10**9))
def test_no_path_can_break_a_request(path: str, request_id: int) -> None:
    request = OneRequest(render_get("/" + path.encode(errors="replace").decode() + "{id}", "host:80")(request_id))
    assert not request.refused
    assert request.path.endswith(str(request_id))
    assert sorted(request.headers) == ["Accept", "Connection", "Host", "User-Agent"]


def test_a_connection_that_is_to_be_kept_is_not_asked_to_be_closed() -> None:
    once, kept = render_get("/{id}", "host:80")(7), render_get("/{id}", "host:80", keeps_alive=True)(7)
    assert kept == once.replace(b"Connection: close\r\n", b"")
    assert b"onnection" not in kept
