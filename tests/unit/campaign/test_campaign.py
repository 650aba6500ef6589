"""A run's course on a host that is a script: whatever breaks, all is stopped and the manifest says why."""

import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from floodmark.campaign.campaign import Campaign
from floodmark.campaign.plan import RunPlan
from floodmark.core.address import Address
from floodmark.core.asked import Asked
from floodmark.core.errors import ClusterError, LimitError, RunFolderError, TargetError, UsageError
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import RunFolder, RunStatus
from floodmark_deploy.fake import FakeProgram, FakeShell
from floodmark_deploy.shell import Command

ROLES = {"--master": "master", "--worker": "worker", "floodmark_agent": "agent"}


LISTENING: dict[str, int] = {}
"""The port of a server that takes connections, for plans of a server that runs already."""


@pytest.fixture(autouse=True, scope="module")
def _server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        LISTENING["port"] = listener.getsockname()[1]
        yield


class RoleShell(FakeShell):
    """Knows a command by its role in the cluster instead of its first word, which is this Python for all of them."""

    def start(self, command: Command):
        locust = "locust" in command.argv
        role = next(role for word, role in ROLES.items() if word in command.argv and (locust or role == "agent"))
        return super().start(replace(command, argv=(role, *command.argv)))


class Phases:
    """A view that keeps what it was told."""

    def __init__(self):
        self.seen = []
        self.warned = []

    def update(self, state):
        self.seen.append(state.phase)

    def warn(self, words):
        self.warned.append(words)


class Clock:
    """A clock that sleeping moves; `at` is called at every sleep."""

    def __init__(self, at=None):
        self.now_s = 0.0
        self.at = at or (lambda: None)

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += max(seconds, 0.05)
        self.at()


def ends_as(status, **changes):
    """A master's program that writes the manifest's end, as the conductor does."""

    def write(command):
        folder = RunFolder(command.log.parent)
        folder.write_manifest(replace(folder.manifest(), status=status, fired_s=1.0, cut_s=2.0, **changes))

    return write


def plan_in(folder: Path, **changes) -> RunPlan:
    plan = RunPlan(
        name="127.0.0.1:9",
        spec=None,
        address=Address(host="127.0.0.1", port=LISTENING["port"]),
        request=RequestSpec(path="/"),
        kind="burst",
        asked=Asked(requests=10, hold_s=1.0),
        workers=2,
        port=0,
        beat_s=0.05,
        folder=folder / "run",
        command=("floodmark", "run"),
    )
    return replace(plan, **changes)


def shell_with(**programs):
    return RoleShell({role: programs.get(role, FakeProgram()) for role in ROLES.values()})


def run(shell, plan, clock=None):
    clock = clock or Clock()
    return Campaign(shell, Phases(), clock=clock, sleep=clock.sleep).run(plan)


def stopped(shell):
    return all(job.poll() is not None for job in shell.jobs)


def test_a_run_ends_when_the_manifest_says_so_and_leaves_nothing(tmp_path):
    shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
    folder = run(shell, plan_in(tmp_path))
    assert folder.manifest().status is RunStatus.COMPLETE
    assert [job.command.argv[0] for job in shell.jobs] == ["master", "agent", "worker", "worker"]
    assert stopped(shell)


def test_the_keys_of_a_run_are_three_files_outside_its_folder_and_gone_with_it(tmp_path):
    found = []

    def look(command):
        keys = Path(command.argv[command.argv.index("--keys") + 1])
        found.append((keys, sorted(path.name for path in keys.iterdir()), keys.stat().st_mode & 0o777))

    master = FakeProgram(on_start=ends_as(RunStatus.COMPLETE))
    folder = run(shell_with(master=master, agent=FakeProgram(on_start=look)), plan_in(tmp_path))
    ((keys, names, mode),) = found
    assert (names, mode) == (["agent.toml", "master.toml", "worker.toml"], 0o700)
    assert not keys.is_relative_to(folder.path)
    assert not keys.exists()


def test_what_the_agent_may_take_of_a_core_is_the_plans(tmp_path):
    shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
    run(shell, plan_in(tmp_path, cpu_budget_percent=5.0))
    (agent,) = (job.command.argv for job in shell.jobs if job.command.argv[0] == "agent")
    assert agent[agent.index("--cpu-budget") + 1] == "5.0"


def test_a_run_that_the_master_gave_up_is_an_error_with_its_reason(tmp_path):
    program = FakeProgram(on_start=ends_as(RunStatus.FAILED, problems=("waited 15 s for an agent",)))
    shell = shell_with(master=program)
    with pytest.raises(ClusterError, match="waited 15 s for an agent"):
        run(shell, plan_in(tmp_path))
    assert stopped(shell)


def test_a_master_that_dies_shows_its_last_lines_and_the_run_is_failed(tmp_path):
    shell = shell_with(master=FakeProgram(prints=("no module named locust",), exit_code=1))
    with pytest.raises(ClusterError, match=r"ended before the load was released(?s:.)*no module named locust"):
        run(shell, plan_in(tmp_path))
    manifest = RunFolder(tmp_path / "run").manifest()
    assert manifest.status is RunStatus.FAILED
    assert "no module named locust" in manifest.problems[0]
    assert stopped(shell)


@pytest.mark.parametrize("role", ["worker", "agent"])
def test_a_worker_or_agent_that_dies_at_its_start_ends_the_run_at_once(tmp_path, role):
    clock = Clock()
    shell = shell_with(**{role: FakeProgram(prints=("address in use",), exit_code=1)})
    with pytest.raises(ClusterError, match=r"ended at its start(?s:.)*address in use"):
        run(shell, plan_in(tmp_path), clock)
    assert clock.now_s < 5
    assert stopped(shell)


def test_a_master_that_hangs_is_given_up_after_the_loads_length_and_a_margin(tmp_path):
    clock = Clock()
    shell = shell_with()
    with pytest.raises(ClusterError, match="did not end within"):
        run(shell, plan_in(tmp_path), clock)
    assert 120 < clock.now_s < 150
    assert stopped(shell)


def test_ctrl_c_stops_everything_and_the_run_is_interrupted(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    shell = shell_with()
    with pytest.raises(KeyboardInterrupt):
        run(shell, plan_in(tmp_path), Clock(at=interrupt))
    manifest = RunFolder(tmp_path / "run").manifest()
    assert (manifest.status, manifest.problems) == (RunStatus.INTERRUPTED, ("interrupted by the user",))
    assert stopped(shell)


def test_what_the_master_wrote_of_the_end_is_not_written_over(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    shell = shell_with(master=FakeProgram(on_stop=ends_as(RunStatus.INTERRUPTED, problems=("cut at 3 s",))))
    with pytest.raises(KeyboardInterrupt):
        run(shell, plan_in(tmp_path), Clock(at=interrupt))
    assert RunFolder(tmp_path / "run").manifest().problems == ("cut at 3 s",)


def test_a_plan_beyond_this_machine_starts_nothing_and_makes_no_folder(tmp_path):
    shell = shell_with()
    with pytest.raises(LimitError, match="open files of a worker"):
        run(shell, plan_in(tmp_path, asked=Asked(requests=900_000, hold_s=1.0)))
    assert not shell.jobs
    assert not (tmp_path / "run").exists()


def test_two_runs_of_one_folder_name_do_not_share_a_mark(tmp_path):
    marks = set()
    for name in ("a", "b"):
        shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
        (tmp_path / name).mkdir()
        run(shell, plan_in(tmp_path / name))
        marks |= {command.marker for command in shell.commands}
    assert len(marks) == 2


def test_a_folder_that_holds_a_run_is_refused_before_anything_starts(tmp_path):
    run(shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE))), plan_in(tmp_path))
    shell = shell_with()
    with pytest.raises(RunFolderError, match="holds a run already"):
        run(shell, plan_in(tmp_path))
    assert not shell.jobs


def test_a_hold_that_is_not_known_is_measured_at_the_server_first(tmp_path):
    with answering() as address:
        shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
        campaign = Campaign(shell, Phases())
        folder = campaign.run(plan_in(tmp_path, address=address, asked=Asked(requests=10)))
    manifest = folder.manifest()
    assert not manifest.hold_known
    assert len(manifest.probe.took_s) == 6
    assert manifest.profile.hold_s == pytest.approx(sorted(manifest.probe.took_s)[2], abs=1e-3)


def test_a_server_that_does_not_listen_is_named_before_the_cluster_starts(tmp_path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        for number, hold_s in enumerate((None, 1.0)):
            shell = shell_with()
            plan = plan_in(tmp_path, address=Address(host="127.0.0.1", port=port), asked=Asked(hold_s=hold_s))
            with pytest.raises(TargetError, match=f"127.0.0.1:{port}/ cannot be reached: connection refused"):
                run(shell, replace(plan, folder=tmp_path / str(number)))
            assert not shell.jobs


def test_a_time_limit_below_a_second_is_no_error_where_the_hold_is_not_known(tmp_path):
    shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
    with answering() as address:
        folder = Campaign(shell, Phases()).run(plan_in(tmp_path, address=address, asked=Asked(timeout_s=0.8)))
    assert folder.manifest().profile.timeout_s == 0.8


@pytest.mark.parametrize(("fired_s", "when"), [(None, "before the load was released"), (1.0, "while the load was on")])
def test_a_master_that_is_killed_is_told_of_with_how_far_it_was(tmp_path, fired_s, when):
    def fires(command):
        folder = RunFolder(command.log.parent)
        folder.write_manifest(replace(folder.manifest(), fired_s=fired_s, problems=("worker-1 was lost",)))

    shell = shell_with(master=FakeProgram(on_start=fires, exit_code=-9))
    with pytest.raises(ClusterError, match=f"the master ended {when}"):
        run(shell, plan_in(tmp_path))
    assert RunFolder(tmp_path / "run").manifest().status is RunStatus.FAILED


STEADY = {"closed": Asked(connections=4), "arrivals": Asked(rate=10.0)}


@pytest.mark.parametrize("kind", STEADY)
def test_a_steady_load_asks_the_server_alone_and_measures_no_hold(tmp_path, kind):
    with answering() as address:
        shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
        folder = run(shell, plan_in(tmp_path, address=address, kind=kind, asked=STEADY[kind]))
    manifest = folder.manifest()
    assert (manifest.profile.kind, manifest.profile.hold_s, manifest.hold_known) == (kind, 0.0, False)
    assert manifest.probe.took_s


@pytest.mark.parametrize("kind", STEADY)
def test_a_server_that_answers_something_else_is_warned_of_and_measured_all_the_same(tmp_path, kind):
    with answering() as address:
        request = RequestSpec(path="/", matches="^no$")
        shell, view = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE))), Phases()
        plan = plan_in(tmp_path, address=address, kind=kind, asked=STEADY[kind], request=request)
        manifest = Campaign(shell, view).run(plan).manifest()
    (warning,) = view.warned
    assert warning.startswith("floodmark: warning: asked alone, 6 of 6 requests were not answered as expected: ")
    assert len(manifest.probe.unexpected) == 6
    assert not manifest.probe.took_s


def test_a_burst_is_not_sent_to_a_server_that_answers_something_else(tmp_path):
    with answering() as address:
        plan = plan_in(tmp_path, address=address, request=RequestSpec(path="/", matches="^no$"), asked=Asked())
        shell = shell_with()
        with pytest.raises(TargetError, match="did not answer as expected"):
            run(shell, plan)
    assert not shell.jobs


@pytest.mark.parametrize("kind", ["burst", "ramp", "search"])
def test_a_server_too_quick_to_see_where_requests_wait_is_refused_before_the_load(tmp_path, kind):
    with answering(hold_s=0.0) as address:
        shell = shell_with()
        plan = plan_in(tmp_path, address=address, kind=kind, asked=Asked(requests=20))
        with pytest.raises(TargetError, match=r"answers in 0 s: too quick to see where requests wait"):
            run(shell, plan)  # on a clock that stands still: no machine is too slow for it
    assert not shell.jobs


def test_a_search_that_hangs_is_given_up_after_all_its_bursts_and_a_margin_for_each(tmp_path):
    clock, shell = Clock(), shell_with()
    plan = plan_in(tmp_path, kind="search", asked=Asked(first=10, requests=40, hold_s=1.0))
    with pytest.raises(ClusterError, match="did not end within 306 s"):
        run(shell, plan, clock)
    assert 306 < clock.now_s < 310
    assert stopped(shell)


def test_a_run_keeps_what_was_sent_and_from_where(tmp_path):
    shell = shell_with(master=FakeProgram(on_start=ends_as(RunStatus.COMPLETE)))
    plan = plan_in(tmp_path, source="127.0.0.2-127.0.0.3", verify=False)
    manifest = run(shell, plan).manifest()
    assert (manifest.sources, manifest.verify) == (("127.0.0.2", "127.0.0.3"), False)
    assert manifest.request == plan.request
    assert {"--source=127.0.0.2-127.0.0.3", "--verify=no"} <= set(shell.commands[0].argv)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("127.0.0.2,203.0.113.9", "--source 203.0.113.9: not an address of this machine"),
        ("127.0.0.2,::1", "--source ::1: there is no way from it to 127.0.0.1"),
    ],
)
def test_a_source_that_nothing_can_be_sent_from_is_named_before_anything_starts(tmp_path, source, words):
    shell = shell_with()
    with pytest.raises(UsageError, match=re.escape(words)):
        run(shell, plan_in(tmp_path, source=source))
    assert not shell.jobs
    assert not (tmp_path / "run").exists()


@contextmanager
def answering(hold_s=0.03):
    """A server that answers one connection after another, each after `hold_s`."""

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                time.sleep(hold_s)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address(host="127.0.0.1", port=listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # closing it alone would leave the thread in accept, with a descriptor
            thread.join()
