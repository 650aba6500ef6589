"""A host over SSH, asked of a real server: who may log in and who is told why not, words, files, ports, bounds."""

import contextlib
import http.server
import json
import socket
import threading
import urllib.request

import paramiko
import pytest
from ssh_door import PASSPHRASE, Host, make_key, make_old_key

from floodmark.core.errors import ClusterError
from floodmark_deploy.remote_ui import ask_ui
from floodmark_deploy.ssh_host import SshHost
from floodmark_deploy.ssh_settings import read_settings

STEP_S = 20.0


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch, tmp_path):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def log_in(host, tmp_path):
    """Logs in with these keys, and lines of ssh_config; the host's own key is known unless `known` says otherwise."""

    def login(*keys, more="", known=None):
        (tmp_path / "known").write_text(host.known_line() if known is None else known)
        (tmp_path / "config").write_text(
            f"Host web\n HostName 127.0.0.1\n Port {host.port}\n User me\n GlobalKnownHostsFile none\n"
            f" UserKnownHostsFile {tmp_path / 'known'}\n" + "".join(f" IdentityFile {key}\n" for key in keys) + more
        )
        return SshHost(read_settings("web", tmp_path / "config"))

    return login


@pytest.fixture
def web(host, log_in, tmp_path):
    """Logged in."""
    key = make_key(tmp_path / "key")
    host.welcome.append(paramiko.Ed25519Key.from_private_key_file(str(key)))
    with log_in(key) as web:
        yield web


def refusal(log_in, *keys, **more):
    with pytest.raises(ClusterError) as caught:
        log_in(*keys, **more)
    return str(caught.value)


@pytest.mark.parametrize("make", [make_key, make_old_key])
def test_a_key_with_a_passphrase_that_no_agent_has_is_one_line_with_what_to_do(log_in, tmp_path, make):
    key = make(tmp_path / "key", PASSPHRASE)
    assert refusal(log_in, key) == (
        f"web: me may not log in with {key}: {key} has a passphrase, and no agent has that key: ssh-add {key}"
    )


def test_where_no_agent_may_be_asked_the_remedy_is_another(log_in, tmp_path):
    key = make_key(tmp_path / "key", PASSPHRASE)
    assert refusal(log_in, key, more=" IdentityAgent none\n").endswith(
        f"{key} has a passphrase, and no agent has that key: its ssh_config has IdentityAgent none: name an agent"
        " there, or a key without a passphrase"
    )


def test_a_key_with_a_passphrase_is_named_also_where_another_was_refused_after_it(log_in, tmp_path):
    locked, wrong = make_key(tmp_path / "locked", PASSPHRASE), make_key(tmp_path / "wrong")
    said = refusal(log_in, locked, wrong)
    assert said.startswith(f"web: me may not log in with {locked}, {wrong}: {locked} has a passphrase")
    assert said.endswith(f": ssh-add {locked}")


def test_the_usual_key_with_a_passphrase_is_named_where_the_config_names_none(log_in, tmp_path):
    (tmp_path / ".ssh").mkdir()
    key = make_key(tmp_path / ".ssh/id_ed25519", PASSPHRASE)
    assert refusal(log_in) == (
        f"web: me may not log in with the usual keys: {key} has a passphrase, and no agent has that key: ssh-add {key}"
    )


def test_a_key_with_a_passphrase_is_no_hindrance_where_another_opens(host, log_in, tmp_path):
    locked, right = make_key(tmp_path / "locked", PASSPHRASE), make_key(tmp_path / "right")
    host.welcome.append(paramiko.Ed25519Key.from_private_key_file(str(right)))
    with log_in(locked, right) as web:
        assert web.must(["echo", "in"], timeout_s=STEP_S) == "in\n"


@pytest.mark.parametrize("make", [make_key, make_old_key])
def test_a_key_that_is_refused_is_named(log_in, tmp_path, make):
    key = make(tmp_path / "key")
    said = refusal(log_in, key)
    assert said.startswith(f"web: me may not log in with {key}: ")
    assert said.endswith("; does `ssh web` work?")


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (
            "",
            (
                "web: the key of [127.0.0.1]:{port} is not known: check it and log in once with ssh, or ssh-keyscan -p"
                " {port} 127.0.0.1 >> ~/.ssh/known_hosts"
            ),
        ),
        ("{other}", "web: its key is not the one in known_hosts (ecdsa-sha2-nistp256): is it the right host?"),
        (
            "[127.0.0.1]:{port} ssh-ed25519 AAAAB\n",
            "web: {file} has a line that is no host's key: '[127.0.0.1]:{port} ",
        ),
    ],
    ids=["none", "another", "broken"],
)
def test_a_host_whose_key_is_not_the_known_one_is_not_logged_in_to(host, log_in, tmp_path, known, words):
    other = Host()
    other.close()
    line = other.known_line().replace(str(other.port), str(host.port))
    said = refusal(log_in, make_key(tmp_path / "key"), known=known.format(other=line, port=host.port))
    assert said.startswith(words.format(port=host.port, file=tmp_path / "known"))
    assert "\n" not in said


def test_a_host_that_nobody_answers_at_is_named_with_its_port(host, log_in, tmp_path):
    host.close()
    assert refusal(log_in, make_key(tmp_path / "key")).startswith(f"web: [127.0.0.1]:{host.port} cannot be reached: ")


def test_a_program_has_its_words_and_its_input_and_its_end_is_told(web):
    assert web.must(["cat", "-"], timeout_s=STEP_S, text_in="a b; $HOME") == "a b; $HOME"
    done = web.run(["sh", "-c", "echo out; echo one >&2; echo two >&2; exit 3"], timeout_s=STEP_S)
    assert (done.code, done.out, done.err, done.last) == (3, "out\n", "one\ntwo\n", "two")
    with pytest.raises(ClusterError, match=r"^web: `false` ended with exit code 1: it printed nothing$"):
        web.must(["false"], timeout_s=STEP_S)
    with pytest.raises(ClusterError, match=r"^web: no such luck: two$"):
        web.must(["sh", "-c", "echo two; exit 1"], timeout_s=STEP_S, what="no such luck")


def test_a_program_that_ends_before_it_has_read_what_it_is_given_has_its_exit_code(host, web):
    host.reads = False
    done = web.run(["no-such-program"], timeout_s=STEP_S, text_in="x" * 10_000_000)
    assert (done.code, "not found" in done.err) == (127, True)


@pytest.mark.parametrize("request_", ["open", "exec"])
def test_a_host_that_does_not_begin_a_program_is_given_up_in_time(host, web, request_):
    host.mute.add(request_)
    with pytest.raises(ClusterError, match=r"^web: it does not stop: .*`systemctl`"):
        web.run(["sudo", "-n", "systemctl", "stop"], timeout_s=0.2, what="it does not stop")


@pytest.mark.parametrize("request_", ["open", "subsystem"])
def test_a_host_that_hands_out_no_files_is_given_up_in_time(host, web, tmp_path, request_):
    host.mute.add(request_)
    for ask in (
        lambda: web.read("/f", timeout_s=0.2),
        lambda: web.listing("/f", timeout_s=0.2),
        lambda: web.get("/f", tmp_path / "f", timeout_s=0.2),
        lambda: web.put(tmp_path / "known", "/f", timeout_s=0.2),
    ):
        with pytest.raises(ClusterError, match=r"^web: .*(/f|known)"):
            ask()


def test_files_go_there_and_back_and_have_their_names_when_they_are_whole(web, tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    (tmp_path / "sent").write_bytes(b"0123456789")
    web.put(tmp_path / "sent", str(there / "file"), timeout_s=STEP_S)
    assert (there / "file").stat().st_mode & 0o777 == 0o600
    assert [name for name, _ in web.listing(str(there), timeout_s=STEP_S)] == ["file"]
    assert web.read(str(there / "file"), 7, timeout_s=STEP_S) == b"789"
    assert web.read(str(there / "none"), timeout_s=STEP_S) is None
    web.get(str(there / "file"), here, timeout_s=STEP_S)
    assert here.read_bytes() == b"0123456789"


class Pages(http.server.BaseHTTPRequestHandler):
    """Says what was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.headers.get("Content-Length", 0))
        said = {"path": self.path, "form": self.rfile.read(size).decode(), "kind": self.headers.get("Content-Type")}
        body = b"not JSON" if self.path == "/text" else json.dumps(said).encode()
        self.send_response(404 if self.path == "/nowhere" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def pages():
    """The port of a server for pages, as a master's web UI has one."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_page_is_asked_for_over_the_connection_that_stands(web, pages):
    assert ask_ui(web, pages, "/a?b=c") == {"path": "/a?b=c", "form": "", "kind": None}
    form = {"path": "/swarm", "form": "x=1&y=2", "kind": "application/x-www-form-urlencoded"}
    assert ask_ui(web, pages, "/swarm", b"x=1&y=2") == form


@pytest.mark.parametrize(("path", "words"), [("/nowhere", "/nowhere: 404 Not Found"), ("/text", "Expecting value")])
def test_a_page_that_is_no_answer_is_the_hosts_error(web, pages, path, words):
    with pytest.raises(ClusterError, match=f"^web: Locust's web UI does not answer: {words}"):
        ask_ui(web, pages, path)


def test_a_port_that_nobody_listens_at_is_the_hosts_error(web):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ClusterError, match=r"^web: Locust's web UI does not answer: .*Connect failed"):
            ask_ui(web, closed.getsockname()[1], "/")


def test_a_forwarded_port_leads_there_and_is_free_and_without_a_thread_when_it_is_closed(web, pages):
    forward = web.forward(0, pages)
    with (
        contextlib.closing(forward),
        urllib.request.urlopen(f"http://127.0.0.1:{forward.port}/x", timeout=20) as answer,
    ):
        assert json.load(answer)["path"] == "/x"
    assert not forward._thread.is_alive()
    with (
        socket.create_server(("127.0.0.1", forward.port)),
        pytest.raises(ClusterError, match=r"^web: port \d+ of this"),
    ):
        web.forward(forward.port, pages)
