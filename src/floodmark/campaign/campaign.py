"""One run from its plan to its end: target up, cluster up, load, all down. It knows the host as a `Shell` only."""

import contextlib
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from floodmark.campaign.follow import Follower
from floodmark.campaign.local import prove_sources
from floodmark.campaign.plan import RunPlan, prove_limits
from floodmark.campaign.planned import planned_manifest
from floodmark.campaign.probe import probe, prove_listening
from floodmark.campaign.teller import Teller, View
from floodmark.core.address import Address
from floodmark.core.errors import ClusterError, FloodmarkError, RunFolderError
from floodmark.core.profile import Profile, SearchProfile
from floodmark.core.run_folder import TARGET_LOG, HoldProbe, Manifest, RunFolder, RunStatus
from floodmark_deploy.cluster import ClusterPlan, agent_command, master_command, worker_command
from floodmark_deploy.keys import make_keys
from floodmark_deploy.own_network import own_network
from floodmark_deploy.port import free_port
from floodmark_deploy.shell import Job, Shell
from floodmark_deploy.target_process import prove_available, start_target

HOST = "127.0.0.1"
"""Where a target of the zoo listens: loads started from one command never leave the machine."""

TARGET_STOP_S = 1.0
"""Nobody waits for the answers that a target still holds: SIGTERM for manners, then SIGKILL."""

FOLLOW_EVERY_S = 0.2
"""How often the live view is fed."""

STOP_TIMEOUT_S = 10.0
"""For the master to cut the load and write what there is; workers and agent follow it."""

ENDED_STOP_S = 0.2
"""Once the run is written nobody needs the master's own farewell, which takes it two seconds."""

CLUSTER_MARGIN_S = 120.0
"""Beyond the load's own length, for start, an agent's rest, clocks and last hits: a cluster that takes longer hangs."""

STEP_MARGIN_S = 90.0
"""The same for each burst of a search, which is judged, and begins when the agent has rested and the target is idle."""

LOG_BYTES = 16 << 10
"""With less room than this a master could not write why it ended."""


class Campaign:
    """Runs plans on one host, one after another."""

    def __init__(
        self,
        shell: Shell,
        view: View,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`shell` is the host, `view` is told what goes on."""
        self._shell = shell
        self._tell = Teller(view, clock)
        self._clock = clock
        self._sleep = sleep

    def run(self, plan: RunPlan) -> RunFolder:
        """Runs a plan and returns its folder, complete. Raises a `FloodmarkError` where it could not be measured.

        Whatever happens, every process started for it is ended and the manifest says how it ended. A target whose file
        names kernel settings is run, with all that belongs to the run, in a network namespace of its own.
        """
        if plan.spec:
            prove_available(plan.spec)
        with own_network(plan.spec.limits.sysctl if plan.spec else {}):
            return self._run(plan)

    def _run(self, plan: RunPlan) -> RunFolder:
        prove_limits(plan)
        prove_sources(plan.sources, plan.address or Address(host=HOST, port=0))
        folder = RunFolder(plan.folder)
        folder.create()
        # Unique, not the folder's name alone: whoever sweeps a run must not meet another of that name.
        marker = f"{plan.folder.resolve().name}-{secrets.token_hex(4)}"
        manifest = self._begin(plan, folder, marker)
        try:
            with self._target(plan, manifest, marker) as (address, pid):
                manifest = self._learn(plan, manifest, address, folder)
                self._load(plan, manifest, folder, address, pid, marker)
        except BaseException as error:
            close_manifest(folder, manifest, error)
            raise
        finally:
            self._shell.sweep(marker, STOP_TIMEOUT_S)
        final = folder.manifest()
        if final.status is RunStatus.FAILED:
            raise ClusterError("; ".join(final.problems) or f"the run failed; see {plan.folder}/master.log")
        return folder

    def _begin(self, plan: RunPlan, folder: RunFolder, marker: str) -> Manifest:
        manifest = planned_manifest(plan, marker)
        folder.write_manifest(manifest)
        return manifest

    @contextlib.contextmanager
    def _target(self, plan: RunPlan, manifest: Manifest, marker: str) -> Iterator[tuple[Address, int | None]]:
        """The target's address and first process; a target that was started here is stopped at the end."""
        if plan.spec is None:
            if plan.address is None:
                raise FloodmarkError(f"{manifest.target}: neither a target to start nor an address to go to")
            yield plan.address, None
            return
        self._tell.say(f"starting {plan.name}")
        target = start_target(
            plan.spec,
            self._shell,
            host=HOST,
            port=plan.port,
            run_log=plan.folder / TARGET_LOG,
            marker=marker,
            clock=self._clock,
            sleep=self._sleep,
        )
        try:
            yield replace(target.address, path=plan.request.path), target.pid
        finally:
            self._tell.say(f"stopping {plan.name}")
            target.stop(TARGET_STOP_S)

    def _learn(self, plan: RunPlan, manifest: Manifest, address: Address, folder: RunFolder) -> Manifest:
        """Asks the target alone first: does it answer, and in time? The hold is measured where it is not known."""
        manifest = replace(self._tell.learned(plan, manifest, self._ask(plan, address), address), url=address.url)
        folder.write_manifest(manifest)
        return manifest

    def _ask(self, plan: RunPlan, address: Address) -> HoldProbe:
        if not plan.is_asked_alone:
            prove_listening(address, verify=plan.verify)
            return HoldProbe()
        self._tell.asking(plan)
        return probe(
            address,
            plan.request,
            verify=plan.verify,
            limit_s=plan.profile().timeout_s,
            forgiving=plan.is_steady,
            clock=self._clock,
        )

    def _load(  # noqa: PLR0913, PLR0917 - one call, in order of appearance
        self, plan: RunPlan, manifest: Manifest, folder: RunFolder, address: Address, pid: int | None, marker: str
    ) -> None:
        # Not in the run folder: that is kept, and shown to others.
        with self._shell.private_folder() as keys:
            make_keys(keys)
            self._load_with(keys, plan, manifest, folder, address, pid, marker)

    def _load_with(  # noqa: PLR0913, PLR0917 - likewise
        self,
        keys: Path,
        plan: RunPlan,
        manifest: Manifest,
        folder: RunFolder,
        address: Address,
        pid: int | None,
        marker: str,
    ) -> None:
        cluster = ClusterPlan(
            folder=folder.path,
            marker=marker,
            bus_port=free_port(HOST),
            workers=plan.workers,
            address=address,
            request=plan.request,
            profile=manifest.profile,
            beat_s=plan.beat_s,
            target_pid=pid,
            source=plan.source,
            verify=plan.verify,
            keys=keys,
            cpu_budget_percent=plan.cpu_budget_percent,
            goals=plan.goals,
        )
        self._tell.say(f"starting a Locust master, {plan.workers} worker{'s' * (plan.workers > 1)} and an agent")
        master = self._shell.start(master_command(cluster))
        jobs = [master, self._shell.start(agent_command(cluster))]
        jobs += [self._shell.start(worker_command(cluster, number)) for number in range(1, plan.workers + 1)]
        follower = Follower(folder, manifest.profile)
        try:
            self._follow(master, jobs, follower, _longest_s(manifest.profile))
        finally:
            # The master first: it cuts the load and writes what there is while the others still answer.
            for job in jobs:
                job.stop(ENDED_STOP_S if follower.ended else STOP_TIMEOUT_S)

    def _follow(self, master: Job, jobs: list[Job], follower: Follower, timeout_s: float) -> None:
        deadline_s = self._clock() + timeout_s
        while master.poll() is None and not follower.ended:
            self._tell.show(follower.state())
            if self._clock() > deadline_s:
                raise ClusterError(f"the master did not end within {timeout_s:.0f} s{_tail(master)}")
            if not follower.fired and (dead := [job for job in jobs[1:] if job.poll() not in (None, 0)]):
                raise ClusterError(f"a process of the cluster ended at its start{_tail(dead[0])}")
            self._sleep(FOLLOW_EVERY_S)
        self._tell.show(follower.state())
        if not follower.ended:
            when = "while the load was on" if follower.fired else "before the load was released"
            raise ClusterError(f"the master ended {when}{_full_disk(follower.path)}{_tail(master)}")


def _longest_s(profile: Profile) -> float:
    """How long the cluster may take in all."""
    steps = len(profile.bursts) if isinstance(profile, SearchProfile) else 0
    return profile.longest_s + CLUSTER_MARGIN_S + steps * STEP_MARGIN_S


def _full_disk(folder: Path) -> str:
    """Why a master may have ended without a word: its log is on that disk, too."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < LOG_BYTES:
            return f": no room is left for {folder}: make room, or give another --out"
    return ""


def _tail(job: Job) -> str:
    lines = job.tail(6)
    return "; its last lines:" + "".join(f"\n    {line}" for line in lines) if lines else "; it printed nothing"


def close_manifest(folder: RunFolder, manifest: Manifest, error: BaseException) -> None:
    """The master writes how a run ended; where it could not, this does."""
    with contextlib.suppress(FloodmarkError):
        manifest = folder.manifest()
    if manifest.status is not RunStatus.RUNNING:
        return
    interrupted = isinstance(error, KeyboardInterrupt)
    status = RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
    problem = "interrupted by the user" if interrupted else str(error)
    with contextlib.suppress(RunFolderError):  # a full disk: the error that ended the run is the one to be told
        folder.write_manifest(replace(manifest, status=status, problems=(*manifest.problems, problem)))
