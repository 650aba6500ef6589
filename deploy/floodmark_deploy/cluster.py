"""The commands of a Locust cluster and its agent. Nothing is started here."""

import sys
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.errors import UsageError
from floodmark.core.profile import BurstProfile
from floodmark.core.target import RequestSpec
from floodmark_deploy.shell import Command
from floodmark_deploy.zoo import roots

EXPECT_WORKERS_S = 30
"""How long Locust's master waits for its workers: each is a Python process that imports Locust (1 to 2 s, cold 5 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """One burst for one cluster on this host. `folder` is the run folder; `target_pid` None: the agent goes by port."""

    folder: Path
    marker: str
    bus_port: int
    workers: int
    address: Address
    request: RequestSpec
    profile: BurstProfile
    beat_s: float
    target_pid: int | None


def master_command(plan: ClusterPlan) -> Command:
    """Locust's master, headless, with the burst's options."""
    profile = plan.profile
    options = {
        "--master-bind-host": "127.0.0.1",
        "--master-bind-port": str(plan.bus_port),
        "--expect-workers": str(plan.workers),
        "--expect-workers-max-wait": str(EXPECT_WORKERS_S),
        "--host": f"http://{plan.address.authority}",
        "--requests": str(profile.requests),
        "--within": repr(profile.within_s),
        "--hold": repr(profile.hold_s),
        "--timeout": "" if profile.timeout_s is None else repr(profile.timeout_s),
        "--path": plan.request.path,
        "--expect-status": str(plan.request.status),
        "--expect-text": plan.request.contains,
        "--beat": repr(plan.beat_s),
        "--run-folder": str(plan.folder.resolve()),
        "--run-prepared": "yes",
        "--judge": "no",
    }
    # One word per option: a value that begins with a dash would be taken for an option of its own.
    words = [f"{name}={value}" for name, value in options.items()]
    return _locust(plan, "master.log", "--master", "--headless", "--only-summary", *words)


def worker_command(plan: ClusterPlan, number: int) -> Command:
    """One of Locust's workers."""
    where = ("--master-host=127.0.0.1", f"--master-port={plan.bus_port}")
    return _locust(plan, f"worker-{number}.log", "--worker", *where)


def agent_command(plan: ClusterPlan) -> Command:
    """The agent beside the target."""
    words = ["--master", f"127.0.0.1:{plan.bus_port}", "--port", str(plan.address.port)]
    if plan.target_pid is not None:
        words += ["--pid", str(plan.target_pid)]
    return Command(
        argv=(sys.executable, "-m", "floodmark_agent", *words),
        cwd=str(plan.folder.resolve()),
        log=plan.folder / "agent.log",
        marker=plan.marker,
    )


def locustfile(name: str) -> Path:
    """A locustfile of Floodmark's: the checkout's, else the copy that the wheel brought."""
    for root in roots():
        if (root / "locustfiles" / name).is_file():
            return root / "locustfiles" / name
    raise UsageError(f"locustfiles/{name} was not installed with Floodmark: install it again")


def _locust(plan: ClusterPlan, log: str, *words: str) -> Command:
    return Command(
        argv=(sys.executable, "-m", "locust", "-f", str(locustfile("burst.py")), *words),
        # The run folder holds no locust.conf: one in the user's folder would change what this run measures.
        cwd=str(plan.folder.resolve()),
        log=plan.folder / log,
        marker=plan.marker,
    )
