"""Where the estimates of how many at once contradict one another, none is taken silently."""

from dataclasses import replace

from simulated import AGENT_OFFSET_S, WORKER_OFFSET_S, Server, Simulation

from floodmark.analysis.axis import put_on_axis
from floodmark.analysis.document import Estimate
from floodmark.analysis.estimates import HANDLER_TIMES, LITTLES_LAW, RECONSTRUCTION, outvoted
from floodmark.analysis.judge import judge

POOL = Simulation(server=Server(slots=40), requests=200, hold_s=2.0, run_s=12.0)


def stamped_before_the_line(recording):
    """A header whose run begins where the request came, and not where it got a thread."""
    shift_s = AGENT_OFFSET_S - WORKER_OFFSET_S
    return replace(
        recording, hits=tuple(replace(hit, handler_begin_s=hit.connected_s + shift_s) for hit in recording.hits)
    )


def estimates(handlers, rebuilt, by_law):
    values = {HANDLER_TIMES: handlers, RECONSTRUCTION: rebuilt, LITTLES_LAW: by_law}
    return tuple(Estimate(method=method, value=value, words="") for method, value in values.items())


def law_check(document):
    (check,) = [check for check in document.validity.checks if check.name == "Little's law holds"]
    return check


def test_handler_times_that_the_other_two_contradict_are_no_number():
    document = judge(stamped_before_the_line(POOL.record())).document
    found = document.verdict.in_service
    assert (found.ceiling, found.peak) == (None, 40)
    assert "The handler times say 200" in found.evidence[0]
    assert "took 6" in found.evidence[0]
    assert found.evidence[0] == law_check(document).words
    assert not document.validity.ok
    assert "handles" not in document.verdict.sentence


def test_handler_times_that_agree_with_them_are_the_number():
    document = judge(POOL.record()).document
    assert (document.verdict.in_service.ceiling, law_check(document).ok) == (40, True)


def test_runs_that_took_the_hold_are_believed_against_answers_that_were_late():
    recording = POOL.record()
    contradicting = estimates(100, 70.0, 72.0)
    assert not outvoted(put_on_axis(recording), contradicting)
    assert outvoted(put_on_axis(stamped_before_the_line(recording)), contradicting)


def test_one_estimate_alone_or_two_that_differ_outvote_nothing():
    axis = put_on_axis(stamped_before_the_line(POOL.record()))
    for others in ((70.0, None), (None, 70.0), (70.0, 50.0), (98.0, 91.0), (89.0, 92.0)):
        assert not outvoted(axis, estimates(100, *others))
