"""Every target of the zoo: it starts, keeps the contract of the zoo's applications, and leaves nothing behind."""

import contextlib
import dataclasses
import http.client
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from floodmark.core.errors import TargetError
from floodmark.core.evidence import HandlerEvidence, parse_server_timing
from floodmark_deploy.local import LocalShell
from floodmark_deploy.port import free_port, prove_free
from floodmark_deploy.processes import Wanted, wait_gone
from floodmark_deploy.shell import RUN_VARIABLE
from floodmark_deploy.target_process import TargetProcess, start_target
from floodmark_deploy.zoo import find_target, target_names, targets_folder

HOST = "127.0.0.1"
MARKER = f"contract-{secrets.token_hex(4)}"
"""Unique: two test runs on one machine must not end each other's processes."""
ANSWER_TIMEOUT_S = 60.0
DEADLINE_S = 20.0
HOLD_S = 0.2
NO_POOL = 60
"""More at once than any pool of the zoo, and fewer than the smallest backlog (128), so that all can be in service."""

NAMES = target_names(targets_folder())

pytestmark = [
    pytest.mark.live,
    pytest.mark.xdist_group("contract"),  # one process has the targets, and starts each once
    pytest.mark.parametrize("name", NAMES, scope="module"),
]


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


@pytest.fixture(scope="module")
def shell() -> Iterator[LocalShell]:
    with LocalShell() as shell:
        yield shell


@pytest.fixture(scope="module")
def target(name: str, shell: LocalShell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TargetProcess]:
    log = tmp_path_factory.mktemp(name) / "target.log"
    target = start_target(
        find_target(name), shell, host=HOST, run_log=log, marker=MARKER, clock=time.monotonic, sleep=time.sleep
    )
    yield target
    target.stop()


def test_a_target_holds_as_long_as_it_is_told_and_answers_hello(target: TargetProcess) -> None:
    answer = _get(target, f"/?id=7&hold={HOLD_S}")
    assert (answer.status, answer.body) == (200, "hello")
    assert HOLD_S <= answer.held_s <= answer.ended_s - answer.sent_s


def test_the_id_changes_nothing(target: TargetProcess) -> None:
    assert _get(target, "/?id=%22%0a&hold=0").body == _get(target, "/?hold=0").body == _get(target, "/").body == "hello"


def test_health_sleeps_100_ms_and_with_hold_0_it_does_not(target: TargetProcess) -> None:
    answer = _get(target, "/health")
    assert (answer.status, answer.body) == (200, "ok")
    assert answer.held_s >= 0.1
    at_once = [_get(target, "/health?hold=0") for _ in range(3)]
    assert {answer.body for answer in at_once} == {"ok"}
    assert min(answer.held_s for answer in at_once) < 0.1


@pytest.mark.parametrize("hold", ["-1", "3600.1", "nan", "inf", "x", ""])
def test_a_hold_that_cannot_be_meant_is_refused_with_400(target: TargetProcess, hold: str) -> None:
    answer = _get(target, f"/?id=1&hold={hold}")
    assert answer.status == 400
    assert "give seconds from 0 to 3600" in answer.body


def test_the_evidence_is_on_the_hosts_monotonic_clock_and_names_a_unit(target: TargetProcess) -> None:
    answer = _get(target, "/?id=1&hold=0.01")
    assert answer.evidence is not None
    # The header has microseconds, so it may round a microsecond past either end.
    assert answer.sent_s - 1e-6 <= answer.evidence.begin_s <= answer.evidence.end_s <= answer.ended_s + 1e-6
    assert answer.evidence.pid > 0
    assert answer.evidence.tid > 0
    assert answer.evidence.thread


def test_as_many_run_at_once_as_the_target_file_expects(target: TargetProcess) -> None:
    expect = target.spec.expect
    assert expect.why
    assert expect.knob
    load = expect.ceiling + 5 if expect.ceiling else NO_POOL
    peaks = []
    for hold_s in (0.5, 1.0, 2.0, 4.0):  # a busy machine may need the longer ones to have them all at once
        peaks.append(_peak(target, load, hold_s))
        if peaks[-1] >= (expect.ceiling or load):
            break
    assert peaks[-1] == (expect.ceiling or load), peaks


def _peak(target: TargetProcess, load: int, hold_s: float) -> int:
    with ThreadPoolExecutor(load) as pool:
        answers = list(pool.map(lambda number: _get(target, f"/?id={number}&hold={hold_s}"), range(load)))
    found = [answer.evidence for answer in answers if answer.evidence]
    assert len(found) == load
    return max(sum(other.begin_s <= one.begin_s < other.end_s for other in found) for one in found)


def test_a_logging_target_prints_two_lines_per_request_and_when_stopped_nothing_is_left(
    name: str, shell: LocalShell, tmp_path: Path
) -> None:
    spec = find_target(name)
    spec = dataclasses.replace(spec, start=dataclasses.replace(spec.start, env={"FLOODMARK_LOG": "1"}))
    log, marker = tmp_path / "target.log", f"{MARKER}-{name}"
    target = start_target(spec, shell, host=HOST, run_log=log, marker=marker, clock=time.monotonic, sleep=time.sleep)
    assert shell.leftovers(marker)
    _get(target, "/?id=77&hold=0")
    target.stop()
    lines = [line for line in log.read_text().splitlines() if "id='77'" in line]
    assert [line.split()[-1] for line in lines] == ["sleeping...", "done"]
    assert all("pid=" in line and "thread=" in line and "number=" in line for line in lines)
    assert shell.leftovers(marker) == ()
    prove_free(HOST, target.address.port)


def _freed(port: int) -> bool:
    """A process that exits shows no mark any more shortly before the kernel closes its sockets."""
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(TargetError):
            prove_free(HOST, port)
            return True
    return False


_STARTER = """
import sys, time
from pathlib import Path
from floodmark_deploy.local import LocalShell
from floodmark_deploy.target_process import start_target
from floodmark_deploy.zoo import find_target

name, marker, port, log = sys.argv[1:]
start_target(find_target(name), LocalShell(), host="127.0.0.1", port=int(port), run_log=Path(log), marker=marker,
             clock=time.monotonic, sleep=time.sleep)
print("ready", flush=True)
time.sleep(60)
"""


def test_nothing_is_left_when_the_process_that_started_the_target_is_killed(name: str, tmp_path: Path) -> None:
    port, marker = free_port(HOST), f"{MARKER}-killed-{name}"
    wanted = Wanted(marks=frozenset({f"{RUN_VARIABLE}={marker}"}))
    argv = [sys.executable, "-c", _STARTER, name, marker, str(port), str(tmp_path / "target.log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
        assert wanted.find()
        starter.send_signal(signal.SIGKILL)
    left = wait_gone(wanted, timeout_s=DEADLINE_S, number=None, clock=time.monotonic, sleep=time.sleep)
    assert left == ()
    assert _freed(port)


def test_a_taken_port_is_refused_before_anything_starts(name: str, target: TargetProcess, tmp_path: Path) -> None:
    with (
        LocalShell() as shell,
        pytest.raises(TargetError, match=rf"port {target.address.port} is taken by process \d+"),
    ):
        start_target(
            find_target(name),
            shell,
            host=HOST,
            port=target.address.port,
            run_log=tmp_path / "target.log",
            marker=f"{MARKER}-taken",
            clock=time.monotonic,
            sleep=time.sleep,
        )
    assert not (tmp_path / "target.log").exists()
