"""Starting a target on a fake shell: what is refused, what is waited for, what is said when it goes wrong."""

import dataclasses
import http.server
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from floodmark.core.address import Address
from floodmark.core.errors import MissingRuntimeError, PlanError, TargetError
from floodmark.core.request_spec import RequestSpec
from floodmark.core.target import LimitsSpec, NeedsSpec, ReadySpec, StartSpec, TargetSpec
from floodmark_deploy import target_process
from floodmark_deploy.fake import FakeProgram, FakeShell
from floodmark_deploy.port import prove_free
from floodmark_deploy.shell import Command
from floodmark_deploy.target_process import PORT_TIMEOUT_S, TargetProcess, build_command, start_target

HOST = "127.0.0.1"


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers the given (status, body) one after the other, the last for ever."""

    script: ClassVar[list[tuple[int, str]]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, body = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


class Server:
    """A program that listens while the fake shell runs it."""

    def __init__(self) -> None:
        self.http: http.server.HTTPServer | None = None

    def start(self, command: Command) -> None:
        self.http = http.server.HTTPServer((HOST, int(command.argv[-1])), Answers)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def stop(self, _: Command | None = None) -> None:
        if self.http is not None:
            self.http.shutdown()
            self.http.server_close()
            self.http = None


@pytest.fixture
def server() -> Iterator[Server]:
    Answers.script[:], Answers.asked[:] = [(200, "hello")], []
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def spec(tmp_path: Path) -> TargetSpec:
    return TargetSpec(
        name="own",
        summary="",
        start=StartSpec(command=("server", "{port}")),
        ready=ReadySpec(path="/ready", timeout_s=3.0),
        request=RequestSpec(contains="hello"),
        folder=str(tmp_path),
    )


def _start(spec: TargetSpec, shell: FakeShell, port: int = 0) -> TargetProcess:
    log = Path(spec.folder) / "target.log"
    clock = Clock()
    return start_target(spec, shell, host=HOST, port=port, run_log=log, marker="unit", clock=clock, sleep=clock.sleep)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is this file's, and HTTP's own time limits are not: on a busy machine an answer may take long."""
    for name in ("READY_TRY_S", "READY_LAST_TRY_S"):
        monkeypatch.setattr(target_process, name, 60.0)


def _shell(server: Server, *, prints: tuple[str, ...] = (), stops: bool = True) -> FakeShell:
    program = FakeProgram(prints=prints, on_start=server.start)
    return FakeShell({"server": dataclasses.replace(program, on_stop=server.stop) if stops else program})


def test_a_target_that_answers_is_ready_and_can_be_stopped(spec: TargetSpec, server: Server) -> None:
    shell = _shell(server)
    target = _start(spec, shell)
    assert Answers.asked == ["/ready"]
    assert (target.address.host, target.pid) == (HOST, shell.jobs[0].pid)
    target.prove_alive()
    target.stop()
    assert shell.leftovers("unit") == ()
    prove_free(HOST, target.address.port)


def test_a_target_that_is_stopped_again_does_not_mind_who_has_its_port_then(spec: TargetSpec, server: Server) -> None:
    target = _start(spec, _shell(server))
    target.stop()
    with socket.create_server((HOST, target.address.port)):
        target.stop()


def test_it_is_asked_until_status_and_text_are_the_expected_ones(spec: TargetSpec, server: Server) -> None:
    Answers.script[:] = [(500, "hello"), (200, "not yet"), (200, "oh, hello there")]
    _start(spec, _shell(server))
    assert len(Answers.asked) == 3


def test_a_target_is_not_ready_before_its_answer_matches(spec: TargetSpec, server: Server) -> None:
    Answers.script[:] = [(200, "oh hello"), (200, "hello 1")]
    request = dataclasses.replace(spec.request, matches=r"^hello \d$")
    _start(dataclasses.replace(spec, request=request), _shell(server))
    assert len(Answers.asked) == 2


def test_a_target_whose_answer_is_an_error_is_ready_when_it_gives_that(spec: TargetSpec, server: Server) -> None:
    Answers.script[:] = [(200, "hello"), (500, "starting"), (500, "oh, it broke")]
    ready = dataclasses.replace(spec.ready, status=500, contains="broke")
    _start(dataclasses.replace(spec, ready=ready), _shell(server))
    assert len(Answers.asked) == 3


def test_a_scratch_folder_is_made_for_a_command_that_names_it_and_goes_with_the_target(
    spec: TargetSpec, server: Server
) -> None:
    scratch = Path(spec.folder).resolve() / "scratch"
    named = dataclasses.replace(spec, start=StartSpec(command=("server", "{scratch}", "{port}")))
    shell = _shell(server)
    target = _start(named, shell)
    assert shell.commands[0].argv[1] == str(scratch)
    (scratch / "made by the target").touch()
    target.stop()
    assert not scratch.exists()


def test_a_scratch_folder_goes_with_a_target_that_never_gets_ready(spec: TargetSpec) -> None:
    named = dataclasses.replace(spec, start=StartSpec(command=("server", "{scratch}")))
    with pytest.raises(TargetError, match="not ready"):
        _start(named, FakeShell({"server": FakeProgram()}))
    assert not (Path(spec.folder) / "scratch").exists()


def test_a_folder_of_that_name_that_is_not_the_targets_is_left_alone(spec: TargetSpec, server: Server) -> None:
    (Path(spec.folder) / "scratch").mkdir()
    _start(spec, _shell(server)).stop()
    assert (Path(spec.folder) / "scratch").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (503, "starting"),
            r"own was not ready within 3 s: GET /ready saw HTTP 503 Service Unavailable, .*'starting'",
        ),
        ((200, "x" * 100), r"GET /ready saw a body without 'hello': 'x{80}\.\.\.'"),
    ],
)
def test_a_target_that_never_gets_ready_says_what_was_seen_and_is_ended(
    spec: TargetSpec, server: Server, answer: tuple[int, str], words: str
) -> None:
    Answers.script[:] = [answer]
    shell = _shell(server, prints=("loading",))
    with pytest.raises(TargetError, match=words) as caught:
        _start(spec, shell)
    assert str(caught.value).endswith("; its last lines:\n    loading")
    assert shell.leftovers("unit") == ()


def test_a_target_that_never_listens_says_so(spec: TargetSpec) -> None:
    with pytest.raises(TargetError, match=r"saw no listener on 127\.0\.0\.1:\d+; it printed nothing"):
        _start(spec, FakeShell({"server": FakeProgram()}))


def test_a_target_that_dies_at_start_shows_its_exit_code_and_last_lines(spec: TargetSpec) -> None:
    lines = tuple(f"line {number}" for number in range(30))
    shell = FakeShell({"server": FakeProgram(prints=lines, exit_code=3)})
    with pytest.raises(TargetError, match="own ended with exit code 3; its last lines:\n    line 18\n") as caught:
        _start(spec, shell)
    assert str(caught.value).endswith("line 29")


def test_a_target_that_dies_later_is_noticed(spec: TargetSpec, server: Server) -> None:
    shell = _shell(server)
    target = _start(spec, shell)
    shell.jobs[0].end(-9)
    with pytest.raises(TargetError, match="own ended by signal 9"):
        target.prove_alive()


def test_a_port_that_is_still_taken_after_the_stop_is_an_error(spec: TargetSpec, server: Server) -> None:
    target = _start(spec, _shell(server, stops=False))
    with pytest.raises(TargetError, match=r"own was stopped, and yet port \d+ is taken by process"):
        target.stop()


def test_a_port_that_is_freed_late_is_waited_for(spec: TargetSpec, server: Server) -> None:
    shell = _shell(server, stops=False)
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now_s > PORT_TIMEOUT_S / 2:
            server.stop()

    log = Path(spec.folder) / "target.log"
    target = start_target(spec, shell, host=HOST, run_log=log, marker="unit", clock=clock, sleep=sleep)
    target.stop()
    prove_free(HOST, target.address.port)


def test_what_is_not_installed_is_named_with_its_remedy(spec: TargetSpec) -> None:
    spec = dataclasses.replace(spec, needs=NeedsSpec(distributions=("no-such-dist",)))
    shell = FakeShell({})
    words = (
        r"own needs the Python distribution 'no-such-dist', which is not installed here: pip install 'floodmark\[zoo\]'"
    )
    with pytest.raises(MissingRuntimeError, match=words):
        _start(spec, shell)
    assert shell.commands == ()


def test_a_program_that_is_not_there_is_a_target_error(spec: TargetSpec) -> None:
    with pytest.raises(TargetError, match="own: 'server' cannot be started"):
        _start(spec, FakeShell({}))


def test_the_port_is_the_one_asked_for_else_the_files_else_any(spec: TargetSpec, server: Server) -> None:
    shell = _shell(server)
    target = _start(spec, shell)
    port = target.address.port
    target.stop()
    fixed = dataclasses.replace(spec, start=dataclasses.replace(spec.start, port=port))
    _start(fixed, shell).stop()
    assert shell.commands[-1].argv == ("server", str(port))
    target = _start(dataclasses.replace(fixed, start=dataclasses.replace(fixed.start, port=1)), shell, port=port)
    assert target.address.port == port


def _build(spec: TargetSpec, host: str = HOST) -> Command:
    return build_command(spec, Address(host=host, port=8000), run_log=Path("target.log"), marker="unit")


def test_placeholders_are_filled_in(spec: TargetSpec) -> None:
    spec = dataclasses.replace(spec, start=StartSpec(command=("{python}", "-b={host}:{port}", "{folder}/x", "{{}} {")))
    assert _build(spec).argv == (sys.executable, "-b=127.0.0.1:8000", f"{spec.folder}/x", "{{}} {")


def test_host_and_port_together_have_brackets_for_ipv6(spec: TargetSpec) -> None:
    spec = dataclasses.replace(spec, start=StartSpec(command=("{host}:{port}", "{host}")))
    assert _build(spec, "::1").argv == ("[::1]:8000", "::1")


def test_an_unknown_placeholder_is_named(spec: TargetSpec) -> None:
    spec = dataclasses.replace(spec, start=StartSpec(command=("server", "--bind={adress}")))
    with pytest.raises(PlanError, match=r"own: start\.command has \{adress\}, .* no placeholder; there are \{python"):
        _build(spec)


def test_the_app_folder_is_searched_first_and_worked_in(spec: TargetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Path(spec.folder) / "app"
    app.mkdir()
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    limits = LimitsSpec(nofile=256, nproc=64)
    start = StartSpec(command=("server",), app_dir="app", env={"LEVEL": "1"})
    command = _build(dataclasses.replace(spec, start=start, limits=limits))
    assert (command.cwd, command.nofile, command.nproc, command.env["LEVEL"]) == (str(app), 256, 64, "1")
    assert command.env["PYTHONPATH"] == f"{app}{os.pathsep}elsewhere"
    assert command.env["PATH"].startswith(str(Path(sys.executable).parent))


def test_an_app_folder_that_is_not_there_is_named(spec: TargetSpec) -> None:
    with pytest.raises(PlanError, match=r"own: start\.app_dir 'nowhere' is no folder in"):
        _build(dataclasses.replace(spec, start=StartSpec(command=("server",), app_dir="nowhere")))
