"""The commands of a Locust cluster and its agent. Nothing is started here."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from floodmark.core.address import Address
from floodmark.core.asked import DEFAULTS, FLAGS
from floodmark.core.errors import UsageError
from floodmark.core.goals import Goals
from floodmark.core.profile import Profile, SearchProfile
from floodmark.core.request_spec import RequestSpec
from floodmark_deploy.shell import Command
from floodmark_deploy.zoo import roots

EXPECT_WORKERS_S = 30
"""How long Locust's master waits for its workers: each is a Python process that imports Locust (1 to 2 s, cold 5 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """One load for one cluster on this host. `folder` is the run folder; `target_pid` None: the agent goes by port.

    `source` is written as a user writes it: thousands of addresses one by one are more than a command line takes.
    `keys` is the folder with the keys of this cluster's bus; None: it is plain, and any user here can speak on it.
    `cpu_budget_percent` is what the agent may take of one core; None: its own default.
    """

    folder: Path
    marker: str
    bus_port: int
    workers: int
    address: Address
    request: RequestSpec
    profile: Profile
    beat_s: float
    target_pid: int | None
    source: str = ""
    verify: bool = True
    keys: Path | None = None
    cpu_budget_percent: float | None = None
    goals: Goals = field(default_factory=Goals)


def master_command(plan: ClusterPlan) -> Command:
    """Locust's master, headless, with the profile's options."""
    options = {
        "--master-bind-host": "127.0.0.1",
        "--master-bind-port": str(plan.bus_port),
        "--expect-workers": str(plan.workers),
        "--expect-workers-max-wait": str(EXPECT_WORKERS_S),
        "--host": plan.address.origin,
        **_profile_options(plan.profile),
        "--path": plan.request.path,
        "--expect-status": str(plan.request.status),
        "--expect-text": plan.request.contains,
        "--expect-match": plan.request.matches,
        "--source": plan.source,
        "--verify": "yes" if plan.verify else "no",
        "--beat": repr(plan.beat_s),
        "--run-folder": str(plan.folder.resolve()),
        "--run-prepared": "yes",
        "--judge": "no",
        "--abort-on-fail": "yes" if plan.goals.abort_on_fail else "no",
        "--abort-delay": repr(plan.goals.abort_delay_s),
    }
    if plan.goals.thresholds:
        options["--threshold"] = " && ".join(plan.goals.thresholds)
    if plan.keys:
        options["--floodmark-keys"] = str(plan.keys)
    # One word per option: a value that begins with a dash would be taken for an option of its own.
    words = [f"{name}={value}" for name, value in options.items()]
    return _locust(plan, "master.log", "--master", "--headless", "--only-summary", *words)


def worker_command(plan: ClusterPlan, number: int) -> Command:
    """One of Locust's workers."""
    words = ["--master-host=127.0.0.1", f"--master-port={plan.bus_port}"]
    if plan.keys:
        words.append(f"--floodmark-keys={plan.keys}")
    return _locust(plan, f"worker-{number}.log", "--worker", *words)


def agent_command(plan: ClusterPlan) -> Command:
    """The agent beside the target."""
    words = ["--master", f"127.0.0.1:{plan.bus_port}", "--port", str(plan.address.port)]
    if plan.target_pid is not None:
        words += ["--pid", str(plan.target_pid)]
    if plan.cpu_budget_percent is not None:
        words += ["--cpu-budget", repr(plan.cpu_budget_percent)]
    if plan.keys:
        words += ["--keys", str(plan.keys)]
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


def _profile_options(profile: Profile) -> dict[str, str]:
    """Every option of the profile's kind, with what the profile says: nothing is left to a default."""
    options = {}
    for name in DEFAULTS[profile.kind]:
        largest = isinstance(profile, SearchProfile) and name == "requests"
        value = getattr(profile, "most" if largest else name)
        options[FLAGS[name]] = "" if value is None else repr(value)
    return options


def _locust(plan: ClusterPlan, log: str, *words: str) -> Command:
    return Command(
        argv=(sys.executable, "-m", "locust", "-f", str(locustfile(f"{plan.profile.kind}.py")), *words),
        # The run folder holds no locust.conf: one in the user's folder would change what this run measures.
        cwd=str(plan.folder.resolve()),
        log=plan.folder / log,
        marker=plan.marker,
    )
