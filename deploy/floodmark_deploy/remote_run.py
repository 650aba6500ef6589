"""One load on a cluster that is up: asked for at Locust's web UI, followed, its folder fetched. Judges nothing."""

import contextlib
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from floodmark.core.asked import DEFAULTS, FLAGS, Asked
from floodmark.core.errors import ClusterError, TargetError
from floodmark.core.goals import Goals
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import RunStatus
from floodmark_deploy.cluster_shape import ClusterShape
from floodmark_deploy.hosts_file import HostsFile, HostSpec
from floodmark_deploy.remote_cluster import RemoteCluster
from floodmark_deploy.remote_host import STEP_TIMEOUT_S
from floodmark_deploy.remote_mirror import RunMirror
from floodmark_deploy.remote_services import home_of, prefix_of, python_of
from floodmark_deploy.ssh_host import SshHost

BEGIN_TIMEOUT_S = 90.0
"""A master waits 15 s for an agent, and up to 20 s for an idle target, before it begins its folder or refuses."""

READY_TIMEOUT_S = 30.0
"""As long as a target's file allows by default."""

LOST_AFTER_S = 20.0
"""A master that carries a load may answer late. One that is gone is back, without its run, after a few seconds."""

POLL_S = 0.3

ASK_EVERY_S = 2.0
"""How often the master itself is asked, beside its files: it has a load to lead."""

CUT_TIMEOUT_S = 15.0
"""For the master to cut the load and write what there is: a user waits for it."""

OWN_ERROR = "/ERROR/floodmark."
"""How a line of the master's log begins that says why a load cannot be: Locust's own errors are none."""

FRESH_STATE = "ready"
"""Of a master that has had no load yet: one that has to lead one is not the process that began it."""

IDLE_STATES = (FRESH_STATE, "stopped")

WAIT_READY = f"""
import sys, time
from floodmark.core.address import Address
from floodmark_deploy.ready import ask
from floodmark_deploy.zoo import find_target
spec = find_target(sys.argv[1])
at, end_s = Address(host=sys.argv[2], port=int(sys.argv[3])), time.monotonic() + {READY_TIMEOUT_S}
while (seen := ask(at, spec.ready.path, spec.ready_answer, 2.0)) is not None:
    if time.monotonic() > end_s:
        sys.exit("GET " + spec.ready.path + " saw " + str(seen))
    time.sleep(0.1)
"""
"""Run by a worker's Python, since what counts is whether the load will reach it. Its words are argv's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLoad:
    """What to send, where to, from what. `origin` is the server's URL without a path, `source` is as users write it."""

    kind: str
    asked: Asked
    request: RequestSpec
    origin: str
    workers: int
    source: str = ""
    verify: bool = True
    goals: Goals = field(default_factory=Goals)


class RemoteRun:
    """Runs loads on one cluster, which is this command's alone."""

    def __init__(
        self,
        cluster: RemoteCluster,
        file: HostsFile,
        *,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is sent yet."""
        self._cluster = cluster
        self._file = file
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._cursor = ""
        self._runs = str(home_of(file.cluster.name) / "state/runs")

    def prove_target(self, shape: ClusterShape) -> None:
        """Raises `TargetError` where the host under load lacks what the server needs."""
        if not shape.target:
            return
        python = python_of(self._file.cluster.name)
        self._step(shape.host, [python, "-m", "floodmark_deploy.serve", shape.target, "--check"], "cannot run it")

    def make_ready(self, shape: ClusterShape) -> None:
        """As a local run has it: what was sent before, and nobody waits for, is not served beside this load.

        Raises `ClusterError` where another load is on its way, and `TargetError` for a server that is not ready.
        """
        self._wait_idle()
        if not shape.target:
            return
        unit = f"{prefix_of(self._file.cluster.name)}target"
        if unit not in self._cluster.started:
            self._cluster.host(shape.host).restart(unit)
        spec = next(one for one in self._file.hosts if one.name == shape.host)
        words = [python_of(self._file.cluster.name), "-c", WAIT_READY, shape.target, spec.reached_at, str(shape.port)]
        self._step(self.first_worker(shape).name, words, what=f"the server on {spec.name} is not ready")

    def run(self, load: RemoteLoad, folder: Path, watch: Callable[[], None]) -> None:
        """Sends the load and returns when its run is in `folder`; `watch` is called a few times a second meanwhile.

        On Ctrl-C the load is cut, and what was measured is fetched first. Raises `ClusterError` where nothing began, or
        the master was lost; what came until then is in `folder`.
        """
        before, self._cursor = set(self._listed()), self._journal_end()
        said = self._cluster.ask("/swarm", _form(load))
        if not said.get("success"):
            raise ClusterError(f"{self._file.master.name}: Locust refused the load: {said.get('message')}")
        try:
            mirror = RunMirror(self._master(), f"{self._runs}/{self._begun(before)}", folder)
        except KeyboardInterrupt:
            self._cluster.ask("/stop", b"")
            raise
        try:
            is_whole = self._followed(mirror, watch)
        except KeyboardInterrupt:
            self._cut(mirror)
            raise
        self._say("fetching what was recorded")
        mirror.fetch()
        if not is_whole:
            raise ClusterError(
                f"{self._file.master.name}: Locust's master was lost in the middle of the run; what it had recorded is"
                f" in {folder}"
            )

    def first_worker(self, shape: ClusterShape) -> HostSpec:
        """The host that is asked whether the load will reach the server."""
        return next(spec for spec in self._file.hosts if shape.workers_on(self._file, spec))

    def _wait_idle(self) -> None:
        """Locust waits up to a minute for workers that it has lost, and takes no other load meanwhile."""
        deadline_s = self._clock() + BEGIN_TIMEOUT_S
        while (state := self._state()) not in IDLE_STATES:
            if self._clock() > deadline_s:
                raise ClusterError(
                    f"{self._file.master.name}: Locust has been {state or 'silent'} for {BEGIN_TIMEOUT_S:g} s:"
                    " is another load on its way? floodmark cluster ui shows it, and stops it"
                )
            self._sleep(POLL_S)

    def _begun(self, before: set[str]) -> str:
        deadline_s = self._clock() + BEGIN_TIMEOUT_S
        while self._clock() < deadline_s:
            if new := sorted(set(self._listed()) - before):
                return new[0]
            if error := self._last_error():
                self._cluster.ask("/stop", b"")
                raise ClusterError(f"{self._file.master.name}: {error}")
            self._sleep(POLL_S)
        raise ClusterError(
            f"{self._file.master.name}: no run began within {BEGIN_TIMEOUT_S:g} s: floodmark cluster logs"
        )

    def _followed(self, mirror: RunMirror, watch: Callable[[], None]) -> bool:
        """Until the manifest is closed: True. False: nobody is left to close it."""
        well_s = asked_s = self._clock()
        while mirror.refresh() in {"", RunStatus.RUNNING}:
            watch()
            if self._clock() - asked_s > ASK_EVERY_S:
                asked_s, state = self._clock(), self._state()
                well_s = asked_s if state not in {None, *IDLE_STATES} else well_s
                if state == FRESH_STATE:
                    return False
            if self._clock() - well_s > LOST_AFTER_S:
                return False
            self._sleep(POLL_S)
        watch()
        return True

    def _cut(self, mirror: RunMirror) -> None:
        self._say("ending the load")
        with contextlib.suppress(ClusterError):  # it answers when all is written, which may take longer than it has
            self._cluster.ask("/stop", b"")
        deadline_s = self._clock() + CUT_TIMEOUT_S
        while mirror.refresh() in {"", RunStatus.RUNNING} and self._clock() < deadline_s:
            self._sleep(POLL_S)
        mirror.fetch()

    def _state(self) -> str | None:
        try:
            return str(self._cluster.ask("/stats/requests")["state"])
        except ClusterError:
            return None

    def _step(self, host: str, words: list[str], what: str = "") -> None:
        """Words on a host that are over soon; what is wrong there is the server's doing."""
        user = self._cluster.probe_of(host).user
        try:
            self._cluster.host(host).step(words, user, timeout_s=READY_TIMEOUT_S + STEP_TIMEOUT_S, what=what)
        except ClusterError as error:
            raise TargetError(str(error)) from None

    def _journal(self, *words: str) -> list[str]:
        unit = f"--unit={prefix_of(self._file.cluster.name)}master.service"
        asked = ["sudo", "-n", "journalctl", "--quiet", "--no-pager", "--output=cat", unit, *words]
        return self._master().run(asked, timeout_s=STEP_TIMEOUT_S).out.splitlines()

    def _journal_end(self) -> str:
        lines = self._journal("--lines=1", "--show-cursor")
        return lines[-1].partition("-- cursor: ")[2] if lines else ""

    def _last_error(self) -> str:
        """Of this load, and not of one before."""
        lines = self._journal(f"--after-cursor={self._cursor}") if self._cursor else self._journal("--lines=20")
        errors = [line.partition(OWN_ERROR)[2] for line in lines if OWN_ERROR in line]
        return errors[-1].partition(": ")[2] if errors else ""

    def _listed(self) -> list[str]:
        done = self._master().run(["ls", "-1", self._runs], timeout_s=STEP_TIMEOUT_S)
        return done.out.split() if done.code == 0 else []

    def _master(self) -> SshHost:
        return self._cluster.host(self._file.master.name).ssh


def _form(load: RemoteLoad) -> bytes:
    """Every field that the kind has, since Locust keeps what an earlier form has said; an empty one is its default."""
    request = load.request
    fields = {
        "user_count": load.workers,
        "spawn_rate": load.workers,
        "host": load.origin,
        "path": request.path,
        "expect_status": request.status,
        "expect_text": request.contains,
        "expect_match": request.matches,
        "source": load.source,
        "verify": "yes" if load.verify else "no",
        "threshold": " && ".join(load.goals.thresholds),
        "abort_on_fail": "yes" if load.goals.abort_on_fail else "no",
        "abort_delay": load.goals.abort_delay_s,
    }
    given = asdict(load.asked)
    for name in DEFAULTS[load.kind]:
        flag = FLAGS[name]
        fields[flag.removeprefix("--")] = "" if given[name] is None else given[name]
    return urllib.parse.urlencode(fields).encode()
