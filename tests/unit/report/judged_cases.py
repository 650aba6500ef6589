"""Judged runs for the report's tests, modelled on real servers: each a small simulation, not a recording."""

import dataclasses
from collections.abc import Callable

from burst_cases import BURST_CASES
from judged_builder import GOOD_CHECKS, Server, document, simulate
from steady_cases import STEADY_CASES

from floodmark.analysis.document import (
    Check,
    Failure,
    Judged,
    Line,
    Model,
    Timeline,
    Unit,
    Validity,
    WaitingPlace,
)
from floodmark.analysis.memory_records import Memory, RequestMemory
from floodmark.core.places import Place


def fastapi_sync() -> Judged:
    server = Server(
        name="fastapi-uvicorn-sync",
        capacity=40,
        rooms=((Place.IN_PROCESS, None),),
        threads=lambda running: 1 + max(running, 40),
    )
    timeline = simulate(server)
    series = dict(timeline.places)
    queue = [int(v * max(0.0, 1 - t / 0.4)) for v, t in zip(series[Place.IN_PROCESS], timeline.times_s, strict=True)]
    series[Place.IN_PROCESS] = tuple(v - q for v, q in zip(series[Place.IN_PROCESS], queue, strict=True))
    series[Place.ACCEPT_QUEUE] = tuple(queue)
    timeline = dataclasses.replace(timeline, places=series)
    server = dataclasses.replace(server, limits={Place.ACCEPT_QUEUE: 2048})
    return Judged(
        document=document(
            server,
            timeline,
            sentence="fastapi-uvicorn-sync handles 40 requests at once, in 40 reused threads of one process. Of 1,000"
            " sent together the other 960 waited inside the process; none was refused, none failed.",
            lines=(
                Line(
                    address="127.0.0.1:8000",
                    outer=True,
                    depth_peak=max(queue),
                    limit=2048,
                    depths=(max(queue),),
                    owners=("uvicorn (4711)",),
                ),
            ),
            model=Model(
                unit=Unit.THREAD,
                reused=True,
                processes=1,
                per_process=40,
                words="A thread runs one request; 40 threads of one process were used again and again.",
            ),
            advice=(
                "AnyIO's thread limiter sets the 40: anyio.to_thread.current_default_thread_limiter().total_tokens.",
                "960 requests waited in the process, where no load balancer sees them: uvicorn --limit-concurrency.",
            ),
        ),
        timeline=timeline,
    )


def fastapi_sync_with_memory() -> Judged:
    judged = fastapi_sync()
    memory = Memory(
        before_bytes=57_290_000,
        peak_bytes=79_880_000,
        running=RequestMemory(each_bytes=None, within_bytes=None, words="with 40 at once too little to be seen"),
        waiting=RequestMemory(each_bytes=23_100, within_bytes=2_000, words="from 960 at once"),
        shared=False,
    )
    return dataclasses.replace(judged, document=dataclasses.replace(judged.document, memory=memory))


def gunicorn_sync_4() -> Judged:
    server = Server(
        name="flask-gunicorn-sync-4",
        ends_s=15.3,
        capacity=4,
        rooms=((Place.ACCEPT_QUEUE, 2049),),
        limits={Place.ACCEPT_QUEUE: 2048},
        threads=lambda _running: 5,
        processes=lambda _running: 5,
    )
    timeline = simulate(server)
    return Judged(
        document=document(
            server,
            timeline,
            sentence="flask-gunicorn-sync-4 handles 4 requests at once, one in each of 4 processes. Of 1,000 sent"
            " together the other 996 waited in the accept queue, which holds 2,049; 988 were still waiting at the end.",
            lines=(
                Line(
                    address="127.0.0.1:8000",
                    outer=True,
                    depth_peak=996,
                    limit=2048,
                    depths=(996,),
                    owners=("gunicorn (4711)", "gunicorn (4713)", "gunicorn (4714)", "gunicorn (4715)"),
                ),
            ),
            model=Model(
                unit=Unit.PROCESS,
                reused=True,
                processes=4,
                per_process=1,
                words="A process runs one request at a time.",
            ),
            advice=("More processes (gunicorn -w) or threads (--threads) raise the 4.",),
        ),
        timeline=timeline,
    )


def dev_processes_10() -> Judged:
    server = Server(
        name="flask-dev-processes-10",
        capacity=10,
        rooms=((Place.ACCEPT_QUEUE, 129), (Place.HALF_OPEN, 143), (Place.CONNECTING, None)),
        limits={Place.ACCEPT_QUEUE: 128},
        threads=lambda running: 1 + running,
        processes=lambda running: 1 + running,
    )
    timeline = simulate(server)
    return Judged(
        document=document(
            server,
            timeline,
            sentence="flask-dev-processes-10 handles 10 requests at once, each in a new process. Of 1,000 sent together"
            " 129 more fit into the accept queue (limit 128); the other 861 were half open or not connected.",
            lines=(
                Line(
                    address="127.0.0.1:8000",
                    outer=True,
                    depth_peak=129,
                    limit=128,
                    depths=(129,),
                    owners=("python (4711)",),
                ),
            ),
            model=Model(
                unit=Unit.PROCESS,
                reused=False,
                processes=30,
                per_process=1,
                words="A new process runs each request; at most 10 live at a time.",
            ),
            advice=(
                "The accept queue was full: the server calls listen with 128. A server made for load asks for more.",
            ),
        ),
        timeline=timeline,
    )


def dev_threaded() -> Judged:
    server = Server(
        name="flask-dev-threaded",
        capacity=1000,
        hold_s=3.0,
        ends_s=5.0,
        rooms=(),
        limits={Place.ACCEPT_QUEUE: 128},
    )
    timeline = simulate(server)
    late = tuple(
        (max(0, running - 710) if t < 1.2 else 0)
        for t, running in zip(timeline.times_s, timeline.places[Place.IN_SERVICE], strict=True)
    )
    series = dict(timeline.places)
    series[Place.IN_SERVICE] = tuple(a - b for a, b in zip(series[Place.IN_SERVICE], late, strict=True))
    series[Place.CONNECTING] = late
    timeline = dataclasses.replace(timeline, places=series, certain_until_s=None)
    return Judged(
        document=document(
            server,
            timeline,
            ceiling=None,
            outcomes={"answered": 1000},
            sentence="flask-dev-threaded handled at least 1,000 requests at once, each in a new thread; no ceiling was"
            " seen. Its accept queue of 128 let 290 in a second late.",
            model=Model(
                unit=Unit.THREAD, reused=False, processes=1, per_process=None, words="A new thread per request."
            ),
        ),
        timeline=timeline,
    )


def uwsgi_threads_10() -> Judged:
    server = Server(
        name="flask-uwsgi-threads-10",
        capacity=10,
        rooms=((Place.ACCEPT_QUEUE, 101), (Place.IN_PROCESS, None)),
        limits={Place.ACCEPT_QUEUE: 100},
        threads=lambda _running: 13,
        processes=lambda _running: 2,
    )
    timeline = simulate(server)
    return Judged(
        document=document(
            server,
            timeline,
            sentence="flask-uwsgi-threads-10 handles 10 requests at once, in 10 reused threads of one process. Of 1,000"
            " sent together the other 990 were taken by its HTTP router and waited behind it.",
            lines=(
                Line(
                    address="0.0.0.0:8080",
                    outer=True,
                    depth_peak=87,
                    limit=100,
                    depths=(87,),
                    owners=("uwsgi http router (4712)",),
                ),
                Line(
                    address="127.0.0.1:41233",
                    outer=False,
                    depth_peak=101,
                    limit=100,
                    depths=(60, 41),
                    owners=("uwsgi (4711)",),
                ),
            ),
            model=Model(
                unit=Unit.THREAD,
                reused=True,
                processes=1,
                per_process=10,
                words="Ten threads take turns in one process.",
            ),
        ),
        timeline=timeline,
    )


def with_failures() -> Judged:
    server = Server(
        name="flask-dev-async-blocking-nproc",
        capacity=300,
        hold_s=4.0,
        ends_s=12.0,
        rooms=((Place.UNREAD, 250), (Place.ACCEPT_QUEUE, 129), (Place.CONNECTING, None)),
        limits={Place.ACCEPT_QUEUE: 128},
        fail_each_s=0.04,
    )
    timeline = simulate(server)
    n_failed = timeline.failed[-1]
    return Judged(
        document=document(
            server,
            timeline,
            sentence="flask-dev-async-blocking-nproc handles 300 requests at once, then fails: 300 of 1,000 failed.",
            failures=(
                Failure(
                    kind="server_error",
                    side="target",
                    count=n_failed - 40,
                    example="HTTP 500: RuntimeError: can't start new thread",
                ),
                Failure(kind="reset", side="target", count=39, example="[Errno 104] \x1b[31mConnection reset by peer"),
                Failure(kind="out_of_ports", side="generator", count=1, example="[Errno 99] Cannot assign address"),
            ),
            outcomes={
                "answered": timeline.answered[-1],
                "waiting": 1000 - timeline.answered[-1] - n_failed,
                "server_error": n_failed - 40,
                "reset": 39,
                "out_of_ports": 1,
            },
        ),
        timeline=timeline,
    )


def invalid() -> Judged:
    base = fastapi_sync()
    bad = (
        Check(
            name="generator on time",
            ok=False,
            words="the latest request was released 812 ms after its time, the bound is 50 ms: give more workers",
        ),
        *GOOD_CHECKS[1:],
    )
    return dataclasses.replace(
        base, document=dataclasses.replace(base.document, validity=Validity(ok=False, checks=bad))
    )


def interrupted() -> Judged:
    base = gunicorn_sync_4()
    steps = 61
    line = base.timeline
    cut = Timeline(
        times_s=line.times_s[:steps],
        places={place: series[:steps] for place, series in line.places.items()},
        answered=line.answered[:steps],
        failed=line.failed[:steps],
        unsent=line.unsent[:steps],
        certain_until_s=0.0,
        processes=line.processes[:steps],
        threads=line.threads[:steps],
        open_files=line.open_files[:steps],
        rss_bytes=line.rss_bytes[:steps],
    )
    changed = dataclasses.replace(base.document, status="interrupted", outcomes={"waiting": 1000})
    return Judged(document=changed, timeline=cut)


def agent_gaps() -> Judged:
    base = fastapi_sync()
    line = base.timeline

    def holed(series: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(None if 4 < t < 5.6 or 8 < t < 8.2 else v for t, v in zip(line.times_s, series, strict=True))

    seen_by_agent = (Place.ACCEPT_QUEUE, Place.UNREAD, Place.IN_PROCESS, Place.HALF_OPEN)
    timeline = dataclasses.replace(
        line,
        places={place: holed(series) if place in seen_by_agent else series for place, series in line.places.items()},
        processes=holed(line.processes),
        threads=holed(line.threads),
        open_files=holed(line.open_files),
        rss_bytes=holed(line.rss_bytes),
    )
    return dataclasses.replace(base, timeline=timeline)


def no_agent() -> Judged:
    base = fastapi_sync()
    line = base.timeline
    none = tuple(None for _ in line.times_s)
    seen_by_agent = (Place.ACCEPT_QUEUE, Place.UNREAD, Place.IN_PROCESS, Place.HALF_OPEN)
    timeline = dataclasses.replace(
        line,
        places={place: none if place in seen_by_agent else series for place, series in line.places.items()},
        processes=none,
        threads=none,
        open_files=none,
        rss_bytes=none,
    )
    waiting = {
        place: WaitingPlace(peak=None, limit=None) if place in seen_by_agent else value
        for place, value in base.document.verdict.waiting.items()
    }
    verdict = dataclasses.replace(base.document.verdict, waiting=waiting, lines=())
    return Judged(document=dataclasses.replace(base.document, verdict=verdict), timeline=timeline)


def ten_thousand() -> Judged:
    server = Server(
        name="fastapi-uvicorn-async",
        requests=10_000,
        within_s=10.0,
        ends_s=15.2,
        capacity=10_000,
        threads=lambda _running: 1,
    )
    timeline = simulate(server)
    return Judged(
        document=document(
            server,
            timeline,
            ceiling=None,
            sentence="fastapi-uvicorn-async handled at least 5,000 requests at once, on one event loop; no ceiling was"
            " seen. All 10,000 were answered.",
            model=Model(unit=Unit.EVENT_LOOP, reused=True, processes=1, per_process=None, words="One event loop."),
        ),
        timeline=timeline,
    )


def three() -> Judged:
    server = Server(
        name="http.server", requests=3, hold_s=1.0, ends_s=3.4, capacity=1, rooms=((Place.ACCEPT_QUEUE, 6),)
    )
    timeline = simulate(server)
    return Judged(document=document(server, timeline), timeline=timeline)


CASES: dict[str, Callable[[], Judged]] = {
    "fastapi-uvicorn-sync": fastapi_sync_with_memory,
    "flask-gunicorn-sync-4": gunicorn_sync_4,
    "flask-dev-processes-10": dev_processes_10,
    "flask-dev-threaded": dev_threaded,
    "flask-uwsgi-threads-10": uwsgi_threads_10,
    "failures": with_failures,
    "invalid": invalid,
    "interrupted": interrupted,
    "agent-gaps": agent_gaps,
    "no-agent": no_agent,
    "ten-thousand": ten_thousand,
    "three": three,
    **STEADY_CASES,
    **BURST_CASES,
}
