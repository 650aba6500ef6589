"""What the web UI shows of an agent that is lost, of what is late, and of many runs; run as `web_parts` is."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

from parts import keep_all
from web_parts import BURST, FIRED_S, burst_of, newest, pulse, sample

from floodmark.core.outcomes import Outcome
from floodmark.core.places import Place
from floodmark.core.run_folder import RunStatus
from floodmark.load.live.load import MOST_BEFORE, LiveLoad
from floodmark.load.live.locust_meter import Ended
from floodmark.load.live.plain_load import PlainLoad
from floodmark.load.refusals import note_refusal
from floodmark.load.web.board import Board, final_figures
from floodmark.load.web.runs import RunShelf
from floodmark.load.web.tables import tables_of


def keeps_what_nobody_sees_any_more_from_being_shown_as_seen():
    load = burst_of(200, 40, 6.0)
    assert newest(load.curves(FIRED_S + 7.0))["with_server"] is None, "told apart by now"
    curves = load.curves(FIRED_S + 20.0)
    assert set(newest(curves).values()) == {None}
    assert 6.0 < curves.places.times_s[-1] < 6.5, curves.places.times_s[-1]
    assert curves.places.answered[-1] == 40
    (places, *_) = tables_of(load, [], 0.0, curves.places)
    assert [row[1] for row in places.rows] == ["\N{EN DASH}"] * 6
    load.note_pulses([pulse(FIRED_S + 20.0, released=200, connected=200, answered=120)])
    load.note_samples([sample(1_000.0 + FIRED_S + 19.9, read=80)])
    back = load.curves(FIRED_S + 20.0).places
    assert back.times_s[-2:] == (curves.places.times_s[-1], 19.9)
    assert back.places[Place.UNREAD][-2:] == (None, 0)
    plain = PlainLoad(50.0, begun_utc_s=1_000.0)
    plain.note_samples((sample(7_001.0, queue=3),), received_s=51.0)
    assert plain.curves(53.0).places.places[Place.ACCEPT_QUEUE] == (3,)
    assert plain.curves(55.0).places.places[Place.ACCEPT_QUEUE] == (3, None)


def keeps_a_request_that_was_just_answered_from_being_half_open():
    load = LiveLoad(BURST, hold_known=True)
    load.fired_s = FIRED_S
    load.note_pulses([pulse(FIRED_S + 0.25, released=60, connected=60)])
    # The server has answered eight and closed, and the worker's next pulse will say so.
    load.note_samples([sample(FIRED_S + 0.3, read=40, queue=12)])
    load.note_pulses([pulse(FIRED_S + 0.5, released=60, connected=60)])
    now = newest(load.curves(FIRED_S + 0.5))
    assert (now["half_open"], now["connecting"], now["accept_queue"]) == (0, 0, 12), now
    # Where a line overflows it is half open: no sample need have seen it full.
    load.note_samples([sample(FIRED_S + 0.5, read=40, overflows=3)])
    load.note_pulses([pulse(FIRED_S + 0.75, released=60, connected=60)])
    assert newest(load.curves(FIRED_S + 0.75))["half_open"] == 20, newest(load.curves(FIRED_S + 0.75))


def keeps_few_samples_while_a_load_is_not_released():
    load = LiveLoad(BURST, hold_known=True)
    for beat in range(1_000):
        load.note_samples([sample(FIRED_S - 100 + beat / 10)])
    assert len(load._pending) <= MOST_BEFORE


def keeps_seconds_that_no_worker_has_told_of_from_being_a_rate_of_nothing():
    load = PlainLoad(0.0, begun_utc_s=1_000.0)
    load.note_ended(Ended(seconds=dict.fromkeys(range(1000, 1006), (10, 0)), took_s={0.02: 60}))
    assert load.curves(8.5).rates.answered_per_s == (10,) * 6
    assert load.curves(12.0).rates.answered_per_s[-2:] == (0, 0), "a server that answers nothing for longer is seen"
    load.end(8.0)
    assert len(load.curves(9.0).rates.answered_per_s) == 8


def keeps_the_figures_of_a_verdict_where_there_is_one():
    outcomes = {"answered": 16, "waiting": 40, "unsent": 4, "refused": 3, "response_timeout": 2}
    failed = {outcome.value for outcome in Outcome if outcome.failed} & set(outcomes)
    figures = {figure.words: figure.value for figure in final_figures(outcomes)}
    assert figures["requests"] == "65"
    assert figures["failed"] == str(sum(outcomes[name] for name in failed)) != "0"
    assert figures["answered"] == "16"
    assert final_figures({}) == ()


def keeps_a_master_of_many_runs_from_looking_at_all_of_them_each_time():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for number in range(20):
            (root / f"run-{number:02}").mkdir()
        os.utime(root, (1_000, 1_000))
        shelf = RunShelf(root)
        assert shelf.folder("run-07") == root / "run-07"
        known = shelf._listed
        assert shelf.folder("run-08") is not None
        assert shelf._listed is known
        (root / "run-20").mkdir()  # has another stamp
        assert shelf.folder("run-20") is not None


def keeps_a_refused_second_start_beside_the_run_that_goes_on():
    environment = SimpleNamespace(host="http://127.0.0.1:8000")
    board = Board(environment, "burst", clock=lambda: 0.0)
    board.is_busy = lambda: True
    manifest = SimpleNamespace(
        profile=BURST,
        hold_known=True,
        fired_s=0.0,
        cut_s=None,
        status=RunStatus.RUNNING,
        problems=(),
        absences=(),
        target="t",
    )
    board.observe(SimpleNamespace(manifest=manifest, path="runs/one", observer=None))
    note_refusal(environment, "the run before has not ended yet")
    phase = board.page().phase
    assert (phase.name, phase.is_busy, phase.is_bad) == ("load", True, False), phase
    assert phase.words == "The load is on; not begun: the run before has not ended yet"


if __name__ == "__main__":
    keep_all(globals())
