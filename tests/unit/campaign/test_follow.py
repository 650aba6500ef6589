"""What the live view is told, from a run folder that somebody else is writing."""

from dataclasses import replace

import pytest

from floodmark.campaign.follow import GATHERING, Follower
from floodmark.core.clock import ClockReading
from floodmark.core.messages import Pulse
from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile, SearchProfile
from floodmark.core.run_folder import CLOCKS, LIVE, PULSES, Manifest, RunFolder, RunStatus, SearchStep
from floodmark.core.sample import ConnectionCounts, ProcessSample, Sample

BURST = BurstProfile(requests=100, within_s=0.0, hold_s=1.0)
CLOSED = ClosedProfile(connections=8, duration_s=20.0, timeout_s=2.0)
ARRIVALS = ArrivalsProfile(rate=50.0, duration_s=20.0, timeout_s=2.0, connections=8)
SEARCH = SearchProfile(first=16, most=100, hold_s=1.0)


def begun(path, profile, **changes):
    folder = RunFolder(path)
    folder.create()
    manifest = Manifest(
        run_id="run",
        status=RunStatus.RUNNING,
        started_utc="2026-01-01T00:00:00+00:00",
        target="t",
        url="http://127.0.0.1:1/",
        profile=profile,
        hold_known=True,
        workers=1,
        beat_s=0.05,
    )
    folder.write_manifest(replace(manifest, **changes))
    return folder


def change(folder, **changes):
    folder.write_manifest(replace(folder.manifest(), **changes))


def pulse(folder, at_s, answered, *, worker="worker-1", open_connections=0, under_way=0):  # noqa: PLR0913 - one per count
    one = Pulse(
        worker=worker,
        at_s=at_s,
        planned=0,
        released=answered + under_way,
        connected=answered,
        answered=answered,
        failed=0,
        open_connections=open_connections,
    )
    folder.append(PULSES, [one])
    folder.close()


def test_until_the_first_counts_come_a_burst_gathers(tmp_path):
    folder = begun(tmp_path, BURST)
    follower = Follower(folder, BURST)
    assert (follower.state().phase, follower.state().planned, follower.fired) == (GATHERING, 100, False)
    change(folder, fired_s=5.0)
    assert follower.fired
    assert not follower.ended


def test_a_bursts_counts_are_the_workers_sums_and_no_stale_ones_are_shown_when_it_is_over(tmp_path):
    folder = begun(tmp_path, BURST, fired_s=5.0)
    follower = Follower(folder, BURST)
    pulse(folder, 5.1, 3)
    pulse(folder, 5.1, 4, worker="worker-2")
    state = follower.state()
    assert (state.phase, state.answered, state.duration_s) == ("load is on", 7, None)
    change(folder, cut_s=9.0)
    state = follower.state()
    assert (state.phase, state.released, state.answered) == ("the load is over", 0, 0)
    change(folder, status=RunStatus.COMPLETE)
    assert follower.ended


@pytest.mark.parametrize(("profile", "planned"), [(CLOSED, 0), (ARRIVALS, 1000)])
def test_a_steady_load_says_how_far_it_is_how_fast_and_on_how_many_connections(tmp_path, profile, planned):
    folder = begun(tmp_path, profile, fired_s=100.0)
    follower = Follower(folder, profile)
    for tenth in range(31):
        pulse(folder, 100.0 + tenth / 10, 10 * tenth, open_connections=5)
        pulse(folder, 100.05 + tenth / 10, 20 * tenth, worker="worker-2", open_connections=3)
    state = follower.state()
    assert (state.planned, state.duration_s, state.open_connections) == (planned, 20.0, 8)
    assert state.load_s == pytest.approx(3.05)
    assert state.answered_per_s == pytest.approx(300.0)


def test_a_rate_is_that_of_the_last_second_and_not_known_at_once(tmp_path):
    folder = begun(tmp_path, CLOSED, fired_s=0.0)
    follower = Follower(folder, CLOSED)
    pulse(folder, 0.1, 0)
    assert follower.state().answered_per_s is None
    pulse(folder, 0.3, 50)
    assert follower.state().answered_per_s is None
    for at_s in (1.0, 1.5, 2.0, 2.5, 3.0):
        pulse(folder, at_s, 50)
    assert follower.state().answered_per_s == 0.0


def test_a_search_is_followed_from_burst_to_burst(tmp_path):
    search = begun(tmp_path / "run", SEARCH)
    follower = Follower(search, SEARCH)
    assert (follower.state().phase, follower.fired) == (GATHERING, False)
    first = begun(tmp_path / "run/steps/01", BURST)
    change(search, steps=(SearchStep(folder="steps/01", requests=16),))
    assert follower.state().phase == "burst 1 of up to 3, 16 requests: getting ready"
    assert not follower.fired
    change(first, fired_s=1.0)
    pulse(first, 1.1, 16)
    state = follower.state()
    assert (state.phase, state.planned, state.answered) == ("burst 1 of up to 3, 16 requests: load is on", 16, 16)
    assert follower.fired
    change(search, steps=(*search.manifest().steps, SearchStep(folder="steps/02", requests=64)))
    state = follower.state()
    assert (state.phase, state.planned, state.answered) == ("burst 2 of up to 3, 64 requests: getting ready", 64, 0)
    assert follower.fired
    assert not follower.ended


def test_a_silent_worker_keeps_its_answers_and_is_in_no_rate_and_no_flight(tmp_path):
    folder = begun(tmp_path, CLOSED, fired_s=0.0)
    follower = Follower(folder, CLOSED)
    for at_s in (0.0, 0.5, 1.0):
        pulse(folder, at_s, int(100 * at_s), worker="worker-2", open_connections=4, under_way=4)
    for tenth in range(51):
        pulse(folder, tenth / 10, 10 * tenth, open_connections=3, under_way=3)
    state = follower.state()
    assert (state.answered, state.open_connections, state.in_flight, state.silent) == (600, 3, 3, 4)
    assert state.answered_per_s == pytest.approx(100.0)
    pulse(folder, 5.0, 500, worker="worker-2", open_connections=4)
    state = follower.state()
    assert (state.open_connections, state.silent) == (7, 0)


def test_workers_of_hosts_with_other_clocks_are_not_taken_for_silent(tmp_path):
    folder = begun(tmp_path, CLOSED, fired_s=100.0)
    offsets_s = {"worker-1": 50_000.0, "worker-2": -90.0}
    folder.append(CLOCKS, [ClockReading(node=name, offset_s=s, bound_s=1e-4) for name, s in offsets_s.items()])
    for name, offset_s in offsets_s.items():
        pulse(folder, 102.0 + offset_s, 10, worker=name, under_way=3)
    state = Follower(folder, CLOSED).state()
    assert (state.in_flight, state.silent, state.load_s) == (6, 0, 2.0)


def test_a_worker_that_was_lost_is_named_once_the_run_says_so(tmp_path):
    folder = begun(tmp_path, CLOSED, fired_s=0.0)
    follower = Follower(folder, CLOSED)
    pulse(folder, 0.1, 1)
    change(folder, problems=("worker-2 was lost while the load was on", "the agent had to drop 5 samples"))
    assert follower.state().phase == "load is on; worker-2 was lost"
    change(folder, cut_s=3.0)
    assert follower.state().phase == "the load is over; worker-2 was lost"


@pytest.mark.parametrize(
    ("ceiling", "words"),
    [(40, "the search ends with 64 requests: a ceiling of 40 is proven"), (None, "64 requests: no ceiling is proven")],
)
def test_a_search_that_ends_before_its_largest_burst_says_why(tmp_path, ceiling, words):
    search = begun(tmp_path / "run", SEARCH)
    begun(tmp_path / "run/steps/02", BURST)
    follower = Follower(search, SEARCH)
    step = SearchStep(folder="steps/02", requests=64, judged=True, ceiling=ceiling)
    change(search, steps=(step,))
    assert follower.state().phase.startswith("burst 1 of up to 3")
    change(search, status=RunStatus.COMPLETE)
    assert follower.state().phase.endswith(words)


def sample(folder, sequence, *, read=None, threads=1):
    """One of the agent's live figures; without `read` it has no dump of the connections."""
    names = ("accept_queue", "unread", "half_open", "abandoned", "abandoned_queue", "closing", "time_wait")
    counts = () if read is None else (ConnectionCounts(port=1, read=read, **dict.fromkeys(names, 0)),)
    process = ProcessSample(
        pid=1,
        parent=0,
        name="server",
        threads=threads,
        threads_started=0,
        threads_ended=0,
        open_files=3,
        rss_bytes=1,
        cpu_s=0.0,
    )
    one = Sample(
        sequence=sequence,
        due_s=0.0,
        taken_s=float(sequence),
        socket_s=0.0,
        cost_s=0.0,
        missed=0,
        listeners=(),
        connections=counts,
        processes=(process,),
        counters=None,
    )
    folder.append(LIVE, [one])
    folder.close()


def test_between_two_counts_the_newest_one_is_shown_with_the_newest_threads(tmp_path):
    folder = begun(tmp_path, BURST, fired_s=0.0)
    follower = Follower(folder, BURST)
    pulse(folder, 0.1, 1)
    sample(folder, 1)
    assert follower.state().read is None
    sample(folder, 2, read=40)
    sample(folder, 3, threads=9)
    assert (follower.state().read, follower.state().threads) == (40, 9)
    sample(folder, 4, read=0)
    assert follower.state().read == 0
