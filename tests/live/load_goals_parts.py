"""What a load is to meet, while it is on: what can be told, and when. Run by `test_run_thresholds.py`.

Each `keeps_...` is a test and is called at the end: importing `floodmark.load` patches the whole process.
"""

import contextlib
import io
import logging
import os
import random
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest
from configargparse import ArgParser
from parts import keep_all
from quiet_second import QUIET_SECOND

from floodmark.core.codec import to_row
from floodmark.core.errors import ClusterError, UsageError, WireError
from floodmark.core.hit import Hit
from floodmark.core.messages import Samples
from floodmark.core.outcomes import Outcome
from floodmark.core.outputs import Outputs
from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile
from floodmark.core.run_folder import RunStatus
from floodmark.core.sample import ListenerSample, NetCounters, Sample
from floodmark.core.threshold_grammar import parse_all
from floodmark.load.install import _MasterSide
from floodmark.load.live.standing import Standing
from floodmark.load.live.times import RawTimes, bounds_of
from floodmark.load.master.conductor import Conductor
from floodmark.load.master.judging import judge_by_command, tell_no_verdict
from floodmark.load.options import add_load_options, read_load_options, wants_verdict
from floodmark.load.outputs import read_outputs
from floodmark.load.worker.histogram import TimesOfSecond, count_micros

HOST = "http://127.0.0.1:8000"
BURST = BurstProfile(requests=100, within_s=0.0, hold_s=1.0)
CLOSED = ClosedProfile(connections=10, duration_s=3.0, hold_s=0.1, timeout_s=2.0)
ARRIVALS = ArrivalsProfile(rate=100.0, duration_s=3.0, hold_s=0.1, timeout_s=1.0, connections=100)


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def standing_of(profile, *texts, workers=("worker-1",), delay_s=0.0):
    clock = Clock()
    standing = Standing(parse_all(texts), profile, workers, delay_s=delay_s, clock=clock)
    standing.begin(clock.now_s)
    return standing, clock


def missed(standing, clock):
    clock.now_s += 1
    return [threshold.text for threshold in standing.missed()]


def answered(number, took_s, first=1):
    return [
        to_row(
            Hit(
                id=first + index,
                worker="worker-1",
                planned_s=5.0,
                released_s=5.0,
                connected_s=5.001,
                first_byte_s=5.0 + took_s / 2,
                ended_s=5.0 + took_s,
                outcome=Outcome.ANSWERED,
            )
        )
        for index in range(number)
    ]


def ended(number, outcome):
    return [
        to_row(Hit(id=index, worker="worker-1", planned_s=5.0, ended_s=6.0, outcome=outcome)) for index in range(number)
    ]


def second(number, took_s=(), failed=None, worker="worker-1"):
    times = TimesOfSecond()
    times.add(count_micros(list(took_s)))
    return replace(
        QUIET_SECOND,
        worker=worker,
        second=number,
        answered=len(took_s),
        failed=failed or {},
        latency=times.encoded(),
    )


def sample(depth=0, inner=0, overflows=0):
    listeners = tuple(
        ListenerSample(address=address, family="inet", inode=1, depth=deep, limit=9, outer=outer, owners=())
        for address, deep, outer in (("127.0.0.1:8000", depth, True), ("/run/app", inner, False))
    )
    counters = NetCounters(listen_overflows=overflows, listen_drops=0, req_q_full_do_cookies=0, req_q_full_drop=0)
    one = Sample(
        sequence=0,
        due_s=0,
        taken_s=0,
        socket_s=0,
        cost_s=0,
        missed=0,
        listeners=listeners,
        connections=(),
        processes=None,
        counters=counters,
    )
    return Samples(number=1, samples=(one,), taken=1, dropped=0, full=0)


def keeps_a_percentile_open_until_the_rest_could_not_make_up_for_what_was_slow():
    standing, clock = standing_of(BURST, "http_req_duration: p(95)<500")
    standing.note_hits(answered(5, 0.8))
    assert missed(standing, clock) == []  # 95 others may be quick: then 5 of 100 are slow
    standing.note_hits(answered(1, 0.8))
    assert missed(standing, clock) == ["http_req_duration: p(95)<500"]


def keeps_failed_requests_out_of_those_that_could_still_be_quick():
    standing, clock = standing_of(BURST, "http_req_duration: p(95)<500")
    standing.note_hits([*answered(5, 0.8), *ended(10, Outcome.RESET)])
    assert missed(standing, clock) == ["http_req_duration: p(95)<500"]  # 5 of at most 90


def keeps_bounds_that_no_rest_of_a_burst_goes_beyond():
    rng = random.Random(7)  # noqa: S311 - any will do
    for _ in range(300):
        most = rng.randint(1, 40)
        all_s = [rng.random() for _ in range(rng.randint(1, most))]
        times = RawTimes()
        for time_s in all_s[: rng.randint(1, len(all_s))]:
            times.add(time_s)
        whole = RawTimes()
        for time_s in all_s:
            whole.add(time_s)
        for statistic in ("avg", "min", "med", "p95", "p99_9", "max", "count"):
            low, high = bounds_of(times, statistic, most)
            value, _ = bounds_of(whole, statistic, None)
            value = bounds_of(whole, statistic, None)[1] if value is None else value
            assert low is None or low <= value + 1e-12, (statistic, low, value)
            assert high is None or high >= value - 1e-12, (statistic, high, value)


def keeps_a_mean_as_it_stands_where_nobody_knows_how_many_there_will_be():
    standing, clock = standing_of(CLOSED, "http_req_duration: avg<100 && p(99)<300")
    standing.note_seconds([second(0, [0.05] * 10)])
    assert missed(standing, clock) == []
    standing.note_seconds([second(1, [0.25] * 10)])
    assert missed(standing, clock) == ["http_req_duration: avg<100"]
    standing.note_seconds([second(2, [0.5] * 10)])
    assert missed(standing, clock) == ["http_req_duration: avg<100", "http_req_duration: p(99)<300"]


def keeps_a_rate_of_failures_open_while_the_planned_rest_could_be_answered():
    standing, clock = standing_of(ARRIVALS, "http_req_failed: rate<1%")
    standing.note_seconds([second(0, [0.1], failed={"reset": 2})])
    assert missed(standing, clock) == []  # 2 of 300
    standing.note_seconds([second(1, [0.1], failed={"reset": 1})])
    assert missed(standing, clock) == ["http_req_failed: rate<1%"]
    standing, clock = standing_of(CLOSED, "http_req_failed: rate<1%")
    standing.note_seconds([second(0, [0.1] * 9, failed={"reset": 1})])
    assert missed(standing, clock) == ["http_req_failed: rate<1%"]


def keeps_counts_by_kind_and_by_side():
    texts = (
        "http_req_failed: count<3",
        "http_req_failed.generator == 0",
        "requests.reset <= 1",
        "requests.answered >= 99",
        "http_reqs: count>100",
        "requests.waiting == 0",
    )
    standing, clock = standing_of(BURST, *texts)
    standing.note_hits([])
    assert missed(standing, clock) == ["http_reqs: count>100"]  # there are no more than 100
    assert missed(standing, clock) == []  # nothing new
    standing.note_hits(ended(5, Outcome.WAITING))
    assert missed(standing, clock) == ["http_reqs: count>100"]
    standing.note_hits(ended(2, Outcome.RESET))
    assert missed(standing, clock) == ["requests.reset <= 1", "requests.answered >= 99", "http_reqs: count>100"]
    standing.note_hits(ended(1, Outcome.OUT_OF_PORTS))
    assert missed(standing, clock) == list(texts[:5])


def keeps_whole_seconds_that_all_workers_have_told():
    texts = ("http_reqs: rate>10", "throughput.least >= 5", "throughput.most < 30")
    standing, clock = standing_of(CLOSED, *texts, workers=("worker-1", "worker-2"))
    standing.note_seconds([second(0, [0.1] * 4)])
    assert missed(standing, clock) == []
    standing.note_seconds([second(0, [0.1] * 16, worker="worker-2")])
    assert missed(standing, clock) == []
    standing.note_seconds([second(1, [0.1] * 4), second(1, [], worker="worker-2")])
    assert missed(standing, clock) == ["throughput.least >= 5"]
    standing.note_seconds([second(2, [0.1] * 2), second(2, [], worker="worker-2")])
    assert missed(standing, clock) == ["http_reqs: rate>10", "throughput.least >= 5"]
    # The fourth second is behind the load's end.
    standing.note_seconds([second(3, [0.1] * 90), second(3, [0.1] * 90, worker="worker-2")])
    assert missed(standing, clock) == ["http_reqs: rate>10", "throughput.least >= 5"]


def keeps_the_lines_of_the_target():
    texts = ("target.accept_queue.max < 5", "target.inner_accept_queue.max < 5", "target.listen_overflows == 0")
    standing, clock = standing_of(BURST, *texts)
    standing.note_samples(sample(depth=4, inner=4, overflows=70))
    assert missed(standing, clock) == []
    standing.note_samples(sample(depth=5, inner=4, overflows=70))
    standing.note_samples(sample(overflows=70))
    assert missed(standing, clock) == [texts[0]]
    standing.note_samples(sample(inner=9, overflows=71))
    assert missed(standing, clock) == list(texts)


def keeps_silent_before_the_release_during_the_delay_and_between_two_looks():
    standing, clock = standing_of(BURST, "http_req_failed: count<1", delay_s=10.0)
    standing.note_hits(ended(1, Outcome.RESET))
    clock.now_s += 9.9
    assert standing.missed() == []
    clock.now_s += 0.1
    assert len(standing.missed()) == 1
    assert standing.missed() == []
    unfired = Standing(parse_all(["http_req_failed: count<1"]), BURST, ["worker-1"], clock=clock)
    unfired.note_hits(ended(1, Outcome.RESET))
    assert unfired.missed() == []


def keeps_a_broken_message_the_senders():
    standing, _ = standing_of(CLOSED, "http_req_duration: avg<100")
    for broken in (replace(second(0), latency="!"), replace(second(0), failed={"luck": 1})):
        with pytest.raises(WireError, match=r"^seconds: "):
            standing.note_seconds([broken])


def options(*words, kind="burst"):
    parser = ArgParser()
    add_load_options(kind, parser)
    return read_load_options(kind, parser.parse_args(words), HOST)


def keeps_thresholds_said_once_or_again_in_their_order():
    words = ("--threshold", "http_req_duration: p(95)<200 && p(99)<1s", "--threshold=http_reqs: count==1")
    assert options(*words).goals.thresholds == (
        "http_req_duration: p(95)<200",
        "http_req_duration: p(99)<1s",
        "http_reqs: count==1",
    )
    assert options().goals.thresholds == ()
    goals = options(*words, "--abort-on-fail", "yes", "--abort-delay", "2.5").goals
    assert (goals.abort_on_fail, goals.abort_delay_s) == (True, 2.5)


def keeps_thresholds_from_the_environment():
    parser = ArgParser()
    add_load_options("burst", parser)
    environment = {"FLOODMARK_THRESHOLD": "http_reqs: count==1 && count<2", "FLOODMARK_ABORT_ON_FAIL": "yes"}
    goals = read_load_options("burst", parser.parse_args([], env_vars=environment), HOST).goals
    assert goals.thresholds == ("http_reqs: count==1", "http_reqs: count<2")
    assert goals.abort_on_fail


def keeps_an_empty_variable_one_that_is_not_set():
    os.environ["FLOODMARK_THRESHOLD"] = ""
    try:
        assert options().goals.thresholds == ()
    finally:
        del os.environ["FLOODMARK_THRESHOLD"]


def keeps_what_is_no_threshold_refused_on_the_command_line():
    for text, said in (
        ("http_req_duratoin: p(95)<1", "no metric 'http_req_duratoin'; near it are http_req_duration"),
        ("", "it ends here; there may be a metric's name"),
    ):
        with pytest.raises(SystemExit) as caught, contextlib.redirect_stderr(io.StringIO()) as printed:
            options("--threshold", text)
        assert caught.value.code == 2
        assert f"error: argument --threshold: threshold {text!r}, column 1: {said}" in printed.getvalue()


def keeps_an_address_that_is_none_refused():
    parser = ArgParser()
    add_load_options("burst", parser)
    with pytest.raises(UsageError, match=r"^--otlp '127\.0\.0\.1'"):
        read_outputs(parser.parse_args(["--otlp", "127.0.0.1"]))


def keeps_a_judging_that_a_signal_ended_from_being_a_result():
    """`sys.executable` is what the judging is run by."""
    told = Path("killed.py")
    told.write_text("#!/bin/sh\nkill -9 $$\n")
    told.chmod(0o755)
    before, sys.executable = sys.executable, str(told.resolve())
    try:
        with pytest.raises(ClusterError, match=r"^SIGKILL ended the judging: `floodmark report runs/1` judges"):
            judge_by_command("runs/1", Outputs())
    finally:
        sys.executable = before


def keeps_cis_summary_its_callers_where_a_master_only_records():
    summary = Path("summary")
    os.environ["GITHUB_STEP_SUMMARY"] = str(summary)
    try:
        for judge, is_told in (("no", False), ("yes", True), ("perhaps", True)):
            is_wanted = wants_verdict(SimpleNamespace(judge=judge))
            tell_no_verdict("shop", "no worker came", Outputs(), is_wanted=is_wanted)
            assert summary.exists() == is_told
    finally:
        del os.environ["GITHUB_STEP_SUMMARY"]
    assert summary.read_text().count("## shop: no verdict\n\nno worker came\n") == 2


def keeps_a_quit_before_the_verdict_from_being_a_pass():
    side = _MasterSide.__new__(_MasterSide)
    side._environment, side._run, side._board = SimpleNamespace(process_exit_code=0), None, None
    side._conduct = lambda: None
    side._start()
    assert side._environment.process_exit_code == 130


def keeps_a_start_from_being_refused_that_comes_between_the_last_workers_word_and_locusts_next_look():
    for is_over, users, is_refused in ((True, 0, False), (True, 1, True), (False, 0, True)):
        side, refused = _MasterSide.__new__(_MasterSide), []
        side._environment = SimpleNamespace(runner=SimpleNamespace(user_count=users), process_exit_code=0)
        side._run = before = gevent.spawn(gevent.sleep, 0.5)
        begun = []
        side._is_over, side._conduct, side._refuse = is_over, lambda: gevent.sleep(9), refused.append
        side._board = SimpleNamespace(begin=lambda begun=begun: begun.append(1))
        side._start()
        assert (bool(refused), side._run is before, bool(begun)) == (is_refused, is_refused, not is_refused)
        before.kill()
        side._run.kill()


def keeps_one_of_two_starts_that_wait_for_the_same_end():
    side, refused = _MasterSide.__new__(_MasterSide), []
    side._environment = SimpleNamespace(runner=SimpleNamespace(user_count=0), process_exit_code=0)
    side._run, side._is_over, side._board = gevent.spawn(gevent.sleep, 0.2), True, None
    side._conduct, side._refuse = lambda: gevent.sleep(9), refused.append
    gevent.joinall([gevent.spawn(side._start) for _ in range(2)])
    assert len(refused) == 1
    side._run.kill()


def conductor_whose(recorded, judge):
    """One that has a worker, and of which a load is what `recorded` makes of its log."""
    conductor = Conductor.__new__(Conductor)
    conductor._patience = SimpleNamespace(reset=lambda: None)
    conductor._gather_workers, conductor._gather_agents = lambda: ["worker-1"], lambda _: None
    conductor._recorded, conductor._judge = lambda log, _: recorded(log), judge
    return conductor


def keeps_a_search_that_lost_its_workers_in_its_first_burst_from_being_a_pass():
    conductor = conductor_whose(lambda _: RunStatus.COMPLETE, judge=lambda _: 3)
    assert conductor.conduct(options("--run-folder", "search", kind="search")) == 3


def keeps_a_load_that_a_threshold_ended_at_99_also_without_a_verdict():
    def ended(log):
        log.update(missed_live=("http_reqs: count<9",))
        return RunStatus.INTERRUPTED

    goal = ("--threshold", "http_reqs: count<9", "--abort-on-fail", "yes", "--judge", "no")
    conductor = conductor_whose(ended, judge=None)
    with told() as lines:
        assert conductor.conduct(options(*goal, "--run-folder", "ended")) == 99
    assert lines == ["The thresholds are not judged (--judge no): `floodmark report ended` does it"]


@contextlib.contextmanager
def told():
    """What the conductor warns of."""
    lines, log, handler = [], logging.getLogger(Conductor.__module__), logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    log.addHandler(handler)
    try:
        yield lines
    finally:
        log.removeHandler(handler)


def keeps_what_would_do_nothing_refused():
    for words, said in (
        (("--abort-on-fail", "yes"), "--abort-on-fail: nothing can fail without a --threshold"),
        (("--abort-delay", "3"), "--abort-delay 3: without --abort-on-fail no threshold ends the load"),
        (("--abort-delay", "soon"), "--abort-delay 'soon': give a number"),
        (
            ("--threshold", "target.in_service.ceiling>1", "--abort-on-fail", "yes"),
            "--abort-on-fail: target.in_service.ceiling is known at the end of a burst load only",
        ),
    ):
        with pytest.raises(UsageError, match=f"^{re.escape(said)}"):
            options(*words)


keep_all(globals())
