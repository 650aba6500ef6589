"""One run on a cluster on other hosts: what `Campaign` does on this one. It knows hosts as a `RemoteCluster` only."""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from floodmark.campaign.ask_there import Answer, Question
from floodmark.campaign.campaign import close_manifest
from floodmark.campaign.far_plan import far_shape
from floodmark.campaign.follow import Follower
from floodmark.campaign.plan import RunPlan
from floodmark.campaign.planned import planned_manifest, told
from floodmark.campaign.probe import PROBE_BUDGET_S, PROBE_TIMEOUT_S
from floodmark.campaign.teller import Teller, View
from floodmark.core.address import Address
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import ClusterError, FloodmarkError, TargetError
from floodmark.core.profile import prove_workers
from floodmark.core.run_folder import Manifest, RunFolder, RunStatus
from floodmark_deploy.cluster_shape import ClusterShape, shape_of
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.remote_cluster import RemoteCluster
from floodmark_deploy.remote_run import RemoteLoad, RemoteRun
from floodmark_deploy.remote_services import open_files_of, python_of

ASK_TIMEOUT_S = PROBE_TIMEOUT_S + PROBE_BUDGET_S + 30.0
"""As long as the probes may take, and the start of a Python on a busy host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One plan on the cluster that carries it out."""

    cluster: RemoteCluster
    plan: RunPlan
    shape: ClusterShape
    address: Address


class FarCampaign:
    """Runs plans on one cluster, one after another."""

    def __init__(
        self,
        file: HostsFile,
        wheels: Path,
        view: View,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wheels` is where wheelhouses are kept, `view` is told what goes on."""
        self._file = file
        self._wheels = wheels
        self._tell = Teller(view, clock)

    def run(self, plan: RunPlan) -> RunFolder:
        """Runs a plan and returns its folder, complete. Raises a `FloodmarkError` where it could not be measured.

        A cluster that does not stand is brought up first, and taken down at the end, whatever happens.
        """
        shape, address = far_shape(self._file, plan)
        prove_workers(plan.profile(), sum(shape.workers))
        folder = RunFolder(plan.folder)
        folder.create()
        manifest = planned_manifest(plan, f"{plan.folder.resolve().name}-{secrets.token_hex(4)}")
        manifest = replace(manifest, url=address.url)
        try:
            with RemoteCluster(self._file, say=self._tell.say) as cluster, self._standing(cluster, shape):
                task = _Task(cluster=cluster, plan=plan, shape=shape, address=address)
                manifest = self._load(task, manifest, folder)
        except BaseException as error:
            _close(folder, manifest, error)
            raise
        _complete(folder, manifest)
        if (final := folder.manifest()).status is RunStatus.FAILED:
            raise ClusterError("; ".join(final.problems) or "the run failed; see floodmark cluster logs")
        return folder

    @contextlib.contextmanager
    def _standing(self, cluster: RemoteCluster, shape: ClusterShape) -> Iterator[None]:
        """The cluster, as the shape has it; afterwards it is as it was: down, or with all of its workers."""
        cluster.look()
        with cluster.alone():
            stood = cluster.stands()
            try:
                if not stood or not cluster.is_installed():
                    cluster.install(self._wheels)
                RemoteRun(cluster, self._file).prove_target(shape)
                cluster.form(shape)
                yield
            finally:
                self._leave(cluster, shape, stood=stood)

    def _leave(self, cluster: RemoteCluster, shape: ClusterShape, *, stood: bool) -> None:
        """What goes wrong here is told, and hides nothing that went wrong before."""
        own = shape_of(self._file).workers
        try:
            if not stood:
                self._tell.say("taking the cluster down")
                cluster.close()  # hosts that went away meanwhile are to be found anew
                cluster.down()
            elif shape.workers != own:
                cluster.form(replace(shape, workers=own))
        except FloodmarkError as error:
            left = "left as it is" if stood else "not all is taken down"
            for line in str(error).splitlines():
                self._tell.warn(f"{left}: {line}")

    def _load(self, task: _Task, manifest: Manifest, folder: RunFolder) -> Manifest:
        plan, shape = task.plan, task.shape
        remote = RemoteRun(task.cluster, self._file, say=self._tell.say)
        self._tell.say(f"starting {plan.name}" if shape.target else "looking for an idle master")
        remote.make_ready(shape)
        manifest = self._learn(task, manifest)
        follower = Follower(folder, manifest.profile)
        load = RemoteLoad(
            kind=plan.kind,
            asked=replace(plan.asked, hold_s=manifest.profile.hold_s),
            request=plan.request,
            origin=task.address.origin,
            workers=sum(shape.workers),
            source=plan.source,
            verify=plan.verify,
            goals=plan.goals,
        )
        try:
            remote.run(load, folder.path, lambda: self._tell.show(follower.state()))
        except BaseException as error:
            _close(folder, manifest, error)
            raise
        return manifest

    def _learn(self, task: _Task, manifest: Manifest) -> Manifest:
        """Every host of workers must carry its part; the server is asked alone, from the first of them."""
        self._tell.asking(task.plan)
        hosts = [spec for spec in self._file.of(HostRole.WORKER) if task.shape.workers_on(self._file, spec)]
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            answers = list(pool.map(lambda spec: self._ask(task, spec, first=spec is hosts[0]), hosts))
        said = zip(hosts, answers, strict=True)
        if problems := [f"{spec.name}: {answer.problem}" for spec, answer in said if answer.problem]:
            raise TargetError("\n".join(problems))
        return self._tell.learned(task.plan, manifest, answers[0].found, task.address)

    def _ask(self, task: _Task, spec: HostSpec, *, first: bool) -> Answer:
        question = self._question(task, spec, first=first)
        words = [python_of(self._file.cluster.name), "-m", "floodmark.campaign.ask_there"]
        host, user = task.cluster.host(spec.name), task.cluster.probe_of(spec.name).user
        text = host.step(words, user, timeout_s=ASK_TIMEOUT_S, text_in=json.dumps(to_plain(question)))
        return from_plain(Answer, json.loads(text), spec.name)

    def _question(self, task: _Task, spec: HostSpec, *, first: bool) -> Question:
        plan, workers = task.plan, task.shape.workers_on(self._file, spec)
        profile = plan.profile()
        return Question(
            address=task.address,
            request=plan.request,
            verify=plan.verify,
            limit_s=profile.timeout_s,
            forgiving=plan.is_steady,
            asks_alone=first and plan.is_asked_alone,
            sources=plan.sources,
            connections=-(-profile.most_connections * workers // sum(task.shape.workers)),
            workers=workers,
            open_files=open_files_of(task.cluster.probe_of(spec.name).open_files),
        )


def _complete(folder: RunFolder, planned: Manifest) -> None:
    """What the plan knows goes into the manifests that the master has written: the run's, and a search's bursts'."""
    recorded = folder.manifest()
    folder.write_manifest(told(recorded, planned))
    for step in recorded.steps:
        below = RunFolder(folder.path / step.folder)
        with contextlib.suppress(FloodmarkError):  # one that the master had not begun
            burst = below.manifest()
            below.write_manifest(told(burst, replace(planned, profile=burst.profile, thresholds=())))


def _close(folder: RunFolder, planned: Manifest, error: BaseException) -> None:
    """As far as it came; a folder in which nothing came is taken away."""
    try:
        recorded = folder.manifest()
    except FloodmarkError:
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        return
    with contextlib.suppress(FloodmarkError):
        _complete(folder, planned)
    close_manifest(folder, recorded, error)
