"""Every target of the zoo: it starts, keeps the contract of the zoo's applications, and leaves nothing behind.

Each is started once (`make test` gives a file's tests to one process). While one is asked question by question, the
next are being started and flooded.
"""

import contextlib
import dataclasses
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from floodmark.core.errors import MissingRuntimeError, TargetError
from floodmark.core.evidence import HandlerEvidence, parse_server_timing
from floodmark.core.hit import Hit
from floodmark.core.target import TargetSpec
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import dial_to
from floodmark.engine.request import render_get
from floodmark_deploy.local import LocalShell
from floodmark_deploy.own_network import network_of, own_network
from floodmark_deploy.port import free_port, is_free, prove_free
from floodmark_deploy.processes import Wanted, wait_gone
from floodmark_deploy.shell import RUN_VARIABLE
from floodmark_deploy.target_process import SCRATCH, TargetProcess, prove_available, start_target
from floodmark_deploy.zoo import find_target, target_names, targets_folder

HOST = "127.0.0.1"
MARKER = f"contract-{secrets.token_hex(4)}"
"""Unique: two test runs on one machine must not end each other's processes."""
ANSWER_TIMEOUT_S = 60.0
DEADLINE_S = 20.0
HOLD_S = 0.2
NO_POOL = 60
"""More at once than any small pool of the zoo, and fewer than most backlogs, so that all can be in service."""
OVERLOAD = 400
"""More than any target takes that fails beyond a limit of its own, each held so long that all are there together."""
OVERLOAD_HOLDS_S = (1.0, 5.0, 15.0)
HOLDS_S = (0.4, 1.0, 3.0, 6.0)
"""For how many are in service at once: a busy machine may need the longer ones to have them all at once."""
SPACING_S, LONGEST_SPREAD_S = 0.002, 0.5
"""Between two of these: a flood in one instant would overflow a backlog of 16, and wait for the kernel to try again."""
EARLY_S = 0.001
"""uvloop's timers count whole milliseconds of a clock that is read once per turn: they may ring that much early."""
AHEAD = 2
"""Targets that are being started and flooded while one is asked."""

NAMES = target_names(targets_folder())

ONE_OF_EACH_KIND = (
    *("flask-dev-threaded", "flask-gunicorn-sync-4", "flask-uwsgi-threads-10", "fastapi-hypercorn-trio-sync"),
    *("flask-dev-async-blocking-nproc", "go-net-http", "openresty", "sanic-fast"),
    *("flask-waitress", "flask-granian", "flask-cheroot", "django-daphne", "fastapi-gunicorn-uvicorn-2"),
)
"""For what is about how a server's processes are started and ended, not about each target."""

REFUSING = tuple(name for name in NAMES if not find_target(name).answers)
"""Targets whose every answer is an error, and rightly so."""

pytestmark = pytest.mark.live
of_every_target = pytest.mark.parametrize("name", NAMES, scope="module")
of_all_that_answer = pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSING], scope="module")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: str
    evidence: HandlerEvidence | None
    sent_s: float
    ended_s: float

    @property
    def held_s(self) -> float:
        assert self.evidence is not None
        return self.evidence.end_s - self.evidence.begin_s


def _get(target: TargetProcess, path: str) -> Answer:
    with _network(target):
        return _ask(target, path)


def _network(target: TargetProcess) -> contextlib.AbstractContextManager[None]:
    """The network that it was started in: of its own where its file has settings for one."""
    return network_of(target.pid) if target.spec.limits.sysctl else contextlib.nullcontext()


def _ask(target: TargetProcess, path: str) -> Answer:
    sent_s = time.monotonic()
    connection = http.client.HTTPConnection(HOST, target.address.port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read().decode()
        evidence = parse_server_timing(response.getheader("Server-Timing", ""))
    finally:
        connection.close()
    return Answer(status=response.status, body=body, evidence=evidence, sent_s=sent_s, ended_s=time.monotonic())


def _available(name: str) -> TargetSpec:
    """The target; where its runtime is not here it is skipped with the remedy, and never passed."""
    spec = find_target(name)
    try:
        prove_available(spec)
    except MissingRuntimeError as error:
        pytest.skip(str(error))
    return spec


def _start(spec: TargetSpec, shell: LocalShell, folder: Path, marker: str, port: int = 0) -> TargetProcess:
    logging = dataclasses.replace(spec.start, env={**spec.start.env, "FLOODMARK_LOG": "1"})
    return start_target(
        dataclasses.replace(spec, start=logging),
        shell,
        host=HOST,
        port=port,
        run_log=folder / "target.log",
        marker=marker,
        clock=time.monotonic,
        sleep=time.sleep,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooded:
    """A running target and what came of its floods: how many were in service at once, and how requests failed."""

    target: TargetProcess
    peaks: list[int]
    failures: set[str]


class Ahead:
    """Starts and floods the targets in their order, some before they are asked for."""

    def __init__(self, names: list[str], shell: LocalShell, folder: Path) -> None:
        self._names = names
        self._shell = shell
        self._folder = folder
        self._threads = ThreadPoolExecutor(AHEAD)
        self._flooded: dict[str, Future[Flooded]] = {}
        self._ports: set[int] = set()
        self._choosing = threading.Lock()

    def flooded(self, name: str) -> Flooded:
        place = self._names.index(name)
        for each in self._names[place : place + 1 + AHEAD]:
            if each not in self._flooded:
                self._flooded[each] = self._threads.submit(self._flood, each)
        return self._flooded[name].result()

    def folder(self, name: str) -> Path:
        return self._folder / name

    def _flood(self, name: str) -> Flooded:
        self.folder(name).mkdir()
        spec = find_target(name)
        with own_network(spec.limits.sysctl):
            return self._flood_here(spec)

    def _flood_here(self, spec: TargetSpec) -> Flooded:
        target = _start(spec, self._shell, self.folder(spec.name), f"{MARKER}-{spec.name}", self._port())
        peaks, hits = _peaks(target) if target.spec.answers else ([], [])
        # What takes few at once has most of the flood in line: short holds, or it takes long.
        holds_s = OVERLOAD_HOLDS_S if (spec.expect.ceiling or OVERLOAD) > NO_POOL else (HOLD_S,)
        for hold_s in holds_s if spec.expect.failures else ():
            more = _flood(target, OVERLOAD, hold_s)
            hits += more
            if any(hit.outcome.failed for hit in more):
                break
        return Flooded(target=target, peaks=peaks, failures={hit.outcome.value for hit in hits if hit.outcome.failed})

    def _port(self) -> int:
        """One that no other target had: whoever is stopped proves that nobody listens there any more."""
        with self._choosing:
            port = next(port for port in iter(lambda: free_port(HOST), None) if port not in self._ports)
            self._ports.add(port)
        return port

    def close(self) -> None:
        for future in self._flooded.values():
            if future.exception() is None:
                future.result().target.stop()
        self._threads.shutdown()


@pytest.fixture(scope="module")
def shell() -> Iterator[LocalShell]:
    with LocalShell() as shell:
        yield shell


@pytest.fixture(scope="module")
def ahead(
    request: pytest.FixtureRequest, shell: LocalShell, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ahead]:
    calls = (item.callspec for item in request.session.items if hasattr(item, "callspec"))
    names = dict.fromkeys(call.params["name"] for call in calls if call.params.get("name") in NAMES)
    here = [name for name in names if not _lacks(name)]
    ahead = Ahead(here, shell, tmp_path_factory.mktemp("targets"))
    yield ahead
    ahead.close()


def _lacks(name: str) -> bool:
    try:
        prove_available(find_target(name))
    except MissingRuntimeError:
        return True
    return False


@pytest.fixture(scope="module")
def flooded(name: str, ahead: Ahead) -> Flooded:
    _available(name)
    return ahead.flooded(name)


@pytest.fixture(scope="module")
def target(flooded: Flooded) -> TargetProcess:
    return flooded.target


def _peaks(target: TargetProcess) -> tuple[list[int], list[Hit]]:
    """The most in service at once, for longer and longer holds until as many as expected were; and all the hits."""
    ceiling = target.spec.expect.ceiling
    # Twice as many where they are few: several processes share the load out unevenly.
    load = min(2 * ceiling, ceiling + 100) if ceiling else NO_POOL
    spread_s = min(load * SPACING_S, LONGEST_SPREAD_S)
    peaks: list[int] = []
    all_hits: list[Hit] = []
    for hold_s in HOLDS_S:
        if hold_s >= 2 * spread_s:
            hits = _flood(target, load, hold_s, spread_s)
            all_hits += hits
            peaks.append(_most_at_once(hits))
        if peaks and peaks[-1] >= (ceiling or load):
            break
    return peaks, all_hits


def _flood(target: TargetProcess, requests: int, hold_s: float, spread_s: float = 0.0) -> list[Hit]:
    now_s, spacing_s = time.monotonic(), spread_s / requests
    dial = dial_to(target.address)
    work = BurstWork(
        worker="test",
        dial=dial,
        requests=tuple((number, now_s + number * spacing_s) for number in range(requests)),
        render=render_get(f"/?id={{id}}&hold={hold_s}", dial.endpoint.authority),
        check=AnswerCheck(text=b"hello"),
        timeout_s=ANSWER_TIMEOUT_S,
    )
    return run_burst(Burst(work), timeout_s=ANSWER_TIMEOUT_S)


def _most_at_once(hits: list[Hit]) -> int:
    """The most handlers at one instant; what was refused beyond it was not in service."""
    held = [hit for hit in hits if hit.handler_begin_s is not None and hit.handler_end_s is not None]
    ends = sorted([(hit.handler_begin_s, 1) for hit in held] + [(hit.handler_end_s, -1) for hit in held])
    peak = now = 0
    for _, step in ends:
        now += step
        peak = max(peak, now)
    return peak


@of_all_that_answer
def test_a_target_holds_as_long_as_it_is_told_answers_hello_and_says_when_and_who(target: TargetProcess) -> None:
    answer = _get(target, f"/?id=7&hold={HOLD_S}")
    assert (answer.status, answer.body) == (200, "hello")
    assert HOLD_S - EARLY_S <= answer.held_s <= answer.ended_s - answer.sent_s
    assert answer.evidence is not None
    # The header has microseconds, so it may round a microsecond past either end.
    assert answer.sent_s - 1e-6 <= answer.evidence.begin_s <= answer.evidence.end_s <= answer.ended_s + 1e-6
    assert answer.evidence.pid > 0
    assert answer.evidence.tid > 0
    assert answer.evidence.thread


@of_all_that_answer
def test_the_id_changes_nothing(target: TargetProcess) -> None:
    assert _get(target, "/?id=%22%0a&hold=0").body == _get(target, "/?hold=0").body == _get(target, "/").body == "hello"


@of_all_that_answer
def test_health_sleeps_100_ms_and_with_hold_0_it_does_not(target: TargetProcess) -> None:
    answer = _get(target, "/health")
    assert (answer.status, answer.body) == (200, "ok")
    assert answer.held_s >= 0.1 - EARLY_S
    at_once = [_get(target, "/health?hold=0") for _ in range(3)]
    assert {answer.body for answer in at_once} == {"ok"}
    assert min(answer.held_s for answer in at_once) < 0.1


@of_all_that_answer
def test_a_hold_that_cannot_be_meant_is_refused_with_400(target: TargetProcess) -> None:
    answers = [_get(target, f"/?id=1&hold={hold}") for hold in ("-1", "3600.1", "nan", "inf", "x", "")]
    assert [answer.status for answer in answers] == [400] * 6
    assert all("give seconds from 0 to 3600" in answer.body for answer in answers)


@of_all_that_answer
def test_as_many_run_at_once_as_the_target_file_expects(flooded: Flooded) -> None:
    ceiling = flooded.target.spec.expect.ceiling
    said = f"[expect] ceiling = {ceiling}" if ceiling else f"no [expect] ceiling, so all {NO_POOL} at once"
    assert flooded.peaks[-1] == (ceiling or NO_POOL), f"measured {flooded.peaks} at once; the target's file says {said}"


@of_every_target
def test_what_a_target_cannot_take_fails_as_its_file_says(flooded: Flooded) -> None:
    spec = flooded.target.spec
    assert flooded.failures <= set(spec.expect.failures)
    # A target that needs a load of its own to fail is shown to by the suite.
    assert bool(flooded.failures) == bool(spec.expect.failures) or spec.suite.requests
    flooded.target.prove_alive()


@of_all_that_answer
def test_a_logging_target_prints_two_lines_per_request(name: str, target: TargetProcess, ahead: Ahead) -> None:
    _get(target, "/?id=logged-77&hold=0")
    log = (ahead.folder(name) / "target.log").read_text()
    lines = [line for line in log.splitlines() if "id='logged-77'" in line]
    assert [line.split()[-1] for line in lines] == ["sleeping...", "done"]
    assert all("pid=" in line and "thread=" in line and "number=" in line for line in lines)


@of_every_target
def test_a_target_that_is_stopped_leaves_no_process_no_port_and_no_file(
    name: str, target: TargetProcess, ahead: Ahead, shell: LocalShell
) -> None:
    marker = f"{MARKER}-{name}"
    assert shell.leftovers(marker)
    with _network(target):
        target.stop()
        assert shell.leftovers(marker) == ()
        prove_free(HOST, target.address.port)
    assert [path.name for path in ahead.folder(name).iterdir()] == ["target.log"]


def _freed(port: int) -> bool:
    """The port says more than marks do: nginx writes its title over them, and a process that exits loses them first."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_free(HOST, port) and time.monotonic() < deadline_s:
        pass
    return is_free(HOST, port)


def _left_in(folder: Path) -> set[str]:
    """Below it, when the scratch folder has gone, which it does after the last process."""
    deadline_s = time.monotonic() + DEADLINE_S
    while (folder / SCRATCH).exists() and time.monotonic() < deadline_s:
        pass
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


_STARTER = """
import sys, time
from pathlib import Path
from floodmark_deploy.local import LocalShell
from floodmark_deploy.target_process import start_target
from floodmark_deploy.zoo import find_target

name, marker, port, log = sys.argv[1:]
shell = LocalShell()
start_target(find_target(name), shell, host="127.0.0.1", port=int(port), run_log=Path(log), marker=marker,
             clock=time.monotonic, sleep=time.sleep)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_nothing_is_left_when_the_process_that_started_the_target_is_killed(name: str, tmp_path: Path) -> None:
    _available(name)
    port, marker = free_port(HOST), f"{MARKER}-killed-{name}"
    wanted = Wanted(marks=frozenset({f"{RUN_VARIABLE}={marker}"}))
    argv = [sys.executable, "-c", _STARTER, name, marker, str(port), str(tmp_path / "target.log")]
    (tmp_path / "temporary").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
        assert not is_free(HOST, port)
        starter.send_signal(signal.SIGKILL)
    left = wait_gone(wanted, timeout_s=DEADLINE_S, clock=time.monotonic, sleep=time.sleep)
    assert left == ()
    assert _freed(port)
    assert _left_in(tmp_path) == {"target.log", "temporary"}


@pytest.mark.parametrize("name", REFUSING)
def test_a_target_that_refuses_every_request_goes_on_doing_so(name: str, shell: LocalShell, tmp_path: Path) -> None:
    target = _start(_available(name), shell, tmp_path, f"{MARKER}-refusing")
    answers = [_get(target, path) for path in ("/?id=1&hold=0", f"/?id=1&hold={HOLD_S}", "/", "/health")]
    assert {answer.status for answer in answers} == {target.spec.ready.status}
    assert {answer.evidence for answer in answers} == {None}
    target.prove_alive()
    target.stop()


def test_a_taken_port_is_refused_before_anything_starts(shell: LocalShell, tmp_path: Path) -> None:
    with (
        socket.create_server((HOST, 0)) as taken,
        pytest.raises(TargetError, match=r"port \d+ is taken by process \d+"),
    ):
        _start(find_target("flask-dev-threaded"), shell, tmp_path, f"{MARKER}-taken", taken.getsockname()[1])
    assert not (tmp_path / "target.log").exists()
