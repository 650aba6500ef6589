"""What the web UI promises and no browser is needed for; run by `test_web_ui.py` in a process of its own.

Each `keeps_...` is a test and is called at the end: importing `floodmark.load` patches the whole process.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from parts import keep_all
from quiet_second import QUIET_SECOND

from floodmark.core.clock import ClockReading
from floodmark.core.codec import field_types
from floodmark.core.curves import MOST_INTERVALS, MOST_POINTS
from floodmark.core.hit import Hit
from floodmark.core.messages import Pulse
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, BurstProfile
from floodmark.core.run_folder import CLOCKS, LIVE, PULSES
from floodmark.core.sample import ConnectionCounts, ListenerSample, NetCounters, ProcessSample, Sample
from floodmark.load.live.load import LiveLoad
from floodmark.load.live.locust_meter import LocustMeter
from floodmark.load.live.plain_load import PlainLoad
from floodmark.load.live.times import times_of
from floodmark.load.master.roster import AgentSeat
from floodmark.load.refusals import note_refusal
from floodmark.load.web.board import Board, Page, Phase, figures_of
from floodmark.load.web.pages import page_json
from floodmark.load.web.runs import RunShelf
from floodmark.load.web.tables import NAME_CHARACTERS, tab_rows, tables_of
from floodmark.load.worker.histogram import TimesOfSecond

MOST_BYTES = 160_000
"""Of the page's data, whatever the load: a tenth of what a picture of it would take."""
FIRED_S = 100.0
BURST = BurstProfile(requests=10_000, within_s=0.0, hold_s=5.0)
NASTY = '<img src=x onerror="alert(1)">\x1b[31m' + "x" * 500


def sample(at_s, *, queue=0, unread=0, read=0, overflows=0, processes=1, name="python"):  # noqa: PLR0913 - all by name
    return Sample(
        sequence=0,
        due_s=at_s,
        taken_s=at_s,
        socket_s=at_s,
        cost_s=0.001,
        missed=0,
        listeners=(
            ListenerSample(
                address="127.0.0.1:8000", family="inet", inode=1, depth=queue, limit=128, outer=True, owners=(1,)
            ),
        ),
        connections=(
            ConnectionCounts(
                port=8000,
                accept_queue=queue,
                unread=unread,
                read=read,
                half_open=0,
                abandoned=0,
                abandoned_queue=0,
                closing=0,
                time_wait=0,
            ),
        ),
        processes=tuple(
            ProcessSample(
                pid=pid,
                parent=1,
                name=name,
                threads=41,
                threads_started=0,
                threads_ended=0,
                open_files=90,
                rss_bytes=80 << 20,
                cpu_s=1.5,
            )
            for pid in range(1, processes + 1)
        ),
        counters=NetCounters(
            listen_overflows=50 + overflows, listen_drops=0, req_q_full_do_cookies=0, req_q_full_drop=0
        ),
    )


def pulse(at_s, *, released, connected, answered=0):
    return Pulse(
        worker="worker-1",
        at_s=at_s,
        planned=released,
        released=released,
        connected=connected,
        answered=answered,
        failed=0,
        open_connections=connected - answered,
    )


def newest(curves):
    found = {place.value: values[-1] for place, values in curves.places.places.items()}
    return found | {"with_server": curves.places.with_server[-1]}


def burst_of(requests, slots, seconds, *, hold_s=5.0):
    """A server of so many slots: `slots` answers at the end of each hold."""
    load = LiveLoad(BurstProfile(requests=requests, within_s=0.0, hold_s=hold_s), hold_known=True)
    load.fired_s = FIRED_S
    load.note_clocks([ClockReading(node="agent", offset_s=1_000.0, bound_s=0.001)])
    for step in range(1, int(seconds * 4) + 1):
        at_s = step / 4
        answered = min(requests, slots * int(at_s / hold_s + 1e-9))
        left = requests - answered
        load.note_pulses([pulse(FIRED_S + at_s, released=requests, connected=requests, answered=answered)])
        load.note_samples([sample(1_000.0 + FIRED_S + at_s - 0.01, read=left)])
    load.note_pulses([pulse(FIRED_S + seconds + 0.25, released=requests, connected=requests, answered=answered)])
    return load


def keeps_the_places_apart_as_soon_as_answers_tell():
    early = newest(burst_of(200, 40, 4.0).curves(FIRED_S + 4.0))
    assert (early["with_server"], early["in_service"]) == (200, None), early
    curves = burst_of(200, 40, 12.0).curves(FIRED_S + 12.0)
    index = next(i for i, at_s in enumerate(curves.places.times_s) if at_s > 3)
    assert abs(curves.places.places[Place.IN_SERVICE][index] - 40) <= 2, curves.places.places[Place.IN_SERVICE]
    assert curves.places.places[Place.IN_PROCESS][index] >= 155
    assert curves.certain_until_s is not None
    assert newest(curves)["in_process"] + newest(curves)["in_service"] == 120


def keeps_each_request_in_one_place_also_between_two_pulses():
    load = LiveLoad(BURST, hold_known=True)
    load.fired_s = FIRED_S
    # The release is seen by the target before a worker has said a word of it.
    load.note_samples([sample(FIRED_S + 0.1, queue=129, unread=10, read=40, overflows=7)])
    assert not load.curves(FIRED_S + 0.2).places.times_s
    load.note_pulses([pulse(FIRED_S + 0.25, released=1_000, connected=600)])
    load.note_samples([sample(FIRED_S + 0.3, queue=129, unread=10, read=40, overflows=9)])
    load.note_pulses([pulse(FIRED_S + 0.5, released=1_000, connected=600)])
    curves = load.curves(FIRED_S + 0.5)
    now = newest(curves)
    assert now == {
        "with_server": 40,
        "in_service": None,
        "in_process": None,
        "unread": 10,
        "accept_queue": 129,
        "half_open": 421,
        "connecting": 400,
    }, now
    assert curves.places.places[Place.ACCEPT_QUEUE][0] == 129
    assert curves.places.overflows == (0, 2)
    assert curves.queue_limit == 128


def keeps_the_page_bounded_for_ten_thousand_requests():
    load = burst_of(10_000, 40, 20.0)
    columns = list(field_types(Hit))
    for request in range(10_000):
        row = dict.fromkeys(columns)
        row |= {"id": request, "worker": "worker-1", "planned_s": FIRED_S, "outcome": "answered"}
        row |= {"ended_s": FIRED_S + request / 500}
        load.note_hit_rows([[row[name] for name in columns]])
    size = size_of(load, FIRED_S + 20)
    assert size < MOST_BYTES, size
    print(f"10,000 requests: {size:,} bytes")  # noqa: T201 - the figure is worth reading


def keeps_the_page_bounded_for_an_hour():
    load = LiveLoad(
        ArrivalsProfile(rate=100, duration_s=3_600, timeout_s=10, connections=100, hold_s=0.1), hold_known=True
    )
    load.fired_s = 0.0
    latency = TimesOfSecond()
    latency.add({100_000 + 997 * number: 1 for number in range(100)})
    text = latency.encoded()
    for second in range(3_600):
        for part in range(4):
            at_s = second + part / 4
            load.note_pulses([pulse(at_s, released=int(100 * at_s) + 10, connected=100, answered=int(100 * at_s))])
            load.note_samples([sample(at_s, read=10, queue=100 if second == 1_234 and part == 1 else 0)])
        if not second % 20:
            load.note_seconds([second_of(second, text)])
    curves = load.curves(3_600.0)
    assert len(curves.places.times_s) <= MOST_POINTS
    assert len(curves.rates.times_s) <= MOST_INTERVALS
    assert max(curves.places.places[Place.ACCEPT_QUEUE]) == 10  # cut to what was under way
    assert curves.rates.answered_per_s[5] == 100
    size = size_of(load, 3_600.0)
    assert size < MOST_BYTES, size
    print(f"an hour: {size:,} bytes")  # noqa: T201 - the figure is worth reading


def second_of(number, latency):
    sent = dict.fromkeys(("planned", "released", "answered", "open_connections"), 100)
    return replace(QUIET_SECOND, second=number, in_flight=10, latency=latency, **sent)


def size_of(load, now_s):
    """With as many processes and agents as there may be, each named as badly as can be."""
    load.note_samples([sample(now_s + 1_000.0, processes=3_000, name=NASTY)])
    seats = [seat(f"{number}{NASTY}") for number in range(100)]
    curves = load.curves(now_s)
    tables = tables_of(load, seats, now_s, curves.places)
    phase = Phase(name="load", words="The load is on", is_busy=True)
    return len(page_json(Page(phase=phase, figures=figures_of(load), curves=curves, tables=tuple(tables))))


def seat(name, **changes):
    return AgentSeat(
        **{"client_id": name, "name": name, "host": "host", "process": "p", "pid": 7, "seen_s": 0.0} | changes
    )


def keeps_names_of_others_short_and_printable():
    load = burst_of(10, 1, 1.0)
    load.note_samples([sample(FIRED_S + 1_001.5, processes=1, name=NASTY)])
    tables = tables_of(load, [seat(NASTY)], 0.0)
    shown = [cell for table in tables for row in table.rows for cell in row if "img" in cell]
    assert len(shown) == 2, shown
    assert all(cell.isprintable() and len(cell) <= NAME_CHARACTERS + 3 for cell in shown)


def keeps_agents_states_apart():
    seats = [seat("a"), seat("b", lost=True), seat("c", lost=True, left=True), seat("d", returned=True, watch=3)]
    seats.append(seat("e", rested_at_s=11.0))
    (table,) = tables_of(None, seats, 10.0)
    assert [row[3] for row in table.rows] == ["ready", "lost", "left", "back, watching", "rests"]
    assert [row["name"] for row in tab_rows([table])] == ["0000", "0001", "0002", "0003", "0004"]


def keeps_a_broken_histogram_from_breaking_more():
    assert times_of("not one") == {}
    latency = TimesOfSecond()
    latency.add({1_000: 3, 5_000_000: 1})
    assert sum(times_of(latency.encoded()).values()) == 4


def keeps_what_locust_counts_by_second_and_starts_again_when_it_is_reset():
    total = SimpleNamespace(num_reqs_per_sec={990: 5, 999: 10}, num_fail_per_sec={999: 4}, response_times={20: 14})
    meter = LocustMeter(SimpleNamespace(stats=SimpleNamespace(total=total)), clock=lambda: 1_000.0)
    meter.begin()
    first = meter.since_last()
    assert (first.seconds, first.took_s) == ({990: (5, 0), 999: (6, 4)}, {0.02: 14})
    assert meter.since_last().seconds == {}
    total.num_reqs_per_sec, total.num_fail_per_sec, total.response_times = {999: 1}, {}, {20: 1}
    again = meter.since_last()
    assert (again.seconds, again.took_s) == ({999: (1, 0)}, {0.02: 1})


def keeps_a_plain_test_on_one_axis_without_asking_for_clocks():
    load = PlainLoad(50.0, begun_utc_s=1_000.0)
    load.note_samples((sample(7_001.0, queue=3, unread=2, read=4),), received_s=51.2)
    load.note_samples((sample(7_002.0, queue=1, read=4, overflows=2),), received_s=52.05)
    load.note_samples((sample(7_003.0, read=5, overflows=2),), received_s=53.9)  # was held up on its way
    curves = load.curves(54.0)
    assert [round(at_s, 2) for at_s in curves.places.times_s] == [1.2, 2.05, 3.05]
    assert curves.places.places[Place.ACCEPT_QUEUE] == (3, 1, 0)
    assert curves.places.with_server == (4, 4, 5)
    assert curves.places.overflows == (0, 2, 2)


def keeps_files_of_runs_to_those_that_are_there():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "runs"
        (root / "one" / "steps" / "01-4").mkdir(parents=True)
        (Path(name) / "secret.json").write_text("{}")
        for file in ("report.html", ".hidden.json", "program.py", "steps/01-4/report.html"):
            (root / "one" / file).write_text("x")
        shelf = RunShelf(root)
        assert shelf.file("one", "report.html") == root / "one" / "report.html"
        assert shelf.file("one", "steps/01-4/report.html") == root / "one" / "steps/01-4/report.html"
        for run, file in (
            ("one", ".hidden.json"),
            ("one", "program.py"),
            ("one", "../../secret.json"),
            ("..", "secret.json"),
            (".", "one"),
            ("one", "steps/../report.html"),
            ("one", "steps/01-4/../../report.html"),
            ("one/steps/..", "report.html"),
            ("", "report.html"),
            ("one", ""),
        ):
            assert shelf.file(run, file) is None, (run, file)
        assert shelf.entries() == []  # a folder without a manifest is no run


def keeps_a_run_that_breaks_the_view_from_being_hurt():
    environment = SimpleNamespace(host="http://127.0.0.1:8000")
    board = Board(environment, "burst", clock=lambda: 0.0)
    manifest = SimpleNamespace(
        profile=BURST, hold_known=True, fired_s=0.0, cut_s=None, status="running", problems=(), absences=(), target="t"
    )
    log = SimpleNamespace(manifest=manifest, path="runs/one", observer=None)
    board.observe(log)
    for kind in (PULSES, LIVE, CLOCKS):
        log.observer.took(kind, [object()])
    log.observer.took_hits([["too", "short"]])
    note_refusal(environment, NASTY)
    page = board.page()
    assert page.phase.is_bad
    assert page.phase.words.isprintable()
    assert json.loads(page_json(page))["phase"]["name"] == "refused"


if __name__ == "__main__":
    keep_all(globals())
