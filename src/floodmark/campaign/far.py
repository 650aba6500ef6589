"""One run on a cluster on other hosts: what `Campaign` does on this one. It knows hosts as a `RemoteCluster` only."""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from floodmark.campaign.ask_there import Answer, Question
from floodmark.campaign.campaign import View, close_manifest, doubts
from floodmark.campaign.far_plan import far_shape
from floodmark.campaign.follow import Follower
from floodmark.campaign.plan import RunPlan
from floodmark.campaign.planned import planned_manifest, told
from floodmark.campaign.probe import PROBE_BUDGET_S, PROBE_TIMEOUT_S, measured_hold, prove_long_enough
from floodmark.core.address import Address
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import ClusterError, FloodmarkError, TargetError
from floodmark.core.profile import prove_workers
from floodmark.core.run_folder import HoldProbe, Manifest, RunFolder, RunStatus
from floodmark.report.live.run import LiveState
from floodmark_deploy.cluster_shape import ClusterShape, shape_of
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.remote_cluster import RemoteCluster
from floodmark_deploy.remote_run import RemoteLoad, RemoteRun
from floodmark_deploy.remote_services import open_files_of, python_of

ASK_TIMEOUT_S = PROBE_TIMEOUT_S + PROBE_BUDGET_S + 30.0
"""As long as the probes may take, and the start of a Python on a busy host."""


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
        self._view = view
        self._clock = clock
        self._began_s = clock()

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
            with RemoteCluster(self._file, say=self._say) as cluster, self._standing(cluster, shape):
                manifest = self._load(cluster, plan, manifest, folder, shape, address)
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
                self._say("taking the cluster down")
                cluster.close()  # hosts that went away meanwhile are to be found anew
                cluster.down()
            elif shape.workers != own:
                cluster.form(replace(shape, workers=own))
        except FloodmarkError as error:
            left = "left as it is" if stood else "not all is taken down"
            for line in str(error).splitlines():
                self._view.warn(f"floodmark: warning: {left}: {line}")

    def _load(  # noqa: PLR0913, PLR0917 - one call, in order of appearance
        self,
        cluster: RemoteCluster,
        plan: RunPlan,
        manifest: Manifest,
        folder: RunFolder,
        shape: ClusterShape,
        address: Address,
    ) -> Manifest:
        remote = RemoteRun(cluster, self._file, say=self._say)
        self._say(f"starting {plan.name}" if shape.target else "looking for an idle master")
        remote.make_ready(shape)
        manifest = self._learn(cluster, plan, manifest, shape, address)
        follower = Follower(folder, manifest.profile)
        load = RemoteLoad(
            kind=plan.kind,
            asked=replace(plan.asked, hold_s=manifest.profile.hold_s),
            request=plan.request,
            origin=address.origin,
            workers=sum(shape.workers),
            source=plan.source,
            verify=plan.verify,
            goals=plan.goals,
        )
        try:
            remote.run(load, folder.path, lambda: self._show(follower.state()))
        except BaseException as error:
            _close(folder, manifest, error)
            raise
        return manifest

    def _learn(
        self, cluster: RemoteCluster, plan: RunPlan, manifest: Manifest, shape: ClusterShape, address: Address
    ) -> Manifest:
        """Every host of workers must carry its part; the server is asked alone, from the first of them."""
        self._say("measuring the hold, one request at a time" if plan.measures_hold else "asking it alone")
        hosts = [spec for spec in self._file.of(HostRole.WORKER) if shape.workers_on(self._file, spec)]
        questions = [
            _question(self._file, plan, cluster, shape, address, spec, first=spec is hosts[0]) for spec in hosts
        ]
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            answers = list(pool.map(lambda pair: self._ask(cluster, *pair), zip(hosts, questions, strict=True)))
        if problems := [
            f"{spec.name}: {said.problem}" for spec, said in zip(hosts, answers, strict=True) if said.problem
        ]:
            raise TargetError("\n".join(problems))
        found = answers[0].found
        if found.unexpected:
            self._view.warn(doubts(found))
        return self._with_hold(plan, replace(manifest, probe=found), found, address)

    def _with_hold(self, plan: RunPlan, manifest: Manifest, found: HoldProbe, address: Address) -> Manifest:
        if not plan.measures_hold:
            return manifest
        hold_s = round(measured_hold(found), 4)
        prove_long_enough(address, measured_hold(found))
        self._say(f"the hold is {hold_s:.3g} s, measured in {len(found.took_s)} requests")
        return replace(manifest, profile=plan.profile(hold_s))

    def _ask(self, cluster: RemoteCluster, spec: HostSpec, question: Question) -> Answer:
        words = [python_of(self._file.cluster.name), "-m", "floodmark.campaign.ask_there"]
        host, user = cluster.host(spec.name), cluster.probe_of(spec.name).user
        text = host.step(words, user, timeout_s=ASK_TIMEOUT_S, text_in=json.dumps(to_plain(question)))
        return from_plain(Answer, json.loads(text), spec.name)

    def _say(self, words: str) -> None:
        self._show(LiveState(phase=words))

    def _show(self, state: LiveState) -> None:
        """All phases on one clock: seconds since the command began."""
        self._view.update(replace(state, elapsed_s=self._clock() - self._began_s))


def _question(  # noqa: PLR0913, PLR0917 - what it is made of
    file: HostsFile,
    plan: RunPlan,
    cluster: RemoteCluster,
    shape: ClusterShape,
    address: Address,
    spec: HostSpec,
    *,
    first: bool,
) -> Question:
    profile, workers = plan.profile(), shape.workers_on(file, spec)
    return Question(
        address=address,
        request=plan.request,
        verify=plan.verify,
        limit_s=profile.timeout_s,
        forgiving=plan.is_steady,
        asks_alone=first and plan.is_asked_alone,
        sources=plan.sources,
        connections=-(-profile.most_connections * workers // sum(shape.workers)),
        workers=workers,
        open_files=open_files_of(cluster.probe_of(spec.name).open_files),
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
