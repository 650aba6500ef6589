"""Judged steady loads and searches for the report's tests: simulated recordings, judged for good."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from simulated import Server, Simulation
from simulated_steady import SteadySimulation

from floodmark.analysis.document import Judged
from floodmark.analysis.judge import judge
from floodmark.analysis.search import decisive, judge_search, judged_step
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile, ClosedProfile, SearchProfile
from floodmark.core.run_folder import Manifest, RunStatus, SearchStep


def steady(simulation: SteadySimulation, target: str) -> Judged:
    recording = simulation.record()
    return judge(replace(recording, manifest=replace(recording.manifest, target=target)))


@cache
def closed() -> Judged:
    profile = ClosedProfile(connections=200, duration_s=6.0, timeout_s=2.0, hold_s=0.1)
    return steady(SteadySimulation(profile=profile, slots=40, service_s=0.102), "fastapi-uvicorn-sync")


@cache
def closed_unknown_service() -> Judged:
    profile = ClosedProfile(connections=100, duration_s=5.0, timeout_s=2.0)
    simulation = SteadySimulation(profile=profile, slots=40, service_s=0.1, evidence=False, reads_at_once=False)
    return steady(simulation, "127.0.0.1:8000")


@cache
def arrivals() -> Judged:
    profile = ArrivalsProfile(rate=500.0, duration_s=6.0, timeout_s=1.0, connections=5_000, hold_s=0.1)
    simulation = SteadySimulation(profile=profile, slots=40, service_s=0.1, workers=2, fails=Outcome.SERVER_ERROR)
    return steady(simulation, "fastapi-uvicorn-sync")


@cache
def arrivals_capped() -> Judged:
    profile = ArrivalsProfile(rate=200.0, duration_s=5.0, timeout_s=5.0, connections=10, hold_s=0.1)
    return steady(SteadySimulation(profile=profile, slots=40, service_s=0.1, agent=False), "fastapi-uvicorn-async")


@cache
def search() -> Judged:
    """Three bursts at a server of forty slots, of which the second proves them; and one that was not judged."""
    profile = SearchProfile(first=16, most=10_000, hold_s=2.0)
    steps, found = [], {}
    for index, requests in enumerate((16, 64)):
        recording = Simulation(server=Server(slots=40), requests=requests, hold_s=2.0).record()
        named = replace(recording.manifest, target="fastapi-uvicorn-sync")
        found[index] = judge(replace(recording, manifest=named))
        step = SearchStep(folder=f"steps/{index + 1:02}-{requests}", requests=requests)
        steps.append(judged_step(step, found[index].document))
    index = decisive(steps, "runs/search")
    return judge_search(search_manifest(profile), tuple(steps), found[index], index)


def search_manifest(profile: SearchProfile, status: RunStatus = RunStatus.COMPLETE, **changes: object) -> Manifest:
    manifest = Manifest(
        run_id="search",
        status=status,
        started_utc="2026-01-01T00:00:00+00:00",
        target="fastapi-uvicorn-sync",
        url="http://127.0.0.1:8000/?id={id}&hold={hold}",
        profile=profile,
        hold_known=True,
        workers=1,
        beat_s=0.05,
    )
    return replace(manifest, **changes)  # type: ignore[arg-type]


STEADY_CASES: dict[str, Callable[[], Judged]] = {
    "closed": closed,
    "closed-unknown-service": closed_unknown_service,
    "arrivals": arrivals,
    "arrivals-capped": arrivals_capped,
    "search": search,
}
