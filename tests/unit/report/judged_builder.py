"""Builds judged runs for the report's tests from small simulations. The runs themselves are in judged_cases."""

import dataclasses
from collections.abc import Callable

from floodmark.analysis.document import (
    FORMAT,
    Check,
    Estimate,
    InService,
    Judged,
    Judgement,
    Model,
    ProfileSummary,
    Timeline,
    Unit,
    Validity,
    VerdictDocument,
    WaitingPlace,
)
from floodmark.core.places import WAITING_PLACES, Place
from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile, Profile, SearchProfile
from floodmark.core.run_folder import HoldProbe, Manifest, RunStatus
from floodmark.core.sample import TargetLimits
from floodmark.core.target import ExpectSpec

BEAT_S = 0.05
ARRIVAL_S = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """A server as the simulation sees it: `capacity` at once, then places with room, outermost last."""

    name: str
    summary: str = ""
    requests: int = 1000
    within_s: float = 0.0
    hold_s: float = 5.0
    ends_s: float = 15.0
    capacity: int
    rooms: tuple[tuple[Place, int | None], ...] = ()
    limits: dict[Place, int] = dataclasses.field(default_factory=dict)
    threads: Callable[[int], int] = lambda in_service: 1 + in_service
    processes: Callable[[int], int] = lambda _in_service: 1
    fail_each_s: float | None = None


def simulate(server: Server) -> Timeline:
    """Batches of `capacity`, each held; what does not fit one room overflows into the next."""
    times = [round(step * BEAT_S, 3) for step in range(int(server.ends_s / BEAT_S) + 1)]
    places: dict[Place, list[int]] = {place: [] for place in Place}
    answered, failed, begun = [], [], []
    for now in times:
        arrived = min(server.requests, int(server.requests * now / max(ARRIVAL_S, server.within_s)))
        broken = 0 if server.fail_each_s is None else min(arrived // 3, int(now / server.fail_each_s))
        done = max(0, _begun_before(begun, times, now - server.hold_s))
        running = min(server.capacity, arrived - broken - done)
        begun.append(done + running)
        answered.append(done)
        failed.append(broken)
        places[Place.IN_SERVICE].append(running)
        rest = arrived - broken - done - running
        for place in WAITING_PLACES:
            places[place].append(0)
        for place, room in server.rooms:
            inside = rest if room is None else min(rest, room)
            places[place][-1] = inside
            rest -= inside
    in_service = places[Place.IN_SERVICE]
    last_certain = max((answered.index(value) for value in sorted(set(answered)) if value), default=0)
    waits_at_end = any(places[place][-1] for place in Place)
    return Timeline(
        times_s=tuple(times),
        places={place: tuple(series) for place, series in places.items()},
        answered=tuple(answered),
        failed=tuple(failed),
        unsent=tuple(0 for _ in times),
        certain_until_s=times[last_certain] if waits_at_end else None,
        processes=tuple(server.processes(running) for running in in_service),
        threads=tuple(server.threads(running) for running in in_service),
        open_files=tuple(
            9 + running + sum(places[place][step] for place in (Place.IN_PROCESS, Place.UNREAD))
            for step, running in enumerate(in_service)
        ),
        rss_bytes=tuple(60_000_000 + 9_000 * running for running in in_service),
    )


def _begun_before(begun: list[int], times: list[float], moment_s: float) -> int:
    if moment_s < 0:
        return 0
    step = int(moment_s / BEAT_S + 1e-6)
    return begun[step] if step < len(begun) and times[step] <= moment_s + 1e-6 else 0


GOOD_CHECKS = (
    Check(name="generator on time", ok=True, words="the latest request was released 1.8 ms after its planned time"),
    Check(name="workers healthy", ok=True, words="the busiest worker used 0.61 of one core, its loop lag was 4 ms"),
    Check(name="both ends agree", ok=True, words="client and target count the same connections, 1,000"),
    Check(name="agent samples", ok=True, words="301 of 301 beats"),
    Check(name="clocks", ok=True, words="within 0.08 ms of the master (bound 50 ms)"),
    Check(name="process tree", ok=True, words="process 4711 was its first process throughout"),
    Check(name="Little's law", ok=True, words="40.1 expected from throughput and hold, 40 counted"),
    Check(name="packet loss", ok=None, words="the agent may not read the target's /proc/net/snmp"),
)


def document(server: Server, timeline: Timeline, **verdict: object) -> VerdictDocument:
    """The document that fits a simulation; `verdict` replaces parts of the judgement."""
    ceiling = verdict.pop("ceiling", server.capacity)
    status = verdict.pop("status", "complete")
    outcomes = verdict.pop("outcomes", None)
    validity = verdict.pop("validity", Validity(ok=True, checks=GOOD_CHECKS))
    peaks = {place: max((v for v in timeline.places[place] if v is not None), default=None) for place in Place}
    n_answered, n_failed = timeline.answered[-1], timeline.failed[-1]
    parts: dict[str, object] = {
        "sentence": f"{server.name} handles {server.capacity:,} requests at once.",
        "in_service": InService(
            peak=peaks[Place.IN_SERVICE] or 0,
            ceiling=ceiling,
            evidence=(
                f"{server.capacity:,} handlers overlapped for {server.ends_s - ARRIVAL_S:.1f} s while others waited.",
            ),
            estimates=(
                Estimate(method="handler times", value=float(server.capacity), words="intervals of all answers"),
                Estimate(method="reconstruction", value=float(server.capacity), words="each answer, less the hold"),
                Estimate(method="Little's law", value=server.capacity * 1.002, words="8.0 answers per s times 5.01 s"),
            ),
        ),
        "waiting": {place: WaitingPlace(peak=peaks[place], limit=server.limits.get(place)) for place in WAITING_PLACES},
        "lines": (),
        "model": Model(unit=Unit.THREAD, reused=True, processes=1, per_process=40, words=""),
        "failures": (),
        "advice": (),
        **verdict,
    }
    return VerdictDocument(
        format=FORMAT,
        target=server.name,
        status=str(status),
        profile=ProfileSummary(kind="burst", requests=server.requests, within_s=server.within_s, hold_s=server.hold_s),
        verdict=Judgement(**parts),  # type: ignore[arg-type]
        outcomes=outcomes  # type: ignore[arg-type]
        or {
            key: value
            for key, value in {
                "answered": n_answered,
                "waiting": server.requests - n_answered - n_failed,
                "reset": n_failed,
            }.items()
            if value
        },
        validity=validity,  # type: ignore[arg-type]
    )


def _profile(summary: ProfileSummary) -> Profile:
    kind = next(
        kind for kind in (BurstProfile, ClosedProfile, ArrivalsProfile, SearchProfile) if summary.kind in kind.KINDS
    )
    names = {field.name for field in dataclasses.fields(kind)}
    values = {name: value for name, value in dataclasses.asdict(summary).items() if name in names}
    return kind(**values, most=summary.requests) if kind is SearchProfile else kind(**values)


def manifest_for(judged: Judged, **changes: object) -> Manifest:
    """A manifest as the run that `judged` is about would have left it."""
    profile = judged.document.profile
    manifest = Manifest(
        run_id=f"2025-03-04T050607Z-{judged.document.target}",
        status=RunStatus(judged.document.status),
        started_utc="2025-03-04T05:06:07Z",
        target=judged.document.target,
        summary="FastAPI, a def handler, on uvicorn: AnyIO's thread pool runs it.",
        url="http://127.0.0.1:8000/?id={id}&hold={hold}",
        profile=_profile(profile),
        hold_known=True,
        workers=2,
        beat_s=BEAT_S,
        fired_s=100.0,
        cut_s=115.0,
        probe=HoldProbe(took_s=(5.002,), units=((7, 9),)),
        expect=ExpectSpec(ceiling=40, why="AnyIO's default limiter has 40 tokens.", knob="total_tokens"),
        limits=TargetLimits(
            pid=4711,
            open_files=1048576,
            processes=127123,
            somaxconn=4096,
            tcp_max_syn_backlog=2048,
            tcp_syncookies=1,
            tcp_abort_on_overflow=0,
            pids_max=None,
        ),
        agent_notes=(),
        versions={"floodmark": "0.1.0", "locust": "2.47.0", "python": "3.11.7", "uvicorn": "0.34.0"},
        host={"system": "Linux 6.18.5", "machine": "x86_64", "cpus": "4", "memory": "16.4 GB"},
        command=("floodmark", "run", judged.document.target, "--requests", str(profile.requests or 0)),
    )
    return dataclasses.replace(manifest, **changes)  # type: ignore[arg-type]
