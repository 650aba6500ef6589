"""How far several workers were apart when they released their shares: on the master's clock, whatever theirs said."""

from dataclasses import replace

import pytest
from simulated import FIRED_S, WORKER_OFFSET_S, Server, Simulation

from floodmark.analysis.judge import judge
from floodmark.core.clock import ClockReading

OTHER_OFFSET_S = -7000.0


def released(late_s, *, requests=200, within_s=0.0, told_late_s=0.0):
    """The release of a burst by two workers; `late_s` has a worker's lateness at its nth request.

    `told_late_s`: the second worker was told an instant that is so much later on the master's clock.
    """
    recording = Simulation(server=Server(slots=10), requests=requests, hold_s=1.0).record()
    profile = replace(recording.manifest.profile, within_s=within_s)
    hits = []
    for hit in recording.hits:
        worker, nth = ("worker-1", "worker-2")[(hit.id - 1) % 2], (hit.id - 1) // 2
        shift_s = FIRED_S + (WORKER_OFFSET_S if worker == "worker-1" else OTHER_OFFSET_S + told_late_s)
        planned_s = shift_s + profile.planned_offset_s(hit.id)
        at_s = {"planned_s": planned_s, "released_s": planned_s + late_s[worker](nth)}
        hits.append(replace(hit, worker=worker, **at_s, connected_s=None, first_byte_s=None, ended_s=None))
    return judge(
        replace(
            recording,
            hits=tuple(hits),
            manifest=replace(recording.manifest, workers=2, profile=profile),
            clocks=(*recording.clocks, ClockReading(node="worker-2", offset_s=OTHER_OFFSET_S, bound_s=0.0002)),
        )
    ).document.release


@pytest.mark.parametrize("within_s", [0.0, 3.0])
def test_workers_that_are_late_together_are_not_apart(within_s):
    release = released({"worker-1": lambda nth: nth * 1e-3, "worker-2": lambda nth: nth * 1e-3}, within_s=within_s)
    assert release.median_late_s == pytest.approx(0.05, abs=0.002)
    assert (release.spread_s, release.skew_median_s, release.skew_p99_s) == (0.0, 0.0, 0.0)


def test_skew_is_of_each_workers_nth_request_and_not_of_the_first_only():
    release = released({"worker-1": lambda _: 0.0, "worker-2": lambda nth: nth * 1e-3})
    assert release.spread_s == 0.0
    assert release.skew_median_s == pytest.approx(0.049, abs=1e-5)
    assert release.skew_p99_s == pytest.approx(0.098, abs=1e-5)


def test_a_request_that_one_worker_did_not_release_has_no_skew():
    missing = released({"worker-1": lambda _: 0.0, "worker-2": lambda nth: 0.5 if nth == 99 else 0.001}, requests=199)
    assert missing.skew_p99_s == pytest.approx(0.001, abs=1e-5)


def test_one_worker_alone_has_no_skew():
    release = judge(Simulation(server=Server(slots=10), requests=20, hold_s=1.0).record()).document.release
    assert (release.spread_s, release.skew_median_s, release.skew_p99_s) == (None, None, None)


def test_a_worker_that_was_on_time_for_a_wrong_instant_is_apart_all_the_same():
    release = released({"worker-1": lambda _: 0.0, "worker-2": lambda _: 0.0}, told_late_s=0.02)
    assert release.p99_late_s == 0.0
    assert (release.spread_s, release.skew_median_s) == pytest.approx((0.02, 0.02), abs=1e-5)
