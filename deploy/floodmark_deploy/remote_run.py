"""One load on a cluster that is up: asked for at Locust's web UI, waited for, its folder fetched. Judges nothing."""

import json
import stat
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from floodmark.core.asked import FLAGS, Asked, profile_of
from floodmark.core.errors import ClusterError
from floodmark.core.target import RequestSpec
from floodmark_deploy.hosts_file import HostRole, HostsFile
from floodmark_deploy.remote_cluster import RemoteCluster
from floodmark_deploy.remote_host import STEP_TIMEOUT_S, home_of, prefix_of
from floodmark_deploy.ssh_host import SshHost

BEGIN_TIMEOUT_S = 90.0
"""A master waits 15 s for an agent, and up to 20 s for an idle target, before it begins its folder or refuses."""

READY_TIMEOUT_S = 30.0
"""As long as a target's file allows by default."""

LOST_AFTER_S = 20.0
"""A master that carries a load may answer late; one that is gone is back, without its run, after two seconds."""

POLL_S = 0.5

OWN_ERROR = "/ERROR/floodmark."
"""How a line of the master's log begins that says why a load cannot be: Locust's own errors are none."""

IDLE_STATES = ("ready", "stopped")

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
"""Run by the master's Python, since what counts is whether the load will reach it. Its words are argv's."""

MADE_LATER = {"verdict.json", "report.html", "waterline.svg"}
"""The master judges the run, too, and may be writing these; here they are made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLoad:
    """What to send: the numbers that were given, and the request of the cluster's target."""

    asked: Asked
    request: RequestSpec


class RemoteRun:
    """Runs loads on one cluster."""

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

    def run(self, load: RemoteLoad, folder: Path) -> None:
        """Sends the load and returns when its run is in `folder`, also where the master was lost meanwhile.

        Raises `UsageError` for numbers that the cluster's profile has not, and `ClusterError` where nothing began.
        """
        profile_of(self._file.cluster.profile, load.asked)
        status = self._cluster.status()
        if not status.whole:
            raise ClusterError("the cluster is not whole: floodmark cluster status says what is missing, up mends it")
        self._wait_idle()
        self._fresh_target()
        before, self._cursor = set(self._listed()), self._journal_end()
        said = self._cluster.ask("/swarm", self._form(load))
        if not said.get("success"):
            raise ClusterError(f"{self._file.master.name}: Locust refused the load: {said.get('message')}")
        name = self._begun(before)
        self._say(f"the run has begun: {name}")
        self._ended(name)
        self._say("fetching what was recorded")
        _fetch(self._master(), f"{self._runs}/{name}", folder)

    def _form(self, load: RemoteLoad) -> bytes:
        """Every field, since Locust keeps what an earlier form has said; an empty one is its default."""
        cluster, request = self._file.cluster, load.request
        workers = sum(host.workers for host in self._file.of(HostRole.WORKER))
        targets = self._file.of(HostRole.TARGET)
        fields = {
            "user_count": workers,
            "spawn_rate": workers,
            "host": f"http://{targets[0].reached_at}:{cluster.port}" if targets else "",
            "path": request.path,
            "expect_status": request.status,
            "expect_text": request.contains,
            "expect_match": request.matches,
            "source": "",
            "verify": "yes",
        }
        given = asdict(load.asked)
        for name, flag in FLAGS.items():
            fields[flag.removeprefix("--")] = "" if given[name] is None else given[name]
        return urllib.parse.urlencode(fields).encode()

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
                self._cluster.ask("/stop")
                raise ClusterError(f"{self._file.master.name}: {error}")
            self._sleep(POLL_S)
        raise ClusterError(
            f"{self._file.master.name}: no run began within {BEGIN_TIMEOUT_S:g} s: floodmark cluster logs"
        )

    def _ended(self, name: str) -> None:
        """Returns when the manifest is closed, or nobody is left to close it."""
        well_s = self._clock()
        while self._manifest_status(name) == "running":
            if self._state() not in {None, *IDLE_STATES}:
                well_s = self._clock()
            if self._clock() - well_s > LOST_AFTER_S:
                self._say("the master was lost in the middle of the run")
                return
            self._sleep(POLL_S)

    def _manifest_status(self, name: str) -> str:
        try:
            done = self._master().run(["cat", f"{self._runs}/{name}/run.json"], timeout_s=STEP_TIMEOUT_S)
            return str(json.loads(done.out)["status"])
        except (ValueError, KeyError):  # not written yet
            return "running"

    def _state(self) -> str | None:
        try:
            return str(self._cluster.ask("/stats/requests")["state"])
        except ClusterError:
            return None

    def _fresh_target(self) -> None:
        """As a local run has it: what was sent before, and nobody waits for, is not served beside this load."""
        cluster = self._file.cluster
        for spec in self._file.of(HostRole.TARGET):
            self._cluster.host(spec.name).restart_target()
            python = str(home_of(cluster.name) / "venv/bin/python")
            words = [python, "-c", WAIT_READY, cluster.target, spec.reached_at, str(cluster.port)]
            what = f"the server on {spec.name} is not ready"
            self._master().must(words, timeout_s=READY_TIMEOUT_S + STEP_TIMEOUT_S, what=what)

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


def _fetch(ssh: SshHost, place: str, folder: Path) -> None:
    """A run folder, with the folders of a search's bursts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mode in ssh.listing(place):
        if stat.S_ISDIR(mode):
            _fetch(ssh, f"{place}/{name}", folder / name)
        elif name not in MADE_LATER:
            ssh.get(f"{place}/{name}", folder / name, timeout_s=STEP_TIMEOUT_S)
